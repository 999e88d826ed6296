"""Which of MMDetection's own configs work on this machine: each is built, and each kind of model runs a step."""

import det_inception.compat  # noqa: F401  (before MMDetection)
