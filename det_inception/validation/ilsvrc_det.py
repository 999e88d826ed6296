"""Reads ILSVRC DET as it is shipped, going on after a fault: Annotations/DET, Data/DET, ImageSets/DET."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from det_inception.datasets.detection import ImageRecord
from det_inception.datasets.ilsvrc_det import is_exhaustive, listed_images, make_record
from det_inception.formats.annotation_xml import AnnotationError, ImageAnnotation, read_xml
from det_inception.utils.errors import ErrorHandler, InputError


def ilsvrc_records(
    lists: tuple[Path, ...],
    images: Path,
    annotations: Path,
    on_error: ErrorHandler,
    labels: Sequence[str],
    discard: Sequence[str],
    exhaustive: bool | None,
) -> Iterator[ImageRecord]:
    """Reads the images of a split one by one: half a million annotations need not be in memory together.

    Args:
        lists: One list, or several (those of the classes), which are put together and may name an image more than once.
        images: The split's folder of images.
        annotations: The split's folder of XML files; images without an object have none.
        on_error: Hears of every fault; see :data:`det_inception.utils.errors.ErrorHandler`.
        labels: Of a folder of training lists, which images; see ``ILSVRCDetDataset``.
        discard: Names of images to leave out.
        exhaustive: See ``ILSVRCDetDataset``.

    Yields:
        The images in the order of the lists; boxes are continuous.
    """
    seen: set[str] = set()
    for path in lists:
        try:
            listed = listed_images(path, labels)
        except InputError as error:
            on_error('list', path, error)
            continue
        for name, image_id in listed:
            if Path(name).name in discard:
                continue
            if len(lists) > 1:
                if name in seen:
                    continue
                seen.add(name)
                image_id = name  # The number is not an index, but whether the image shows the list's class.
            source = annotations / f'{name}.xml'
            record = make_record(name, image_id, images, source, _annotation(source, on_error), path, on_error)
            if record is not None:
                record.exhaustive = is_exhaustive(name, exhaustive)
                yield record


def _annotation(source: Path, on_error: ErrorHandler) -> ImageAnnotation | None:
    if not source.exists():
        return None
    try:
        return read_xml(source, on_error)
    except AnnotationError as error:
        on_error('annotation', source, error)
        return ImageAnnotation(0, 0, ())
