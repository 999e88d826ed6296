"""What a test writes besides its score, by metrics that are added to a config."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from det_inception.evaluation.report import PICTURES, require_writable
from det_inception.utils.errors import InputError

# Which rules belong to the metric that a config tests with, and by which way of Pascal VOC it computes AP by itself.
_RULES_OF = {'ILSVRCDetMetric': 'ilsvrc', 'VOCBoxMetric': 'voc', 'VOCMetric': 'voc'}
_EVAL_MODES = {'VOCBoxMetric': 'area', 'VOCMetric': '11points'}


def add_report(cfg: Config, folder: str | os.PathLike, checkpoint: str, pictures: int = PICTURES) -> None:
    """Lets a config's test write a report, by the rules of the metric that it has.

    Args:
        cfg: The config; its ``test_evaluator`` is changed.
        folder: Where the report goes.
        checkpoint: Name of what is tested.
        pictures: How many pictures a gallery has at most; 0: no galleries.

    Raises:
        InputError: The folder cannot be written to.
    """
    require_writable(folder)
    settings = report_settings(cfg, cfg.get('test_evaluator'), folder)
    settings['facts'] = [*settings['facts'], ('checkpoint', checkpoint)]
    cfg.test_evaluator = [*_evaluators(cfg), dict(type='ReportMetric', pictures=pictures, **settings)]


def report_settings(cfg: Config, evaluator: dict | Sequence[dict] | None, folder: str | os.PathLike) -> dict:
    """Returns the arguments of a ``ReportMetric`` by the rules of another metric.

    Args:
        cfg: The config, whose name is the title.
        evaluator: Its ``test_evaluator`` or ``val_evaluator``.
        folder: Where the report goes.
    """
    tested = next((item for item in _as_list(evaluator) if item.get('type') in _RULES_OF), {})
    rules = _RULES_OF.get(tested.get('type'), 'coco')
    if rules == 'voc' and tested.get('eval_mode', _EVAL_MODES[tested['type']]) == '11points':
        rules = 'voc2007'
    return dict(
        out_dir=str(folder),
        rules=rules,
        title=Path(cfg.filename).stem,
        facts=[('config', Path(cfg.filename).name)],
        **{key: tested[key] for key in ('blacklist', 'image_list') if tested.get(key) is not None},
    )


def save_region_scores(cfg: Config, path: str | os.PathLike) -> None:
    """Lets a test write its region scores to a file.

    Raises:
        InputError: The config's model classifies no regions, or is read from such files itself.
    """
    if cfg.model.type not in ('RCNN', 'RCNNEnsemble'):
        raise InputError(f'{path}: only an RCNN or an ensemble has region scores, not a {cfg.model.type}.')
    heads = [settings.get('bbox_head') for settings in (cfg.model, *cfg.model.get('members', ()))]
    if any(head is not None and head.get('type') == 'SVMHead' for head in heads):
        raise InputError(f'{path}: files of region scores are of networks with a softmax, not with SVMs; leave it out.')
    for settings in (cfg.model, *cfg.model.get('members', ())):
        if settings.get('test_cfg') is not None:
            settings.test_cfg.rcnn.keep_region_scores = True
            settings.test_cfg.rcnn.pop('preselect', None)  # Files of several networks must hold the same regions.
    cfg.test_evaluator = [*_evaluators(cfg), dict(type='RegionScoresMetric', out_file=str(path))]


def _evaluators(cfg: Config) -> list[dict]:
    return _as_list(cfg.get('test_evaluator'))


def _as_list(evaluator: dict | Sequence[dict] | None) -> list[dict]:
    return list(evaluator) if isinstance(evaluator, (list, tuple)) else [evaluator] if evaluator else []
