"""Preselected regions: what one look at the image says, which regions stay, settings that are refused."""

import math

import pytest
import torch
from tiny_detectors import batch, build, rcnn_config
from torch import nn

from det_inception.models.detectors.rcnn import RCNN
from det_inception.models.layers.class_maps import GRID, image_maps, pool_boxes
from det_inception.models.layers.preselect import FirstLook, first_look, most_promising, rate
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


SIZE = (100, 100)
NO_EVIDENCE = torch.zeros(1, 4, 4)


def choose(boxes, scores, evidence=NO_EVIDENCE, **settings):
    look = FirstLook(torch.as_tensor(scores), torch.as_tensor(evidence))
    return most_promising(torch.as_tensor(boxes), lambda sides: look, SIZE, dict(preselect=settings)).tolist()


def test_the_regions_of_the_best_scores_stay_in_their_order():
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(30, 2, generator=generator) * 80
    boxes = torch.cat([corners, corners + 10], dim=1)  # Of equal size.
    scores = torch.rand(30, 4, generator=generator)
    place = torch.exp(-2 * torch.arange(30) / 30)
    best = (scores[:, :3].amax(1) * place).argsort(descending=True)[:7].sort().values
    assert choose(boxes, scores, torch.zeros(3, 4, 4), regions=7, iou_threshold=1.0) == boxes[best].tolist()


def test_near_copies_are_one_region():
    boxes = torch.tensor([[0.0, 0, 100, 99], [0, 0, 100, 100], [50, 50, 90, 90]])
    assert choose(boxes, [[0.8, 0.2], [0.9, 0.1], [0.1, 0.9]], regions=2) == boxes[:1].tolist() + boxes[2:].tolist()


LEFT_HALF = [[[5.0, 5, -5, -5]] * 4]
PART, LEFT, WHOLE, RIGHT = PARTS = [[0.0, 0, 50, 50], [0, 0, 50, 100], [0, 0, 100, 100], [50, 0, 100, 100]]


def test_of_regions_that_score_alike_the_one_that_fits_the_map_is_chosen():
    """The object fills the left half: not its upper part, not the image, not the other half."""
    assert choose(PARTS, [[0.9, 0.1]] * 4, LEFT_HALF, regions=1) == [LEFT]


def test_promise_is_the_product_of_score_fit_size_and_place():
    scores = torch.tensor([[0.5, 0.5], [0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    # IoU with the left half: 1/2, 1, 1/2, and none, of which a fiftieth is left.
    expected = [
        0.5 * 0.5 * 0.25**0.5,
        0.9 * 1.0 * 0.5**0.5 * math.exp(-0.5),
        0.8 * 0.5 * 1.0 * math.exp(-1.0),
        0.7 * 0.02 * 0.5**0.5 * math.exp(-1.5),
    ]
    assert rate(torch.tensor(PARTS), scores, torch.tensor(LEFT_HALF), SIZE).tolist() == pytest.approx(expected)


def test_each_region_is_compared_with_the_map_of_its_class():
    right_half = [[[-5.0, -5, 5, 5]] * 4]
    maps = torch.tensor(LEFT_HALF + right_half)
    scores = torch.tensor([[0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.4, 0.5, 0.1]])
    promise = rate(torch.tensor(PARTS), scores, maps, SIZE)
    assert promise[1].item() == pytest.approx(0.5 * 0.5**0.5 * math.exp(-0.5))
    assert promise[3].item() == pytest.approx(0.5 * 0.5**0.5 * math.exp(-1.5))
    assert promise[3] > rate(torch.tensor(PARTS), scores, maps.flip(0), SIZE)[3]


def test_a_class_that_no_region_shows_has_no_say():
    """Its map would let the image win."""
    scores = [[0.05, 0.9, 0.05]] * 4
    maps = [[[5.0] * 4] * 4, *LEFT_HALF]
    assert choose(PARTS, scores, maps, regions=1) == [LEFT]


def test_an_empty_region_promises_nothing():
    boxes = torch.tensor([[20.0, 20, 20, 80], [0, 0, 50, 100]])
    promise = rate(boxes, torch.tensor([[0.9, 0.1]] * 2), torch.tensor(LEFT_HALF), SIZE)
    assert promise[0] == 0 and promise[1] > 0


def test_the_map_is_the_lead_of_each_class_over_the_background():
    def classify(features):
        return torch.stack([features[:, 0], features[:, 1], torch.full_like(features[:, 0], 100.0)], dim=1)

    look = first_look(Cells(), classify, torch.zeros(1, 3, 320, 640), torch.tensor([[0.0, 0, 640, 320]]), [320], 224)
    assert look.evidence.shape == (2, GRID, GRID)
    down, across = look.evidence + 100  # The pixels at which a cell of the grid looks; the map's first are at 16.
    expected = (torch.arange(GRID) + 0.5) / GRID
    assert torch.allclose(down[:, 0], (expected * 320).clamp(16, 304), atol=1e-3)
    assert torch.allclose(across[0], (expected * 640).clamp(16, 624), atol=1e-3)


class Cells(nn.Module):
    """A backbone whose map says at which pixel each cell looks."""

    first_center = 16.0

    def forward(self, images):
        down, across = (torch.arange(side // 32) * 32 + 16.0 for side in images.shape[2:])
        return (torch.stack(torch.meshgrid(down, across, indexing='ij'))[None],)


def test_a_window_has_the_mean_of_the_cells_inside():
    windows = torch.tensor([[0.0, 0, 640, 320], [320, 160, 640, 320], [-64, -64, 64, 64]])
    means = pool_boxes(image_maps(Cells(), torch.zeros(1, 3, 320, 640), [320]), windows, 224, Cells.first_center)
    # Of the third, the part inside the image.
    assert torch.allclose(means, torch.tensor([[160.0, 320], [240, 480], [32, 32]]))


def test_a_window_is_read_where_it_is_about_a_crop():
    windows = torch.tensor([[0.0, 0, 112, 112], [0, 0, 224, 224]])
    means = pool_boxes(image_maps(Cells(), torch.zeros(1, 3, 320, 320), [320, 640]), windows, 224, Cells.first_center)
    # Both are 224 pixels on their map, the first on that of twice the size.
    assert torch.allclose(means, torch.full((2, 2), 112.0))


def test_the_whole_image_scores_as_the_crop_that_shows_it():
    model = build(rcnn_config(), {'model.region_warp.context': 0, 'model.region_warp.size': 96}).eval()
    image = torch.rand(1, 3, 96, 96) * 2 - 1
    with torch.no_grad():
        rough = model.first_look(image, torch.tensor([[0.0, 0, 96, 96]]), [96]).scores
        exact = model.classify_regions(image).scores.softmax(1)
    assert torch.allclose(rough, exact, atol=1e-5)


def test_windows_are_what_the_crops_show():
    warp = build(rcnn_config()).region_warp
    box = torch.tensor([[10.0, 20, 38, 48]])
    # A crop of 32 with a context of 2: 28 pixels of the box, 2 on each side.
    assert torch.allclose(warp.windows(box), torch.tensor([[8.0, 18, 40, 50]]).double())


def test_an_ensemble_averages_the_first_looks_of_its_members():
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
        together = ensemble.first_look(raw, boxes, [64])
        alone = []
        for member in ensemble.members:
            normalized = member.data_preprocessor(dict(inputs=[raw[0]], data_samples=None))['inputs']
            alone.append(RCNN.first_look(member, normalized, boxes, [64]))
    assert seen == [5, 5]
    for mean, *each in zip(together, *alone, strict=True):
        assert torch.allclose(mean, torch.stack(each).mean(0), atol=1e-5)


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
