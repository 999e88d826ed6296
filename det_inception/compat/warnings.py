"""Silences what other packages say, or ask the network, when they are imported or used, and nobody can act on."""

from __future__ import annotations

import os
import re
import warnings

_SILENCED = re.compile(
    # MMEngine names every weight that a config freezes, one by one.
    r'[\w.]+ is skipped since its requires_grad=False$'
    # MMEngine calls these itself.
    r'|"FileClient" will be deprecated in future'
    r'|"HardDiskBackend" is the alias of "LocalBackend"'
)


def silence_albumentations() -> None:
    """Keeps Albumentations from asking the network for its newest version at import."""
    os.environ.setdefault('NO_ALBUMENTATIONS_UPDATE', '1')


def silence_warnings() -> None:
    """Hides warnings of calls deep inside other packages, which nobody here can change."""
    warnings.filterwarnings('ignore', message='.*`torch.cuda.amp.GradScaler.*', category=FutureWarning)
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated.*')
    # Albumentations: steps of color alone leave boxes where they are; a wrong argument is an error, see ProposalAlbu.
    warnings.filterwarnings('ignore', message='Got processor for bboxes, but no transform to process it')
    warnings.filterwarnings('ignore', message=r'Argument\(s\) .* are not valid for transform')


def is_silenced(message: str) -> bool:
    """Whether a log message says what nobody can change."""
    return _SILENCED.match(message) is not None
