"""A trained MultiBox as a method to make proposals, for ``tools/make_proposals.py`` and for proposals on the fly."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate

from det_inception.config.loading import is_class_agnostic, load_config
from det_inception.inference.detector import Detector
from det_inception.utils.errors import InputError
from det_inception.utils.included import find_checkpoint
from det_inception.weights.checkpoints import holds_multibox, read_checkpoint
from det_inception.weights.files import CheckpointError

NUMBER = 200
"""How many proposals of MultiBox the 2014 entry added."""


@dataclass(frozen=True)
class MultiBoxProposer:
    """The best boxes of a trained MultiBox, as a :class:`~det_inception.proposals.methods.ProposalMethod`.

    It may be sent to other processes; each builds the network once, when it is first needed.

    Attributes:
        config: Config of the MultiBox.
        checkpoint: Checkpoint that ``tools/train.py`` wrote with it.
        number: How many of its boxes; fewer are left where NMS leaves fewer.
        device: ``'cpu'``, ``'cuda'``, ...
        amp: Mixed precision.
        batch_size: Images at a time.
        parameters: What the boxes depend on: the checkpoint's digest, that of model and pipeline, and the number.

    Raises:
        InputError: Config or checkpoint cannot be read, are of no MultiBox or have no priors, or the head has fewer
            boxes.
    """

    config: str
    checkpoint: str
    number: int = NUMBER
    device: str = 'cpu'
    amp: bool = False
    batch_size: int = 1
    parameters: dict[str, Any] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not self.config or not self.checkpoint:
            raise InputError('MultiBox needs its config and its checkpoint; give both.')
        if self.number < 1 or self.batch_size < 1:
            raise InputError(f'{self.number} boxes in batches of {self.batch_size} are none; give at least 1 of each.')
        # What the boxes do not depend on, but for rounding, is not among the parameters: device and batch size.
        parameters = dict(method='multibox', **_identity(self.config, self.checkpoint), boxes=self.number, amp=self.amp)
        object.__setattr__(self, 'parameters', parameters)

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns an image's boxes (N, 4) and confidences (N,), best first."""
        return self.batch([image])[0]

    def batch(self, images: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns the boxes and confidences of several images."""
        digest = self.parameters['checkpoint']
        detector = _detector(self.config, self.checkpoint, digest, self.number, self.device, self.amp)
        return [(found.boxes, found.scores) for found in detector.detect_batch(images, [''] * len(images))]


@cache
def _detector(config: str, checkpoint: str, digest: str, number: int, device: str, amp: bool) -> Detector:
    """Returns the detector, of which a process needs only one; ``digest`` tells files of one name apart."""
    if multiprocessing.parent_process() is not None and device == 'cpu':
        torch.set_num_threads(1)  # The other cores have images of their own.
    detector = Detector(config, checkpoint, device, amp, {'model.test_cfg.max_per_img': number})
    # How many boxes there are depends on the size that the pipeline gives to images.
    sample = pseudo_collate([detector.pipeline(dict(img=np.zeros((64, 64, 3), np.uint8), img_path='', img_id=''))])
    height, width = sample['inputs'][0].shape[1:]
    most = min(len(detector.model.prior_boxes(width, height)), detector.model.test_cfg['nms_pre'])
    if number > most:
        raise InputError(
            f'{checkpoint}: {number} boxes were asked for and this MultiBox gives at most {most}; ask for fewer.'
        )
    return detector


def _identity(config: str, checkpoint: str) -> dict[str, str]:
    """Returns digests of a checkpoint's file and of what a config makes of it."""
    content = read_checkpoint(checkpoint)
    cfg = load_config(config, checkpoint=checkpoint)
    if not is_class_agnostic(cfg):
        raise InputError(f"{config}: describes a {cfg.model.get('type')}, not a MultiBox; name a MultiBox's config.")
    if cfg.get('test_dataloader') is None:
        raise InputError(f'{config}: the config has no test_dataloader, whose pipeline images go through; add it.')
    if not holds_multibox(content):
        raise CheckpointError(f'{checkpoint}: holds no priors of MultiBox; name a checkpoint that it was trained to.')
    settings = dict(model=cfg.model.to_dict(), pipeline=cfg.to_dict()['test_dataloader']['dataset']['pipeline'])
    return dict(
        checkpoint=hashlib.blake2b(find_checkpoint(checkpoint).read_bytes(), digest_size=16).hexdigest(),
        model=hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16).hexdigest(),
    )
