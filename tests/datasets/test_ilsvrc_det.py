"""The training set of ILSVRC DET: lists, train_N, no background from it; and the cache of annotations."""

import os
import time

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from sets_on_disk import write_image, write_xml

from det_inception.config.loading import load_config
from det_inception.datasets import ILSVRCDetDataset
from det_inception.datasets.detection import DataError
from det_inception.formats import cache as annotation_cache
from det_inception.formats.cache import read_annotations
from det_inception.ilsvrc import BAD_IMAGES
from det_inception.registry import MODELS, TRANSFORMS

DOG, CAR = 'n02084071', 'n02958343'


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'det_inception' / 'annotations'


@pytest.fixture
def train(tmp_path):
    """Eight training images: dogs in the even ones, a dog and two cars in the odd; the last is a negative one."""
    root = tmp_path / 'ILSVRC'
    lists = {1: [], 2: []}
    for number in range(8):
        name = f'ILSVRC2014_train_0000/ILSVRC2014_train_{number:08d}'
        write_image(root / f'Data/DET/train/{name}.JPEG')
        if number < 7:
            objects = [(DOG, 2, 3, 30, 30)] + [(CAR, 20, 5, 50, 39), (CAR, 1, 1, 20, 20)] * (number % 2)
            write_xml(root / f'Annotations/DET/train/{name}.xml', objects)
        lists[1].append(f'{name} {1 if number < 4 else 0 if number < 7 else -1}')
        lists[2].append(f'{name} {1 if number % 2 and number < 7 else -1}')
    (root / 'ImageSets/DET').mkdir(parents=True)
    for class_id in range(1, 201):
        lines = lists.get(class_id, [])
        (root / f'ImageSets/DET/train_{class_id}.txt').write_text(''.join(f'{line}\n' for line in lines))
    return root


def load(root, **options):
    return ILSVRCDetDataset('ImageSets/DET', split='train', data_root=str(root), **options)


def infos(dataset):
    return [dataset.get_data_info(index) for index in range(len(dataset))]


@pytest.mark.parametrize(
    'lists, images', [(['positive'], 5), (['positive', 'partial'], 7), (['positive', 'partial', 'negative'], 8)]
)
def test_training_lists(train, lists, images):
    found = infos(load(train, lists=lists))
    assert len(found) == images
    assert all(os.path.isfile(info['img_path']) for info in found)
    if 'negative' in lists:
        assert found[-1]['instances'] == []


@pytest.mark.parametrize('limit', [1, 2, 3, 100])
def test_train_n(train, limit):
    found = infos(load(train, max_objects_per_class=limit))
    dataset = load(train)
    for name, all_there in (('dog', 7), ('car', 6)):
        label = dataset.metainfo['classes'].index(name)
        labels = [instance['bbox_label'] for info in found for instance in info['instances']]
        assert labels.count(label) == min(limit, all_there)
    assert all(info['instances'] for info in found)


def test_no_background_from_training_images(train):
    dataset = load(train)
    load_proposals = TRANSFORMS.build(dict(type='LoadRegionProposals', cache_dir=''))
    assert not any(info['exhaustive'] for info in infos(dataset))
    info = load_proposals.transform(dict(dataset.get_data_info(1), img=np.zeros((40, 60, 3), np.uint8)))
    assert info['proposals'].shape == (0, 4) and info['proposals_scores'].shape == (0,)
    # A test looks at every region, and a data set of one's own that is complete may say so.
    assert all(info['exhaustive'] for info in infos(load(train, test_mode=True)))
    assert all(info['exhaustive'] for info in infos(load(train, exhaustive=True)))
    info = load_proposals.transform(
        dict(dataset.get_data_info(1), exhaustive=True, img=np.zeros((40, 60, 3), np.uint8))
    )
    assert len(info['proposals']) >= 1


def test_the_entrys_config_samples_training_images_for_positives_alone(train, monkeypatch):
    """Two images of val1 and a training image, through the config's own pipeline, sampler and detector."""
    for number in range(4):
        write_image(train / f'Data/DET/val/ILSVRC2012_val_{number:08d}.JPEG', 120, 90)
        write_xml(train / f'Annotations/DET/val/ILSVRC2012_val_{number:08d}.xml', [(DOG, 9, 9, 80, 80)], size=(120, 90))
    names = ''.join(f'ILSVRC2012_val_{number:08d} {number + 1}\n' for number in range(4))
    for half in ('val1', 'val2'):
        (train / f'ImageSets/DET/{half}.txt').write_text(names)
    cfg = load_config('configs/googlenet_rcnn.py', data_root=train)
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    from mmengine.runner import Runner

    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    batch = next(iter(loader))
    names = [sample.img_path for sample in batch['data_samples']]
    assert [('/train/' in name) for name in names] == [False] * 4 + [True]
    detector = MODELS.build(cfg.model)
    batch = detector.data_preprocessor(batch, training=True)
    sampled = [detector._sample(sample) for sample in batch['data_samples']]
    assert all(len(result.neg_inds) > 0 for result in sampled[:4])
    assert len(sampled[4].neg_inds) == 0
    assert len(sampled[4].pos_inds) == len(batch['data_samples'][4].gt_instances)
    assert torch.isfinite(sampled[4].bboxes).all()


