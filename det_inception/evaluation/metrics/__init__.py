"""Metrics, registered with MMDetection."""
