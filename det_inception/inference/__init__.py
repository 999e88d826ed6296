"""Images in, boxes out."""

import det_inception.compat  # noqa: F401  (first: MMDetection cannot be imported without it)
