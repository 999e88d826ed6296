"""Detectors as ONNX and OpenVINO files: what other runtimes find with them is what PyTorch finds."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.transforms import Resize
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from models.tiny_detectors import build, fast_rcnn_config, faster_rcnn_config, rcnn_config

from det_inception.utils.errors import InputError

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')
export = importlib.import_module('det_inception.inference.acceleration.export')
onnx_detector = importlib.import_module('det_inception.inference.acceleration.onnx_detector')

REPO = Path(__file__).resolve().parent.parent.parent
CLASSES = ['a', 'b', 'c']
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='ProposalBroadcaster', transforms=[dict(type='Resize', scale=(200, 120), keep_ratio=True)]),
]
OPTIONS = {'model.roi_head.first_center': 14.5, 'model.test_cfg.rcnn.max_per_class': 20}
BOXES = np.array([[5, 5, 60, 70], [10.5, 3, 90, 40], [0, 0, 130, 90], [50, 20, 55, 26], [12, 3, 88, 41]], np.float32)


@pytest.fixture(scope='module', autouse=True)
def exported_once():
    """The networks of Fast and Faster R-CNN here are the same: PyTorch's exporter takes seconds for each."""
    parts, real = {}, {name: getattr(onnx_detector, name) for name in ('to_onnx', '_export_maps')}
    with pytest.MonkeyPatch.context() as patch:
        for name, function in real.items():
            patch.setattr(
                onnx_detector,
                name,
                lambda model, name=name, function=function: (
                    parts.setdefault(name, function(model)) if name not in parts else parts[name]
                ),
            )
        yield


@pytest.fixture(scope='module')
def faster():
    return build(faster_rcnn_config(), OPTIONS).eval()


@pytest.fixture(scope='module')
def fast(faster):
    model = build(fast_rcnn_config(), OPTIONS).eval()
    model.load_state_dict(faster.state_dict(), strict=False)
    return model


@pytest.fixture(scope='module')
def folder(faster, fast, tmp_path_factory):
    folder = tmp_path_factory.mktemp('exported')
    said = export.export_detector(faster, folder / 'faster.onnx', CLASSES, PIPELINE)
    assert said == 'image in, boxes, scores and labels out'
    assert export.export_detector(fast, folder / 'fast.onnx', CLASSES).startswith('image and proposals in')
    return folder


@pytest.fixture(scope='module')
def session(folder):
    return onnxruntime.InferenceSession(folder / 'faster.onnx')


