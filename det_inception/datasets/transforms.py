"""The two steps of a pipeline that MMDetection lacks: a reader for any image, and external proposals.

Shape legend: H and W of an image, N proposals.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable

import numpy as np
from mmcv.transforms import BaseTransform

from det_inception.datasets.detection import DataError
from det_inception.proposals import ProposalStore, mix, selective_search, selective_search_parameters
from det_inception.registry import TASK_UTILS, TRANSFORMS
from det_inception.utils.files import cache_folder, write_cache
from det_inception.utils.images import read_image


@TRANSFORMS.register_module()
class LoadAnyImage(BaseTransform):
    """Loads the image of ``img_path`` as uint8 (H, W, 3) BGR, of any kind, and names the file where it cannot.

    MMDetection's ``LoadImageFromFile`` passes truncated files on, half gray. An image given as an array (key ``img``)
    is taken as it is.
    """

    def transform(self, results: dict) -> dict:
        """Adds ``img``, ``img_shape`` and ``ori_shape``.

        Raises:
            ImageError: The file cannot be read.
            DataError: The image has another size than its annotation says, so that the boxes may not fit it.
        """
        if results.get('img') is None:
            results['img'] = read_image(results['img_path'])
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
    """Adds an image's proposals: from a store where one is named, else by selective search, kept in a cache on disk.

    With a MultiBox they are the mix of 2014: its best proposals, then those of selective search, without duplicates.

    Place it right behind the image's loading: proposals are in the pixels of the image as it is at this point.

    Args:
        store: File made by ``tools/make_proposals.py``; None computes them on the fly.
        mode: Selective search's mode: ``'fast'``, ``'quality'`` or ``'ilsvrc2014'``.
        width: Selective search works on the image scaled to this width; None: as it is.
        min_size: Proposals with a side below this, in the image as selective search sees it, are left out.
        max_num: At most this many, the best; -1: all.
        cache_dir: Where computed proposals are kept; None: ``det_inception/proposals`` in the user's cache folder
            (``XDG_CACHE_HOME``); ``''``: nowhere.
        multibox: ``config`` and ``checkpoint`` of a trained MultiBox, and the ``number`` of its proposals to add; see
            :class:`~det_inception.inference.multibox_proposals.MultiBoxProposer`. A store must then have been made
            with the same.
    """

    def __init__(
        self,
        store: str | None = None,
        mode: str = 'fast',
        width: int | None = 500,
        min_size: float = 20,
        max_num: int = -1,
        cache_dir: str | None = None,
        multibox: dict | None = None,
    ) -> None:
        # By its name in the registry: it stands on the whole of the project, and this module is below it.
        self.multibox = None if multibox is None else TASK_UTILS.build(dict(multibox, type='MultiBoxProposer'))
        self.parameters = selective_search_parameters(mode, width, min_size=min_size)
        self.store = ProposalStore(store) if store else None
        if self.store is not None and self.multibox is not None:
            self.store.require(dict(method='mix', multibox=self.multibox.parameters))
        self.mode, self.width, self.min_size, self.max_num = mode, width, min_size, max_num
        self.cache_dir = cache_folder('proposals', cache_dir)

    def transform(self, results: dict) -> dict:
        """Adds ``proposals``, float32 (N, 4), best first, and ``proposals_scores`` (N,).

        N is at least 1, but 0 where ``exhaustive`` is False: a region of an image in which not everything is annotated
        may be an object that nobody has marked, and must not become background. Its objects themselves are added
        by the sampler.
        """
        if not results.get('exhaustive', True):
            results['proposals'], results['proposals_scores'] = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
            return results
        boxes = self._stored(results) if self.store is not None else self._mixed(results['img'])
        if self.max_num >= 0:
            boxes = boxes[: self.max_num]
        if not len(boxes):
            # A tiny or even image has no region of its own; the image as a whole always is one.
            height, width = results['img'].shape[:2]
            boxes = np.array([[0, 0, width, height]], np.float32)
        results['proposals'] = boxes
        # An order is all that selective search gives, and the mix.
        results['proposals_scores'] = np.linspace(1, 0, len(boxes), endpoint=False, dtype=np.float32)
        return results

    def _stored(self, results: dict) -> np.ndarray:
        path = results['img_path']
        key = self.store.find(path)
        proposals = self.store[key]
        height, width = results['img'].shape[:2]
        if (proposals.height, proposals.width) != (height, width):
            raise DataError(
                f'{path}: the image is {width} x {height} and the proposals of {key!r} in the store were made for '
                f'{proposals.width} x {proposals.height}; make them again with tools/make_proposals.py.'
            )
        return proposals.boxes

    def _mixed(self, image: np.ndarray) -> np.ndarray:
        boxes = self._computed(image, self.parameters, self._search)
        if self.multibox is None:
            return boxes
        # Each has its own entry in the cache, so that another checkpoint does not cost another selective search.
        best = self._computed(image, self.multibox.parameters, lambda image: self.multibox(image)[0])
        return mix(best, boxes)

    def _computed(self, image: np.ndarray, parameters: dict, compute: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        if self.cache_dir is None:
            return compute(image)
        digest = hashlib.blake2b(json.dumps(parameters, sort_keys=True).encode(), digest_size=16)
        digest.update(str(image.shape).encode())
        digest.update(np.ascontiguousarray(image))
        path = self.cache_dir / digest.hexdigest()[:2] / f'{digest.hexdigest()}.npy'
        try:
            return np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):  # Not there, or cut off: computed again and written over.
            boxes = compute(image)
        content = io.BytesIO()
        np.save(content, boxes)
        write_cache(path, content.getvalue())
        return boxes

    def _search(self, image: np.ndarray) -> np.ndarray:
        return selective_search(image, self.mode, self.width, min_size=self.min_size)
