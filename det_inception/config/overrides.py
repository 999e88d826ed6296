"""``--cfg-options``: settings that override a config's, with a check that each has an effect.

Most name a setting of the config, such as ``model.test_cfg.rcnn.score_thr=0.1``. Some stand for several:

===============================  =======================================================================================
``classes``                      the classes of every data set, and the size of the model's head
``data_format``                  the format of the data, where their folder may be of several
``val_share``, ``val_seed``      the share of data in one part that is set aside to validate on; another seed, others
``max_epochs``, ``max_iters``    the training's length; milestones and the epoch in which an average begins move along
``proposals.KEY``                ``KEY`` of every ``LoadRegionProposals``, or of its method
``proposal_store``               their ``store``
``multibox.KEY``                 ``config``, ``checkpoint`` and ``number`` of a MultiBox, mixed into their method
``image_size``                   width and height of every ``Resize`` and ``BatchResize``
``ensemble.KEY``                 ``combine``, ``mirror`` and ``members`` of the ensemble that several checkpoints make
``synsets``                      of a classifier: the list of its classes
``crops``, ``crop_rule``         of a classifier: in how many crops a test sees each image, and the rule of their places
===============================  =======================================================================================
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping

from mmengine.config import Config
from mmengine.runner import Runner

from det_inception.config.data import datasets, pipeline_steps, set_classes
from det_inception.config.errors import ConfigError
from det_inception.proposals.methods import DEFAULT_METHOD, with_options
from det_inception.utils.errors import counted

RUNNER_SETTINGS = (*inspect.signature(Runner).parameters, 'model_wrapper_cfg', 'find_unused_parameters', 'sync_bn')
"""What MMEngine reads from a config's top level, whether or not a config has it."""

SHORTHANDS = (
    *('classes', 'max_epochs', 'max_iters', 'proposals', 'proposal_store', 'multibox', 'image_size'),
    *('data_format', 'val_share', 'val_seed', 'crops', 'crop_rule'),
)
DATA_SETTINGS = dict(data_format='format', val_share='val_share', val_seed='val_seed')
"""Shorthands, and what they set in each ``DetectionDataset``."""
STEP_SETTINGS = ('method', 'store', 'max_num', 'cache_dir')
"""What ``proposals.KEY`` sets in the step itself; everything else is its method's."""

TOOL_SETTINGS = ('ensemble', 'synsets')
"""What this project reads from the top level."""


def apply_options(cfg: Config, options: Mapping) -> None:
    """Changes a config as the options say; one for a single place goes before one that stands for several.

    Raises:
        ConfigError: An option does not fit the config, or would have no effect.
    """
    own = {key: value for key, value in options.items() if key.split('.')[0] in SHORTHANDS}
    _apply_proposals(cfg, own)
    _apply_image_size(cfg, own.get('image_size'))
    _apply_crops(cfg, own)
    for name, setting in DATA_SETTINGS.items():
        if own.get(name) is not None:
            _apply_to_data(cfg, name, setting, own[name])
    for name in ('max_epochs', 'max_iters'):
        if name in own:
            _apply_length(cfg, name, own[name])
    _merge(cfg, {key: value for key, value in options.items() if key not in own})
    _require_lengths(cfg)
    if own.get('classes') is not None and isinstance(cfg.get('model'), dict):
        set_classes(cfg, own['classes'])


# --------------------------------------------------------------------------------------------------- single settings


