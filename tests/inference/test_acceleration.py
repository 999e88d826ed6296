"""Faster engines: equal scores within their precision, what is chosen, and chunks when memory runs out."""

import contextlib
import functools
import importlib.util
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from det_inception.inference.acceleration import accelerate, engines, make_engine
from det_inception.inference.acceleration.engines import fast_precision
from det_inception.inference.acceleration.fused_engine import fuse
from det_inception.models.backbones.googlenet import VARIANTS
from det_inception.models.layers.region_classifier import predict_in_chunks
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec('openvino') is None or importlib.util.find_spec('onnxscript') is None,
    reason='det_inception[openvino] is not installed',
)


def detector(variant='batch_norm', with_reg=True):
    """A small R-CNN with weights and statistics under which every batch norm matters."""
    model = MODELS.build(
        dict(
            type='RCNN',
            data_preprocessor=dict(type='DetDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True),
            region_warp=dict(type='RegionWarp', size=64, context=4),
            backbone=dict(type='GoogLeNet', variant=variant, width=0.125),
            bbox_head=dict(type='RegionClassifierHead', num_classes=3, in_channels=128, with_reg=with_reg),
            test_cfg=dict(rcnn=dict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.3), max_per_img=-1)),
        )
    )
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
        elif isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    torch.nn.init.normal_(model.bbox_head.fc_cls.weight, std=0.15)
    return model.eval()


@pytest.fixture(scope='module')
def crops():
    return torch.randn(19, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@functools.cache
def exported():
    """What OpenVINO gets of the detector; PyTorch's exporter takes seconds for it."""
    from det_inception.inference.acceleration.onnx_export import to_onnx

    return to_onnx(detector(), scores=False)


@pytest.fixture
def exported_once(monkeypatch):
    from det_inception.inference.acceleration import openvino_engine

    monkeypatch.setattr(openvino_engine, 'to_onnx', lambda model, scores: exported())


def classified(model, crops):
    with torch.no_grad():
        logits, deltas = model.classify_regions(crops)
    return logits.softmax(-1), deltas


@pytest.mark.parametrize('variant', VARIANTS)
def test_fused_is_the_same_network(variant, crops):
    model = detector(variant)
    expected, deltas = classified(model, crops)
    assert expected.std(0).max() > 0.01 and expected.max() < 0.99
    model.engine = make_engine(model, 'fused', 'float32')
    found, own = classified(model, crops)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(own, deltas, atol=1e-4, rtol=1e-4)
    # The detector itself is what it was, and what it is trained as.
    model.engine = None
    assert torch.equal(classified(model, crops)[0], expected)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fuse(detector(variant)).modules())


@pytest.mark.parametrize('engine', ['eager', 'fused'])
def test_half_the_bits_are_near(engine, crops):
    model = detector()
    expected, _ = classified(model, crops)
    model.engine = make_engine(model, engine, 'bfloat16')
    found, _ = classified(model, crops)
    assert found.dtype == torch.float32
    difference = (found - expected).abs()
    assert 1e-6 < difference.max() < 0.1 and difference.mean() < 0.02


def test_training_goes_on_without_the_engine(crops):
    model = detector()
    model.engine = lambda crops: pytest.fail('the engine ran in training')
    model.train()
    logits, _ = model.classify_regions(crops)
    assert logits.requires_grad


@needs_openvino
@pytest.mark.parametrize('variant, with_reg', [('paper', False), ('torchvision', True)])
def test_openvino(variant, with_reg, crops):
    model = detector(variant, with_reg)
    expected, deltas = classified(model, crops)
    assert accelerate(model, 'openvino:float32').startswith('openvino, float32')
    found, own = classified(model, crops)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert (own is None) == (deltas is None)
    if with_reg:
        torch.testing.assert_close(own, deltas, atol=1e-3, rtol=1e-3)
    one, _ = classified(model, crops[:1])
    torch.testing.assert_close(one, expected[:1], atol=1e-4, rtol=0)
    none, _ = classified(model, crops[:0])
    assert none.shape == (0, 4)


@needs_openvino
@pytest.mark.skipif(not Path('/proc/self/task').exists(), reason='this system does not tell where threads may run')
@pytest.mark.parametrize('threads', [1, 2])
def test_openvino_leaves_its_threads_where_they_may_run(threads, crops, monkeypatch, exported_once):
    """Pinned while they work, those of two processes would share the first cores."""
    monkeypatch.setattr(torch, 'get_num_threads', lambda: threads)
    engine, places = make_engine(detector(), 'openvino', 'float32'), set()
    with ThreadPoolExecutor(1) as worker:
        work = worker.submit(lambda: [engine(crops) for _ in range(30)])
        while not work.done():
            for task in Path('/proc/self/task').iterdir():
                with contextlib.suppress(ProcessLookupError):  # A thread may end meanwhile.
                    places.add(frozenset(os.sched_getaffinity(int(task.name))))
        work.result()
    assert places == {frozenset(os.sched_getaffinity(0))}


