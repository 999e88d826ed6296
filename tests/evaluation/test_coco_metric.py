"""Result files of COCO's metric carry the data set's own category ids."""

import json

import pytest
import torch
from sets_on_disk import make_coco

from det_inception.datasets import COCOFormatDataset
from det_inception.evaluation import COCOFormatMetric
from det_inception.evaluation.metrics import coco_metric as our_metric
from det_inception.utils.errors import InputError


def results(dataset):
    """What a perfect detector would find."""
    for number in range(len(dataset)):
        entry = dataset.get_data_info(number)
        boxes = torch.tensor([instance['bbox'] for instance in entry['instances']])
        labels = torch.tensor([instance['bbox_label'] for instance in entry['instances']])
        found = dict(bboxes=boxes, scores=torch.full((len(boxes),), 0.9), labels=labels)
        size = (entry['height'], entry['width'])
        yield dict(img_id=entry['img_id'], ori_shape=size, instances=entry['instances'], pred_instances=found)


@pytest.mark.parametrize('classes', [None, ('dog', 'cat'), ('bird', 'cat', 'dog')])
def test_results_carry_the_ids_of_the_file(classes, tmp_path):
    names = ('cat', 'dog')
    boxes = [dict(bbox=[2, 3, 20, 15], category_id=1), dict(bbox=[30, 10, 25, 20], category_id=2)]
    path = make_coco(tmp_path, {'a.jpg': boxes, 'b.jpg': boxes[1:]}, names)
    content = json.loads(path.read_text())
    ids = {1: 90, 2: 17}  # not in order, with gaps
    for category in content['categories']:
        category['id'] = ids[category['id']]
    for annotation in content['annotations']:
        annotation['category_id'] = ids[annotation['category_id']]
    path.write_text(json.dumps(content))
    dataset = COCOFormatDataset(
        data_root=str(tmp_path), ann_file='annotations/train.json', data_prefix=dict(img='train'), test_mode=True,
        pipeline=[], metainfo=dict(classes=classes) if classes else None,
    )  # fmt: skip
    metric = COCOFormatMetric(metric='bbox', outfile_prefix=str(tmp_path / 'out'))
    metric.dataset_meta = dataset.metainfo
    metric.process({}, list(results(dataset)))
    scores = metric.evaluate(len(dataset))
    assert scores['coco/bbox_mAP'] == 1
    written = json.loads((tmp_path / 'out.bbox.json').read_text())
    assert sorted(
        (item['image_id'], item['category_id'], round(item['bbox'][0])) for item in written
    ) == [(1, 17, 30), (1, 90, 2), (2, 17, 30)]  # fmt: skip


def scores_of(objects, found, **settings):
    """The scores of a detector that finds the first ``found`` of 36 x 36 objects, of one class each image has."""
    metric = COCOFormatMetric(metric='bbox', **settings)
    metric.dataset_meta = dict(classes=('cell', 'other'))
    boxes = torch.tensor([[40.0 * (k % 40), 40.0 * (k // 40)] for k in range(objects)])
    boxes = torch.cat([boxes, boxes + 36], dim=1)
    labels = torch.zeros(found, dtype=torch.long)
    predictions = dict(bboxes=boxes[:found], scores=torch.linspace(1, 0.5, found), labels=labels)
    instances = [dict(bbox=box, bbox_label=0, ignore_flag=0) for box in boxes.tolist()]
    for number in (1, 2):
        sample = dict(img_id=number, ori_shape=(2000, 1600), pred_instances=predictions, instances=instances)
        metric.process({}, [sample])
    scores = {name.removeprefix('coco/bbox_'): value for name, value in metric.evaluate(2).items()}
    assert metric.class_scores == [('cell', 2 * objects, pytest.approx(scores['mAP'], abs=1e-3))]
    return scores


@pytest.mark.parametrize(
    'objects, numbers, limit',
    [
        (3, (100, 300, 1000), 100),  # COCO's own
        (120, (100, 300, 1000), 1000),
        (120, (1, 10, 100), 120),
        (3, (300, 500, 1000), 1000),  # pycocotools gives -1
    ],
)
def test_a_perfect_detector_of_many_objects(objects, numbers, limit, capfd, monkeypatch):
    said = []
    monkeypatch.setattr(our_metric, 'print_log', lambda text, *_: said.append(text))
    scores = scores_of(objects, objects, proposal_nums=numbers)
    assert scores['mAP'] == scores['mAP_50'] == scores['mAP_75'] == scores['mAP_m'] == 1
    assert f'area=   all | maxDets={limit:>3} ] = 1.000' in capfd.readouterr().out
    assert [text.split(' of a class')[0] for text in said] == [f'mAP counts the best {limit} detections'] * (
        limit != 100
    )


def test_mean_average_precision_counts_what_the_others_do():
    scores = scores_of(150, 120)
    assert scores['mAP'] == scores['mAP_50'] == pytest.approx(0.8, abs=0.01)  # 0.66 with COCO's limit


@pytest.mark.parametrize('numbers', [(300,), 100, (100, 300, 'all'), (0, 1, 2)])
def test_proposal_nums_that_are_none(numbers):
    with pytest.raises(InputError, match='proposal_nums is .*; give three numbers of detections'):
        COCOFormatMetric(proposal_nums=numbers)
