"""Reads a config and completes it: where the data lie, which weights to start from, which classes there are.

Configs are plain MMEngine configs. What would have to be written in several of their places stands once at the top
level, and is carried to these places here:

* ``data_root``: to every data set.
* ``classes``: to every data set's ``metainfo`` and the head's ``num_classes``; None reads them from the training data.
* ``proposals.KEY``, where the command line sets it: to every ``LoadRegionProposals``, ``max_num`` to the step itself,
  ``mode``, ``width``, ``type`` and so on to its method.
* ``proposal_store``: to every ``LoadRegionProposals``; its method counts no more, unless the command line sets it.
* ``multibox`` (a dict of ``config`` and ``checkpoint``): mixed into the method of every ``LoadRegionProposals``.
* ``image_size`` (width, height): to every ``Resize``.
* ``ensemble`` (``combine``, ``mirror``): to the ensemble that several checkpoints make; ``members``: how many they are.
* ``max_epochs`` or ``max_iters``, where the command line sets it: to the training loop, to schedules of that length,
  and in proportion to the milestones of a ``MultiStepLR`` and the epoch in which an ``EMAHook`` begins.
* ``weights``: to ``init_cfg`` of the backbone, to its variant and width, the channels of what stands behind it and the
  normalization in ``data_preprocessor``, see :mod:`det_inception.config.backbones`; of timm, a file or ``timm://``.
* ``synsets``, for a classifier: the list whose names are the ``classes``; see :mod:`det_inception.config.classifier`.
"""

from __future__ import annotations

import copy
import difflib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from det_inception.config.backbones import backbone_class, fit_to_checkpoint, fit_to_weights
from det_inception.config.classifier import complete_classifier, is_classifier
from det_inception.proposals.methods import DEFAULT_METHOD, with_options
from det_inception.proposals.region_scores import SUFFIX, RegionScores
from det_inception.registry import DATASETS
from det_inception.utils.errors import InputError
from det_inception.weights.checkpoints import checkpoint_classes, read_checkpoint

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
RUNNER_SETTINGS = (*inspect.signature(Runner).parameters, 'model_wrapper_cfg', 'find_unused_parameters', 'sync_bn')
"""What MMEngine reads from a config's top level, whether or not a config has it."""


OWN_SETTINGS = (
    *('data_root', 'classes', 'weights', 'proposals', 'proposal_store', 'multibox', 'image_size'),
    *('max_epochs', 'max_iters', 'ensemble', 'synsets'),
)
"""What is carried from the top level to where it belongs, see above."""


class ConfigError(InputError):
    """A config that cannot be used."""


def load_config(
    path: str | Path,
    *,
    options: Mapping | None = None,
    data_root: str | Path | None = None,
    weights: str | Path | None = None,
    checkpoint: str | Path | Sequence[str | Path] | None = None,
) -> Config:
    """Reads a config file and completes it.

    Args:
        path: The file.
        options: Settings that override the file's, dotted names allowed, as ``--cfg-options`` gives them.
        data_root: Overrides the config's ``data_root``.
        weights: Overrides the config's ``weights``.
        checkpoint: A trained detector that the config is to be used with: its classes, its variant of GoogLeNet and
            its normalization override the config's, which may have got others by ``weights`` when it was trained.
            Several make an ensemble of the config's model, see :class:`~det_inception.models.RCNNEnsemble`. Files of
            region scores stand for the networks that wrote them.

    Raises:
        ConfigError: The file is missing or no config.
        InputError: Data or weights that cannot be read.
    """
    cfg = read_config(path, options=options, data_root=data_root)
    if weights is not None:
        cfg.weights = str(weights)
    checkpoints = checkpoint_list(checkpoint)
    if is_classifier(cfg) and 'members' not in cfg.model:  # An ensemble that a config spells out is complete.
        train, test = (list(datasets_of(cfg, name)) for name in ('train_dataloader', 'test_dataloader'))
        complete_classifier(cfg, checkpoints, train, [*test, *datasets_of(cfg, 'val_dataloader')])
        return cfg
    if cfg.get('synsets') is not None:
        raise ConfigError(
            f'{cfg.filename}: synsets are the classes of a classifier; name those of a detector in classes.'
        )
    if any(is_score_file(path) for path in checkpoints):
        _use_score_files(cfg, checkpoints)
        checkpoints = []
    elif checkpoints:
        _use_checkpoint(cfg, checkpoints[0])
    elif cfg.get('weights') is not None:
        if backbone_class(cfg.model) is None:
            raise ConfigError(
                f"{cfg.filename}: weights={cfg.weights!r} are for this project's backbones, which the model has none "
                'of; name them in init_cfg of its backbone.'
            )
        fit_to_weights(cfg.model, cfg.weights)
    if 'classes' in cfg:
        _use_classes(cfg)
    ensemble = cfg.get('ensemble') or {}
    if len(checkpoints) > 1 or (checkpoints and (ensemble.get('mirror') or ensemble.get('members', 1) > 1)):
        _use_members(cfg, checkpoints)
    return cfg