def test_an_image_without_proposals_and_objects_gives_no_region():
    cfg = load_config('configs/googlenet_rcnn_mini.py')
    detector = MODELS.build(cfg.model)
    from mmdet.structures import DetDataSample

    sample = DetDataSample(
        gt_instances=InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)),
        proposals=InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0)),
    )
    sample.set_metainfo(dict(img_shape=(50, 50)))
    assert len(detector._sample(sample).bboxes) == 0


def test_bad_images_are_left_out_of_training_only(tmp_path):
    for name in ('good', BAD_IMAGES[0]):
        write_image(tmp_path / f'Data/DET/val/{name}.JPEG')
        write_xml(tmp_path / f'Annotations/DET/val/{name}.xml', [(DOG, 1, 1, 20, 20)])
    (tmp_path / 'ImageSets/DET').mkdir(parents=True)
    (tmp_path / 'ImageSets/DET/val.txt').write_text(f'good 1\n{BAD_IMAGES[0]} 2\n')

    def ids(**options):
        dataset = ILSVRCDetDataset('ImageSets/DET/val.txt', 'val', data_root=str(tmp_path), **options)
        return [info['img_id'] for info in infos(dataset)]

    assert ids() == [1]
    assert ids(test_mode=True) == [1, 2]  # The official score is over all.
    assert ids(discard=()) == [1, 2] and ids(discard=('good',)) == [2]


# -------------------------------------------------------------------------------------------------------- cache


def test_the_second_reading_is_from_the_cache(train, cache, monkeypatch):
    first = infos(load(train, lists=['positive', 'partial', 'negative']))
    assert len(list(cache.glob('*.npz'))) == 1
    monkeypatch.setattr(annotation_cache, 'read_xml', lambda source: pytest.fail(f'{source} was read again'))
    second = infos(load(train, lists=['positive', 'partial', 'negative']))
    assert first == second


def test_a_corrected_annotation_is_read_anew(train):
    before = infos(load(train))
    path = next((train / 'Annotations').rglob('*.xml'))
    write_xml(path, [(CAR, 1, 2, 3, 4)])
    os.utime(path, ns=(time.time_ns(), time.time_ns() + 1))
    assert infos(load(train)) != before


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 and then nothing', b'\x93NUMPY'])
def test_a_damaged_cache_is_made_anew(train, cache, content):
    before = infos(load(train))
    (path,) = cache.glob('*.npz')
    path.write_bytes(content)
    assert infos(load(train)) == before
    assert path.stat().st_size > len(content)


def test_one_wrong_bit_in_a_cache_is_found(train, cache):
    before = infos(load(train))
    (path,) = cache.glob('*.npz')
    whole = path.read_bytes()
    for place in range(0, len(whole), len(whole) // 20):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert infos(load(train)) == before
        assert path.read_bytes() == whole


def test_an_annotation_with_its_old_time_of_change_is_read_anew(tmp_path):
    path = tmp_path / 'a.xml'
    write_xml(path, [('cat', 1, 2, 3, 4)])
    status = path.stat()
    assert read_annotations([path], tmp_path / 'kept')[0].objects[0].name == 'cat'
    write_xml(path, [('dog', 1, 2, 3, 4)])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert read_annotations([path], tmp_path / 'kept')[0].objects[0].name == 'dog'


def test_without_a_cache(train, cache, tmp_path):
    load(train, cache_dir='')
    assert not cache.exists()
    blocked = tmp_path / 'file'
    blocked.write_text('')
    assert len(load(train, cache_dir=str(blocked / 'folder'))) == 7  # Cannot be written; it works all the same.


def test_cached_annotations_are_equal(tmp_path):
    """Names in any script, sizes that are missing, boxes to the last digit, files that are missing or empty."""
    write_xml(tmp_path / 'a.xml', [('größe 1', 1.1, 2.2, 3.3, 4.4), ('', 0, 0, 1, 1)][:1], size=None)
    write_xml(tmp_path / 'b.xml', [])
    write_xml(tmp_path / 'c.xml', [('x', 1, 2, 3, 4, 'difficult'), ('größe 1', 0.1, 0.2, 1e5, 7), ('x\ny', 1, 2, 3, 4)])
    sources = [tmp_path / f'{name}.xml' for name in 'abdc']
    fresh = read_annotations(sources, tmp_path / 'kept')
    assert fresh == read_annotations(sources, tmp_path / 'kept') == read_annotations(sources, '')
    assert fresh[2] is None and fresh[1].objects == ()
    assert read_annotations([], tmp_path / 'kept') == read_annotations([], tmp_path / 'kept') == []


def test_only_the_test_set_may_lack_annotations(tmp_path):
    for split in ('val', 'test'):
        write_image(tmp_path / f'Data/DET/{split}/a.JPEG')
    (tmp_path / 'list.txt').write_text('a 1\n')

    def dataset(split, test_mode=True):
        return ILSVRCDetDataset('list.txt', split, data_root=str(tmp_path), test_mode=test_mode)

    assert dataset('test').metainfo['annotated'] is False and len(dataset('test')) == 1
    for arguments in (('val',), ('test', False)):
        with pytest.raises(DataError, match='none of its 1 images has a usable object'):
            dataset(*arguments)
    write_xml(tmp_path / 'Annotations/DET/test/a.xml', [(DOG, 2, 3, 30, 30)])  # One's own, perhaps.
    assert 'annotated' not in dataset('test').metainfo and dataset('test')[0]['instances']
