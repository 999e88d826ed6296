"""The stand-ins for mmcv's operators, safe checkpoints, and the silence of Albumentations."""

import math
import os
import pickle
import sys

import numpy as np
import pytest
import torch
from fresh_process import run_fresh
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.ops import RoIAlign, RoIPool, nms, nms_match, sigmoid_focal_loss, soft_nms
from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.structures import InstanceData

from det_inception import compat
from det_inception.compat import checkpoint_classes


def iou(one, other, offset):
    width = min(one[2], other[2]) - max(one[0], other[0]) + offset
    height = min(one[3], other[3]) - max(one[1], other[1]) + offset
    inner = max(width, 0) * max(height, 0)

    def area(box):
        return (box[2] - box[0] + offset) * (box[3] - box[1] + offset)

    return inner / (area(one) + area(other) - inner)


@pytest.mark.parametrize('offset', [0, 1])
def test_nms_equals_the_greedy_definition(device, offset):
    rng = np.random.default_rng(0)
    boxes = rng.integers(0, 40, (60, 4)).astype(np.float32)
    boxes[:, 2:] = boxes[:, :2] + rng.integers(1, 20, (60, 2))
    scores = rng.permutation(60).astype(np.float32) / 60
    kept = []
    for index in np.argsort(-scores):
        if all(iou(boxes[index], boxes[other], offset) <= 0.4 for other in kept):
            kept.append(index)
    dets, indices = nms(torch.tensor(boxes), torch.tensor(scores), iou_threshold=0.4, offset=offset)
    assert indices.tolist() == kept
    assert torch.equal(dets[:, 4], torch.tensor(scores[kept]))


def plain_soft_nms(boxes, scores, method, threshold, sigma, min_score, offset):
    """Figure 2 of arXiv 1704.04503, with MMCV's pruning: B the boxes that are left, D those that were taken."""
    left, taken = {number: float(score) for number, score in enumerate(scores)}, []
    while left:
        best = max(left, key=left.get)
        taken.append((best, left.pop(best)))
        for number in list(left):
            overlap = iou(boxes[best].tolist(), boxes[number].tolist(), offset)
            if method == 'gaussian':
                left[number] *= math.exp(-(overlap**2) / sigma)
            elif overlap >= threshold:
                left[number] *= 1 - overlap if method == 'linear' else 0
            if left[number] < min_score:
                del left[number]
    return taken


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 25),
    method=st.sampled_from(['naive', 'linear', 'gaussian']),
    threshold=st.sampled_from([0.05, 0.3, 0.6]),
    sigma=st.sampled_from([0.1, 0.5, 2.0]),
    min_score=st.sampled_from([0.0, 0.001, 0.2]),
    offset=st.sampled_from([0, 1]),
)
def test_soft_nms_equals_the_published_algorithm(seed, count, method, threshold, sigma, min_score, offset):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 30, (count, 2))
    boxes = torch.tensor(np.concatenate([corners, corners + rng.uniform(1, 25, (count, 2))], 1), dtype=torch.float32)
    scores = torch.tensor(rng.uniform(0.01, 1, count), dtype=torch.float32)
    arguments = dict(iou_threshold=threshold, sigma=sigma, min_score=min_score, method=method, offset=offset)
    dets, kept = soft_nms(boxes, scores, **arguments)
    expected = plain_soft_nms(boxes, scores, method, threshold, sigma, min_score, offset)
    assert kept.tolist() == [number for number, _ in expected]
    assert torch.equal(dets[:, :4], boxes[kept]) and dets.dtype == torch.float32
    np.testing.assert_allclose(dets[:, 4], [score for _, score in expected], atol=1e-6)
    assert (dets[1:, 4] <= dets[:-1, 4]).all()


