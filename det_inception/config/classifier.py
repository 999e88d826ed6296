"""Completes the config of a classifier: its classes, its weights, its ensemble, the crops of its test.

As for detectors, what a checkpoint says of itself goes before what the config says; and a checkpoint may be any file
with a GoogLeNet that classifies, also Caffe's and torchvision's.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from det_inception.config.data import config_classes, datasets_of, pipeline_steps, read_classes, set_classes
from det_inception.datasets.imagenet import read_synsets
from det_inception.ilsvrc import RULES, describe_rule
from det_inception.models.backbones.googlenet import GoogLeNet, network_settings
from det_inception.utils.errors import InputError, some
from det_inception.weights.files import CheckpointError
from det_inception.weights.layouts import Weights


def is_classifier(cfg: Config) -> bool:
    """Whether a config's model is an image classifier, or an ensemble of them."""
    return cfg.model.get('type') in ('GoogLeNetClassifier', 'GoogLeNetClassifierEnsemble')


def complete_classifier(cfg: Config, checkpoints: Sequence[str | Path], weights: str | Path | None = None) -> None:
    """Sets classes, weights and members.

    Args:
        cfg: Changed in place. Its classes are those of ``synsets`` (a file), of ``metainfo``, or of the data.
        checkpoints: To test; none to train.
        weights: What to start a training from; None and ``'none'``: the config's ``init_cfg``, or random weights.

    Raises:
        InputError: Weights, classes and data do not belong together.
    """
    classes = config_classes(cfg) if cfg.get('synsets') is None else read_synsets(cfg.synsets)
    if checkpoints:
        _apply_checkpoints(cfg, checkpoints, classes)
        return
    classes = classes or _classes_of(cfg, 'train_dataloader')
    if not classes:
        raise InputError(
            f'{cfg.filename}: the training data are a list without names of classes; name the list of all classes '
            'with --cfg-options synsets=FILE.'
        )
    set_classes(cfg, classes)
    _require_average(cfg)
    if weights not in (None, 'none'):
        _apply_weights(cfg, str(weights), classes)


def _classes_of(cfg: Config, *loaders: str) -> tuple[str, ...] | None:
    """Returns the classes of the first data set of the loaders, without a look at its images."""
    first = next((settings for name in loaders for settings in datasets_of(cfg, name)), None)
    return None if first is None else read_classes(cfg, dict(first, lazy_init=True))


def _require_average(cfg: Config) -> None:
    last = (cfg.get('train_cfg') or {}).get('max_epochs')
    for number, hook in enumerate(cfg.get('custom_hooks') or ()):
        begin = hook.get('begin_epoch', 0)
        if hook['type'] == 'EMAHook' and last is not None and begin > last:
            raise InputError(
                f'{cfg.filename}: the weights are averaged from epoch {begin}, and training ends with epoch {last}; '
                f'set max_epochs={last}, which moves both, or custom_hooks.{number}.begin_epoch.'
            )


def _apply_weights(cfg: Config, source: str, classes: Sequence[str]) -> None:
    """Starts from pretrained weights: all of them where they were trained for the same classes, else the backbone's."""
    weights = GoogLeNet.read_weights(source)
    _adopt(cfg.model, weights)
    pretrained = dict(type='Pretrained', checkpoint=source)
    known = weights.classes or classes
    if weights.classifier and _outputs(weights) == len(classes) and tuple(known) == tuple(classes):
        cfg.model.init_cfg = pretrained
        print_log(f'{source}: tells as many classes apart; its last layer is used too.', 'current')
    else:
        cfg.model.backbone.init_cfg = pretrained


def _apply_checkpoints(cfg: Config, checkpoints: Sequence[str | Path], classes: tuple[str, ...] | None) -> None:
    """Makes the model that of a trained network, or the ensemble of several, and checks that they fit the data."""
    cfg.model.auxiliary = cfg.model.init_cfg = cfg.model.backbone.init_cfg = None
    if (settings := cfg.get('ensemble')) is not None:
        raise InputError(
            f'{cfg.filename}: ensemble={settings!r} is for detectors; classifiers are averaged by their softmax, and '
            'mirrored views are among the crops.'
        )
    members, rules = [], []
    for path in checkpoints:
        weights = GoogLeNet.read_weights(path)
        rules.append(weights.testing)
        classes = _common_classes(cfg, path, weights, classes)
        member = copy.deepcopy(cfg.model)
        _adopt(member, weights)
        member.num_classes = _outputs(weights)
        members.append(member)
    if classes is not None:
        set_classes(cfg, classes)
    _apply_rules(cfg, checkpoints, rules)
    cfg.model = members[0] if len(members) == 1 else dict(type='GoogLeNetClassifierEnsemble', members=members)


def _apply_rules(cfg: Config, paths: Sequence[str | Path], rules: Sequence[Mapping | None]) -> None:
    """Lets a test see images as the weights were tested, unless the config says how."""
    for step in pipeline_steps(cfg, 'TestCrops', ['test_dataloader']):
        if step.get('rule') is not None or step.get('number') == 144:
            continue
        for path, rule in zip(paths, rules):
            if rule != rules[0]:
                names = [describe_rule(one or RULES['paper']) for one in (rules[0], rule)]
                raise InputError(
                    f'{path}: is tested with images {names[1]}, and {paths[0]} with images {names[0]}; name one rule '
                    'for all with --cfg-options crop_rule=paper, or test with 144 crops, which are alike for all.'
                )
        if rules[0] is not None:
            step.rule = dict(rules[0])
            print_log(f'{paths[0]}: images are {describe_rule(rules[0])}, as these weights were tested.', 'current')


def _common_classes(
    cfg: Config, path: str | Path, weights: Weights, classes: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """Returns the classes of the test: those named, those that a checkpoint names, or those of the data."""
    if not weights.classifier:
        raise CheckpointError(f'{path}: holds a backbone and no classifier; name a network that classifies.')
    if weights.classes is not None:
        if classes is not None and tuple(classes) != weights.classes:
            raise InputError(
                f'{path}: was trained for the classes {some(weights.classes, 3)}, and the test is about '
                f'{some(classes, 3)}; test it on the classes that it knows.'
            )
        classes = weights.classes
    classes = classes or _classes_of(cfg, 'test_dataloader', 'val_dataloader')
    if classes is not None and len(classes) != _outputs(weights):
        raise InputError(
            f'{path}: tells {_outputs(weights)} classes apart, and the data have {len(classes)} '
            f'({some(classes, 3)}); name its classes with --cfg-options synsets=FILE, or test another network.'
        )
    return classes


def _adopt(model: dict, weights: Weights) -> None:
    model['backbone'].update(network_settings(model['backbone'], weights))
    if model['data_preprocessor'].get('mean') is not None:
        model['data_preprocessor'].update(weights.normalization)


def _outputs(weights: Weights) -> int:
    return len(weights.classifier['fc.bias'])