def checkpoint_list(checkpoint: str | Path | Sequence[str | Path] | None) -> list[str | Path]:
    """Returns one checkpoint, several or none as a list."""
    if checkpoint is None:
        return []
    return [checkpoint] if isinstance(checkpoint, (str, Path)) else list(checkpoint)


def read_config(path: str | Path, *, options: Mapping | None = None, data_root: str | Path | None = None) -> Config:
    """Reads a config file and says where its data lie; opens neither data nor weights. See :func:`load_config`."""
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f'{path}: no such config file; the project keeps its own in configs/.')
    try:
        cfg = Config.fromfile(str(path))
    except Exception as error:  # The config is Python: anything may go wrong in it.
        reason = ' '.join(str(error).split())
        raise ConfigError(
            f'{path}: the config cannot be read ({type(error).__name__}: {reason}); correct it.'
        ) from error
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    options = dict(options or {})
    _use_proposal_options(cfg, options)
    _use_length(cfg, options)
    _merge(cfg, options)
    if not isinstance(cfg.get('model'), dict):
        raise ConfigError(f'{path}: the config describes no model; the project keeps complete ones in configs/.')
    _use_data_root(cfg, options.get('data_root') if data_root is None else data_root)
    for name in LOADERS:
        loader = cfg.get(name)
        if loader is not None and not loader.get('num_workers'):
            loader.persistent_workers = False  # PyTorch refuses to keep workers that there are none of.
    _use_proposals(cfg, any(_is_method_option(key) for key in options))
    _use_image_size(cfg)
    return cfg


def is_class_agnostic(cfg: Config) -> bool:
    """Whether a config's model knows objects only, whatever the classes of its data."""
    return cfg.model.get('type') == 'MultiBox'


def datasets(cfg: Config) -> Iterator[dict]:
    """Yields the settings of every data set of a config, also of those inside wrappers such as ``RepeatDataset``."""
    for name in LOADERS:
        yield from datasets_of(cfg, name)


def datasets_of(cfg: Config, name: str) -> Iterator[dict]:
    """Yields the settings of the data sets of one of the :data:`LOADERS`."""
    loader = cfg.get(name)
    if loader is not None:
        if not isinstance(loader, dict) or not isinstance(loader.get('dataset'), dict):
            raise ConfigError(f'{cfg.filename}: {name} has no dataset; give it one, or set {name}=None.')
        yield from _unwrapped(loader.dataset)


def _unwrapped(dataset: dict) -> Iterator[dict]:
    if 'dataset' in dataset:
        yield from _unwrapped(dataset.dataset)
    elif 'datasets' in dataset:
        for part in dataset.datasets:
            yield from _unwrapped(part)
    else:
        yield dataset


def _merge(cfg: Config, options: dict) -> None:
    """Overrides settings, and refuses what would have no effect or tear a hole into the config."""
    known = {*cfg.keys(), *RUNNER_SETTINGS, *OWN_SETTINGS}
    for key, value in options.items():
        top = key.split('.')[0]
        if top not in known:
            close = difflib.get_close_matches(top, known, n=1)
            hint = f'did you mean {close[0]!r}?' if close else 'name one that it has.'
            raise ConfigError(f'{cfg.filename}: the config has no setting {top!r}, as in --cfg-options {key}; {hint}')
        if top not in (*RUNNER_SETTINGS, *OWN_SETTINGS):
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
    try:
        cfg.merge_from_dict(options)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        reason = ' '.join(str(error).split())
        raise ConfigError(f'{cfg.filename}: --cfg-options does not fit the config ({reason}); correct it.') from error


def _setting(node: object, key: str) -> object:
    """Returns what stands in a config under a dotted name; None if nothing does."""
    for part in key.split('.'):
        if isinstance(node, (list, tuple)) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        else:
            node = node.get(part) if isinstance(node, dict) else None
    return node


def _use_data_root(cfg: Config, data_root: str | Path | None) -> None:
    """Sets the folder of every data set: as given, or the config's where a data set names none of its own."""
    if data_root is not None:
        cfg.data_root = str(data_root)
    for dataset in datasets(cfg):
        if data_root is not None or dataset.get('data_root') is None:
            dataset.data_root = cfg.get('data_root')


