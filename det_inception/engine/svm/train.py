"""SVMs and box regression for an R-CNN, from a config to a checkpoint: what ``tools/train_svm.py`` does.

Shape legend: K classes, C channels of a feature, N regions, P objects of a class.
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import mmengine
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.runner import set_random_seed
from torch.utils.data import ConcatDataset, DataLoader
from tqdm import tqdm

from det_inception.config.backbones import fit_to_checkpoint
from det_inception.config.data import config_classes, datasets_of
from det_inception.config.errors import ConfigError
from det_inception.engine.runner import require_settings
from det_inception.engine.svm.box_regression import find_pairs, fit_boxes
from det_inception.engine.svm.features import PROPOSAL, RegionFiles, compute_features, network_fingerprint, open_folder
from det_inception.engine.svm.mining import LinearSVMs, SVMSettings, train_svms
from det_inception.models.detectors.rcnn import RCNN
from det_inception.models.heads.svm_head import PooledFeatures
from det_inception.registry import DATASETS, MODELS
from det_inception.utils.allocator import keep_freed_memory
from det_inception.utils.errors import InputError, some
from det_inception.utils.files import require_writable
from det_inception.version import __version__
from det_inception.weights.checkpoints import load_detector, read_checkpoint
from det_inception.weights.export import write_checkpoint

MIN_OBJECTS = 5
"""Objects that a class needs at least."""


@dataclass(frozen=True)
class ClassSummary:
    """What a class was trained with.

    Attributes:
        name: The class.
        objects: Its objects.
        negatives: Regions that were negatives at some time.
        kept: Those that were in the end.
        pairs: Regions from which the box regression learned; 0 without box regression.
    """

    name: str
    objects: int
    negatives: int
    kept: int
    pairs: int


def train_svm(
    cfg: Config,
    out: str | Path,
    checkpoint: str | Path | None = None,
    features: str | Path | None = None,
    prepare: Callable[[torch.nn.Module], object] | None = None,
    amp: bool = False,
    settings: SVMSettings = SVMSettings(),
    ridge: float = 1000.0,
    random: bool = False,
) -> list[ClassSummary]:
    """Trains SVMs, and ridge regression if the config's head has box regression, and writes the detector.

    Args:
        cfg: A complete config of an ``RCNN``, see :func:`det_inception.config.loading.load_config`. Its training images
            go through the pipeline of its test, without flips.
        out: The checkpoint to write.
        checkpoint: A trained R-CNN, of any classes, whose network gives the features; None: the config's ``load_from``
            or pretrained weights.
        features: Folder in which features are kept; None: a temporary one beside ``out``.
        prepare: Called with the model that computes features, for example to accelerate it.
        amp: Compute features in mixed precision.
        settings: Of the SVMs.
        ridge: Weight of the squared weights of the box regression.
        random: Whether the network may have random weights.

    Raises:
        ConfigError: The config does not describe such a detector.
        InputError: Data, weights or features cannot be used.
    """
    require_settings(cfg, 'train_dataloader', 'test_dataloader')
    out = Path(out)
    _require_file(out)
    checkpoint = checkpoint or cfg.get('load_from')
    _require_network(cfg, checkpoint, random)
    cfg.model.bbox_head.type = 'SVMHead'
    seed = (cfg.get('randomness') or {}).get('seed') or 0
    set_random_seed(seed)
    parts, classes = _training_data(cfg), config_classes(cfg)
    _require_objects(parts, classes)
    model = _build(cfg, checkpoint)
    with _temporary(out) if features is None else nullcontext(features) as folder:
        files = _compute(model, parts, cfg, Path(folder), prepare, amp)
        summary = _fit(model, files, classes, settings, ridge, seed)
    meta = dict(
        dataset_meta=dict(parts[0].metainfo, classes=classes),
        cfg=cfg.pretty_text,
        svm=dict(asdict(settings), ridge=ridge),
        seed=seed,
        time=time.strftime('%Y%m%d_%H%M%S'),
        mmengine_version=mmengine.__version__,
        det_inception_version=__version__,
    )
    write_checkpoint(out, model.state_dict(), meta)
    return summary


# ---------------------------------------------------------------------------------------------------- what goes in


def _require_file(out: Path) -> None:
    """Refuses a place that cannot be written to, before the work begins."""
    if out.is_dir():
        raise InputError(f'{out}: is a folder; name the file of the checkpoint to write, such as {out / "svm.pth"}.')
    require_writable(out.parent, 'the checkpoint cannot be written there', 'choose another --out')


def _temporary(out: Path) -> AbstractContextManager[str]:
    return tempfile.TemporaryDirectory(prefix=f'.{out.stem}.features.', dir=out.parent)


def _require_network(cfg: Config, checkpoint: str | Path | None, random: bool) -> None:
    """Refuses what is no R-CNN, and random weights that nobody asked for."""
    if cfg.model.get('type') != 'RCNN':
        raise ConfigError(f'{cfg.filename}: SVMs are for a model of type RCNN, not {cfg.model.get("type")}.')
    if not (random or checkpoint or cfg.model.backbone.get('init_cfg') or cfg.model.get('init_cfg')):
        raise ConfigError(
            f'{cfg.filename}: its network has random weights; name a checkpoint, or pretrained weights with --weights.'
        )


def _training_data(cfg: Config) -> list:
    """Builds the training sets, each image once, with the pipeline of the test, and objects in its pixels."""
    tested = next(datasets_of(cfg, 'test_dataloader'))
    steps = [step for step in tested['pipeline'] if step['type'] != 'LoadAnnotations']
    pipeline = [steps[0], dict(type='LoadAnnotations', with_bbox=True), *steps[1:]]
    parts = []
    for settings in datasets_of(cfg, 'train_dataloader'):
        # An image without objects has negatives only.
        filters = dict(settings.get('filter_cfg') or {}, filter_empty_gt=False)
        parts.append(DATASETS.build(dict(settings, pipeline=pipeline, filter_cfg=filters)))
    return parts


def _require_objects(parts: Sequence, classes: Sequence[str]) -> None:
    """Refuses classes of which there is too little to learn from."""
    counts = np.zeros(len(classes), int)
    for part in parts:
        for index in range(len(part)):
            for instance in part.get_data_info(index)['instances']:
                counts[instance['bbox_label']] += not instance['ignore_flag']
    if few := [f'{name} {count}' for name, count in zip(classes, counts) if count < MIN_OBJECTS]:
        raise InputError(
            f'{parts[0].ann_file or parts[0].data_root}: an SVM needs {MIN_OBJECTS} objects of its class at least, and '
            f'here are fewer ({some(few)}); add some, or leave the class out with --cfg-options classes=[...] '
            'train_dataloader.dataset.unknown_classes=ignore.'
        )


def _build(cfg: Config, checkpoint: str | Path | None) -> RCNN:
    """Builds the detector with the weights that its features are computed with."""
    if checkpoint is None:
        model = MODELS.build(cfg.model)
        logger = MMLogger.get_current_instance()
        level = logger.level
        logger.setLevel('WARNING')  # It would tell of every layer.
        model.init_weights()
        logger.setLevel(level)
        cfg.model.backbone.init_cfg = None  # The checkpoint will hold its weights.
        return model
    content = read_checkpoint(checkpoint)
    fit_to_checkpoint(cfg.model, content, checkpoint)
    model = MODELS.build(cfg.model)
    # Its box head is for other classes, or of another kind.
    own = {key: value for key, value in model.state_dict().items() if key.startswith('bbox_head.')}
    network = {key: value for key, value in content['state_dict'].items() if not key.startswith('bbox_head.')}
    load_detector(model, checkpoint, dict(content, state_dict=network | own))
    return model


def _compute(
    model: RCNN,
    parts: Sequence,
    cfg: Config,
    folder: Path,
    prepare: Callable[[torch.nn.Module], object] | None,
    amp: bool,
) -> RegionFiles:
    """Computes the features of all training images by a copy of the model."""
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    if device.type == 'cpu':
        keep_freed_memory()
    extractor = copy.deepcopy(model)
    extractor.bbox_head = PooledFeatures()
    extractor.to(device).eval()
    precision = torch.autocast(device.type, torch.bfloat16) if amp else nullcontext()
    if prepare is not None:
        prepare(extractor)
    learning = ('init_cfg', 'frozen_stages', 'norm_eval')  # Of no effect on features.
    network = {key: value for key, value in cfg.model.backbone.to_dict().items() if key not in learning}
    fingerprint = network_fingerprint(model, network)
    open_folder(folder, fingerprint)
    workers = cfg.train_dataloader.get('num_workers', 0)
    loader = DataLoader(ConcatDataset(parts), num_workers=workers, collate_fn=pseudo_collate)
    return compute_features(extractor, loader, folder, fingerprint, precision)


# ---------------------------------------------------------------------------------------------------- what comes out


def _fit(
    model: RCNN, files: RegionFiles, classes: Sequence[str], settings: SVMSettings, ridge: float, seed: int
) -> list[ClassSummary]:
    """Gives the model's head the weights of SVMs and box regression."""
    objects, pairs, targets = _examples(model, files, len(classes))
    norm = files.mean_norm(seed)
    if not norm:
        raise InputError('all features are 0, so nothing can be told apart by them; name other weights.')
    scale = settings.norm / norm
    svms = train_svms(files, dict(zip(classes, objects)), scale, settings, seed)
    head = model.bbox_head
    _set_layer(head.fc_cls, svms.weights * scale, svms.biases)
    if head.with_reg:
        solutions = [
            fit_boxes(files, keys, own_targets, scale, ridge)
            for keys, own_targets in tqdm(zip(pairs, targets), 'box regression', len(classes), unit='class')
        ]
        weights, biases = (np.concatenate(parts) for parts in zip(*solutions))  # (4 K, C), (4 K,)
        _set_layer(head.fc_reg, weights * scale, biases)
    return _summary(classes, objects, svms, pairs if head.with_reg else [()] * len(classes))


