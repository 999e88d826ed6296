"""What a network expects of images: what files say about it, and where checkpoints keep it.

A normalization is ``dict(mean, std, bgr_to_rgb)`` as MMDetection's ``DetDataPreprocessor`` takes it: for pixels 0 to
255, read as BGR; ``mean`` and ``std`` in the order of the channels after ``bgr_to_rgb``. How images become the crops of
a test is a rule of :mod:`det_inception.ilsvrc.crops`.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from det_inception.ilsvrc import require_rule
from det_inception.utils.errors import InputError

KEYS = ('mean', 'std', 'bgr_to_rgb')
PREPROCESSOR = 'data_preprocessor.'
"""Where a model's ``state_dict`` has the three as buffers."""


def stated_normalization(meta: Mapping, state_dict: Mapping[str, Tensor] | None = None) -> dict | None:
    """Returns the normalization that a checkpoint says it was trained with, if any.

    Args:
        meta: The checkpoint's ``meta``: our files name it there; files of MMEngine name it in the text of the config.
        state_dict: Its arrays. The buffers of a data preprocessor go before ``meta``.
    """
    stated = meta.get('normalization', meta.get('normalisation'))  # Files of version 0.1 spell it so.
    stated = dict(stated if isinstance(stated, Mapping) else _config_preprocessor(meta.get('cfg')))
    for key in KEYS:
        buffer = (state_dict or {}).get(PREPROCESSOR + key)
        if buffer is not None and buffer.numel() == (1 if key == 'bgr_to_rgb' else 3):
            stated[key] = bool(buffer) if key == 'bgr_to_rgb' else buffer.flatten().tolist()
    return _complete(stated)


def stated_testing(meta: Mapping) -> dict | None:
    """Returns the rule that a checkpoint says it is tested by, if any."""
    try:
        return require_rule(meta.get('testing'))
    except InputError:
        return None


def add_normalization(state_dict: dict[str, Tensor], meta: Mapping) -> None:
    """Adds the buffers of a data preprocessor to a checkpoint of version 0.1, as far as its ``meta`` says them.

    Args:
        state_dict: The checkpoint's, changed in place.
        meta: The checkpoint's.
    """
    normalization = None if PREPROCESSOR + 'mean' in state_dict else stated_normalization(meta)
    for key, value in as_buffers(normalization or {}).items():
        state_dict[PREPROCESSOR + key] = value


def as_buffers(normalization: Mapping) -> dict[str, Tensor]:
    """Returns a normalization as tensors: mean and std float32 (3, 1, 1), ``bgr_to_rgb`` a bool."""
    return {
        key: torch.tensor(bool(value))
        if key == 'bgr_to_rgb'
        else torch.tensor(value, dtype=torch.float32).view(-1, 1, 1)
        for key, value in normalization.items()
    }


def same_normalization(first: Mapping, second: Mapping) -> bool:
    """Whether two normalizations are the same, to a hundredth of a pixel's value."""
    return bool(first['bgr_to_rgb']) == bool(second['bgr_to_rgb']) and all(
        abs(one - other) <= 0.01 for key in ('mean', 'std') for one, other in zip(first[key], second[key], strict=True)
    )


def describe(normalization: Mapping) -> str:
    """Returns a normalization in words, for example ``'BGR, mean 104 117 123, std 1 1 1'``."""
    return '{}, mean {}, std {}'.format(
        'RGB' if normalization['bgr_to_rgb'] else 'BGR',
        *(' '.join(f'{value:g}' for value in normalization[key]) for key in ('mean', 'std')),
    )


def _complete(stated: Mapping) -> dict | None:
    try:
        mean, std = ([float(value) for value in stated[key]] for key in ('mean', 'std'))
        if len(mean) == len(std) == 3 and all(map(math.isfinite, (*mean, *std))) and min(std) > 0:
            return dict(mean=mean, std=std, bgr_to_rgb=bool(stated.get('bgr_to_rgb', False)))
    except (KeyError, TypeError, ValueError, OverflowError):
        pass
    return None


def _config_preprocessor(text: object) -> dict:
    """Finds ``data_preprocessor`` in the config that MMEngine writes into a checkpoint, without running the config."""
    if not isinstance(text, str):
        return {}
    try:
        statements = ast.parse(text).body
        top = {
            statement.targets[0].id: statement.value
            for statement in statements
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
        }
        node = _keyword(top.get('model'), 'data_preprocessor') or top.get('data_preprocessor')
        values = {key: _keyword(node, key) for key in KEYS}
        return {key: ast.literal_eval(value) for key, value in values.items() if value is not None}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def _keyword(node: ast.AST | None, name: str) -> ast.AST | None:
    """Returns the value under ``name`` of a ``dict(name=...)`` call or a ``{'name': ...}`` display."""
    if isinstance(node, ast.Call):
        return next((keyword.value for keyword in node.keywords if keyword.arg == name), None)
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values):
            if isinstance(key, ast.Constant) and key.value == name:
                return value
    return None
