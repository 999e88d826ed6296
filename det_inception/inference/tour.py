"""What the project can do, in a few minutes and without a download: what ``det-inception demo`` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from det_inception.config.loading import load_config
from det_inception.engine.console import quiet_console
from det_inception.engine.test import test
from det_inception.inference.acceleration import accelerate
from det_inception.inference.demo import MINI_CONFIG, VOC_CONFIG
from det_inception.inference.detecting import Summary, detect_all
from det_inception.inference.detector import Detector
from det_inception.inference.images import find_images
from det_inception.mini_set import RECORD, make_mini
from det_inception.utils.included import PHOTOS, find_checkpoint, included

MAP = 'ilsvrc/mAP'
DRAWN_TEST_IMAGES = 9
WHOLE_SET, TEST_PART = 'data/mini', 'set'
"""Where the mini set is looked for, and where its test part is drawn in the folder of the pictures."""


@dataclass(frozen=True)
class Tour:
    """What :func:`tour` found.

    Attributes:
        photos: Of the photos that come with the project.
        drawn: Of a few test images of the mini set.
        mean_ap: Of the small network on the whole test part of the mini set; by the official score.
        data_root: Folder of the mini set.
    """

    photos: Summary
    drawn: Summary
    mean_ap: float
    data_root: Path


def tour(out_dir: str | Path, data_root: str | Path | None = None, device: str | None = None) -> Tour:
    """Finds objects in the project's photos, draws the mini set, and tests the small network on the set.

    Args:
        out_dir: For pictures (``photos/``, ``mini/``) and the log of the test (``test/``).
        data_root: Folder of the mini set; made whole if there is none. None: ``data/mini`` where it is, else the part
            that the test needs is drawn in ``out_dir``, with one image to train on: the 800 of the whole set take a
            minute.
        device: For the photos; None: a GPU where there is one.

    Raises:
        InputError: A folder cannot be written to, or ``data_root`` holds something else.
    """
    out_dir, arguments = Path(out_dir), ()
    if data_root is None:
        data_root = Path(WHOLE_SET)
        if not (data_root / RECORD).is_file():
            data_root, arguments = out_dir / TEST_PART, (1,)
    data_root = Path(data_root)
    photos = detect_all(Detector(VOC_CONFIG, device=device), find_images([included(PHOTOS)]), out_dir / 'photos')
    if not (data_root / RECORD).is_file():
        make_mini(data_root, *arguments)
    checkpoint = find_checkpoint(MINI_CONFIG)
    cfg = load_config(MINI_CONFIG, data_root=data_root, checkpoint=checkpoint)
    cfg.work_dir = str(out_dir / 'test')
    with quiet_console() as console:
        mean_ap = test(cfg, checkpoint, accelerate, console)[MAP]
    images = find_images([data_root / 'Data/DET/val'])[:DRAWN_TEST_IMAGES]
    drawn = detect_all(Detector(MINI_CONFIG, device=device), images, out_dir / 'mini')
    return Tour(photos, drawn, mean_ap, data_root)
