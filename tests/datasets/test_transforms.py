"""The pipeline steps that MMDetection lacks."""

import importlib

import cv2
import numpy as np
import pytest
from PIL import Image

from det_inception.datasets import BatchResize, DataError, LoadAnyImage, LoadRegionProposals
from det_inception.proposals import build_method, list_images, make_proposals, selective_search
from det_inception.utils.errors import InputError


@pytest.fixture
def scene():
    """Uint8 (70, 100, 3): a bright and a dark rectangle on gray noise."""
    image = np.random.default_rng(1).integers(100, 130, (70, 100, 3), dtype=np.uint8)
    image[10:50, 10:45] = (20, 40, 220)
    image[20:60, 55:95] = (200, 180, 20)
    return image


# ------------------------------------------------------------------------------------------------ LoadAnyImage


def test_loads_the_file(scene, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), scene)
    results = LoadAnyImage()(dict(img_path=str(tmp_path / 'a.png'), height=70, width=100))
    assert (results['img'] == scene).all() and results['img_shape'] == results['ori_shape'] == (70, 100)


def test_takes_an_array(scene):
    results = LoadAnyImage()(dict(img=scene, img_path=''))
    assert results['img'] is scene and results['img_shape'] == (70, 100)


def test_annotation_of_another_size(scene, tmp_path):
    path = tmp_path / 'photo.jpg'
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(scene).save(path, exif=exif)  # Stored 100 x 70, seen 70 x 100.
    assert LoadAnyImage()(dict(img_path=str(path), height=100, width=70))['img_shape'] == (100, 70)
    with pytest.raises(
        DataError, match=r'photo\.jpg: .* 100 wide and 70 high, and it is 70 x 100: its EXIF data turn it'
    ):
        LoadAnyImage()(dict(img_path=str(path), height=70, width=100))
    with pytest.raises(DataError, match='takes the image to be 500 wide and 375 high, and it is 70 x 100; correct'):
        LoadAnyImage()(dict(img_path=str(path), height=375, width=500))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r'none\.jpg: the image cannot be read'):
        LoadAnyImage()(dict(img_path=str(tmp_path / 'none.jpg')))


# ------------------------------------------------------------------------------------------ LoadRegionProposals


SMALL = dict(type='SelectiveSearch', width=None, min_size=5)


def load(step, image):
    return step(dict(img=image, img_path='a.jpg'))


def test_proposals_are_selective_search_s(scene):
    results = load(LoadRegionProposals(SMALL, cache_dir=''), scene)
    assert (results['proposals'] == selective_search(scene, 'fast', None, min_size=5)).all()
    assert results['proposals'].dtype == results['proposals_scores'].dtype == np.float32
    scores = results['proposals_scores']
    assert scores.shape == (len(results['proposals']),) and scores[0] == 1 and (np.diff(scores) < 0).all()
    few = load(LoadRegionProposals(SMALL, max_num=3, cache_dir=''), scene)
    assert (few['proposals'] == results['proposals'][:3]).all()


@pytest.mark.parametrize('max_num', [-5, 1.5, 'abc', True, None])
def test_the_number_of_proposals_is_a_number(max_num):
    with pytest.raises(InputError, match='max_num is .*; give a whole number of proposals, or -1 for all'):
        LoadRegionProposals(SMALL, max_num=max_num)


def test_cache(scene, tmp_path, monkeypatch):
    calls = []

    def counted(image, *arguments, **options):
        calls.append(options)
        return selective_search(image, *arguments, **options)

    # The package's attribute of this name is the function.
    monkeypatch.setattr(
        importlib.import_module('det_inception.proposals.selective_search'), 'selective_search', counted
    )
    step = LoadRegionProposals(SMALL, cache_dir=str(tmp_path / 'cache'))
    first = load(step, scene)['proposals']
    assert (load(step, scene)['proposals'] == first).all() and len(calls) == 1
    (entry,) = (tmp_path / 'cache').rglob('*.npy')
    entry.write_bytes(entry.read_bytes()[:-4])  # Cut off, as by a full disk.
    assert (load(step, scene)['proposals'] == first).all() and len(calls) == 2
    entry.write_bytes(b'PK\3\4' + b'x' * 30)
    assert (load(step, scene)['proposals'] == first).all() and len(calls) == 3
    content = bytearray(entry.read_bytes())
    content[-40] ^= 1  # Of the last box.
    entry.write_bytes(content)
    assert (load(step, scene)['proposals'] == first).all() and len(calls) == 4
    load(step, scene[:, ::-1].copy())
    load(LoadRegionProposals(dict(SMALL, min_size=6), cache_dir=str(tmp_path / 'cache')), scene)
    assert len(calls) == 6
    assert not list((tmp_path / 'cache').rglob('*.tmp*'))


