"""Data preprocessors, registered with MMDetection: they take the normalization from the backbone's weights."""
