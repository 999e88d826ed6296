"""Difficult and crowd objects: regions on them are no background in the training of any detector."""

import pytest
import torch
from mmengine.structures import InstanceData
from tiny_detectors import DETECTORS, batch, build

IGNORED = torch.tensor([[0.0, 0, 100, 45]])


def share_inside(boxes, other):
    """Intersection over the area of each of the boxes (N, 4)."""
    common = (torch.minimum(boxes[:, 2:], other[2:]) - torch.maximum(boxes[:, :2], other[:2])).clamp(min=0).prod(1)
    return common / (boxes[:, 2:] - boxes[:, :2]).prod(1)


def background(name, ignored):
    """The background regions of a training step, (N, 4)."""
    model = build(DETECTORS[name](), {'model.train_cfg.rcnn.assigner.ignore_iof_thr': 0.5}).train()
    sampler, drawn = getattr(model, 'roi_head', model).bbox_sampler, []
    original = sampler.sample
    sampler.sample = lambda *arguments, **keywords: drawn.append(original(*arguments, **keywords)) or drawn[-1]
    data = batch(1)
    if ignored:
        data['data_samples'][0].ignored_instances = InstanceData(bboxes=IGNORED.clone(), labels=torch.tensor([1]))
    model(**model.data_preprocessor(data, True), mode='loss')
    return drawn[0].neg_priors


@pytest.mark.parametrize('name', ['R-CNN', 'Fast R-CNN', 'Faster R-CNN'])
def test_regions_on_ignored_objects_are_not_background(name):
    assert (share_inside(background(name, ignored=False), IGNORED[0]) > 0.5).any()
    found = background(name, ignored=True)
    assert len(found) and (share_inside(found, IGNORED[0]) <= 0.5).all()
