"""Proposals that are computed once for each image and kept in files.

Shape legend: N proposals of an image; H, W its height and width in pixels.
"""

import hashlib
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from det_inception.proposals.methods import ProposalMethod
from det_inception.proposals.mixing import Mixed
from det_inception.utils.cache import read_entry, write_entry


@dataclass(frozen=True)
class Cached:
    """A proposal method that keeps its boxes in a folder, each image's in a file of its own.

    A file's name is a digest of the method's parameters and of the image's pixels. A file that is damaged is computed
    again; a folder that cannot be written costs only time.

    Attributes:
        method: The method.
        folder: Where the files are.
    """

    method: ProposalMethod
    folder: Path

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, None]:
        """Returns the boxes (N, 4) of an image, uint8 (H, W, 3); scores are not kept, only their order."""
        digest = hashlib.blake2b(json.dumps(self.parameters, sort_keys=True).encode(), digest_size=16)
        digest.update(str(image.shape).encode())
        digest.update(np.ascontiguousarray(image))
        path = self.folder / digest.hexdigest()[:2] / f'{digest.hexdigest()}.npy'
        if (kept := read_entry(path)) is not None:
            return np.load(io.BytesIO(kept), allow_pickle=False), None
        boxes = np.asarray(self.method(image)[0], np.float32).reshape(-1, 4)
        content = io.BytesIO()
        np.save(content, boxes)
        write_entry(path, content.getvalue())
        return boxes, None

    @property
    def parameters(self) -> dict[str, Any]:
        """Those of the method."""
        return self.method.parameters


def cached(method: ProposalMethod, folder: Path | None) -> ProposalMethod:
    """Returns a method that keeps what it computes in a folder; None keeps nothing.

    The parts of a :class:`Mixed` are kept each by itself, so that another checkpoint of MultiBox does not cost another
    selective search.
    """
    if folder is None:
        return method
    if isinstance(method, Mixed):
        return replace(method, first=cached(method.first, folder), second=cached(method.second, folder))
    return Cached(method, folder)
