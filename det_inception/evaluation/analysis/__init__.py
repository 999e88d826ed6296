"""What follows from the detections of a test: scores, curves, errors, sizes, margins. Plain NumPy."""
