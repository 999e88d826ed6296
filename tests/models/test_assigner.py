"""Regions inside difficult objects are neither objects nor background, with our configs."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from det_inception.config.loading import load_config
from det_inception.registry import MODELS, TASK_UTILS

REPO = Path(__file__).resolve().parent.parent.parent
DIFFICULT = torch.tensor([[0.0, 0, 100, 100]])
# inside by 100 %, by 60 %, by 40 %, and not at all
REGIONS = torch.tensor([[10.0, 10, 40, 40], [70, 0, 120, 50], [80, 0, 130, 50], [200, 200, 260, 260]])


def assigners():
    for name in ('rcnn', 'fast-rcnn', 'faster-rcnn'):
        cfg = Config.fromfile(REPO / f'configs/googlenet_{name}_voc.py').model.train_cfg
        yield from ((f'{name}, {part}', cfg[part].assigner) for part in ('rpn', 'rcnn') if part in cfg)


@pytest.mark.parametrize('name, settings', list(assigners()))
def test_regions_inside_difficult_objects_are_ignored(name, settings):
    assigner = TASK_UTILS.build(settings)
    ignored = InstanceData(bboxes=DIFFICULT)
    for objects, expected in (
        (torch.zeros(0, 4), [-1, -1, 0, 0]),
        (torch.tensor([[200.0, 200, 260, 260]]), [-1, -1, 0, 1]),
    ):
        truth = InstanceData(bboxes=objects, labels=torch.zeros(len(objects), dtype=torch.long))
        assigned = assigner.assign(InstanceData(priors=REGIONS), truth, ignored)
        assert assigned.gt_inds.tolist() == expected
        # Without difficult objects all the rest is background.
        nothing = InstanceData(bboxes=torch.zeros(0, 4))
        assert assigner.assign(InstanceData(priors=REGIONS), truth, nothing).gt_inds.tolist()[:3] == [0, 0, 0]


def test_an_image_of_nothing_but_a_difficult_object_trains_no_background():
    from mmdet.structures import DetDataSample

    cfg = load_config(REPO / 'configs/googlenet_rcnn_mini.py', options={'model.backbone.width': 0.125,
                      'model.bbox_head.in_channels': 128, 'model.region_warp.size': 32})  # fmt: skip
    detector = MODELS.build(cfg.model)
    for box, sampled in (([0.0, 0, 200, 200], 0), ([0.0, 0, 100, 100], 2)):
        sample = DetDataSample(
            metainfo=dict(img_shape=(300, 300)),
            gt_instances=InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)),
            ignored_instances=InstanceData(bboxes=torch.tensor([box]), labels=torch.zeros(1, dtype=torch.long)),
            proposals=InstanceData(bboxes=REGIONS.clamp(max=200) if not sampled else REGIONS, scores=torch.ones(4)),
        )
        sample.proposals = sample.proposals[:3] if not sampled else sample.proposals
        assert len(detector._sample(sample).neg_inds) == sampled
        losses = detector.loss(torch.zeros(1, 3, 300, 300), [sample])
        total = sum(value for name, value in losses.items() if 'loss' in name)
        total.backward()
        assert torch.isfinite(total) and (float(total) > 0) == bool(sampled)