@needs_openvino
def test_openvino_in_8_bits_sets_its_ranges_by_the_first_crops(crops, monkeypatch, exported_once):
    from det_inception.inference.acceleration import openvino_engine

    monkeypatch.setattr(openvino_engine, 'CALIBRATION', 24)
    model = detector()
    expected, _ = classified(model, crops)
    engine = model.engine = make_engine(model, 'openvino', 'int8')
    classified(model, crops)
    assert sum(map(len, engine.calibration)) == 19
    classified(model, crops)
    assert engine.calibration is None
    found, _ = classified(model, crops)
    difference = (found - expected).abs()
    assert difference.max() < 0.3 and difference.mean() < 0.05
    assert (found.argmax(1) == expected.argmax(1)).float().mean() > 0.8


@needs_openvino
def test_what_goes_to_8_bits():
    from det_inception.inference.acceleration.openvino_engine import costly

    network = exported()
    kernels = {weights.name: tuple(weights.dims)[2:] for weights in network.graph.initializer}
    chosen = set(costly(network))
    sides = [kernels[node.input[1]] for node in network.graph.node if node.name in chosen]
    assert sides == [(3, 3)] * 10  # conv2 and one in each of the nine modules
    assert len([node for node in network.graph.node if node.op_type == 'Conv']) == 57


def test_what_is_chosen(monkeypatch):
    model = detector()
    monkeypatch.setattr(engines, '_missing', lambda engine: ['openvino'] if engine == 'openvino' else [])
    seconds = {'float32': 1.0}
    monkeypatch.setattr(engines, '_trial', lambda precisions: seconds)
    for seconds['bfloat16'], precision in ((0.1, 'bfloat16'), (2.0, 'float32')):
        assert fast_precision(torch.device('cpu')) == precision
        assert accelerate(model).startswith(f'fused, {precision}, on cpu')
    assert accelerate(model, 'auto:float32').startswith('fused, float32')


def test_the_trial_measures():
    fast_precision(torch.device('cpu'))  # Whichever it is.
    seconds = engines._trial(('float32', 'bfloat16'))
    assert seconds.keys() == {'float32', 'bfloat16'} and all(0 < value < 10 for value in seconds.values())


@pytest.mark.parametrize(
    'choice, said',
    [
        ('warp', "there is no engine 'warp'"),
        ('fused:int4', "there is no precision 'int4'"),
        ('fused:int8', 'the engine fused has no precision int8'),
        ('openvino', r'needs openvino; run pip install "det_inception\[openvino\]", or choose fused'),
    ],
)
def test_engines_that_are_not_there(choice, said, monkeypatch):
    monkeypatch.setattr(engines, '_missing', lambda engine: ['openvino'] if engine == 'openvino' else [])
    with pytest.raises(InputError, match=said):
        accelerate(detector(), choice)


def test_models_that_classify_no_regions():
    with pytest.raises(InputError, match='leave --engine away'):
        accelerate(torch.nn.Linear(2, 2))


# ----------------------------------------------------------------------------------------------------------- chunks


def classify_at_most(limit, sizes, error):
    def classify(rois):
        sizes.append(len(rois))
        if len(rois) > limit:
            raise error
        return rois[:, :2] * 2, rois[:, 2:] * 3

    return classify


@pytest.mark.parametrize(
    'error',
    [
        torch.OutOfMemoryError('CUDA out of memory.'),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to"),
    ],
)
@pytest.mark.parametrize('limit', [1, 7, 30, 100])
def test_out_of_memory_halves_the_chunk(limit, error):
    rois, sizes = torch.rand(61, 5), []
    scores, deltas = predict_in_chunks(classify_at_most(limit, sizes, error), rois, 32)
    assert torch.equal(scores, rois[:, :2] * 2) and torch.equal(deltas, rois[:, 2:] * 3)
    if limit == 7:
        assert sizes[:4] == [32, 16, 8, 4] and set(sizes[3:]) <= {4, 1}


def test_what_cannot_be_halved(capfd):
    rois = torch.rand(4, 5)
    with pytest.raises(torch.OutOfMemoryError):
        predict_in_chunks(classify_at_most(0, [], torch.OutOfMemoryError('no')), rois, 4)
    with pytest.raises(RuntimeError, match='shapes'):
        predict_in_chunks(classify_at_most(0, [], RuntimeError('shapes do not fit')), rois, 4)
    scores, deltas = predict_in_chunks(lambda rois: (rois[:, :2].half(), None), rois[:0], 4)
    assert scores.shape == (0, 2) and scores.dtype == torch.float32 and deltas is None
