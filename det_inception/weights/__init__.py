"""Files of weights: safe reading, public layouts, checkpoints, normalization."""

import det_inception.compat  # noqa: F401  (first: it admits the classes of checkpoints)
