"""Pooled features of all regions of a training set, computed once and kept in files.

A folder has one file for each image: an array of regions, the annotated objects first, then the proposals. Features are
float16. Files are read when they are needed, so memory does not grow with the number of images.

Shape legend: R regions of an image, C channels of a feature, K classes, M objects of an image, N regions of any images.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi, get_box_tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from det_inception.models.detectors.rcnn import RCNN, region_proposals
from det_inception.utils.boxes import pairwise_ioa, pairwise_iou
from det_inception.utils.errors import InputError
from det_inception.utils.files import atomic_write, require_writable, write_text

PROPOSAL = -1
"""The label of a region that is no annotated object."""
NETWORK_FILE = 'network.json'


def region_type(channels: int) -> np.dtype:
    """Returns the type of a region: box, label, whether it is an object to ignore, feature."""
    feature = ('feature', np.float16, (channels,))
    return np.dtype([('box', np.float32, (4,)), ('label', np.int16), ('ignored', np.int16), feature])


@dataclass(frozen=True)
class RegionFiles:
    """The files of a training set's images, in their order.

    Attributes:
        paths: One for each image. An image that is listed twice has one file.
        channels: C.
    """

    paths: list[Path]
    channels: int

    def read(self, image: int) -> np.ndarray:
        """Returns the regions of an image, (R,) of :func:`region_type`, from disk as they are used."""
        return np.load(self.paths[image], mmap_mode='r', allow_pickle=False)

    def features(self, keys: np.ndarray) -> np.ndarray:
        """Returns float32 features (N, C).

        Args:
            keys: int (N, 2): number of the image, and of the region in it. Regions of an image stand together.
        """
        found = np.empty((len(keys), self.channels), np.float32)
        starts = np.flatnonzero(np.diff(keys[:, 0], prepend=-1))
        for start, end in zip(starts, [*starts[1:], len(keys)]):
            found[start:end] = self.read(keys[start, 0])['feature'][keys[start:end, 1]]
        return found

    def mean_norm(self, seed: int, images: int = 200, regions: int = 200) -> float:
        """Returns the mean length of a feature, of some random regions of some random images."""
        random = np.random.default_rng(seed)
        norms = [np.zeros(0)]
        for image in random.permutation(len(self.paths))[:images]:
            features = self.read(image)['feature']
            chosen = np.sort(random.permutation(len(features))[:regions])
            norms.append(np.linalg.norm(features[chosen].astype(np.float32), axis=1))
        return float(np.concatenate(norms).mean())


def class_overlaps(regions: np.ndarray, classes: int) -> np.ndarray:
    """Returns how much regions (R,) overlap an object of each class: float (R, K), the largest IoU.

    A region of which more than half lies inside an object to ignore, perhaps a crowd, counts as that object.
    """
    objects = regions[regions['label'] != PROPOSAL]
    overlaps = pairwise_iou(regions['box'], objects['box'])  # (R, M)
    inside = pairwise_ioa(regions['box'], objects['box']) > 0.5
    overlaps[inside & (objects['ignored'] > 0)] = 1
    table = np.zeros((len(regions), classes))
    for label, column in zip(objects['label'], overlaps.T):
        table[:, label] = np.maximum(table[:, label], column)
    return table


def open_folder(folder: Path, fingerprint: str) -> None:
    """Makes a folder for features, or makes sure that those in it are of the same network.

    Raises:
        InputError: They are of another, or the folder cannot be written to.
    """
    require_writable(folder, 'features cannot be written there', 'choose another folder')
    note = folder / NETWORK_FILE
    try:
        known = json.loads(note.read_text(encoding='utf-8'))['fingerprint']
    except FileNotFoundError:
        if any(folder.iterdir()):
            raise InputError(
                f'{folder}: holds files and no {NETWORK_FILE}, so they are no features; name a new folder.'
            ) from None
        write_text(note, json.dumps(dict(fingerprint=fingerprint)) + '\n')
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f'{note}: cannot be read, so the features beside it are unknown; name a new folder.'
        ) from error
    if known != fingerprint:
        raise InputError(
            f'{folder}: holds features of another network or of other crops; name a new folder, or delete this one.'
        )


def network_fingerprint(model: RCNN, settings: object) -> str:
    """Returns a digest of everything that decides the feature of a crop, but the precision it is computed in.

    Args:
        model: Its backbone's and its data preprocessor's state, and its crops.
        settings: What the state does not say, such as the backbone's config; anything for JSON.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(json.dumps([settings, model.region_warp.extra_repr()], sort_keys=True, default=str).encode())
    for part in (model.backbone, model.data_preprocessor):
        for name, value in part.state_dict().items():
            digest.update(f'{name} {value.dtype} {tuple(value.shape)}'.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def compute_features(
    model: RCNN, loader: DataLoader, folder: Path, fingerprint: str, precision: AbstractContextManager
) -> RegionFiles:
    """Computes the features of all images, apart from those that the folder has already.

    Args:
        model: Its box head returns features (:class:`~det_inception.models.heads.svm_head.PooledFeatures`).
        loader: Of one image at a time, with objects and proposals.
        folder: See :func:`open_folder`.
        fingerprint: As from :func:`network_fingerprint`.
        precision: For example ``torch.autocast``.

    Raises:
        InputError: A feature is not finite, or a file cannot be written.
    """
    channels = model.backbone.out_channels[-1]
    paths: list[Path] = []
    for batch in tqdm(loader, 'features', unit='image'):
        (image,), (sample,) = batch['inputs'], batch['data_samples']
        regions = _regions(sample, channels)
        path = folder / f'{_digest(fingerprint, image, regions)}.npy'
        paths.append(path)
        if _is_whole(path, regions):
            continue
        if len(regions):
            data = model.data_preprocessor(batch)
            rois = bbox2roi([torch.from_numpy(regions['box'].copy()).to(data['inputs'].device)])
            with precision:
                features = model.region_scores(data['inputs'], rois, data['data_samples']).scores
            with np.errstate(over='ignore'):
                regions['feature'] = features.cpu().numpy()
            if not np.isfinite(regions['feature']).all():
                raise InputError(
                    f'{sample.metainfo["img_path"]}: the network gives features that are not finite, or beyond 65,504; '
                    'name other weights.'
                )
        with atomic_write(path, durable=False) as temporary:
            np.save(temporary, regions)
    return RegionFiles(paths, channels)


def _regions(sample: DetDataSample, channels: int) -> np.ndarray:
    """Returns an image's objects and proposals, without features."""
    objects, ignored = sample.gt_instances, sample.get('ignored_instances', sample.gt_instances[:0])
    proposals = region_proposals(sample)
    boxes = [get_box_tensor(part.bboxes) for part in (objects, ignored)]
    regions = np.zeros(sum(map(len, (*boxes, proposals))), region_type(channels))
    regions['box'] = torch.cat([*boxes, proposals]).numpy()
    regions['label'] = PROPOSAL
    counted = len(objects) + len(ignored)
    regions['label'][:counted] = torch.cat([objects.labels, ignored.labels]).numpy()
    regions['ignored'][len(objects) : counted] = 1
    return regions


def _digest(fingerprint: str, image: torch.Tensor, regions: np.ndarray) -> str:
    digest = hashlib.blake2b(fingerprint.encode(), digest_size=16)
    parts: Iterable[np.ndarray] = (image.numpy(), *(regions[name] for name in ('box', 'label', 'ignored')))
    for part in parts:
        digest.update(str(part.shape).encode())
        digest.update(np.ascontiguousarray(part))
    return digest.hexdigest()


def _is_whole(path: Path, regions: np.ndarray) -> bool:
    try:
        found = np.load(path, mmap_mode='r', allow_pickle=False)
    except (OSError, ValueError, EOFError):  # Not there, or cut off.
        return False
    return found.shape == regions.shape and found.dtype == regions.dtype