def _merge(cfg: Config, options: dict) -> None:
    """Overrides settings, and refuses what would have no effect or tear a hole into the config."""
    known = {*cfg.keys(), *RUNNER_SETTINGS, *SHORTHANDS, *TOOL_SETTINGS}
    for key, value in options.items():
        top = key.split('.')[0]
        if top not in known:
            close = difflib.get_close_matches(top, known, n=1)
            hint = f'did you mean {close[0]!r}?' if close else 'name one that it has.'
            raise ConfigError(f'{cfg.filename}: the config has no setting {top!r}, as in --cfg-options {key}; {hint}')
        if top not in (*RUNNER_SETTINGS, *TOOL_SETTINGS):
            raise ConfigError(
                f'{cfg.filename}: {top} is a variable of the config file, which has been put where it belongs when an '
                f'option comes to change it, so --cfg-options {key} would do nothing; name the setting itself, such as '
                'model.backbone.width.'
            )
        group = _setting(cfg.to_dict(), key)
        if isinstance(group, dict) and not isinstance(value, dict) and value is not None:
            raise ConfigError(
                f'{cfg.filename}: {key} is a group of settings ({", ".join(map(str, group))}) and cannot be {value!r}; '
                f'set one of them, such as {key}.{next(iter(group), "name")}=...'
            )
        if value is not None and not _same_kind(group, value):
            raise ConfigError(
                f'{cfg.filename}: {key} is {group!r} and cannot be {value!r}; give it the same kind of value.'
            )
        if isinstance(group, tuple) and isinstance(value, list):
            options = {**options, key: tuple(value)}  # MMDetection's Resize takes no list.
    try:
        cfg.merge_from_dict(options)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        reason = ' '.join(str(error).split())
        raise ConfigError(f'{cfg.filename}: --cfg-options does not fit the config ({reason}); correct it.') from error


def require_heeded_classes(cfg: Config, options: Mapping) -> None:
    """Refuses an option for the size of a head that the classes have overridden.

    Raises:
        ConfigError: There is one.
    """
    for key, value in options.items():
        heeded = _setting(cfg.to_dict(), key) if key.endswith('.num_classes') else None
        if heeded is not None and heeded != value:
            raise ConfigError(
                f'{cfg.filename}: {key} is {value!r}, but the detector has {counted(heeded, "class", "classes")}; '
                'leave it out, or name the classes: classes=cat,dog.'
            )


def _same_kind(old: object, new: object) -> bool:
    """Whether a value may take the place of another: a list that of a list, a number that of a number."""
    if isinstance(old, (list, tuple)):
        return isinstance(new, (list, tuple, dict))  # A dict says what changes where in the list.
    if isinstance(old, (bool, int, float)):
        return not isinstance(new, (str, dict))
    return True


def _setting(node: object, key: str) -> object:
    """Returns what a config has under a dotted name; None if nothing."""
    for part in key.split('.'):
        if isinstance(node, (list, tuple)) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        else:
            node = node.get(part) if isinstance(node, dict) else None
    return node


# -------------------------------------------------------------------------------------------------------- shorthands


def _apply_length(cfg: Config, name: str, length: int) -> None:
    """Sets how long the training is; schedules of the whole length follow it by themselves."""
    loop = cfg.get('train_cfg') or {}
    if name not in loop:
        raise ConfigError(
            f'{cfg.filename}: {name} does not fit its {loop.get("type", "missing train_cfg")}; set '
            f'{next((other for other in ("max_epochs", "max_iters") if other in loop), "train_cfg")}.'
        )
    _require_length(cfg, name, length)
    factor = length / loop[name]
    for schedule in cfg.get('param_scheduler') or ():
        if schedule['type'] == 'MultiStepLR' and schedule.get('by_epoch', True) == (name == 'max_epochs'):
            schedule.milestones = [max(1, round(step * factor)) for step in schedule.milestones]
    for hook in cfg.get('custom_hooks') or ():
        if name == 'max_epochs' and hook['type'] == 'EMAHook' and hook.get('begin_epoch'):
            hook.begin_epoch = max(1, round(hook.begin_epoch * factor))
    loop[name] = length


def _require_lengths(cfg: Config) -> None:
    """Refuses a training without end or beginning before data and weights are read for it."""
    loop = cfg.get('train_cfg')
    for name in ('max_epochs', 'max_iters', 'val_interval') if isinstance(loop, dict) else ():
        if loop.get(name) is not None:
            _require_length(cfg, f'train_cfg.{name}', loop[name])


