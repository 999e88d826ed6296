"""Objects and proposals move together, and what belongs to them follows."""

import ast
import inspect
from collections import Counter
from pathlib import Path

import mmdet.datasets.transforms
import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import ProposalBroadcaster as TwoPasses
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import Config

import det_inception
from det_inception.datasets import ProposalAlbu, ProposalBroadcaster, VOCFolderDataset
from det_inception.datasets.proposal_transforms import MOVING, require_moved_proposals
from det_inception.registry import TRANSFORMS
from det_inception.utils.boxes import pairwise_iou
from det_inception.utils.errors import InputError

WIDTH, HEIGHT = 120, 90
MEAN = (123, 117, 104)
FLIP = dict(type='HorizontalFlip', p=1)


def scene(objects=3, proposals=40, seed=0):
    """An image in which each box is a rectangle of a shade of its own, objects on top."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, (WIDTH - 40, HEIGHT - 40), (objects + proposals, 2)).astype(np.float32)
    boxes = np.hstack([corners, corners + rng.integers(12, 40, (objects + proposals, 2))]).astype(np.float32)
    # The first proposals are the objects themselves.
    boxes[objects : 2 * objects] = boxes[:objects]
    return dict(
        img=rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8),
        img_shape=(HEIGHT, WIDTH),
        gt_bboxes=HorizontalBoxes(boxes[:objects]),
        gt_bboxes_labels=np.arange(objects) + 10,
        gt_ignore_flags=np.arange(objects) == 1,
        proposals=boxes[objects:],
        proposals_scores=np.linspace(1, 0, proposals, endpoint=False, dtype=np.float32),
    )


def boxes_of(results, key='gt_bboxes'):
    return results[key].tensor.numpy() if hasattr(results[key], 'tensor') else results[key]


def recall(results):
    """Share of the objects that a proposal fits."""
    return (pairwise_iou(boxes_of(results), boxes_of(results, 'proposals')).max(axis=1) > 0.9).mean()


def assert_consistent(results, before):
    """Labels, flags and scores are those of the boxes; each object still has the proposal that was the same."""
    objects, proposals = boxes_of(results), boxes_of(results, 'proposals')
    assert len(objects) == len(results['gt_bboxes_labels']) == len(results['gt_ignore_flags'])
    assert len(proposals) == len(results['proposals_scores'])
    numbers = np.searchsorted(-before['proposals_scores'], -results['proposals_scores'])
    assert (before['proposals_scores'][numbers] == results['proposals_scores']).all()
    for box, label, flag in zip(objects, results['gt_bboxes_labels'], results['gt_ignore_flags']):
        number = int(label) - 10
        assert flag == before['gt_ignore_flags'][number]
        (twin,) = proposals[numbers == number]
        assert np.allclose(twin, box, atol=1e-3)
    height, width = results['img'].shape[:2]
    assert results['img_shape'] == (height, width)
    everything = np.concatenate([objects, proposals])
    assert (everything >= -1e-3).all() and (everything <= np.array([width, height] * 2) + 1e-3).all()


# ------------------------------------------------------------------------------------------------- ProposalAlbu


def test_a_flip_is_exact():
    before = scene()
    results = ProposalAlbu([FLIP])(scene())
    assert (results['img'] == before['img'][:, ::-1]).all()
    for key in ('gt_bboxes', 'proposals'):
        expected = boxes_of(before, key).copy()
        expected[:, [0, 2]] = WIDTH - expected[:, [2, 0]]
        assert np.allclose(boxes_of(results, key), expected, atol=1e-3)
    assert_consistent(results, before)


def test_a_crop_moves_clips_and_drops():
    before = scene()
    results = ProposalAlbu([dict(type='Crop', x_min=20, y_min=10, x_max=100, y_max=70)], min_visibility=0.5)(scene())
    assert (results['img'] == before['img'][10:70, 20:100]).all()
    shifted = boxes_of(before, 'proposals') - [20, 10, 20, 10]
    clipped = np.clip(shifted, 0, [80, 60, 80, 60])
    areas, left = ((part[:, 2:] - part[:, :2]).clip(0).prod(1) for part in (shifted, clipped))
    kept = left >= 0.5 * areas
    assert 0 < kept.sum() < len(kept)
    assert np.allclose(boxes_of(results, 'proposals'), clipped[kept], atol=1e-3)
    assert np.allclose(results['proposals_scores'], before['proposals_scores'][kept])
    assert_consistent(results, before)


@pytest.mark.parametrize(
    'steps',
    [
        [dict(type='Rotate', limit=(30, 30), p=1)],
        [dict(type='Affine', scale=(0.7, 1.3), translate_percent=(-0.1, 0.1), p=1)],
        [dict(type='RandomResizedCrop', size=(80, 100), scale=(0.3, 0.9), p=1), FLIP],
        [dict(type='OneOf', transforms=[dict(type='Blur', p=1), dict(type='RandomCropFromBorders', p=1)], p=1)],
        [dict(type='ColorJitter', p=1), dict(type='RandomRotate90', p=1), dict(type='Perspective', p=1)],
    ],
)
def test_any_geometry_keeps_objects_and_proposals_together(steps):
    transform = ProposalAlbu(steps)
    np.random.seed(0)
    for seed in range(10):
        results = transform(scene(seed=seed))
        if results is not None:
            assert_consistent(results, scene(seed=seed))


def test_a_rotated_box_holds_what_it_held():
    """The rectangle of an object, found again by its color in the rotated image, lies in its box."""
    results = scene(objects=1, proposals=1)
    results['img'] = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    results['gt_bboxes'] = HorizontalBoxes(np.float32([[40, 30, 80, 60]]))
    results['img'][30:60, 40:80] = 255
    turned = ProposalAlbu([dict(type='Rotate', limit=(20, 20), p=1)])(results)
    rows, columns = np.nonzero(turned['img'][:, :, 0] > 128)
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(boxes_of(turned)[0] - found).max() <= 2


def test_colors_are_rgb_for_albumentations():
    results = dict(scene(), img=np.full((HEIGHT, WIDTH, 3), (200, 0, 0), np.uint8))  # Blue, in BGR
    gray = ProposalAlbu([dict(type='ToGray', p=1)])(results)['img']
    assert np.abs(gray.astype(int) - round(0.114 * 200)).max() <= 1


def test_without_proposals_and_without_objects():
    results = {key: value for key, value in scene().items() if not key.startswith('proposals')}
    flipped = ProposalAlbu([FLIP])(results)
    assert len(flipped['gt_bboxes']) == 3 and 'proposals' not in flipped
    crop = ProposalAlbu([dict(type='Crop', x_min=0, y_min=0, x_max=5, y_max=5)])
    # Of 30 images, some lose their last object and are left out; none keeps labels without boxes.
    assert crop(scene(objects=1, seed=3)) is None
    # An image that never had one stays, with a region at least.
    empty = dict(scene(objects=0), gt_bboxes=HorizontalBoxes(torch.zeros(0, 4)))
    kept = crop(empty)
    assert len(kept['gt_bboxes']) == 0 and boxes_of(kept, 'proposals')[-1].tolist() == [0, 0, 5, 5]
    assert len(kept['proposals_scores']) == len(kept['proposals'])


def test_random_numbers_are_numpys_and_differ_from_step_to_step():
    steps = [dict(type='HorizontalFlip', p=0.5), dict(type='VerticalFlip', p=0.5)]
    seen = Counter()
    image = scene()['img']
    views = {view.tobytes(): name for name, view in dict(
        none=image, h=image[:, ::-1], v=image[::-1], both=image[::-1, ::-1]).items()}  # fmt: skip
    runs = []
    for _ in range(2):
        np.random.seed(7)
        runs.append([views[ProposalAlbu(steps)(scene())['img'].tobytes()] for _ in range(60)])
    assert runs[0] == runs[1]
    seen.update(runs[0])
    assert set(seen) == {'none', 'h', 'v', 'both'} and min(seen.values()) >= 5


@pytest.mark.parametrize(
    'steps, said',
    [
        ([dict(type='HorizontalFlop')], "has no step 'HorizontalFlop'; did you mean 'HorizontalFlip'?"),
        ([dict(p=1)], 'has no step None'),
        ([dict(type='BboxParams')], "has no step 'BboxParams'"),
        ([dict(type='Rotate', limit='wide')], 'Rotate of Albumentations cannot be built'),
        ([dict(type='Rotate', limt=3)], 'limt'),
    ],
)
def test_wrong_steps(steps, said):
    with pytest.raises(InputError) as caught:
        ProposalAlbu(steps)
    assert said in str(caught.value) and '\n' not in str(caught.value)


def test_floats_are_refused():
    with pytest.raises(InputError, match='float32 pixels; load it as uint8'):
        ProposalAlbu([FLIP])(dict(scene(), img=scene()['img'].astype(np.float32)))


# ------------------------------------------------------------------------------------------ ProposalBroadcaster


@pytest.mark.parametrize(
    'steps',
    [
        [dict(type='Resize', scale=(200, 150), keep_ratio=True), dict(type='RandomFlip', prob=0.5)],
        [dict(type='RandomChoiceResize', scales=[(200, 150), (100, 80)], keep_ratio=True)],
        [dict(type='BatchResize', sides=[64, 96, 128], batch_size=2)],
        [dict(type='RandomFlip', prob=[0.3, 0.3], direction=['horizontal', 'vertical'])],
    ],
)
def test_where_mmdetections_works_this_one_does_the_same(steps):
    one, other = ProposalBroadcaster(steps), TwoPasses(steps)
    for seed in range(6):
        results = []
        for transform in (one, other):
            np.random.seed(seed)
            results.append(transform(scene(seed=seed)))
        for key in ('gt_bboxes', 'proposals'):
            assert np.array_equal(*(boxes_of(part, key) for part in results))
        assert all((results[0][key] == results[1][key]).all() for key in ('img', 'gt_bboxes_labels', 'gt_ignore_flags'))
        assert_consistent(results[0], scene(seed=seed))


@pytest.mark.parametrize(
    'step',
    [
        dict(type='RandomCrop', crop_size=(70, 60)),
        dict(type='RandomCrop', crop_size=(0.5, 0.5), crop_type='relative_range', allow_negative_crop=True),
        dict(type='RandomAffine', max_rotate_degree=15, border_val=MEAN),
        dict(type='MinIoURandomCrop'),
        dict(type='Expand', mean=MEAN),
        dict(type='RandomShift', prob=1),
    ],
)
def test_steps_that_drop_boxes_work(step):
    transform = ProposalBroadcaster([step])
    np.random.seed(0)
    kept = 0
    for seed in range(20):
        results = transform(scene(seed=seed))
        if results is not None:
            kept += 1
            assert_consistent(results, scene(seed=seed))
    assert kept >= 10


def test_before_the_annotations_are_loaded():
    """As in a test pipeline: there are no objects yet."""
    results = {key: value for key, value in scene().items() if not key.startswith('gt_')}
    resized = ProposalBroadcaster([dict(type='Resize', scale=(240, 180))])(results)
    assert not any(key.startswith('gt_') for key in resized)
    assert np.allclose(boxes_of(resized, 'proposals'), 2 * scene()['proposals'])


def test_what_a_broadcaster_refuses():
    with pytest.raises(InputError, match='Mosaic puts images together'):
        ProposalBroadcaster([dict(type='Mosaic')])
    with pytest.raises(InputError, match='put LoadRegionProposals before it'):
        ProposalBroadcaster([dict(type='RandomFlip', prob=1.0)])(dict(img=scene()['img']))

    @TRANSFORMS.register_module(force=True)
    class Relabel(BaseTransform):
        def transform(self, results):
            results['gt_bboxes_labels'] = results['gt_bboxes_labels'] * 0
            return results

    with pytest.raises(InputError, match='Relabel: a step changes labels'):
        ProposalBroadcaster([dict(type='Relabel')])(scene())


# ------------------------------------------------------------------------------ steps that leave proposals behind


LOAD, PROPOSE = dict(type='LoadImageFromFile'), dict(type='LoadRegionProposals')
ROTATE = dict(type='Albu', transforms=[dict(type='OneOf', transforms=[dict(type='Rotate')])])


@pytest.mark.parametrize(
    'step, said',
    [
        (dict(type='RandomFlip', prob=0.5), 'RandomFlip behind LoadRegionProposals'),
        (dict(type='mmdet.RandomFlip', prob=0.5), 'RandomFlip behind'),
        (dict(type='Resize', scale=(60, 60)), 'Resize behind'),
        (ROTATE, 'Albu with Rotate behind'),
        (dict(type='RandomApply', transforms=dict(type='RandomCrop', crop_size=(9, 9))), 'RandomCrop behind'),
        (
            dict(type='RandomChoice', transforms=[[dict(type='Pad')], [dict(type='RandomAffine')]]),
            'RandomAffine behind',
        ),
        (dict(type='ProposalBroadcaster', transforms=[dict(type='RandomFlip', prob=0.5)]), None),
        (dict(type='ProposalAlbu', transforms=[FLIP]), None),
        (dict(type='Albu', transforms=[dict(type='Blur'), dict(type='RandomBrightnessContrast')]), None),
        (dict(type='PhotoMetricDistortion'), None),
        (dict(type='Pad', size_divisor=32), None),
    ],
)
def test_a_step_that_leaves_the_proposals_behind_is_refused(step, said, tmp_path):
    require_moved_proposals([LOAD, step, PROPOSE, dict(type='PackDetInputs')])  # Before the proposals are made.
    require_moved_proposals([LOAD, step])
    if said is None:
        require_moved_proposals([LOAD, PROPOSE, step])
        return
    with pytest.raises(InputError, match=f'{said}.*put it into a ProposalBroadcaster, or use ProposalAlbu'):
        VOCFolderDataset(data_root=str(tmp_path), pipeline=[LOAD, PROPOSE, step])


def test_every_step_of_mmdetection_that_moves_boxes_is_known():
    """By what their documentation says that they modify."""
    keeps = {'Albu', 'FilterAnnotations', 'GeomTransform'}  # The last is what Rotate and others have in common.
    for name, kind in inspect.getmembers(mmdet.datasets.transforms, inspect.isclass):
        modified = (kind.__doc__ or '').partition('Modified Keys')[2].partition('Args:')[0]
        if 'gt_bboxes' in modified and name not in keeps and issubclass(kind, BaseTransform):
            assert name in MOVING, name
    assert all(TRANSFORMS.get(name) is not None for name in MOVING)


def test_the_recall_of_the_issue():
    """Behind a bare flip, proposals fit objects no longer."""
    left_behind = TRANSFORMS.build(dict(type='RandomFlip', prob=1.0))(scene())
    assert recall(left_behind) < 0.5
    assert recall(ProposalBroadcaster([dict(type='RandomFlip', prob=1.0)])(scene())) == 1
    assert recall(ProposalAlbu([FLIP])(scene())) == 1


# ------------------------------------------------------------------------------------------------------- configs


@pytest.mark.parametrize(
    'name', ['faster-rcnn_augmented_voc', 'fast-rcnn_augmented_voc', 'faster-rcnn_augmented_voc2007_finish']
)
def test_the_augmented_configs_augment(name):
    cfg = Config.fromfile(f'configs/googlenet_{name}.py')
    pipeline = cfg.train_dataloader.dataset.pipeline
    require_moved_proposals(pipeline)
    (step,) = (part for part in pipeline if part['type'] == 'ProposalAlbu')
    assert (pipeline[2]['type'] == 'LoadRegionProposals') == name.startswith('fast-')
    np.random.seed(0)
    transform = TRANSFORMS.build(step)
    shapes = Counter(results['img'].shape for results in (transform(scene(seed=seed)) for seed in range(20)) if results)
    assert len(shapes) > 5 and shapes[(HEIGHT, WIDTH, 3)] >= 5  # About half of them are cropped.


def test_albumentations_is_imported_where_it_is_used():
    """Inside functions: nobody who uses other parts of a module pays for it."""
    for path in Path(det_inception.__file__).parent.rglob('*.py'):
        for node in ast.parse(path.read_text()).body:
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [getattr(node, 'module', '')]
            )
            assert not any((name or '').startswith('albumentations') for name in names), path
