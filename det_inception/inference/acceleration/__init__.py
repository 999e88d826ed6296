"""Ways to run a trained detector faster than as it was trained."""