def test_soft_nms_of_known_boxes(device):
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 30, 30], [0, 0, 0, 0]])
    scores = torch.tensor([0.8, 0.6, 0.5, 0.0])
    dets, kept = soft_nms(boxes, scores, 0.3, method='linear')
    assert kept.tolist() == [0, 2, 1]  # IoU 0.5: the second box's 0.6 becomes 0.3
    assert dets[:, 4].tolist() == pytest.approx([0.8, 0.5, 0.3])
    dets, _ = soft_nms(boxes, scores, sigma=0.5, method='gaussian')
    assert dets[2, 4].item() == pytest.approx(0.6 * math.exp(-0.5))
    assert soft_nms(boxes, scores, 0.3, method='naive')[1].tolist() == [0, 2]
    assert soft_nms(boxes[:0], scores[:0])[1].shape == (0,)
    assert soft_nms(boxes[1:2], torch.tensor([1e-6]))[1].tolist() == [0]  # the first box stays, as in MMCV


def test_nms_match_groups_boxes_with_their_suppressor(device):
    dets = torch.tensor([[0.0, 0, 10, 10, 0.5], [0, 0, 10, 9, 0.9], [20, 20, 30, 30, 0.7], [0, 0, 9, 9, 0.1]])
    assert [group.tolist() for group in nms_match(dets, 0.5)] == [[1, 0, 3], [2]]
    assert nms_match(dets[:0], 0.5) == []


def test_roi_align_and_pool_have_right_gradients(device):
    rois = torch.tensor([[0, 0.5, 1.2, 6.3, 7.1], [1, 2, 0, 7, 4]], dtype=torch.float64)
    image = torch.rand(2, 2, 9, 8, dtype=torch.float64, requires_grad=True)
    for layer in (RoIAlign(3, 0.9, sampling_ratio=2), RoIPool(3, 0.9)):
        assert torch.autograd.gradcheck(lambda x, layer=layer: layer(x, rois), (image,), nondet_tol=1e-9)


def test_roi_align_of_an_even_image_is_even(device):
    image = torch.full((1, 3, 20, 20), 2.5, dtype=torch.bfloat16)
    crops = RoIAlign(4, 1.0)(image, torch.tensor([[0, 3, 3, 15, 11]], dtype=torch.bfloat16))
    assert crops.dtype == torch.bfloat16
    assert torch.all(crops == 2.5)


def test_focal_loss_equals_mmdetection_and_its_gradient(device):
    logits = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 1, 2, 3, 4, 4, 0])  # 4 is background
    weight = torch.ones(4, dtype=torch.float64)
    mine = sigmoid_focal_loss(logits, target, 2.0, 0.25, weight, 'none')
    hot = torch.nn.functional.one_hot(target, 5)[:, :4]
    theirs = py_sigmoid_focal_loss(logits, hot, gamma=2.0, alpha=0.25, reduction='none')
    torch.testing.assert_close(mine, theirs)
    (mine_gradient,) = torch.autograd.grad(mine.sum(), logits)
    (their_gradient,) = torch.autograd.grad(theirs.sum(), logits)
    torch.testing.assert_close(mine_gradient, their_gradient)


def test_an_operator_that_is_missing_says_so():
    from mmcv.ops import nms_rotated

    with pytest.raises(NotImplementedError, match='nms_rotated.*install the full mmcv'):
        nms_rotated(torch.rand(3, 5), torch.rand(3), 0.5)


def test_compiled_operators_are_left_alone(monkeypatch):
    compiled = type(sys)('mmcv._ext')
    monkeypatch.setitem(sys.modules, 'mmcv._ext', compiled)
    assert compat.install_operators() is False
    assert sys.modules['mmcv._ext'] is compiled


def tiny_faster_rcnn():
    """MMDetection's own Faster R-CNN with its own ResNet, at the smallest size that still has every part."""
    import mmdet

    folder = os.path.join(os.path.dirname(mmdet.__file__), '.mim', 'configs', '_base_', 'models')
    model = Config.fromfile(os.path.join(folder, 'faster-rcnn_r50_fpn.py')).model
    model.backbone.update(depth=18, base_channels=8, init_cfg=None, norm_eval=False)
    model.neck.update(in_channels=[8, 16, 32, 64], out_channels=16)
    model.rpn_head.update(in_channels=16, feat_channels=16)
    model.roi_head.bbox_roi_extractor.out_channels = 16
    model.roi_head.bbox_head.update(in_channels=16, fc_out_channels=32, num_classes=3)
    return MODELS.build(model)


