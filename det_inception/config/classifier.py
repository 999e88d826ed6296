"""Completes the config of a classifier: its classes, its weights, its ensemble, the crops of its test.

As for detectors, what a checkpoint says of itself goes before what the config says; and for a GoogLeNet a checkpoint
may be any file with one that classifies, also Caffe's and torchvision's. For a network of timm it may be timm's own.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from mmengine.logging import print_log

from det_inception.config.backbones import backbone_class
from det_inception.config.data import config_classes, datasets_of, pipeline_steps, read_classes, set_classes
from det_inception.datasets.imagenet import read_synsets
from det_inception.ilsvrc import RULES, describe_rule
from det_inception.models.backbones.googlenet import GoogLeNet, network_settings
from det_inception.models.backbones.timm_backbone import ADDRESS, TimmBackbone, timm_normalization, timm_testing
from det_inception.models.classifiers.timm_classifier import count_classes
from det_inception.models.data_preprocessors.normalization import NormalizationBuffers
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError, some
from det_inception.weights.checkpoints import checkpoint_classes, read_checkpoint
from det_inception.weights.files import CheckpointError, read_raw
from det_inception.weights.normalization import stated_testing

AVERAGES = ('EMAHook', 'PolyakAverageHook')
"""Hooks that average weights from an epoch on."""


class _Network(NamedTuple):
    """What a file says about the network in it.

    Attributes:
        settings: Of the backbone.
        normalization: ``mean``, ``std`` and ``bgr_to_rgb``, where the file says it.
        outputs: How many classes it tells apart; 0: it holds a backbone alone.
        classes: Which, where the file says it.
        testing: How images become crops in its test, where that is known.
        is_timm: Whether the file is timm's own, of a whole network.
    """

    settings: dict
    normalization: dict | None
    outputs: int
    classes: tuple[str, ...] | None
    testing: dict | None
    is_timm: bool = False


def is_classifier(cfg: Config) -> bool:
    """Whether a config's model is an image classifier, or an ensemble of them."""
    return cfg.model.get('type') in ('GoogLeNetClassifier', 'ImageClassifier', 'GoogLeNetClassifierEnsemble')


def complete_classifier(cfg: Config, checkpoints: Sequence[str | Path], weights: str | Path | None = None) -> None:
    """Sets classes, weights and members.

    Args:
        cfg: Changed in place. Its classes are those of ``synsets`` (a file), of ``metainfo``, or of the data.
        checkpoints: To test; none to train.
        weights: What to start a training from; None and ``'none'``: the config's ``init_cfg``, or random weights.

    Raises:
        InputError: Weights, classes and data do not belong together.
    """
    if backbone_class(cfg.model) is None:
        raise InputError(
            f'{cfg.filename}: a classifier takes a backbone of this project, TimmBackbone among them, and '
            f'model.backbone.type is {cfg.model.backbone.type!r}.'
        )
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
        if hook['type'] in AVERAGES and last is not None and begin > last:
            raise InputError(
                f'{cfg.filename}: the weights are averaged from epoch {begin}, and training ends with epoch {last}; '
                f'set max_epochs={last}, which moves both, or custom_hooks.{number}.begin_epoch.'
            )


def _apply_weights(cfg: Config, source: str, classes: Sequence[str]) -> None:
    """Starts from pretrained weights: all of them where they were trained for the same classes, else the backbone's."""
    pretrained = dict(type='Pretrained', checkpoint=source)
    if cfg.model.type != 'GoogLeNetClassifier':
        said = backbone_class(cfg.model).config_from_pretrained(cfg.model.backbone, source)
        _adopt(cfg.model, _Network(said.settings, said.normalization, 0, None, said.testing))
        cfg.model.backbone.init_cfg = pretrained
        return
    network = _read_network(cfg.model, source)
    _adopt(cfg.model, network)
    known = network.classes or classes
    if network.outputs == len(classes) and tuple(known) == tuple(classes):
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
        network = _read_network(cfg.model, path)
        rules.append(network.testing)
        classes = _common_classes(cfg, path, network, classes)
        members.append(_member(cfg.model, network))
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
    cfg: Config, path: str | Path, network: _Network, classes: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """Returns the classes of the test: those named, those that a checkpoint names, or those of the data."""
    if not network.outputs:
        raise CheckpointError(f'{path}: holds a backbone and no classifier; name a network that classifies.')
    if network.classes is not None:
        if classes is not None and tuple(classes) != network.classes:
            raise InputError(
                f'{path}: was trained for the classes {some(network.classes, 3)}, and the test is about '
                f'{some(classes, 3)}; test it on the classes that it knows.'
            )
        classes = network.classes
    classes = classes or _classes_of(cfg, 'test_dataloader', 'val_dataloader')
    if classes is not None and len(classes) != network.outputs:
        raise InputError(
            f'{path}: tells {network.outputs} classes apart, and the data have {len(classes)} '
            f'({some(classes, 3)}); name its classes with --cfg-options synsets=FILE, or test another network.'
        )
    return classes


def _adopt(model: dict, network: _Network) -> None:
    model['backbone'].update(network.settings)
    preprocessor = model['data_preprocessor']
    own = issubclass(MODELS.get(preprocessor['type']), NormalizationBuffers)  # It takes it from the weights by itself.
    if network.normalization and (preprocessor.get('mean') is not None or not own):
        preprocessor.update(network.normalization)


def _member(model: Mapping, network: _Network) -> dict:
    """Returns the config of a trained network that a checkpoint holds."""
    member = copy.deepcopy(model)
    if network.is_timm:
        whole = dict(type='TimmClassifier', model_name=model['backbone']['model_name'], num_classes=network.outputs)
        whole['data_preprocessor'] = dict(member['data_preprocessor'], **network.normalization)
        return whole | ({'chunk_size': model['chunk_size']} if 'chunk_size' in model else {})
    _adopt(member, network)
    member['num_classes'] = network.outputs
    return member


def _is_timm(model: Mapping, path: str | Path) -> bool:
    """Whether a path stands for timm's weights of a whole network, and no checkpoint of this project."""
    if backbone_class(model) is not TimmBackbone:
        return False
    if str(path) == ADDRESS:
        return True
    try:
        return not any(key.startswith('backbone.') for key in read_raw(path).tensors)
    except CheckpointError:
        return False  # Whoever reads it as a checkpoint says why.


def _read_network(model: Mapping, path: str | Path) -> _Network:
    """Reads a classifier: of GoogLeNet any file with one, of others timm's own or what this project trained."""
    if _is_timm(model, path):
        name = model['backbone']['model_name']
        outputs = count_classes(name, path)
        return _Network({}, timm_normalization(name), outputs, None, timm_testing(name), is_timm=True)
    if model['type'] == 'GoogLeNetClassifier':
        weights = GoogLeNet.read_weights(path)
        return _Network(
            network_settings(model['backbone'], weights),
            weights.normalization,
            len(weights.classifier.get('fc.bias', ())),
            weights.classes,
            weights.testing,
        )
    checkpoint = read_checkpoint(path)
    said = backbone_class(model).config_from_checkpoint(model['backbone'], checkpoint, path)
    bias, testing = checkpoint['state_dict'].get('fc.bias'), stated_testing(checkpoint['meta'])
    outputs = 0 if bias is None else bias.numel()
    return _Network(said.settings, said.normalization, outputs, checkpoint_classes(checkpoint), testing)
