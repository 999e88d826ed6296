"""Completes the config of a classifier: its classes, its weights, its ensemble, the crops of its test.

Called by :func:`det_inception.config.loading.load_config`. As for detectors, what a checkpoint says of itself goes
before what
the config says; and a checkpoint may be any file with a GoogLeNet that classifies, also Caffe's and torchvision's.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from det_inception.datasets.imagenet import read_synsets
from det_inception.models.backbones.googlenet import GoogLeNet
from det_inception.registry import DATASETS
from det_inception.utils.errors import InputError, some
from det_inception.weights.files import CheckpointError
from det_inception.weights.layouts import Weights


def is_classifier(cfg: Config) -> bool:
    """Whether a config's model is an image classifier, or an ensemble of them."""
    return cfg.model.get('type') in ('GoogLeNetClassifier', 'GoogLeNetClassifierEnsemble')


def complete_classifier(
    cfg: Config, checkpoints: Sequence[str | Path], train_data: Sequence[dict], test_data: Sequence[dict]
) -> None:
    """Sets classes, weights and members.

    Args:
        cfg: Changed in place. ``classes`` are names, or None for those of ``synsets`` (a file) or of the data.
        checkpoints: To test; none to train.
        train_data: Settings of the training data sets.
        test_data: Of those of the test.

    Raises:
        InputError: Weights, classes and data do not belong together.
    """
    if cfg.get('synsets') is not None:
        cfg.classes = read_synsets(cfg.synsets)
    if checkpoints:
        _use_checkpoints(cfg, checkpoints, test_data)
    else:
        cfg.classes = _classes(cfg, train_data)
        if not cfg.classes:
            raise InputError(
                f'{cfg.filename}: the training data are a list without names of classes; name the list of all classes '
                'with --cfg-options synsets=FILE.'
            )
        cfg.model.num_classes = len(cfg.classes)
        _require_average(cfg)
        if cfg.get('weights') is not None:
            _use_weights(cfg)
    for dataset in (*train_data, *test_data):
        dataset.metainfo = dict(dataset.get('metainfo') or {}, classes=cfg.classes)


def use_crops(cfg: Config, number: int) -> None:
    """Sets the number of crops that every image is tested with.

    Raises:
        InputError: The config is no classifier's, or its test pipeline has no ``TestCrops``.
    """
    steps = cfg.test_dataloader.dataset.get('pipeline', ()) if cfg.get('test_dataloader') else ()
    crops = [step for step in steps if step['type'] == 'TestCrops']
    if not crops:
        raise InputError(
            f'{cfg.filename}: --crops is for classifiers, whose test pipeline has a TestCrops; leave it out for '
            'detectors.'
        )
    for step in crops:
        step.number = number


def _classes(cfg: Config, data: Sequence[dict]) -> tuple[str, ...] | None:
    """Returns the classes that the config names, else those that the first of the data sets finds."""
    classes = cfg.get('classes')
    if classes is None and data:
        settings = dict(data[0], pipeline=[], lazy_init=True)
        classes = DATASETS.build(settings).metainfo.get('classes')
    return None if classes is None else tuple(classes)


def _require_average(cfg: Config) -> None:
    last = (cfg.get('train_cfg') or {}).get('max_epochs')
    for number, hook in enumerate(cfg.get('custom_hooks') or ()):
        begin = hook.get('begin_epoch', 0)
        if hook['type'] == 'EMAHook' and last is not None and begin > last:
            raise InputError(
                f'{cfg.filename}: the weights are averaged from epoch {begin}, and training ends with epoch {last}; '
                f'set max_epochs={last}, which moves both, or custom_hooks.{number}.begin_epoch.'
            )


def _use_weights(cfg: Config) -> None:
    """Starts from pretrained weights: all of them where they were trained for the same classes, else the backbone's."""
    weights = GoogLeNet.read_weights(cfg.weights)
    _adopt(cfg.model, weights)
    pretrained = dict(type='Pretrained', checkpoint=str(cfg.weights))
    known = weights.classes or cfg.classes
    if weights.classifier and _outputs(weights) == len(cfg.classes) and tuple(known) == tuple(cfg.classes):
        cfg.model.init_cfg = pretrained
        print_log(f'{cfg.weights}: tells as many classes apart; its last layer is used too.', 'current')
    else:
        cfg.model.backbone.init_cfg = pretrained


def _use_checkpoints(cfg: Config, checkpoints: Sequence[str | Path], test_data: Sequence[dict]) -> None:
    """Makes the model that of a trained network, or the ensemble of several, and checks that they fit the data."""
    cfg.weights, cfg.model.auxiliary, cfg.model.init_cfg = None, None, None
    cfg.model.backbone.init_cfg = None
    members = [_member(cfg, path, test_data) for path in checkpoints]
    if (settings := cfg.get('ensemble')) is not None:
        raise InputError(
            f'{cfg.filename}: ensemble={settings!r} is for detectors; classifiers are averaged by their softmax, and '
            'mirrored views are among the crops.'
        )
    cfg.model = members[0] if len(members) == 1 else dict(type='GoogLeNetClassifierEnsemble', members=members)


def _member(cfg: Config, path: str | Path, test_data: Sequence[dict]) -> dict:
    """Returns the model's config for one checkpoint; the first one that names its classes names those of the test."""
    weights = GoogLeNet.read_weights(path)
    if not weights.classifier:
        raise CheckpointError(f'{path}: holds a backbone and no classifier; name a network that classifies.')
    if weights.classes is not None:
        if cfg.get('classes') is not None and tuple(cfg.classes) != weights.classes:
            raise InputError(
                f'{path}: was trained for the classes {some(weights.classes, 3)}, and the test is about '
                f'{some(cfg.classes, 3)}; test it on the classes that it knows.'
            )
        cfg.classes = weights.classes
    cfg.classes = _classes(cfg, test_data)
    if cfg.classes is not None and len(cfg.classes) != _outputs(weights):
        raise InputError(
            f'{path}: tells {_outputs(weights)} classes apart, and the data have {len(cfg.classes)} '
            f'({some(cfg.classes, 3)}); name its classes with --cfg-options synsets=FILE, or test another network.'
        )
    model = copy.deepcopy(cfg.model)
    _adopt(model, weights)
    model.num_classes = _outputs(weights)
    return model


def _adopt(model: dict, weights: Weights) -> None:
    model['backbone'].update(variant=weights.variant, width=weights.width)
    if model['data_preprocessor'].get('mean') is not None:
        model['data_preprocessor'].update(weights.normalization)


def _outputs(weights: Weights) -> int:
    return len(weights.classifier['fc.bias'])