def _steps(cfg: Config, kind: str) -> Iterator[dict]:
    """Yields the steps of one type in the pipelines of all data sets, also of those inside ``ProposalBroadcaster``."""
    for dataset in datasets(cfg):
        for outer in dataset.get('pipeline') or ():
            yield from (step for step in (outer, *outer.get('transforms', ())) if step['type'] == kind)


def _use_proposal_options(cfg: Config, options: Mapping) -> None:
    """Carries ``proposals.KEY=VALUE`` to every data set; the config's own variable is only where their steps came from.

    An option for one data set's pipeline overrides it, since it is merged later.
    """
    chosen = {key: value for key, value in options.items() if key.startswith('proposals.')}
    of_method = {
        key.split('.', 1)[1].removeprefix('method.'): value for key, value in chosen.items() if _is_method_option(key)
    }
    of_step = {key.split('.', 1)[1]: value for key, value in chosen.items() if not _is_method_option(key)}
    for step in _steps(cfg, 'LoadRegionProposals') if chosen else ():
        step.update(of_step)
        if of_method:
            step.method = with_options(step.get('method'), of_method)


def _is_method_option(key: str) -> bool:
    group, _, name = key.partition('.')
    return group == 'proposals' and name not in ('method', 'store', 'max_num', 'cache_dir')


def _use_length(cfg: Config, options: Mapping) -> None:
    """Sets how long the training is, and stretches the schedules that last as long."""
    for name in ('max_epochs', 'max_iters'):
        loop = cfg.get('train_cfg') or {}
        if name not in options:
            continue
        if name not in loop:
            raise ConfigError(
                f'{cfg.filename}: {name} does not fit its {loop.get("type", "missing train_cfg")}; set '
                f'{next((other for other in ("max_epochs", "max_iters") if other in loop), "train_cfg")}.'
            )
        for schedule in cfg.get('param_scheduler') or ():
            if schedule.get('T_max') == loop[name]:
                schedule.T_max = options[name]
            if schedule['type'] == 'PolyLR' and schedule.get('end') == loop[name]:
                schedule.end = options[name]
            if schedule['type'] == 'MultiStepLR' and schedule.get('by_epoch', True) == (name == 'max_epochs'):
                schedule.milestones = [max(1, round(step * options[name] / loop[name])) for step in schedule.milestones]
        for hook in cfg.get('custom_hooks') or ():
            if name == 'max_epochs' and hook['type'] == 'EMAHook' and hook.get('begin_epoch'):
                hook.begin_epoch = max(1, round(hook.begin_epoch * options[name] / loop[name]))
        loop[name] = options[name]


def _use_proposals(cfg: Config, method_is_set: bool) -> None:
    """Sets the source of the region proposals where the config or the command line names one for all data sets.

    A store may be of any method, unless the command line says of which (``method_is_set``, or ``multibox``).
    """
    store, multibox = cfg.get('proposal_store'), cfg.get('multibox')
    known = {'config', 'checkpoint', 'number'}
    if multibox is not None and not (
        isinstance(multibox, dict) and {'config', *multibox} <= known and multibox.get('config')
    ):
        raise ConfigError(
            f'{cfg.filename}: multibox is {multibox!r} and should name config and checkpoint of a MultiBox; set '
            'multibox.config=... and multibox.checkpoint=....'
        )
    with_multibox = multibox is not None and multibox.get('checkpoint') is not None
    for step in _steps(cfg, 'LoadRegionProposals'):
        if store is not None:
            step.store = store
            if not (with_multibox or method_is_set):
                step.method = None
        if with_multibox:
            method = step.get('method') or DEFAULT_METHOD
            second = method['second'] if method['type'] == 'Mixed' else method
            step.method = dict(type='Mixed', first=dict(multibox, type='MultiBox'), second=second)


def _use_image_size(cfg: Config) -> None:
    """Sets the size that images are resized to where the config or the command line names one for all data sets."""
    size = cfg.get('image_size')
    if size is None:
        return
    if not isinstance(size, (list, tuple)) or len(size) != 2 or not all(isinstance(n, int) and n >= 32 for n in size):
        raise ConfigError(f'{cfg.filename}: image_size is {size!r} and should be width,height of at least 32 pixels.')
    for step in _steps(cfg, 'Resize'):
        step.scale = tuple(size)


