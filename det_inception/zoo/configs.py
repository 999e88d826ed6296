"""The configs that come with the installed MMDetection, and which of them describe models of the same parts."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import mmdet
from mmengine.config import Config

import det_inception.compat.mmdetection  # noqa: F401  (as models are used)
from det_inception.utils.errors import InputError, first_line

NOT_PARTS = frozenset(
    ('init_cfg', 'pretrained', 'teacher_ckpt', 'frozen_stages', 'norm_eval', 'requires_grad', 'data_preprocessor')
)
"""Settings that change no code that a model runs."""


class ZooConfig(NamedTuple):
    """One config file.

    Attributes:
        name: Its path in the folder of configs.
        model: Its ``model``, without pretrained weights; None where it cannot be read.
        error: Why it cannot be read; None where it can.
    """

    name: str
    model: dict | None
    error: str | None


def config_folder() -> Path:
    """Returns the folder of configs inside the installed MMDetection.

    Raises:
        InputError: It has none.
    """
    folder = Path(mmdet.__file__).parent / '.mim' / 'configs'
    if not folder.is_dir():
        raise InputError(f'{folder}: the installed MMDetection has no configs; install it with pip install mmdet.')
    return folder


def read_configs(patterns: Sequence[str] = ()) -> Iterator[ZooConfig]:
    """Reads the configs that describe a model.

    Args:
        patterns: Names such as ``'retinanet/*'``; empty: all.

    Yields:
        One after the other, sorted by name. Those without a model, such as data sets, are left out.

    Raises:
        InputError: A pattern fits none.
    """
    folder = config_folder()
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob('*.py'))]
    names = [name for name in names if '_base_' not in name]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise InputError(f"{pattern}: fits none of MMDetection's {len(names)} configs; try 'retinanet/*'.")
    for name in names:
        if patterns and not any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            continue
        try:
            model = Config.fromfile(folder / name).get('model')
        except Exception as error:  # A config is Python: anything may go wrong in it.
            yield ZooConfig(name, None, said(error))
            continue
        if isinstance(model, dict):
            yield ZooConfig(name, without_weights(model.to_dict()), None)


def said(error: BaseException) -> str:
    """Returns an error's kind and first line, without the paths of this machine."""
    places = (str(config_folder()), str(Path(mmdet.__file__).parents[1]))
    line = ' '.join(first_line(error).split())
    for place in places:
        line = line.replace(f'{place}/', '')
    return f'{type(error).__name__}: {line}'


def without_weights(node: object) -> object:
    """Returns settings without the pretrained weights that they name."""
    if isinstance(node, dict):
        drop = ('pretrained', 'init_cfg', 'teacher_ckpt')
        nothing = {key: False if isinstance(node[key], bool) else None for key in drop if key in node}
        return {key: without_weights(value) for key, value in node.items()} | nothing
    if isinstance(node, (list, tuple)):
        return type(node)(map(without_weights, node))
    return node


def parts_of(model: dict) -> str:
    """Returns which parts a model has and how they are set, whatever their sizes.

    Models of the same parts run the same code: that of ResNet-50 and of ResNet-101, or of 80 and of 20 classes.
    """
    return json.dumps(_without_numbers(model), sort_keys=True, default=str)


def _without_numbers(node: object) -> object:
    if isinstance(node, dict):
        return {str(key): _without_numbers(value) for key, value in node.items() if key not in NOT_PARTS}
    if isinstance(node, (list, tuple)):
        # Of numbers, such as the channels of stages, a list; of parts, such as the heads of a cascade, all.
        return [_without_numbers(value) for value in node]
    return 0 if isinstance(node, (int, float)) and not isinstance(node, bool) else node
