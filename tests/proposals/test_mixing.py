"""The mix of two methods' proposals, and methods that take several images at once."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from det_inception.proposals import Mixed, ProposalStore, SelectiveSearch, list_images, make_proposals, mix
from det_inception.utils.boxes import pairwise_iou


def random_boxes(count, seed):
    corners = np.sort(np.random.default_rng(seed).integers(0, 40, (count, 2, 2)), axis=1)
    corners[:, 1] += 1
    return corners.reshape(-1, 4).astype(np.float32)


@pytest.mark.parametrize('max_overlap', [0.5, 0.85, 1])
def test_mix_keeps_the_first_and_of_the_second_what_is_new(max_overlap):
    first, second = random_boxes(20, seed=1), random_boxes(200, seed=2)
    mixed = mix(first, second, max_overlap)
    kept = [box for box in second.tolist() if max(pairwise_iou([box], first)[0]) <= max_overlap]
    assert mixed.dtype == np.float32
    assert mixed[:20].tolist() == first.tolist() and mixed[20:].tolist() == kept
    assert max_overlap == 1 or len(kept) < 200


def test_mix_of_nothing():
    boxes, none = random_boxes(5, seed=1), np.zeros((0, 4))
    assert mix(none, boxes).tolist() == mix(boxes, none).tolist() == boxes.tolist()
    assert mix(none, none).shape == (0, 4)


@dataclass(frozen=True)
class Together:
    """One box as large as the image; refuses batches with an image 13 wide, and that image."""

    batch_size: int = 3

    def __call__(self, image):
        return self.batch([image])[0]

    def batch(self, images):
        assert len(images) <= self.batch_size
        if any(image.shape[1] == 13 for image in images):
            raise RuntimeError('bad luck')
        return [(np.array([[0, 0, *image.shape[1::-1]]]), np.array([0.5])) for image in images]

    @property
    def parameters(self):
        return {'method': 'together'}


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / 'images'
    folder.mkdir()
    for number, width in enumerate([20, 21, 13, 22, 23, 24, 25]):
        image = np.random.default_rng(number).integers(0, 255, (16, width, 3), np.uint8)
        cv2.imwrite(str(folder / f'{number}.png'), image)
    (folder / '7.png').write_text('no image')
    return list_images(folder)


def test_batches_give_what_single_images_give(images, tmp_path):
    for batch_size in (1, 3):
        summary = make_proposals(images, tmp_path / f'{batch_size}.h5', Together(batch_size), workers=1, progress=False)
        assert sorted(summary.unreadable) == ['2.png', '7.png'] and 'bad luck' in summary.unreadable['2.png']
    assert (tmp_path / '1.h5').read_bytes() == (tmp_path / '3.h5').read_bytes()
    with ProposalStore(tmp_path / '3.h5') as store:
        assert list(store) == ['0.png', '1.png', '3.png', '4.png', '5.png', '6.png']
        assert store['4.png'].boxes.tolist() == [[0, 0, 23, 16]] and store['4.png'].scores.tolist() == [0.5]


def test_mix_as_a_method():
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    search = SelectiveSearch('ilsvrc2014', None, 5)
    method = Mixed(Together(), search)
    boxes, scores = method(image)
    assert scores is None and method.batch_size == 3
    assert boxes.tolist() == mix([[0, 0, 60, 40]], search(image)[0]).tolist()
    assert [found.tolist() for found, _ in method.batch([image, image])] == [boxes.tolist()] * 2
    parameters = method.parameters
    assert parameters['method'] == 'mixed' and parameters['first'] == {'method': 'together'}
    assert parameters['second']['mode'] == 'ilsvrc2014'