def _use_checkpoint(cfg: Config, checkpoint: str | Path) -> None:
    """Sets classes, variant and normalization to those of a trained detector, which holds all weights itself."""
    content = read_checkpoint(checkpoint)
    cfg.weights = None
    if is_class_agnostic(cfg):
        cfg.model.bbox_head.priors = None
    elif classes := checkpoint_classes(content):
        cfg.classes = classes
    fit_to_checkpoint(cfg.model, content, checkpoint)


def _use_members(cfg: Config, checkpoints: Sequence[str | Path]) -> None:
    """Makes an ensemble of the config's model, a member a checkpoint, each with its own variant and normalization."""
    settings = _ensemble_settings(cfg, len(checkpoints))
    if cfg.model.get('type') != 'RCNN':
        raise ConfigError(f'{cfg.filename}: an ensemble is of a model of type RCNN, not {cfg.model.get("type")}.')
    members = []
    for checkpoint in checkpoints:
        content = read_checkpoint(checkpoint)
        classes = checkpoint_classes(content)
        if classes and 'classes' in cfg and classes != cfg.classes:
            raise ConfigError(
                f'{checkpoint}: was trained for the classes {", ".join(classes)}, and {checkpoints[0]} for '
                f'{", ".join(cfg.classes)}; average networks that know the same.'
            )
        member = copy.deepcopy(cfg.model)
        fit_to_checkpoint(member, content, checkpoint)
        members.append(member)
    cfg.model = dict(type='RCNNEnsemble', members=members, **settings)


def _ensemble_settings(cfg: Config, members: int) -> dict:
    """Returns ``combine`` and ``mirror`` as far as the config has them, and checks the number of members."""
    settings = cfg.get('ensemble') or {}
    if not isinstance(settings, dict) or not {*settings} <= {'members', 'combine', 'mirror'}:
        raise ConfigError(
            f'{cfg.filename}: ensemble is {settings!r} and should have members, combine and mirror at most.'
        )
    settings = dict(settings)
    if settings.pop('members', members) != members:
        raise ConfigError(
            f'{cfg.filename}: the ensemble has {cfg.ensemble.members} members, and {members} are named; name all of '
            f'them, or set ensemble.members={members}.'
        )
    return settings


def is_score_file(path: str | Path) -> bool:
    """Whether a path stands for region scores instead of a checkpoint."""
    return Path(path).suffix == SUFFIX


def _use_score_files(cfg: Config, paths: Sequence[str | Path]) -> None:
    """Makes the config's model one that reads region scores, and its test data such without proposals."""
    settings = _ensemble_settings(cfg, len(paths))
    if not all(is_score_file(path) for path in paths):
        raise ConfigError(f'{paths[0]} and others: name checkpoints, or files of region scores ({SUFFIX}), not both.')
    if cfg.model.get('type') != 'RCNN' or settings.pop('mirror', False):
        raise ConfigError(
            f'{cfg.filename}: region scores are of a model of type RCNN, and mirrored crops are the business of who '
            f'wrote them; the config has {cfg.model.get("type")} and ensemble={cfg.get("ensemble")!r}.'
        )
    cfg.weights, cfg.classes = None, RegionScores(paths[0]).classes
    for dataset in datasets_of(cfg, 'test_dataloader'):
        dataset.pipeline = [step for step in dataset.pipeline if step['type'] != 'LoadRegionProposals']
    cfg.model = dict(
        type='RegionScoreAverage',
        files=[str(path) for path in paths],
        bbox_head=cfg.model.bbox_head,
        test_cfg=cfg.model.test_cfg,
        **settings,
    )


def _use_classes(cfg: Config) -> None:
    if cfg.model.get('type') == 'ImageNetRCNN':
        raise ConfigError(
            f"{cfg.filename}: this detector's classes are ImageNet's; set model.class_set instead of classes."
        )
    if cfg.classes is None:
        loader = cfg.get('train_dataloader')
        if loader is None:
            raise ConfigError(f'{cfg.filename}: names no classes and no training data to read them from; set classes.')
        settings = dict(next(_unwrapped(loader.dataset)), pipeline=[])
        cfg.classes = DATASETS.build(settings).metainfo['classes']
    cfg.classes = (cfg.classes,) if isinstance(cfg.classes, str) else tuple(cfg.classes)
    for dataset in datasets(cfg):
        dataset.metainfo = dict(dataset.get('metainfo') or {}, classes=cfg.classes)
    if is_class_agnostic(cfg):
        return
    for head in (cfg.model.get('bbox_head'), cfg.model.get('roi_head', {}).get('bbox_head')):
        if head is not None:
            head.num_classes = len(cfg.classes)
