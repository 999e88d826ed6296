"""The head of linear SVMs: its scores, in every way to run it, and in an ensemble."""

import copy
import importlib.util

import pytest
import torch
from mmengine.structures import InstanceData
from tiny_detectors import CLASSES, batch, build, rcnn_config

from det_inception.inference.acceleration import make_engine
from det_inception.inference.acceleration.export import export_detector
from det_inception.models import RCNNEnsemble, RegionClassifierHead, SVMHead
from det_inception.models.heads.svm_head import PooledFeatures
from det_inception.utils.errors import InputError

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec('openvino') is None or importlib.util.find_spec('onnxscript') is None,
    reason='det_inception[openvino] is not installed',
)


def detector(size=32):
    config = rcnn_config()
    config.region_warp.size = size
    config.bbox_head.type = 'SVMHead'
    return build(config).eval()


def detect(model, **settings):
    model.test_cfg['rcnn'].update(settings)
    with torch.no_grad():
        return model.test_step(copy.deepcopy(batch(1)))[0]


def test_it_has_no_row_for_the_background():
    head = SVMHead(CLASSES, 8, with_reg=True).eval()
    features = torch.randn(5, 8, 2, 2)
    margins, deltas = head(features)
    pooled = features.mean((2, 3))
    assert head.fc_cls.weight.shape == (CLASSES, 8)
    torch.testing.assert_close(margins[:, :CLASSES], head.fc_cls(pooled))
    torch.testing.assert_close(deltas, head.fc_reg(pooled))
    assert torch.all(margins[:, CLASSES] == 0)
    torch.testing.assert_close(PooledFeatures()(features)[0], pooled)


@pytest.mark.parametrize('kind', [SVMHead, RegionClassifierHead])
def test_logits_of_scores_have_these_scores(kind):
    head = kind(CLASSES, 8)
    scores = head.to_scores(torch.tensor([[0.0, 1, -2, 0], [90, -90, 3, 0]]))
    torch.testing.assert_close(head.to_scores(head.to_logits(scores)), scores)


def test_scores_are_sigmoids_of_the_margins():
    """Each class has a score of its own: those of a region do not add up to 1."""
    result = detect(detector(), keep_region_scores=True, nms=None, max_per_class=-1)
    expected = result.region_scores.logits[:, :CLASSES].sigmoid()
    found = result.pred_instances
    torch.testing.assert_close(found.scores.sort().values, expected.flatten().sort().values)
    assert (abs(expected.sum(1) - 1) > 0.2).any()


def test_detections_are_in_the_order_of_the_margins():
    model = detector()
    found = detect(model).pred_instances
    assert len(found) > 10 and torch.all(found.scores[:-1] >= found.scores[1:])
    assert set(found.labels.tolist()) == set(range(CLASSES))
    assert len(detect(model, score_thr=0.5).pred_instances) == (found.scores > 0.5).sum() > 0


def test_it_is_not_trained_step_by_step():
    model = detector()
    data = model.data_preprocessor(batch(), training=True)
    with pytest.raises(InputError, match=r'train them with det-inception train-svm'):
        model(**data, mode='loss')


@pytest.mark.parametrize('engine', ['eager', 'fused', pytest.param('openvino', marks=needs_openvino)])
@pytest.mark.parametrize('head', ['svm', 'features'])
def test_engines_run_it(engine, head):
    model = detector(size=64)
    if head == 'features':
        model.bbox_head = PooledFeatures()
    crops = torch.randn(9, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, deltas = model.classify_regions(crops)
        found, own = make_engine(model, engine, 'float32')(crops)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
    assert expected.std() > 0.1 and (own is None) == (deltas is None) == (head == 'features')


@needs_openvino
def test_its_onnx_file_gives_its_scores(tmp_path):
    import onnxruntime

    model = detector()
    export_detector(model, tmp_path / 'svm.onnx', ('a', 'b', 'c'))
    crops = torch.randn(4, 3, 32, 32)
    session = onnxruntime.InferenceSession(tmp_path / 'svm.onnx')
    scores, _ = session.run(None, {'crops': crops.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(
            torch.from_numpy(scores), model.classify_regions(crops).scores.sigmoid(), atol=1e-4, rtol=1e-3
        )


@pytest.mark.parametrize('combine', ['scores', 'logits'])
def test_an_ensemble_averages_its_scores(combine):
    config = rcnn_config()
    config.bbox_head.type = 'SVMHead'
    ensemble = RCNNEnsemble([config, config], combine).eval()
    members = [detector(), detector()]
    with torch.no_grad():
        members[1].bbox_head.fc_cls.weight.mul_(-0.5)
    for own, member in zip(ensemble.members, members):
        own.load_state_dict(member.state_dict())
    found = detect(ensemble, keep_region_scores=True).region_scores
    first, second = (detect(member, keep_region_scores=True).region_scores.logits for member in members)
    mean = (first.sigmoid() + second.sigmoid()) / 2 if combine == 'scores' else ((first + second) / 2).sigmoid()
    torch.testing.assert_close(found.logits.sigmoid(), mean, atol=1e-4, rtol=1e-3)


def test_an_ensemble_of_svms_and_softmax_is_refused():
    svm = rcnn_config()
    svm.bbox_head.type = 'SVMHead'
    with pytest.raises(InputError, match=r'member 2 .* another box head \(RegionClassifierHead\) than the first'):
        RCNNEnsemble([svm, rcnn_config()])


def test_an_image_without_regions_gives_nothing():
    model, data = detector(), batch(1)
    data['data_samples'][0].proposals = InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0))
    with torch.no_grad():
        assert len(model.test_step(data)[0].pred_instances) == 0
