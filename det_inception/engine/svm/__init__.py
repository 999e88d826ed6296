"""R-CNN's second half: linear SVMs and box regression on features of a network that is not trained any further."""
