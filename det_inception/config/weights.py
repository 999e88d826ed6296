"""What a config's model starts from (``--weights``), and fitting it to checkpoints that are used.

A file goes before the config: it says which network it holds (variant, width, channels, normalization).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from det_inception.config.backbones import (
    backbone_class,
    fit_channels,
    fit_to_checkpoint,
    fit_to_weights,
    network_parts,
)
from det_inception.config.data import config_classes, datasets_of, is_class_agnostic, set_classes
from det_inception.config.errors import ConfigError
from det_inception.proposals.region_scores import SUFFIX, RegionScores
from det_inception.weights.checkpoints import checkpoint_classes, holds_svms, read_checkpoint

RANDOM = 'none'
"""As ``--weights``: start from random weights."""


def apply_weights(cfg: Config, weights: str) -> None:
    """Starts a detector from other weights than its config's.

    Args:
        cfg: Changed in place: ``init_cfg``, the network that the weights are of, and what must fit it. A detector in
            ``load_from`` is not loaded.
        weights: A file or an address; of timm, a file or ``timm://``. ``'none'``: random weights, and since these must
            all learn, no layer is frozen.

    Raises:
        InputError: The weights cannot be read, or are for another kind of backbone.
    """
    cfg.load_from = None
    if weights == RANDOM:
        for part in network_parts(cfg.model):
            part.update(init_cfg=None, norm_eval=False)
            if 'frozen_stages' in part:
                part.update(frozen_stages=-1)
        if backbone_class(cfg.model) is not None:
            fit_channels(cfg.model)
        return
    if backbone_class(cfg.model) is None:
        raise ConfigError(
            f'{cfg.filename}: weights={weights!r} are for a backbone of this project, which the model has none of; '
            'name them in init_cfg of its backbone.'
        )
    fit_to_weights(cfg.model, weights)


def require_pretrained(cfg: Config) -> None:
    """Refuses a training that would freeze layers with random weights.

    Raises:
        ConfigError: It would.
    """
    backbone = cfg.model.get('backbone') or {}
    frozen = backbone.get('frozen_stages', -1)
    if (
        isinstance(frozen, int)
        and frozen >= 0
        and not any((backbone.get('init_cfg'), cfg.model.get('init_cfg'), cfg.get('load_from')))
    ):
        raise ConfigError(
            f'{cfg.filename}: model.backbone.frozen_stages={frozen} freezes layers whose weights are random; name '
            'pretrained ones with --weights, or train all layers with --weights none.'
        )


# ------------------------------------------------------------------------------------------------------ checkpoints


def checkpoint_list(checkpoint: str | Path | Sequence[str | Path] | None) -> list[str | Path]:
    """Returns one checkpoint, several or none as a list."""
    if checkpoint is None:
        return []
    return [checkpoint] if isinstance(checkpoint, (str, Path)) else list(checkpoint)


def is_score_file(path: str | Path) -> bool:
    """Whether a path is a file of region scores instead of a checkpoint."""
    return Path(path).suffix == SUFFIX


def apply_checkpoints(cfg: Config, checkpoints: Sequence[str | Path]) -> None:
    """Fits a config to the trained detector, or the ensemble of several, that it is used with.

    Args:
        cfg: Changed in place: classes, network and SVMs are those of the first checkpoint. Of several, or with
            ``ensemble.mirror``, the model becomes an :class:`~det_inception.models.RCNNEnsemble`.
        checkpoints: Files of MMEngine, or all of region scores (:mod:`det_inception.proposals.region_scores`).

    Raises:
        InputError: A file cannot be read, or they do not belong together.
    """
    if any(map(is_score_file, checkpoints)):
        _apply_score_files(cfg, checkpoints)
        return
    if cfg.model.get('type') == 'ImageNetRCNN' and len(checkpoints) == 1:
        fit_to_weights(cfg.model, checkpoints[0])  # Its file is one of public weights.
        return
    content = read_checkpoint(checkpoints[0])
    classes = checkpoint_classes(content)
    if is_class_agnostic(cfg):
        cfg.model.bbox_head.priors = None
    elif classes:
        set_classes(cfg, classes)
    fit_to_checkpoint(cfg.model, content, checkpoints[0])
    if cfg.model.get('type') == 'RCNN' and holds_svms(content):
        cfg.model.bbox_head.update(type='SVMHead', with_reg='bbox_head.fc_reg.weight' in content['state_dict'])
    ensemble = cfg.get('ensemble') or {}
    if len(checkpoints) > 1 or ensemble.get('mirror') or ensemble.get('members', 1) > 1:
        _apply_members(cfg, checkpoints)


def _apply_members(cfg: Config, checkpoints: Sequence[str | Path]) -> None:
    """Makes an ensemble of the config's model, a member a checkpoint, each with its own network."""
    settings = _ensemble_settings(cfg, len(checkpoints))
    if cfg.model.get('type') != 'RCNN':
        raise ConfigError(f'{cfg.filename}: an ensemble is of a model of type RCNN, not {cfg.model.get("type")}.')
    members, known = [], config_classes(cfg)
    for checkpoint in checkpoints:
        content = read_checkpoint(checkpoint)
        classes = checkpoint_classes(content)
        if classes and known and classes != known:
            raise ConfigError(
                f'{checkpoint}: was trained for the classes {", ".join(classes)}, and {checkpoints[0]} for '
                f'{", ".join(known)}; average networks that know the same.'
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


def _apply_score_files(cfg: Config, paths: Sequence[str | Path]) -> None:
    """Makes the config's model one that reads region scores, and its test data such without proposals."""
    settings = _ensemble_settings(cfg, len(paths))
    if not all(map(is_score_file, paths)):
        raise ConfigError(f'{paths[0]} and others: name checkpoints, or files of region scores ({SUFFIX}), not both.')
    if cfg.model.get('type') != 'RCNN' or settings.pop('mirror', False):
        raise ConfigError(
            f'{cfg.filename}: region scores are of a model of type RCNN, and mirrored crops are the business of who '
            f'wrote them; the config has {cfg.model.get("type")} and ensemble={cfg.get("ensemble")!r}.'
        )
    set_classes(cfg, RegionScores(paths[0]).classes)
    for dataset in datasets_of(cfg, 'test_dataloader'):
        dataset.pipeline = [step for step in dataset.pipeline if step['type'] != 'LoadRegionProposals']
    cfg.model = dict(
        type='RegionScoreAverage',
        files=[str(path) for path in paths],
        bbox_head=cfg.model.bbox_head,
        test_cfg=cfg.model.test_cfg,
        **settings,
    )