def test_a_cache_that_cannot_be_written(scene, tmp_path):
    (tmp_path / 'file').touch()
    step = LoadRegionProposals(SMALL, cache_dir=str(tmp_path / 'file' / 'cache'))
    assert len(load(step, scene)['proposals'])


@pytest.mark.parametrize('shape', [(1, 1), (1, 50), (20, 20), (200, 8000)])
def test_an_image_without_regions_is_one(shape):
    results = load(LoadRegionProposals(cache_dir=''), np.full((*shape, 3), 90, np.uint8))
    boxes = results['proposals']
    assert len(boxes) >= 1 and results['proposals_scores'].shape == (len(boxes),)
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= (shape[1], shape[0])).all()
    if shape == (1, 1):
        assert boxes.tolist() == [[0, 0, 1, 1]]


def test_unknown_mode():
    with pytest.raises(ValueError, match='slow'):
        LoadRegionProposals(dict(type='SelectiveSearch', mode='slow'))


class FakeStore:
    """Knows one image, of 100 x 70."""

    def __init__(self, boxes):
        self.boxes = boxes

    def find(self, path):
        return 'key'

    def __getitem__(self, key):
        from det_inception.proposals import Proposals

        boxes = np.asarray(self.boxes, np.float32).reshape(-1, 4)
        return Proposals(boxes, np.ones(len(boxes), np.float32), height=70, width=100)


def test_stored_proposals(scene):
    step = LoadRegionProposals()
    step.store = FakeStore([[1, 2, 30, 40], [0, 0, 9, 9]])
    assert load(step, scene)['proposals'].tolist() == [[1, 2, 30, 40], [0, 0, 9, 9]]
    with pytest.raises(DataError, match=r'a\.jpg: the image is 70 x 100 and the proposals .* made for 100 x 70'):
        load(step, np.ascontiguousarray(scene.transpose(1, 0, 2)))
    step.store = FakeStore([])
    assert load(step, scene)['proposals'].tolist() == [[0, 0, 100, 70]]


def test_a_store_of_other_images_with_the_same_names(scene, tmp_path):
    """Pictures of one name and size; the store was made of those in train alone."""
    for folder, image in (('train', scene), ('val', scene[::-1])):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / '000001.png'), image)
    store = str(tmp_path / 'train.h5')
    make_proposals(list_images(tmp_path / 'train'), store, build_method(SMALL), workers=1, progress=False)
    steps = [LoadAnyImage(), LoadRegionProposals(store=store)]

    def read(results):
        for step in steps:
            results = step(results)
        return results

    train, val = (str(tmp_path / folder / '000001.png') for folder in ('train', 'val'))
    assert len(read(dict(img_path=train))['proposals'])
    assert len(read(dict(img_path=train, img=scene))['proposals'])  # As the demo gives it.
    assert len(read(dict(img_path='000001.png', img=scene))['proposals'])  # An array without a file.
    message = r'val/000001\.png is not the file for which .*train\.h5 holds the proposals of 000001\.png'
    for results in (dict(img_path=val), dict(img_path=val, img=scene[::-1])):
        with pytest.raises(InputError, match=message):
            read(results)


def test_missing_store(tmp_path):
    with pytest.raises(InputError, match=r'none\.h5'):
        LoadRegionProposals(store=str(tmp_path / 'none.h5'))


# ------------------------------------------------------------------------------------------------- BatchResize


def test_a_batch_has_one_shorter_side():
    np.random.seed(0)
    resize = BatchResize([32, 48, 64], batch_size=4)
    shapes = []
    for number in range(80):
        image = np.zeros((100, 120, 3) if number % 2 else (150, 90, 3), np.uint8)
        results = resize(dict(img=image, gt_bboxes=np.array([[10.0, 20, 30, 40]], np.float32)))
        shapes.append(results['img'].shape[:2])
        scale = results['img'].shape[0] / image.shape[0]
        np.testing.assert_allclose(results['gt_bboxes'], np.array([[10, 20, 30, 40]]) * scale, rtol=0.02)
    sides = np.sort(shapes)[:, 0].reshape(20, 4)
    assert (sides == sides[:, :1]).all() and {32, 48, 64} == set(sides[:, 0])


def test_a_long_image_is_resized_by_its_longer_side():
    results = BatchResize([60], batch_size=2)(dict(img=np.zeros((100, 1000, 3), np.uint8)))
    assert results['img'].shape[:2] == (10, 100)
