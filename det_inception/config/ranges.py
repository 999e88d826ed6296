"""Numbers that a model's settings cannot have: they would find nothing, or train on nothing, without a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mmengine.config import Config

from det_inception.config.errors import ConfigError


class _Range(NamedTuple):
    holds: Callable[[float], bool]
    says: str


SHARE = _Range(lambda value: 0 <= value <= 1, 'a number from 0 to 1')
LIMIT = _Range(lambda value: value > 0 or value == -1, 'a number above 0, or -1 for all')
COUNT = _Range(lambda value: value >= 1, 'a whole number of at least 1')

RANGES = {
    'iou_threshold': SHARE,
    'score_thr': SHARE,
    'pos_fraction': SHARE,
    'pos_iou_thr': SHARE,
    'neg_iou_thr': SHARE,
    'max_per_img': LIMIT,
    'nms_pre': LIMIT,
    'max_per_class': LIMIT,
    'chunk_size': COUNT,
}
"""By the name that a setting has wherever it stands in ``train_cfg`` and ``test_cfg``."""


def require_ranges(cfg: Config) -> None:
    """Refuses a model whose settings have a number out of range.

    Raises:
        ConfigError: There is one.
    """
    model = cfg.get('model')
    if not isinstance(model, dict):
        return
    nodes = [(f'model.{name}', model.get(name)) for name in ('train_cfg', 'test_cfg')]
    while nodes:
        place, node = nodes.pop()
        if isinstance(node, (list, tuple)):
            nodes += [(f'{place}.{number}', one) for number, one in enumerate(node)]
        if not isinstance(node, dict):
            continue
        for name, value in node.items():
            within = RANGES.get(name)
            if name == 'num' and str(node.get('type')).endswith('Sampler'):
                within = COUNT
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if within is not None and number and not within.holds(value):
                raise ConfigError(f'{cfg.filename}: {place}.{name} is {value} and should be {within.says}.')
            nodes.append((f'{place}.{name}', value))
