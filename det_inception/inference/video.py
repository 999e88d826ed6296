"""Frames of a video file or a camera, and videos with drawings."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from det_inception.utils.errors import InputError
from det_inception.utils.file_kinds import is_video
from det_inception.utils.files import atomic_write, reason
from det_inception.utils.images import MAX_PIXELS
from det_inception.utils.opencv_log import quiet_opencv

CAMERA = 'camera:'
"""What the name of a camera begins with; its number follows."""

os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')  # FFmpeg is quiet; OpenCV reads this with the first video.


class Frame(NamedTuple):
    """One frame.

    Attributes:
        number: Counted from 0, also where frames between are left out.
        seconds: Its time.
        image: uint8 (H, W, 3), BGR.
    """

    number: int
    seconds: float
    image: np.ndarray


def is_video_source(source: object) -> bool:
    """Whether something is a camera's name or a video file, by its first bytes."""
    if isinstance(source, str) and source.startswith(CAMERA):
        return True
    if not isinstance(source, (str, Path)):
        return False
    try:
        if not stat.S_ISREG(os.stat(source).st_mode):
            return False
        with open(source, 'rb') as file:
            return is_video(file.read(1000))
    except (OSError, ValueError):  # ValueError: a null character.
        return False


def require_sampling(every: int, limit: int | None) -> None:
    """Makes sure that "each n-th frame, at most so many" makes sense.

    Raises:
        InputError: A number is not 1 or more.
    """
    if every < 1 or (limit is not None and limit < 1):
        raise InputError(f'each {every}-th frame, {limit or "no"} frames: such numbers of frames must be 1 or more.')


class Video:
    """The frames of a video or a camera, one after the other.

    FFmpeg, which OpenCV uses, gets nothing but a file that begins as a video does: a playlist could name other files,
    and addresses on the web.

    Args:
        source: A file, or ``'camera:0'``.
        every: Take each n-th frame.
        limit: At most so many; None: all.

    Attributes:
        rate: Frames per second of the source; 25 where it does not say.
        ended_early: What is wrong, as a sentence, once the frames are at an end before the number that the file states;
            None while nothing is.

    Raises:
        InputError: It is no video or cannot be opened, there is no such camera, or a setting makes no sense.
    """

    def __init__(self, source: str | Path, every: int = 1, limit: int | None = None) -> None:
        require_sampling(every, limit)
        self.source, self.every, self.limit = str(source), every, limit
        self.ended_early: str | None = None
        self.is_camera = self.source.startswith(CAMERA)
        self._capture = self._open()
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate <= 1000 else 25.0
        stated = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.stated = int(stated) if not self.is_camera and 0 < stated < 1e9 else None

    @property
    def count(self) -> int | None:
        """How many frames there will be, as far as the file says."""
        counts = [self.limit, self.stated and -(-self.stated // self.every)]
        return min((count for count in counts if count is not None), default=None)

    def __iter__(self) -> Iterator[Frame]:
        number = taken = 0
        try:
            while taken != self.limit:
                with _quiet():
                    there = self._capture.grab()
                    seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                    image = self._capture.retrieve()[1] if there and number % self.every == 0 else None
                if not there or (image is None and number % self.every == 0):
                    self._explain_end(number)
                    return
                if image is not None:
                    taken += 1
                    seconds = number / self.rate if self.is_camera or not seconds >= 0 else seconds
                    yield Frame(number, round(seconds, 3), image)
                number += 1
        finally:
            self._capture.release()

    def _open(self) -> cv2.VideoCapture:
        with _quiet():
            if self.is_camera:
                number = self.source.removeprefix(CAMERA)
                if not number.isdecimal() or len(number) > 3:
                    raise InputError(f'{self.source}: is no camera; its number follows the colon, such as {CAMERA}0.')
                capture = cv2.VideoCapture(int(number))
                problem = 'there is no such camera, or another program has it; connect it, or name another number'
            else:
                if not is_video_source(self.source):
                    raise InputError(f'{self.source}: is no video, or cannot be read; name a video file.')
                capture = cv2.VideoCapture(os.path.abspath(self.source), cv2.CAP_FFMPEG)
                problem = 'the video is damaged or cut off, or of a kind that OpenCV does not read; convert it to MP4'
            if not capture.isOpened():
                raise InputError(f'{self.source}: {problem}.')
        width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if width * height > MAX_PIXELS:
            raise InputError(f'{self.source}: its frames exceed the limit of {MAX_PIXELS} pixels; make it smaller.')
        return capture

    def _explain_end(self, read: int) -> None:
        if self.is_camera:
            self.ended_early = f'{self.source}: gives no more images after {read} frames; is it still connected?'
        elif self.stated is not None and read < 0.98 * self.stated - 1:  # The stated number is a little off in many.
            self.ended_early = (
                f'{self.source}: ends after {read} of {self.stated} frames; the file is damaged or cut off.'
            )


class VideoWriter:
    """Writes frames to an MP4 file, which appears when it is whole; use it as a context.

    Args:
        path: The file, ``.mp4``.
        rate: Frames per second.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self.path, self.rate = path, rate
        self._writer: cv2.VideoWriter | None = None

    def __enter__(self) -> VideoWriter:
        self._stack = contextlib.ExitStack()
        self._temporary = self._stack.enter_context(atomic_write(self.path, make_folder=True))
        return self

    def __exit__(self, *error: object) -> bool | None:
        if self._writer is not None:
            self._writer.release()
        return self._stack.__exit__(*error)

    def add(self, image: np.ndarray) -> None:
        """Adds a frame, uint8 (H, W, 3) BGR; all are of one size."""
        if self._writer is None:
            height, width = image.shape[:2]
            with _quiet():
                self._writer = cv2.VideoWriter(
                    str(self._temporary), cv2.VideoWriter_fourcc(*'mp4v'), self.rate, (width, height)
                )
            if not self._writer.isOpened():
                raise InputError(f'{self.path}: OpenCV cannot write a video of {width} x {height} here; leave it out.')
        self._writer.write(image)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences OpenCV's log: the errors here say it better."""
    try:
        with quiet_opencv():
            yield
    except cv2.error as error:
        raise InputError(f'the video cannot be read ({reason(error)}); convert it to MP4.') from error
