"""Image classifiers, registered with MMDetection."""
