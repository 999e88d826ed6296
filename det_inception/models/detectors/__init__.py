"""Detectors, registered with MMDetection."""
