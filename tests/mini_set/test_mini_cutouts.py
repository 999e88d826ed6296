"""The objects of the mini set as a classification set."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import cv2
import pytest

from det_inception.datasets import ImageNetDataset
from det_inception.mini_set import CLASSES, MiniSetError, cut_objects, make_mini


@pytest.fixture(scope='module')
def mini(tmp_path_factory):
    return make_mini(tmp_path_factory.mktemp('data') / 'mini', train=16, val=2, workers=1, progress=False)


def test_every_object_is_cut_out_with_what_is_around_it(mini, tmp_path):
    counts = cut_objects(mini, tmp_path / 'objects', context=0.2, least_side=1, progress=False)
    names, found = dict(CLASSES), 0
    for split in ('train', 'val'):
        for file in (mini / 'Annotations/DET' / split).glob('*.xml'):
            image = cv2.imread(str(mini / 'Data/DET' / split / f'{file.stem}.JPEG'))
            for number, thing in enumerate(ElementTree.parse(file).iter('object'), start=1):
                x1, y1, x2, y2 = (int(thing.findtext(f'bndbox/{key}')) for key in ('xmin', 'ymin', 'xmax', 'ymax'))
                cut = cv2.imread(
                    str(tmp_path / f'objects/{split}/{names[thing.findtext("name")]}/{file.stem}_{number}.JPEG')
                )
                dx, dy = round(0.2 * (x2 - x1 + 1)), round(0.2 * (y2 - y1 + 1))
                left, top = max(x1 - dx, 0), max(y1 - dy, 0)
                right, bottom = min(x2 + 1 + dx, image.shape[1]), min(y2 + 1 + dy, image.shape[0])
                assert cut.shape[:2] == (bottom - top, right - left)
                assert abs(cut.astype(float) - image[top:bottom, left:right]).mean() < 12  # JPEG a second time
                found += 1
    assert found == sum(counts.values())
    data = ImageNetDataset(data_root=str(tmp_path / 'objects'), data_prefix=dict(img_path='train'), pipeline=[])
    assert len(data) == counts['train'] and set(data.metainfo['classes']) == set(names.values())


def test_small_objects_are_left_out_and_folders_not_overwritten(mini, tmp_path):
    every = cut_objects(mini, tmp_path / 'all', least_side=1, progress=False)
    large = cut_objects(mini, tmp_path / 'large', least_side=32, progress=False)
    assert large['train'] < every['train']
    with pytest.raises(MiniSetError, match='exists already'):
        cut_objects(mini, tmp_path / 'all', progress=False)
    with pytest.raises(MiniSetError, match='no annotations'):
        cut_objects(tmp_path, tmp_path / 'none', progress=False)
    with pytest.raises(MiniSetError, match='make it with more'):
        cut_objects(mini, tmp_path / 'none', least_side=150, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['all', 'large']