def _require_length(cfg: Config, name: str, length: object) -> None:
    if type(length) is not int or length < 1:
        raise ConfigError(f'{cfg.filename}: {name} is {length!r} and should be a whole number of at least 1.')


def _apply_proposals(cfg: Config, options: Mapping) -> None:
    """Sets where all data sets have their region proposals from.

    A store may be of any method, unless an option says of which.
    """
    if 'proposals' in options:
        raise ConfigError(f'{cfg.filename}: proposals is a group of settings; set one, such as proposals.max_num=500.')
    chosen = {key.partition('.')[2]: value for key, value in options.items() if key.startswith('proposals.')}
    of_step = {name: chosen.pop(name) for name in STEP_SETTINGS if name in chosen}
    of_method = {name.removeprefix('method.'): value for name, value in chosen.items()}
    if options.get('proposal_store') is not None:
        of_step['store'] = options['proposal_store']
    multibox = _multibox(cfg, options)
    for step in pipeline_steps(cfg, 'LoadRegionProposals'):
        step.update(of_step)
        if of_method:
            step['method'] = with_options(step.get('method'), of_method)
        if multibox:
            method = step.get('method') or DEFAULT_METHOD
            second = method['second'] if method['type'] == 'Mixed' else method
            step['method'] = dict(type='Mixed', first=dict(multibox, type='MultiBox'), second=second)
        elif not of_method and of_step.get('store'):
            step['method'] = of_step.get('method')


def _multibox(cfg: Config, options: Mapping) -> dict | None:
    """Returns the MultiBox that options name; what they leave out is the config's."""
    chosen = {key.partition('.')[2]: value for key, value in options.items() if key.split('.')[0] == 'multibox'}
    if not chosen:
        return None
    given = dict(cfg.get('multibox') or {}, **chosen)  # '': a value for the group as a whole.
    if not given.get('config') or not given.keys() <= {'config', 'checkpoint', 'number'}:
        raise ConfigError(
            f'{cfg.filename}: multibox is {given.get("", given)!r} and should name config and checkpoint of a '
            'MultiBox; set multibox.config=... and multibox.checkpoint=....'
        )
    return given if given.get('checkpoint') else None


def _apply_to_data(cfg: Config, name: str, setting: str, value: object) -> None:
    for dataset in datasets(cfg):
        if dataset.get('type') != 'DetectionDataset':
            raise ConfigError(
                f'{cfg.filename}: {name} is for data of your own, and this config has a {dataset.get("type")}; '
                'use another, such as googlenet_faster-rcnn_voc.'
            )
        dataset[setting] = value


def _apply_image_size(cfg: Config, size: object) -> None:
    if size is None:
        return
    if not isinstance(size, (list, tuple)) or len(size) != 2 or not all(isinstance(n, int) and n >= 32 for n in size):
        raise ConfigError(f'{cfg.filename}: image_size is {size!r} and should be width,height of at least 32 pixels.')
    for step in pipeline_steps(cfg, 'Resize'):
        step['scale'] = tuple(size)
    for step in pipeline_steps(cfg, 'BatchResize'):
        step.update(sides=[min(size)], max_ratio=max(size) / min(size))


def _apply_crops(cfg: Config, options: Mapping) -> None:
    """Sets the number of crops that every image is tested with, and the rule by which a classifier sees images."""
    for name, setting, loaders in (
        ('crops', 'number', ('test_dataloader',)),
        ('crop_rule', 'rule', ('val_dataloader', 'test_dataloader')),
    ):
        if options.get(name) is None:
            continue
        steps = list(pipeline_steps(cfg, 'TestCrops', loaders))
        if not steps:
            raise ConfigError(
                f'{cfg.filename}: {name} is for classifiers, whose test pipeline has a TestCrops; leave it out for '
                'detectors.'
            )
        for step in steps:
            step[setting] = options[name]
