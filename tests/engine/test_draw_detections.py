"""Pictures of a test: of images with the same name in two folders, of a format that few readers know, of nothing."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData
from PIL import Image

from det_inception.engine import DrawDetectionsHook
from det_inception.utils.errors import InputError


def drawn(folder, images, scores=(0.9,)):
    """Draws one box with each score on every image."""
    samples = []
    for path in images:
        sample = DetDataSample(metainfo=dict(img_path=str(path)))
        boxes = torch.tensor([[4.0, 4, 40, 40]]).repeat(len(scores), 1)
        labels = torch.zeros(len(scores), dtype=torch.long)
        sample.pred_instances = InstanceData(bboxes=boxes, scores=torch.tensor(scores), labels=labels)
        sample.gt_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
        samples.append(sample)
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = dict(classes=('ant',), palette=[(255, 0, 0)])

    class Images(list):
        def get_data_info(self, number):
            return dict(img_path=str(self[number]))

    loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=Images(images)))
    runner = SimpleNamespace(visualizer=visualizer, test_loop=loop)
    hook = DrawDetectionsHook(str(folder))
    hook.before_test_epoch(runner)
    hook.after_test_iter(runner, 0, outputs=samples)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file())


def gray(path, value=128):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('L', (60, 50), value).save(path)
    return path


def test_images_of_the_same_name(tmp_path):
    images = [gray(tmp_path / f'images/{camera}/1.png', value) for camera, value in (('a', 90), ('b', 200))]
    assert drawn(tmp_path / 'out', images) == ['a/1.png', 'b/1.png']
    for name, value in (('a', 90), ('b', 200)):
        picture = cv2.imread(str(tmp_path / f'out/{name}/1.png'))
        assert picture.shape == (50, 120, 3)  # Objects on the left, of which there are none, detections on the right.
        assert (picture[:, :60] == value).all() and (picture[:, 60:] != value).any()


def test_a_folder_without_folders_is_flat(tmp_path):
    images = [gray(tmp_path / 'images/1.png'), gray(tmp_path / 'images/2.jpg')]
    assert drawn(tmp_path / 'out', images) == ['1.png', '2.jpg']
    assert drawn(tmp_path / 'one', images[:1]) == ['1.png']


def test_formats_that_cannot_be_written(tmp_path):
    images = [gray(tmp_path / 'images/1.gif'), gray(tmp_path / 'images/1.png', 50)]
    assert drawn(tmp_path / 'out', images) == ['1.gif.png', '1.png']


@pytest.mark.parametrize('scores', [(), (0.1, 0.2)])
def test_what_is_below_the_threshold_is_not_drawn(scores, tmp_path):
    drawn(tmp_path / 'out', [gray(tmp_path / 'images/1.png')], scores)
    assert np.ptp(cv2.imread(str(tmp_path / 'out/1.png'))) == 0


def test_a_folder_that_is_a_file(tmp_path):
    path = gray(tmp_path / '1.png')
    with pytest.raises(InputError, match='choose another folder'):
        DrawDetectionsHook(str(path))


@pytest.mark.parametrize('name', ['images', 'images/a/..', 'link'])
def test_the_folder_of_the_images_themselves(name, tmp_path):
    images = [gray(tmp_path / f'images/{camera}/1.png') for camera in 'ab']
    before = images[0].read_bytes()
    (tmp_path / 'link').symlink_to(tmp_path / 'images')
    with pytest.raises(InputError, match='1.png: its own drawing would overwrite it; choose another --show-dir'):
        drawn(tmp_path / name, images)
    assert images[0].read_bytes() == before
