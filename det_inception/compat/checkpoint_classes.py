"""Lets PyTorch's safe loading read the checkpoints of MMEngine, and nothing more."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import torch


def allow_checkpoint_classes() -> None:
    """Admits the classes of MMEngine's checkpoints to ``torch.load(weights_only=True)``, and no others.

    A checkpoint of MMEngine holds, beside tensors, its log history: ``HistoryBuffer`` objects made of NumPy arrays.
    None of these classes runs code when it is unpickled, so a stranger's file stays harmless.
    """
    from mmengine.logging.history_buffer import HistoryBuffer

    multiarray = (getattr(np, '_core', None) or np.core).multiarray
    classes = [HistoryBuffer, np.ndarray, np.dtype, multiarray._reconstruct, multiarray.scalar]
    names = ('Float64DType', 'Float32DType', 'Int64DType', 'Int32DType', 'BoolDType')
    classes += [getattr(np.dtypes, name) for name in names]
    # A HistoryBuffer lists its statistics, methods of its own, which pickle stores as calls of getattr. Under that name
    # the loader finds a function that gives these methods and nothing else.
    torch.serialization.add_safe_globals([*classes, (_statistics_method, 'builtins.getattr')])


def _statistics_method(owner: type, name: str) -> Callable:
    from mmengine.logging.history_buffer import HistoryBuffer

    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        raise pickle.UnpicklingError(f'the attribute {name!r} of {owner!r} is no part of a checkpoint')
    return getattr(HistoryBuffer, name)
