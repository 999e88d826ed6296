"""The steps of a pipeline that MMDetection lacks: a reader for any image, external proposals, one scale for a batch.

Shape legend: H and W of an image, N proposals.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmcv.transforms.utils import cache_randomness

from det_inception.formats.records import DataError
from det_inception.proposals import ProposalError, ProposalStore, build_method
from det_inception.proposals.cache import cached
from det_inception.proposals.methods import DEFAULT_METHOD
from det_inception.proposals.sources import read_image
from det_inception.registry import TRANSFORMS
from det_inception.utils.files import cache_folder


@TRANSFORMS.register_module(['LoadAnyImage', 'LoadImageFromFile'])
class LoadAnyImage(LoadImageFromFile):
    """Loads the image of ``img_path`` as uint8 (H, W, 3) BGR, of any kind, and names the file where it cannot.

    MMCV's ``LoadImageFromFile`` passes truncated files on, half gray. An image given as an array (key ``img``) is taken
    as it is. In MMDetection's registry this one has both names, as MMDetection's own ``Resize`` takes the place of
    MMCV's: ``DetInferencer`` finds the loader of a pipeline by the name ``LoadImageFromFile``. Arguments are MMCV's;
    where they ask for other pixels than ``uint8`` BGR from a local file, MMCV's code reads the image.
    """

    def transform(self, results: dict) -> dict:
        """Adds ``img``, ``img_shape``, ``ori_shape`` and, of a file, ``img_identity``.

        Raises:
            ImageError: The file cannot be read.
            DataError: The image has another size than its annotation says, so that the boxes may not fit it.
        """
        if results.get('img') is None:
            if self.color_type != 'color' or self.backend_args or self.file_client_args or self.ignore_empty:
                return super().transform(results)
            results['img'], results['img_identity'] = read_image(results['img_path'])
            if self.to_float32:
                results['img'] = results['img'].astype(np.float32)
        height, width = results['img'].shape[:2]
        annotated = results.get('height', height), results.get('width', width)
        if annotated != (height, width):
            reason = ': its EXIF data turn it' if annotated == (width, height) else ''
            raise DataError(
                f'{results["img_path"]}: the annotation takes the image to be {annotated[1]} wide and {annotated[0]} '
                f'high, and it is {width} x {height}{reason}; correct the size in the annotation if its boxes fit this '
                'image, else replace the image.'
            )
        results['img_shape'] = results['ori_shape'] = (height, width)
        return results


@TRANSFORMS.register_module()
class LoadRegionProposals(BaseTransform):
    """Adds an image's proposals: from a store where one is named, else by a proposal method, kept in a cache on disk.

    Place it right behind the image's loading: proposals are in the pixels of the image as it is at this point.

    Args:
        method: Dict of a proposal method, such as ``dict(type='SelectiveSearch', mode='ilsvrc2014')``; see
            :mod:`det_inception.proposals.methods`. None: selective search, or whatever the store was made with.
        store: File made by ``tools/make_proposals.py``. It must have been made by ``method`` where both are named, and
            of the very files that are read: another image of the same name is refused.
        max_num: At most this many, the best; -1: all.
        cache_dir: Where computed proposals are kept; None: ``det_inception/proposals`` in the user's cache folder
            (``XDG_CACHE_HOME``); ``''``: nowhere.

    Raises:
        ProposalError: ``max_num`` is no number, the method cannot be built, or the store cannot be read or was made by
            another method.
    """

    def __init__(
        self,
        method: dict | None = None,
        store: str | None = None,
        max_num: int = -1,
        cache_dir: str | None = None,
    ) -> None:
        if type(max_num) is not int or max_num < -1:
            raise ProposalError(f'max_num is {max_num!r}; give a whole number of proposals, or -1 for all.')
        self.store = ProposalStore(store) if store else None
        self.max_num = max_num
        self.method = None
        if method is not None or self.store is None:
            self.method = cached(build_method(method or DEFAULT_METHOD), cache_folder('proposals', cache_dir))
        if method is not None and self.store is not None:
            self.store.require(self.method.parameters)

    def transform(self, results: dict) -> dict:
        """Adds ``proposals``, float32 (N, 4), best first, and ``proposals_scores`` (N,).

        N is at least 1, but 0 where ``exhaustive`` is False: a region of an image in which not everything is annotated
        may be an object that nobody has marked, and must not become background. Its objects themselves are added
        by the sampler.
        """
        if not results.get('exhaustive', True):
            results['proposals'], results['proposals_scores'] = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
            return results
        boxes = self._stored(results) if self.store is not None else self.method(results['img'])[0]
        if self.max_num >= 0:
            boxes = boxes[: self.max_num]
        if not len(boxes):
            # A tiny or even image has no region of its own; the image as a whole always is one.
            height, width = results['img'].shape[:2]
            boxes = np.array([[0, 0, width, height]], np.float32)
        results['proposals'] = np.asarray(boxes, np.float32)
        # Scores of different methods cannot be compared; their order can.
        results['proposals_scores'] = np.linspace(1, 0, len(boxes), endpoint=False, dtype=np.float32)
        return results

    def _stored(self, results: dict) -> np.ndarray:
        path = results['img_path']
        key = self.store.find(path)
        identity = results.get('img_identity')
        if identity is not None or os.path.isfile(path):  # An image given as an array may have no file.
            self.store.check(key, path, identity)
        proposals = self.store[key]
        height, width = results['img'].shape[:2]
        if (proposals.height, proposals.width) != (height, width):
            raise DataError(
                f'{path}: the image is {width} x {height} and the proposals of {key!r} in the store were made for '
                f'{proposals.width} x {proposals.height}; make them again with det-inception propose.'
            )
        return proposals.boxes


@TRANSFORMS.register_module()
class BatchResize(BaseTransform):
    """Resizes ``batch_size`` images in a row to the same, randomly drawn shorter side, so that little is padded.

    MMDetection's ``RandomChoiceResize`` draws anew for each image, and the smaller ones of a batch are filled up with
    zeros to the size of the greatest. A worker makes one batch after the other, and so do the images here.

    Args:
        sides: Shorter sides to draw from, in pixels.
        batch_size: The data loader's.
        max_ratio: The longer side is at most this many times as long; an image of another shape becomes smaller.
    """

    def __init__(self, sides: Sequence[int], batch_size: int, max_ratio: float = 5 / 3) -> None:
        self.resizes = [
            TRANSFORMS.build(dict(type='mmdet.Resize', scale=(int(side * max_ratio), side), keep_ratio=True))
            for side in sides
        ]
        self.batch_size = batch_size
        self._left = 0

    def transform(self, results: dict) -> dict:
        """Resizes image and boxes, as MMDetection's ``Resize`` does."""
        return self._of_this_image()(results)

    @cache_randomness
    def _of_this_image(self) -> BaseTransform:
        """Draws for the first image of a batch. A ``ProposalBroadcaster`` asks once for objects and proposals."""
        if not self._left:
            self._left, self._now = self.batch_size, self.resizes[np.random.randint(len(self.resizes))]
        self._left -= 1
        return self._now