def test_mmdetections_faster_rcnn_trains_and_predicts():
    torch.manual_seed(0)
    detector = tiny_faster_rcnn()
    sample = DetDataSample(metainfo=dict(img_shape=(96, 128), ori_shape=(96, 128), scale_factor=(1.0, 1.0)))
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[10.0, 10, 60, 70], [50, 20, 120, 90]]), labels=torch.tensor([0, 2])
    )
    batch = dict(inputs=[torch.randint(0, 255, (3, 96, 128), dtype=torch.uint8)], data_samples=[sample])
    losses = detector(**detector.data_preprocessor(batch, training=True), mode='loss')
    total, _ = detector.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    # Gradients have passed RoIAlign backwards, into the backbone.
    assert detector.backbone.layer4[0].conv1.weight.grad.abs().sum() > 0
    detector.eval()
    with torch.no_grad():
        (result,) = detector.test_step(dict(inputs=batch['inputs'], data_samples=[sample.clone()]))
    assert result.pred_instances.bboxes.shape[1] == 4


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_malicious_checkpoint_is_refused_and_does_not_run(tmp_path):
    proof = tmp_path / 'it_ran'
    file = tmp_path / 'stranger.pth'
    torch.save(dict(state_dict={}, meta=Malicious(proof)), file)
    from mmengine.runner import CheckpointLoader

    from det_inception.weights.checkpoints import read_checkpoint
    from det_inception.weights.files import CheckpointError

    with pytest.raises(pickle.UnpicklingError):
        CheckpointLoader.load_checkpoint(str(file), map_location='cpu')
    with pytest.raises(CheckpointError, match=r'stranger\.pth.*could run code'):
        read_checkpoint(file)
    assert not proof.exists()


def test_a_log_history_survives_safe_loading(tmp_path):
    history = HistoryBuffer([0.5, 0.25], [1, 1])
    torch.save(dict(message_hub=dict(log_scalars=dict(loss=history))), tmp_path / 'own.pth')
    loaded = torch.load(tmp_path / 'own.pth', weights_only=True)['message_hub']['log_scalars']['loss']
    assert loaded.mean() == history.mean()


def test_a_checkpoint_of_mmengine_loads_in_a_fresh_process_and_getattr_stays_closed(tmp_path):
    history = HistoryBuffer([0.5], [1])
    history.__dict__['_statistics_methods'] = dict(history._statistics_methods)  # as MMEngine's hub pickles it
    torch.save(history, tmp_path / 'own.pth')
    code = f'import det_inception.compat, torch; print(torch.load({str(tmp_path / "own.pth")!r}).mean())'
    assert run_fresh(code).strip() == '0.5'
    for owner, name in ((HistoryBuffer, '__init__'), (torch.nn.Module, 'mean'), (os, 'mkdir')):
        with pytest.raises(pickle.UnpicklingError):
            checkpoint_classes._statistics_method(owner, name)


def test_albumentations_does_not_ask_the_network():
    assert os.environ['NO_ALBUMENTATIONS_UPDATE'] == '1'


def test_what_python_3_14_has_not(monkeypatch):
    """MMEngine's look for operators works without the function that Python took away."""
    import pkgutil

    from mmcv.utils.ext_loader import check_ops_exist
    from mmengine.utils.dl_utils import mmcv_full_available

    from det_inception.compat import restore_find_loader

    before = mmcv_full_available(), check_ops_exist()
    monkeypatch.delattr(pkgutil, 'find_loader', raising=False)
    with pytest.raises(AttributeError):
        mmcv_full_available()
    restore_find_loader()
    assert (mmcv_full_available(), check_ops_exist()) == before
    assert pkgutil.find_loader('json') is not None and pkgutil.find_loader('no_such_module') is None
