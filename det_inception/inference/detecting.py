"""What the command ``detect`` does: goes through images, videos and cameras, draws boxes, and writes them down."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlparse

import cv2
import numpy as np
from tqdm import tqdm

from det_inception.inference.detections import Detections, found_image
from det_inception.inference.detector import Detector, require_score
from det_inception.inference.result_files import KINDS, ResultFiles
from det_inception.inference.sources import STANDARD_INPUT, Photo, open_image, read_standard_input
from det_inception.inference.video import CAMERA, Video, VideoWriter, is_video_source, require_sampling
from det_inception.models import ImageNetRCNN
from det_inception.utils.downloads import is_address
from det_inception.utils.errors import InputError, OutputError, is_out_of_memory, printable
from det_inception.utils.files import LineWriter, output_names, require_apart, write_image, write_text

DRAWN, DRAWN_UNTRAINED = 0.5, 0.05
"""Lowest scores that are drawn. Without training on boxes a score is no probability; see docs/photo.md."""
WRITTEN = 0.05
"""Lowest score that is written down, unless lower ones are drawn."""


@dataclass(frozen=True)
class Wanted:
    """What to write.

    Attributes:
        score: Lowest score that is drawn; None: :data:`DRAWN`, or :data:`DRAWN_UNTRAINED` of a detector that was never
            trained on boxes.
        max_boxes: At most so many boxes a picture.
        kinds: Further files, some of :data:`~det_inception.inference.result_files.KINDS`, for images.
        every: Of a video, each n-th frame.
        frames: Of a video or camera, at most so many frames; None: all.
        save_video: Whether to write videos with drawings.
    """

    score: float | None = None
    max_boxes: int = 30
    kinds: Sequence[str] = ()
    every: int = 1
    frames: int | None = None
    save_video: bool = False

    def __post_init__(self) -> None:
        require_score(self.score)
        require_sampling(self.every, self.frames)
        if self.max_boxes < 0:
            raise InputError(f'at most {self.max_boxes} boxes a picture: name 0 or more.')
        if unknown := [kind for kind in self.kinds if kind not in KINDS]:
            raise InputError(f'there is no kind of file {unknown[0]!r}; choose {", ".join(KINDS)}.')


@dataclass(frozen=True)
class Summary:
    """What :func:`detect_all` did.

    Attributes:
        images: Number of images with a picture.
        frames: Number of frames of videos and cameras.
        boxes: Number of boxes of ``score`` or more in all of them.
        score: Lowest score that was drawn.
        unreadable: What is no image or video, or was refused by the detector, in order.
        ended_early: A sentence for each video that ends before it should.
    """

    images: int
    frames: int
    boxes: int
    score: float
    unreadable: tuple[str, ...]
    ended_early: tuple[str, ...]


def detect_all(
    detector: Detector, sources: Sequence[str | Path], out_dir: str | Path, wanted: Wanted | None = None
) -> Summary:
    """Detects in images, videos and cameras, and writes pictures and boxes.

    Writes into ``out_dir``: a picture for each image; ``detections.json`` with the boxes of all images; and for each
    video ``NAME.jsonl``, which grows by a line per frame: ``{"frame": 0, "seconds": 0.0, "detections": [...]}``.

    Args:
        detector: Any.
        sources: Files, addresses, cameras, ``-``. One that cannot be read, or that the detector refuses, is left out.
        out_dir: Folder of the output.
        wanted: None: pictures and ``detections.json`` alone.

    Raises:
        InputError: A picture would replace its image, or nothing can be read.
    """
    run = _Run(detector, Path(out_dir), wanted or Wanted())
    stems = [Path(name).stem for name in output_names([_output_path(source) for source in sources])]
    outputs = [run.out_dir / f'{stem}{suffix}' for stem in stems for suffix in ('.png', '.mp4', '.jsonl')]
    require_apart([source for source in sources if isinstance(source, Path)], outputs, '--out-dir')
    try:
        for source, stem in tqdm(list(zip(sources, stems)), unit='source', disable=True if len(sources) == 1 else None):
            run.one(source, stem)
    finally:
        run.finish()
    if not run.images and not run.found.videos:
        raise InputError(f'none of the {len(sources)} images can be used; the first: {run.first}') from run.first
    return Summary(
        run.images, run.frames, run.boxes, run.wanted.score, tuple(run.found.unreadable), tuple(run.ended_early)
    )


class _Run:
    """One call of :func:`detect_all`."""

    def __init__(self, detector: Detector, out_dir: Path, wanted: Wanted) -> None:
        if wanted.score is None:
            wanted = replace(wanted, score=DRAWN if is_trained(detector) else DRAWN_UNTRAINED)
        self.detector, self.out_dir, self.wanted = detector, out_dir, wanted
        self.written = min(WRITTEN, wanted.score)
        self.found = _DetectionsFile(out_dir / 'detections.json')
        self.files = ResultFiles(out_dir, wanted.kinds, detector.classes, wanted.score)
        self.images = self.frames = self.boxes = 0
        self.ended_early: list[str] = []
        self.first: InputError | None = None
        self._next_write = 0.0

    def one(self, source: str | Path, stem: str) -> None:
        try:
            if is_video_source(source):
                self._video(source, stem)
                return
            image, name = _open(source)
            found = self.detector.detect(image, name)
        except OutputError:
            raise
        except (InputError, MemoryError, RuntimeError, cv2.error) as error:
            if not isinstance(error, InputError):
                if not is_out_of_memory(error):
                    raise
                error = InputError(f'{source}: takes more memory than there is; make it smaller.')
            # One bad file is no reason to leave the others.
            self.first = self.first or error
            tqdm.write(f'skipped: {printable(str(error))}')
            self.found.unreadable.append(str(source))
            return
        self._write_image(image, name, found, stem)  # A disk that is full is no fault of the image's.

    def finish(self) -> None:
        """Writes what is one file for all images."""
        self.found.write(durable=True)
        self.files.write()

    def _write_now_and_then(self) -> None:
        """Writes it after an image as well, so that a run that is killed loses next to nothing.

        Many images make the files long: this is left out where it would take more than a twentieth of the time.
        """
        began = time.monotonic()
        if began >= self._next_write:
            self.found.write()
            self.files.write(durable=False)
            ended = time.monotonic()
            self._next_write = ended + 20 * (ended - began)

    def _write_image(self, image: np.ndarray, name: str, found: Detections, stem: str) -> None:
        self.boxes += len(found.above(self.wanted.score))
        shown = found.above(self.wanted.score, self.wanted.max_boxes)
        if not len(shown):
            tqdm.write(f'{printable(name)}: nothing found with a score of {self.wanted.score} or more.')
        write_image(self.out_dir / f'{stem}.png', shown.draw(image))
        found = found.above(self.written)
        self.files.add(found_image(found, name, image), stem)
        self.found.images[name] = found.as_dicts()
        self.images += 1
        self._write_now_and_then()

    def _video(self, source: str | Path, stem: str) -> None:
        wanted = self.wanted
        video = Video(source, wanted.every, wanted.frames)
        picture = VideoWriter(self.out_dir / f'{stem}.mp4', video.rate / wanted.every) if wanted.save_video else None
        count = 0
        with picture or nullcontext(), LineWriter(self.out_dir / f'{stem}.jsonl') as lines:
            try:
                for frame in tqdm(video, total=video.count, unit='frame', disable=None):
                    found = self.detector.detect(frame.image, f'{source}, frame {frame.number}')
                    line = dict(
                        frame=frame.number, seconds=frame.seconds, detections=found.above(self.written).as_dicts()
                    )
                    lines.write(json.dumps(line))
                    self.boxes += len(found.above(wanted.score))
                    if picture is not None:
                        picture.add(found.above(wanted.score, wanted.max_boxes).draw(frame.image))
                    count += 1
            except KeyboardInterrupt:
                if not video.is_camera:
                    raise
                tqdm.write(f'{source}: stopped after {count} frames.')  # A camera has no other end.
        if not count:
            raise InputError(f'{source}: not one frame can be read; the file is damaged or cut off.')
        if video.ended_early:
            self.ended_early.append(video.ended_early)
        self.frames += count
        self.found.videos[str(source)] = dict(file=f'{stem}.jsonl', frames=count, complete=not video.ended_early)


def _open(source: str | Path) -> Photo:
    return read_standard_input() if source == STANDARD_INPUT else open_image(source)


def _output_path(source: str | Path) -> Path:
    """What a source's outputs are named after."""
    if isinstance(source, Path):
        return source
    if source == STANDARD_INPUT:
        return Path('stdin')
    name = Path(unquote(urlparse(source).path)).stem if is_address(source) else source.replace(CAMERA, 'camera_')
    return Path(re.sub(r'[^\w-]', '_', name)[:100] or 'image')


class _DetectionsFile:
    """The content of ``detections.json``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.images: dict[str, list[dict]] = {}
        self.videos: dict[str, dict] = {}
        self.unreadable: list[str] = []

    def write(self, durable: bool = False) -> None:
        if self.images or self.videos:
            videos = dict(videos=self.videos) if self.videos else {}
            text = json.dumps(dict(images=self.images, **videos, unreadable=self.unreadable), indent=1)
            write_text(self.path, text, durable=durable)


def is_trained(detector: Detector) -> bool:
    """Whether the detector was trained on boxes."""
    return not isinstance(detector.model, ImageNetRCNN)
