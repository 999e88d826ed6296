"""Pascal VOC: one XML file an image, lists of images in ``ImageSets/Main``."""

from __future__ import annotations

from pathlib import Path

from det_inception.formats.annotation_xml import read_xml
from det_inception.formats.records import Box, ObjectRecord
from det_inception.formats.sidecars import WHOLE, Annotation, Folders, SidecarFormat
from det_inception.utils.errors import ErrorHandler

_LISTS = 'ImageSets/Main'


class VOC(SidecarFormat):
    """Pascal VOC's layout, or XML files beside their images or in a folder of their own, as tools write them.

    Boxes are ``xmin ymin xmax ymax`` counted from 1, the last pixel included. Image and XML are found by the name in
    the list; what the XML says of file names is ignored.
    """

    name = 'voc'
    title = 'Pascal VOC layout'
    layout = 'Pascal VOC (JPEGImages and Annotations, or .xml files beside the images)'
    annotation_suffix = '.xml'
    lists_folder = _LISTS

    def claim(self, path: Path) -> str | None:
        standard = next((folder for folder in ('JPEGImages', _LISTS) if (path / folder).is_dir()), None)
        return standard or super().claim(path)

    def folders(self, root: Path) -> list[Folders]:
        standard = [Folders(WHOLE, root / 'JPEGImages', root / 'Annotations')]
        if (root / 'JPEGImages').is_dir():
            return standard
        found = super().folders(root)
        return standard if not found and (root / _LISTS).is_dir() else found

    def read_annotation(self, path: Path, on_error: ErrorHandler) -> Annotation:
        found = read_xml(path, on_error)
        objects = [ObjectRecord(item.name, _continuous(item.box), item.difficult) for item in found.objects]
        return Annotation(found.height, found.width, objects)

    def as_in_file(self, box: Box, height: int, width: int) -> tuple[float, ...]:
        x1, y1, x2, y2 = box
        return (x1 + 1, y1 + 1, x2, y2) if x2 > x1 and y2 > y1 else box


def _continuous(box: Box) -> Box:
    x1, y1, x2, y2 = box
    # Equal corners would be a box of one pixel; VOC itself has none, and other tools write empty boxes so.
    return (x1 - 1, y1 - 1, x2, y2) if x2 > x1 and y2 > y1 else box
