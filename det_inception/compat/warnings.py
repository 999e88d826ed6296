"""Silences what other packages say, or ask the network, when they are imported."""

from __future__ import annotations

import os
import warnings


def silence_albumentations() -> None:
    """Keeps Albumentations from asking the network for its newest version at import."""
    os.environ.setdefault('NO_ALBUMENTATIONS_UPDATE', '1')


def silence_warnings() -> None:
    """Hides warnings of calls deep inside MMEngine, which nobody here can change."""
    warnings.filterwarnings('ignore', message='.*`torch.cuda.amp.GradScaler.*', category=FutureWarning)
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated.*')