def _examples(model: RCNN, files: RegionFiles, classes: int) -> tuple[list, list, list]:
    """Finds each class's objects (P, 2) and pairs (N, 2), as keys of the files, and the pairs' targets (N, 4)."""
    found = [[] for _ in range(classes)], [[] for _ in range(classes)], [[] for _ in range(classes)]
    for image in range(len(files.paths)):
        regions = files.read(image)
        labels = np.where(regions['ignored'] == 0, regions['label'], PROPOSAL)
        rows, matches = find_pairs(regions)
        boxes, goals = (torch.from_numpy(regions['box'][which]) for which in (rows, matches))
        deltas = model.bbox_head.bbox_coder.encode(boxes, goals).double().numpy()
        for label in np.unique(labels[labels != PROPOSAL]):
            own = labels[matches] == label
            found[0][label].append(_keys(image, np.flatnonzero(labels == label)))
            found[1][label].append(_keys(image, rows[own]))
            found[2][label].append(deltas[own])
    return tuple([np.concatenate(parts) for parts in kind] for kind in found)


def _keys(image: int, rows: np.ndarray) -> np.ndarray:
    return np.stack([np.full_like(rows, image), rows], 1).astype(np.int32)


def _set_layer(layer: torch.nn.Linear, weights: np.ndarray, biases: np.ndarray) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
        layer.bias.copy_(torch.from_numpy(biases))


def _summary(
    classes: Sequence[str], objects: Sequence[np.ndarray], svms: LinearSVMs, pairs: Sequence
) -> list[ClassSummary]:
    rows = zip(classes, objects, svms.added, svms.kept, pairs)
    return [ClassSummary(name, len(own), int(added), int(kept), len(near)) for name, own, added, kept, near in rows]
