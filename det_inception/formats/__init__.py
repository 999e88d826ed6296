"""Annotation files as records: one file a format. Needs neither PyTorch nor MMDetection."""
