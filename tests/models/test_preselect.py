"""Preselected regions: what one look at the image says, which regions stay, settings that are refused."""

import pytest
import torch
from tiny_detectors import batch, build, rcnn_config
from torch import nn

from det_inception.models.detectors.rcnn import RCNN
from det_inception.models.layers.preselect import most_promising, pooled_features
from det_inception.utils.errors import InputError


def detect(options=None):
    model = build(rcnn_config(), options).eval()
    seen = []
    classify = model._classify
    model._classify = lambda inputs, rois, samples: (seen.append(rois), classify(inputs, rois, samples))[1]
    with torch.no_grad():
        results = model.test_step(batch())
    return [result.pred_instances for result in results], seen


def preselect(**settings):
    return {f'model.test_cfg.rcnn.preselect.{key}': value for key, value in settings.items()}


def test_as_many_regions_as_asked_for_are_warped():
    _, seen = detect(preselect(regions=10, map_sides=[64, 128]))
    assert [len(rois) for rois in seen] == [10, 10]


@pytest.mark.parametrize('regions', [-1, 60, 1000])
def test_all_regions_change_nothing(regions):
    before, _ = detect()
    after, _ = detect(preselect(regions=regions))
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one.bboxes, other.bboxes) and torch.equal(one.scores, other.scores)


def test_the_regions_whose_rough_scores_are_best_stay_in_their_order():
    generator = torch.Generator().manual_seed(0)
    boxes = torch.rand(30, 4, generator=generator) * 10
    boxes[:, 2:] += boxes[:, :2] + 1
    scores = torch.rand(30, 4, generator=generator)
    chosen = most_promising(boxes, lambda sides: scores, dict(preselect=dict(regions=7, iou_threshold=1.0)))
    best = scores[:, :3].amax(1).argsort(descending=True)[:7].sort().values
    assert torch.equal(chosen, boxes[best])


def test_near_copies_are_one_region():
    boxes = torch.tensor([[0.0, 0, 100, 100], [0, 0, 100, 99], [50, 50, 90, 90]])
    scores = torch.tensor([[0.8, 0.2], [0.9, 0.1], [0.1, 0.9]])
    chosen = most_promising(boxes, lambda sides: scores, dict(preselect=dict(regions=2)))
    assert torch.equal(chosen, boxes[1:])


class Cells(nn.Module):
    """A backbone whose map says at which pixel each cell looks."""

    first_center = 16.0

    def forward(self, images):
        down, across = (torch.arange(side // 32) * 32 + 16.0 for side in images.shape[2:])
        return (torch.stack(torch.meshgrid(down, across, indexing='ij'))[None],)


def test_a_window_has_the_mean_of_the_cells_inside():
    windows = torch.tensor([[0.0, 0, 640, 320], [320, 160, 640, 320], [-64, -64, 64, 64]])
    means = pooled_features(Cells(), torch.zeros(1, 3, 320, 640), windows, [320], 224)
    # Of the third, the part inside the image.
    assert torch.allclose(means, torch.tensor([[160.0, 320], [240, 480], [32, 32]]))


def test_a_window_is_read_where_it_is_about_a_crop():
    windows = torch.tensor([[0.0, 0, 112, 112], [0, 0, 224, 224]])
    means = pooled_features(Cells(), torch.zeros(1, 3, 320, 320), windows, [320, 640], 224)
    # Both are 224 pixels on their map, the first on that of twice the size.
    assert torch.allclose(means, torch.full((2, 2), 112.0))


def test_the_whole_image_scores_as_the_crop_that_shows_it():
    model = build(rcnn_config(), {'model.region_warp.context': 0, 'model.region_warp.size': 96}).eval()
    image = torch.rand(1, 3, 96, 96) * 2 - 1
    with torch.no_grad():
        rough = model._rough_scores(image, torch.tensor([[0.0, 0, 96, 96]]), [96])
        exact = model.classify_regions(image).scores.softmax(1)
    assert torch.allclose(rough, exact, atol=1e-5)


def test_windows_are_what_the_crops_show():
    warp = build(rcnn_config()).region_warp
    box = torch.tensor([[10.0, 20, 38, 48]])
    # A crop of 32 with a context of 2: 28 pixels of the box, 2 on each side.
    assert torch.allclose(warp.windows(box), torch.tensor([[8.0, 18, 40, 50]]).double())


def test_an_ensemble_averages_the_rough_scores_of_its_members():
    from det_inception.models import RCNNEnsemble

    members = [rcnn_config(), rcnn_config()]
    ensemble = RCNNEnsemble(members, test_cfg=dict(rcnn=dict(members[0].test_cfg.rcnn, preselect=dict(regions=5))))
    ensemble.init_weights()
    ensemble.eval()
    seen = []
    classify = ensemble._classify
    ensemble._classify = lambda inputs, rois, samples: (seen.append(len(rois)), classify(inputs, rois, samples))[1]
    data = batch()
    boxes = data['data_samples'][0].proposals.bboxes.clone()
    raw = data['inputs'][0][None].float()
    with torch.no_grad():
        ensemble.test_step(data)
        scores = ensemble._rough_scores(raw, boxes, [64])
        alone = []
        for member in ensemble.members:
            normalized = member.data_preprocessor(dict(inputs=[raw[0]], data_samples=None))['inputs']
            alone.append(RCNN._rough_scores(member, normalized, boxes, [64]))
    assert seen == [5, 5]
    assert torch.allclose(scores, torch.stack(alone).mean(0), atol=1e-5)


@pytest.mark.parametrize(
    ('settings', 'part'),
    [
        (100, 'is a dict of regions'),
        (dict(region=100), "not 'region'"),
        (dict(regions=0), 'regions is a number above 0'),
        (dict(regions=1.5), 'regions is'),
        (dict(map_sides=[]), 'map_sides is a list'),
        (dict(map_sides=300), 'map_sides is a list'),
        (dict(map_sides=['a']), 'map_sides is a list'),
        (dict(iou_threshold=0), 'iou_threshold is'),
    ],
)
def test_impossible_settings_are_refused_at_once(settings, part):
    config = rcnn_config()
    config.test_cfg.rcnn.preselect = settings
    with pytest.raises(InputError, match=part):
        build(config)
