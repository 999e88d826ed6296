"""Lets PyTorch's safe loading read the checkpoints of MMEngine, and nothing more."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable
from types import CodeType

import numpy as np
import torch

from det_inception.compat.namespaces import Namespace


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


def load_safely() -> None:
    """Makes MMEngine 0.11 load checkpoints as MMEngine 0.10 does: it asks for ``weights_only=False``, which runs code.

    Its ``load_checkpoint``, ``load_from`` and ``Pretrained`` all end in :mod:`mmengine.runner.checkpoint`. For everyone
    else, ``torch.load`` stays what it is.
    """
    from mmengine.runner import checkpoint

    loads = [value for value in vars(checkpoint).values() if getattr(value, '__module__', '') == checkpoint.__name__]
    loads = [value for value in loads if hasattr(value, '__code__')]
    if any('weights_only' in _names(value.__code__) for value in loads) and checkpoint.torch is torch:
        checkpoint.torch = Namespace(torch, load=_load)


def _names(code: CodeType) -> set[str]:
    """The names of arguments in calls of a function."""
    constants = [item for constant in code.co_consts if isinstance(constant, tuple) for item in constant]
    return {*code.co_names, *(item for item in constants if isinstance(item, str))}


@functools.wraps(torch.load)
def _load(*args, **kwargs) -> object:
    return torch.load(*args, **{**kwargs, 'weights_only': True})


def _statistics_method(owner: type, name: str) -> Callable:
    from mmengine.logging.history_buffer import HistoryBuffer

    if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
        raise pickle.UnpicklingError(f'the attribute {name!r} of {owner!r} is no part of a checkpoint')
    return getattr(HistoryBuffer, name)
