"""Result files of COCO's metric carry the data set's own category ids."""

import json

import pytest
import torch
from sets_on_disk import make_coco

from det_inception.datasets import COCOFormatDataset
from det_inception.evaluation import COCOFormatMetric


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
