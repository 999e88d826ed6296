"""Data sets in COCO's format: one JSON file of images, annotations and categories."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from det_inception.datasets.detection import DataError, DetectionDataset, ImageRecord
from det_inception.registry import DATASETS


@DATASETS.register_module()
class COCOFormatDataset(DetectionDataset):
    """A data set of one's own in COCO's format.

    Differs from MMDetection's ``CocoDataset`` in that classes may come from the file, that labels follow the order of
    ``classes`` whatever the order of the file, and in its error messages. Annotations with ``iscrowd`` count neither
    for nor against a detector.

    Args:
        ann_file: The JSON file, relative to ``data_root``.
        **kwargs: See :class:`DetectionDataset`; ``data_prefix=dict(img=...)`` is the folder of the images.
    """

    def read_records(self) -> Iterator[ImageRecord]:
        """Yields the images in the order of the file; COCO's boxes are continuous already: x, y, width, height."""
        content = _read_json(self.ann_file)
        source = Path(self.ann_file)
        try:
            names = {category['id']: str(category['name']) for category in content['categories']}
            self._categories = tuple(dict.fromkeys(names.values()))
            objects = defaultdict(list)
            for annotation in content.get('annotations', []):
                if annotation.get('ignore'):
                    continue
                x, y, width, height = (float(value) for value in annotation['bbox'])
                box = (x, y, x + width, y + height)
                if not all(abs(value) < 1e9 for value in box):  # JSON as Python reads it knows NaN.
                    raise ValueError(f'the box {annotation["bbox"]} of annotation {annotation.get("id")}')
                name = names[annotation['category_id']]
                objects[annotation['image_id']].append((name, box, bool(annotation.get('iscrowd'))))
            folder = Path((self.data_prefix or {}).get('img') or self.data_root or '')
            for image in content['images']:
                yield ImageRecord(
                    image['id'],
                    folder / image['file_name'],
                    int(image['height']),
                    int(image['width']),
                    source,
                    objects.pop(image['id'], []),
                )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f'{source}: this is not COCO\'s format ("images", "annotations" and "categories" that refer to each '
                f'other): {type(error).__name__} {error}; correct the file.'
            ) from error
        if objects:
            raise DataError(
                f'{source}: {len(objects)} image ids of its annotations, {next(iter(objects))!r} the first, are not '
                'among its images, or are there twice; correct the file.'
            )

    def read_class_names(self, records: list[ImageRecord]) -> tuple[str, ...]:
        """Returns the file's categories, in its order, whether or not each occurs."""
        return self._categories


def _read_json(path: str | Path) -> dict:
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise DataError(
            f'{path}: the annotation file cannot be read ({error.strerror or error}); check data_root and ann_file.'
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f'{path}: the annotation file is no valid JSON ({error}); correct it.') from error
    if not isinstance(content, dict):
        raise DataError(f'{path}: the annotation file holds no JSON object; COCO\'s format begins with {{"images": ...')
    return content