def image_of(height, width):
    image = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image[height // 4 : height // 2, width // 5 : width // 2] = (20, 40, 220)
    return image


def found_by_pytorch(model, image, proposals=None):
    sample = DetDataSample(metainfo=dict(img_shape=image.shape[:2], ori_shape=image.shape[:2], scale_factor=(1, 1)))
    if proposals is not None:
        sample.proposals = InstanceData(bboxes=torch.from_numpy(proposals))
    with torch.no_grad():
        (result,) = model.test_step(dict(inputs=[torch.from_numpy(image).permute(2, 0, 1)], data_samples=[sample]))
    found = result.pred_instances
    found = found[found.scores.argsort(descending=True, stable=True)]
    return found.bboxes.numpy(), found.scores.numpy(), found.labels.numpy()


def assert_same(found, expected, least=1):
    boxes, scores, labels = found
    assert len(labels) == len(expected[2]) >= least and labels.dtype == np.int64
    np.testing.assert_allclose(scores, expected[1], atol=1e-5)
    # Of equal scores, any order will do.
    order, wanted = (np.lexsort((*np.round(values[0], 1).T, values[2])) for values in (found, expected))
    np.testing.assert_array_equal(labels[order], expected[2][wanted])
    np.testing.assert_allclose(boxes[order], expected[0][wanted], atol=1e-2)  # Pixels.


@pytest.mark.parametrize('size', [(90, 130), (203, 267), (64, 64), (97, 300), (33, 41)])
def test_faster_rcnn(faster, session, size):
    image = image_of(*size)
    assert_same(session.run(None, {'image': image}), found_by_pytorch(faster, image), least=3)


def test_boxes_that_vote(faster, tmp_path, monkeypatch):
    image = image_of(90, 130)
    plain = found_by_pytorch(faster, image)
    monkeypatch.setitem(faster.roi_head.test_cfg, 'nms', dict(type='box_voting', iou_threshold=0.5, vote=0.4))
    export.export_detector(faster, tmp_path / 'voting.onnx', CLASSES, PIPELINE)
    expected = found_by_pytorch(faster, image)
    found = onnxruntime.InferenceSession(tmp_path / 'voting.onnx').run(None, {'image': image})
    assert_same(found, expected, least=3)
    assert len(plain[0]) != len(expected[0]) or not np.allclose(plain[0], expected[0])


@pytest.mark.parametrize('count', [5, 1])
def test_fast_rcnn(fast, folder, count):
    session, image = onnxruntime.InferenceSession(folder / 'fast.onnx'), image_of(90, 130)
    found = session.run(None, {'image': image, 'proposals': BOXES[:count]})
    assert_same(found, found_by_pytorch(fast, image, BOXES[:count]), least=count)


@pytest.mark.parametrize(
    'limits', [dict(max_per_img=7, max_per_class=-1), dict(max_per_img=4, max_per_class=9), dict(score_thr=0.4)]
)
def test_limits(faster, limits, tmp_path):
    image, before = image_of(90, 130), dict(faster.roi_head.test_cfg)
    faster.roi_head.test_cfg.update(limits)
    try:
        export.export_detector(faster, tmp_path / 'a.onnx', CLASSES)
        found = onnxruntime.InferenceSession(tmp_path / 'a.onnx').run(None, {'image': image})
        assert_same(found, found_by_pytorch(faster, image))
        assert len(found[1]) <= limits.get('max_per_img', 1000) and found[1].min() > limits.get('score_thr', 0)
    finally:
        faster.roi_head.test_cfg.update(before)


def test_nothing_is_found(faster, tmp_path):
    before = faster.roi_head.test_cfg['score_thr']
    faster.roi_head.test_cfg['score_thr'] = 0.9999
    try:
        export.export_detector(faster, tmp_path / 'a.onnx', CLASSES)
    finally:
        faster.roi_head.test_cfg['score_thr'] = before
    boxes, scores, labels = onnxruntime.InferenceSession(tmp_path / 'a.onnx').run(None, {'image': image_of(64, 64)})
    assert boxes.shape == (0, 4) and scores.shape == labels.shape == (0,)


def test_openvino(faster, folder):
    openvino = pytest.importorskip('openvino')
    export.export_detector(faster, folder / 'new/faster.xml', CLASSES, PIPELINE)
    assert sorted(path.name for path in (folder / 'new').iterdir()) == ['faster.bin', 'faster.xml']
    model = openvino.Core().read_model(folder / 'new/faster.xml')
    assert json.loads(model.get_rt_info(['det_inception', 'classes']).value) == CLASSES
    compiled = openvino.Core().compile_model(model, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    for size in ((90, 130), (97, 300)):
        answer = compiled({'image': image_of(*size)})
        found = [answer[name] for name in ('boxes', 'scores', 'labels')]
        assert_same(found, found_by_pytorch(faster, image_of(*size)), least=3)


def example_of(name):
    """A program of examples/, as a module."""
    spec = importlib.util.spec_from_file_location(name, REPO / f'examples/{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_runs_a_detector(faster, session):
    example = example_of('onnx_detector')
    image = image_of(150, 310)
    boxes, scores, labels = example.detect(session, image)
    resized = Resize(scale=(200, 120), keep_ratio=True)(dict(img=image))
    expected = found_by_pytorch(faster, resized['img'])
    factors = np.array(resized['scale_factor'] * 2, np.float32)
    assert_same((boxes * factors, scores, labels), expected, least=3)
    meta = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    assert meta['classes'] == CLASSES and meta['scale'] == [200, 120]


@pytest.mark.parametrize('name', ['onnx_detector', 'onnx_rcnn'])
def test_an_example_without_its_files_says_how_it_is_called(name, monkeypatch):
    monkeypatch.setattr('sys.argv', [f'{name}.py', 'a.onnx'])
    with pytest.raises(SystemExit, match=rf'python examples/{name}\.py \w+\.onnx photo\.jpg'):
        example_of(name).main()


@pytest.mark.parametrize(('variant', 'with_reg'), [('paper', True), ('batch_norm', False)])
def test_r_cnn_and_the_example_that_runs_it(tmp_path, variant, with_reg):
    example = example_of('onnx_rcnn')
    model = build(rcnn_config(with_reg, variant=variant)).eval()
    said = export.export_detector(model, tmp_path / 'new/rcnn.onnx', CLASSES)
    assert said == f'crops of 32 pixels in, scores{" and deltas" if with_reg else ""} out'
    content = onnx.load(tmp_path / 'new/rcnn.onnx')
    onnx.checker.check_model(content)
    facts = {item.key: json.loads(item.value) for item in content.metadata_props}
    assert facts['classes'] == CLASSES and facts['size'] == 32 and facts['mean'] == [127.5] * 3
    assert ('LRN' in {node.op_type for node in content.graph.node}) == (variant == 'paper')

    session = onnxruntime.InferenceSession(tmp_path / 'new/rcnn.onnx')
    crops = torch.randn(19, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, deltas = model.classify_regions(crops)
    for count in (1, 19):
        found = session.run(None, {'crops': crops[:count].numpy()})
        np.testing.assert_allclose(found[0], expected[:count].softmax(-1), atol=1e-5)
        assert len(found) == 1 + with_reg
        if with_reg:
            np.testing.assert_allclose(found[1], deltas[:count], atol=1e-3, rtol=1e-3)

    image = image_of(90, 130)
    found = example.detect(session, image, BOXES.astype(float), score=0.01)
    boxes, scores, labels = found_by_pytorch(model, image, BOXES)
    sure = scores > 0.01
    found = [np.array(values) for values in zip(*[(box, score, label) for label, score, box in found])]
    assert_same(found, (boxes[sure], scores[sure], labels[sure]), least=5)


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({'model.test_cfg.rcnn.nms.type': 'soft_nms'}, r'test_cfg\.rcnn\.nms is none that a file can hold'),
        ({'model.test_cfg.rcnn.nms': None}, r'test_cfg\.rcnn\.nms is none that a file can hold'),
        ({'model.test_cfg.rcnn.nms.class_agnostic': True}, r'test_cfg\.rcnn\.nms is none that a file can hold'),
        ({'model.test_cfg.rpn.nms.offset': 1}, r'test_cfg\.rpn\.nms is none that a file can hold'),
        ({'model.test_cfg.rcnn.max_per_img': 30}, 'max_per_class=20 with max_per_img=30 has no form'),
        ({'model.data_preprocessor.pad_size_divisor': 32}, 'images are padded'),
        ({'model.roi_head.bbox_head.reg_class_agnostic': True}, 'box regression is the same for all classes'),
        ({'model.roi_head.bbox_roi_extractor.roi_layer.pool_mode': 'max'}, 'another layer than RoIAlign'),
    ],
)
def test_settings_that_have_no_form_in_onnx(options, said, tmp_path):
    model = build(faster_rcnn_config(), OPTIONS | options)
    with pytest.raises(InputError, match=said):
        export.export_detector(model, tmp_path / 'a.onnx', CLASSES)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported(faster, tmp_path):
    with pytest.raises(InputError, match=r'a\.pt: its suffix says no format; use \.onnx'):
        export.export_detector(faster, tmp_path / 'a.pt', CLASSES)
    with pytest.raises(InputError, match='can be exported, and no Linear; choose'):
        export.export_detector(torch.nn.Linear(1, 1), tmp_path / 'a.onnx', CLASSES)
    with pytest.raises(InputError, match='without keep_ratio=True'):
        export.export_detector(faster, tmp_path / 'a.onnx', CLASSES, [dict(type='Resize', scale=(20, 30))])
