"""Faults of MMDetection, MMEngine and MMCV, each as a user meets it; and that sound versions are left alone."""

import importlib.util
import json
import os
import pickle
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import mmcv
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmcv.ops import batched_nms, deform_conv2d
from mmcv.utils import collect_env
from mmdet.datasets.transforms import Resize, text_transformers
from mmdet.evaluation.functional import YTVIS, YTVISeval
from mmdet.models.language_models import bert as language_models
from mmdet.models.utils import vlfuse_helper
from mmdet.registry import DATA_SAMPLERS, TASK_UTILS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import Config, ConfigDict
from mmengine.runner import checkpoint
from mmengine.structures import InstanceData
from mmengine.utils import get_installed_path, is_installed, package_utils
from pycocotools import mask
from torch.utils.data import SequentialSampler

from det_inception import compat
from det_inception.cli.common import explain
from det_inception.compat import amendments, packages, transformers_names
from det_inception.compat.errors import BrokenInstallationError
from det_inception.compat.operators import convolutions
from det_inception.registry import MODELS
from det_inception.zoo.pretended_gpu import pretended_gpu

# ------------------------------------------------------------------------------------------------------- MMDetection


def test_reppoints_points_are_numbered_where_they_lie():
    points = torch.tensor([[x, y, stride] for stride in (4, 8) for x in (0, 16, 32) for y in (0, 16, 32)]).float()
    boxes, assigner = torch.tensor([[0.0, 0, 20, 20], [10, 10, 40, 40]]), TASK_UTILS.build(dict(type='PointAssigner'))

    def assign(place):
        objects = InstanceData(bboxes=boxes.to(place), labels=torch.tensor([3, 5]).to(place))
        return assigner.assign(InstanceData(priors=points.to(place)), objects).gt_inds.tolist()

    expected = assign('cpu')
    assert {0, 1, 2} == set(expected)
    with pretended_gpu() as place:
        assert assign(place) == expected
        with pytest.raises(RuntimeError, match='indices and values should be on the processor'):
            torch.arange(3)[torch.zeros(3).bool().to(place)]  # As MMDetection 3.3 has it.


@pytest.mark.parametrize('bits', [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize('split_thr', [1, 10_000])
def test_many_boxes_with_scores_of_16_bits(split_thr, bits):
    torch.manual_seed(0)
    corners = torch.rand(50, 2) * 50
    boxes, labels = torch.cat([corners, corners + 5 + torch.rand(50, 2) * 30], 1), torch.arange(50) % 3
    scores = (torch.randperm(50).float() / 64).to(bits)  # Exact in all types.
    expected, kept = batched_nms(boxes, scores.float(), labels, dict(type='nms', iou_threshold=0.3))
    found, indices = batched_nms(boxes, scores, labels, dict(type='nms', iou_threshold=0.3, split_thr=split_thr))
    assert found.dtype == torch.promote_types(torch.float32, bits) and 3 < len(kept) < 50
    torch.testing.assert_close(found.float(), expected)
    assert torch.equal(indices, kept)


@pytest.mark.parametrize(('shape', 'wanted'), [((1, 3000), (1, 800)), ((3000, 1), (800, 1)), ((60, 100), (480, 800))])
def test_an_elongated_image_keeps_a_pixel(shape, wanted):
    resize = Resize(scale=(800, 480), keep_ratio=True)
    results = resize(dict(img=np.zeros((*shape, 3), np.uint8)))
    assert results['img'].shape[:2] == results['img_shape'] == wanted
    assert results['scale_factor'] == pytest.approx((wanted[1] / shape[1], wanted[0] / shape[0]))
    assert mmcv.rescale_size(shape[::-1], (800, 480)) == wanted[::-1]
    assert mmcv.rescale_size((100, 50), 0.5, return_scale=True) == ((50, 25), 0.5)


def test_an_nms_of_one_type_is_left_alone():
    module = SimpleNamespace(batched_nms=lambda boxes, scores: scores)
    amend, before = amendments.AMENDMENTS['mmcv.ops.nms'], module.batched_nms
    amend(module)
    assert module.batched_nms is before


class Photos(list):
    """A data set of which only widths and heights are asked, and the number of the source."""

    def get_data_info(self, number):
        return dict(width=self[number], height=2, images=[dict(width=self[number], height=2)])

    def get_dataset_source(self, number):
        return 0


@pytest.mark.parametrize(
    ('name', 'settings'),
    [
        ('AspectRatioBatchSampler', dict(batch_size=2)),
        ('TrackAspectRatioBatchSampler', dict(batch_size=2)),
        ('MultiDataAspectRatioBatchSampler', dict(batch_size=[2], num_datasets=1, drop_last=False)),
    ],
)
def test_batches_of_one_orientation_begin_anew(name, settings):
    sampler = SequentialSampler(Photos([1, 3, 3, 1, 3, 1, 1, 3]))
    sampler.dataset = sampler.data_source
    batches = DATA_SAMPLERS.build(dict(type=name, sampler=sampler, **settings))
    whole = [[1, 2], [0, 3], [5, 6], [4, 7]]
    assert list(batches) == whole
    for stop in (1, 2, 3, 4):
        assert [next(iteration) for iteration in [iter(batches)] for _ in range(stop)] == whole[:stop]
        assert list(batches) == whole


def test_a_mask_beside_the_image_is_left_out():
    head = MODELS.build(dict(type='FCNMaskHead', num_convs=0, in_channels=2, conv_out_channels=2, num_classes=1))
    boxes = torch.tensor([[2.0, 1, 6, 5], [20, 1, 24, 5], [-9, 1, -4, 5], [2, 30, 6, 40], [1, -8, 5, -3]])
    masks = head._predict_by_feat_single(
        torch.full((5, 1, 4, 4), 9.0),
        boxes,
        torch.zeros(5, dtype=torch.long),
        dict(img_shape=(8, 10), ori_shape=(8, 10), scale_factor=(1.0, 1.0)),
        ConfigDict(mask_thr_binary=0.5),
        activate_map=False,
        rescale=True,
    )
    assert masks.shape == (5, 8, 10)
    assert masks[0, 1:5, 2:6].all()
    assert masks.sum().item() == 16


def test_ssd_predicts():
    anchors = dict(type='SSDAnchorGenerator', min_sizes=[8, 16, 32], max_sizes=[16, 32, 48], strides=[8, 16, 32])
    head = MODELS.build(
        dict(
            type='SSDHead',
            in_channels=(4, 4, 4),
            num_classes=2,
            anchor_generator=dict(anchors, ratios=[[2], [2], [2]], scale_major=False),
            test_cfg=ConfigDict(nms_pre=50, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=5),
        )
    )
    sample = DetDataSample(metainfo=dict(img_shape=(64, 64), scale_factor=(1.0, 1.0)))
    with torch.no_grad():
        (found,) = head.eval().predict([torch.rand(1, 4, side, side) for side in (8, 4, 2)], [sample])
    assert len(found) == 5 and found.scores.sum() > 0


def test_an_ssd_with_a_loss_of_its_own_is_left_alone(monkeypatch):
    class Sound:
        def __init__(self):
            self.loss_cls = 'own'

    amendments.amend_ssd(SimpleNamespace(SSDHead=Sound))
    assert not hasattr(Sound, 'loss_cls') and Sound().loss_cls == 'own'


def test_videos_are_scored(tmp_path):
    """One object in both frames of a video, found exactly."""
    square = [[5, 5, 30, 5, 30, 30, 5, 30]]
    truth = dict(
        info={},
        videos=[dict(id=1, width=60, height=50, length=2, file_names=['a', 'b'])],
        categories=[dict(id=1, name='cat')],
        annotations=[
            dict(id=1, video_id=1, category_id=1, iscrowd=0, segmentations=[square] * 2, width=60, height=50)
            | dict(bboxes=[[5, 5, 25, 25]] * 2, areas=[625, 625])
        ],
    )
    path = tmp_path / 'truth.json'
    path.write_text(json.dumps(truth))
    pixels = np.zeros((50, 60), np.uint8, order='F')
    pixels[5:30, 5:30] = 1
    encoded = mask.encode(pixels) | dict(counts=mask.encode(pixels)['counts'].decode())
    known = YTVIS(str(path))
    found = known.loadRes([dict(video_id=1, category_id=1, score=0.9, segmentations=[encoded, encoded])])
    scorer = YTVISeval(known, found, 'segm')
    scorer.params.vidIds = [1]
    scorer.evaluate()
    scorer.accumulate()
    scorer.summarize()
    assert scorer.stats[0] == pytest.approx(1.0)


def test_texts_work_with_a_numpy_without_long(monkeypatch):
    class Words:
        model_max_length = 9

        def tokenize(self, text):
            return text.split()

    monkeypatch.setattr(text_transformers, 'np', np)
    monkeypatch.delattr(np, 'long', raising=False)
    amendments.amend_numpy_names(text_transformers)
    check = text_transformers.check_for_positive_overflow
    boxes, labels, length = check(HorizontalBoxes(torch.tensor([[1.0, 1, 9, 9]])), ['0'], {'0': 'cat'}, Words(), 9)
    assert len(boxes) == len(labels) == 1 and length == 1 and labels.dtype.kind == 'i'


# ---------------------------------------------------------------------------------------------------------- MMEngine


def test_the_environment_is_listed():
    found = collect_env()
    assert found['MMCV Compiler'] == found['MMCV CUDA Compiler'] == 'n/a' and 'PyTorch' in found


def test_a_config_of_a_package_is_found(tmp_path):
    (tmp_path / 'own.py').write_text("_base_ = 'mmdet::_base_/schedules/schedule_1x.py'\n")
    assert Config.fromfile(tmp_path / 'own.py').train_cfg.max_epochs == 12
    assert is_installed('mmdet') and is_installed('mmcv-lite') and not is_installed('no-such-package')
    assert get_installed_path('mmdet') == os.path.dirname(sys.modules['mmdet'].__file__)
    assert packages.package2module('mmcv-lite') == 'mmcv'
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        packages.get_installed_path('no-such-package')


def test_an_mmengine_that_finds_packages_is_left_alone(monkeypatch):
    def sound(package):
        return True

    monkeypatch.setattr(package_utils, 'is_installed', sound)
    packages.find_packages_by_importlib()
    assert package_utils.is_installed is sound


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_an_mmengine_that_would_run_code_does_not(tmp_path, monkeypatch):
    """The loader of MMEngine 0.11, which asks for ``weights_only=False``."""
    code = 'def load_from_local(filename, map_location):\n    return torch.load(filename, weights_only=False)\n'
    monkeypatch.setattr(checkpoint, 'load_from_local', checkpoint.load_from_local)
    monkeypatch.setattr(checkpoint, 'torch', torch)
    exec(code, vars(checkpoint))
    torch.save(dict(state_dict={}, meta=Malicious(tmp_path / 'it_ran')), tmp_path / 'stranger.pth')
    torch.save(dict(state_dict=dict(weight=torch.ones(2))), tmp_path / 'sound.pth')
    compat.load_safely()
    with pytest.raises(pickle.UnpicklingError):
        checkpoint.load_from_local(tmp_path / 'stranger.pth', 'cpu')
    assert not (tmp_path / 'it_ran').exists()
    assert checkpoint.load_from_local(tmp_path / 'sound.pth', 'cpu')['state_dict']['weight'].sum() == 2
    assert torch.load.__module__ == 'torch.serialization'  # For everyone else it stays what it was.


# -------------------------------------------------------------------------------------------------------------- MMCV


def test_a_layer_of_a_missing_operator_is_refused_when_it_is_built():
    roi_layer = dict(type='RoIAlignRotated', output_size=7, sampling_ratio=2)
    extractor = dict(type='SingleRoIExtractor', roi_layer=roi_layer, out_channels=4, featmap_strides=[8])
    head = dict(type='StandardRoIHead', bbox_roi_extractor=extractor, bbox_head=dict(type='BBoxHead'))
    with pytest.raises(NotImplementedError) as caught:
        backbone = dict(type='GoogLeNet', out_indices=(2,))
        settings = dict(type='FastRCNN', backbone=backbone, roi_head=head, train_cfg=None, test_cfg=dict(rcnn=None))
        MODELS.build(ConfigDict(settings))
    sentence = explain(caught.value)
    assert sentence.startswith("FastRCNN needs the compiled operator 'roi_align_rotated_forward' of mmcv")


def broken(name):
    raise ImportError('libtorch_cpu.so: undefined symbol: _ZN2at\nand more')


@pytest.mark.parametrize(
    ('load', 'said'),
    [(broken, 'cannot be loaded .*undefined symbol: _ZN2at.; install mmcv anew'), (None, 'mmcv, which is missing')],
)
def test_half_an_mmcv(load, said, monkeypatch):
    monkeypatch.delitem(sys.modules, 'mmcv._ext')
    if load is None:
        monkeypatch.setitem(sys.modules, 'mmcv', None)  # The import system then finds none.
    else:
        monkeypatch.setattr(importlib.util, 'find_spec', lambda name: object())
        monkeypatch.setattr(importlib, 'import_module', load)
    with pytest.raises(BrokenInstallationError, match=said) as caught:
        compat.install_operators()
    assert '\n' not in explain(caught.value)


def test_a_compiled_mmcv_is_preferred(monkeypatch):
    monkeypatch.delitem(sys.modules, 'mmcv._ext')
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: object())
    monkeypatch.setattr(importlib, 'import_module', lambda name: object())
    assert compat.install_operators() is False and 'mmcv._ext' not in sys.modules


def test_a_deformable_convolution_goes_backwards_once(monkeypatch):
    torch.manual_seed(0)
    counted, original = [], convolutions.convolution_gradients
    monkeypatch.setattr(
        convolutions, 'convolution_gradients', lambda *arguments: counted.append(1) or original(*arguments)
    )

    def gradients(image, offset, weight):
        return torch.autograd.grad(
            deform_conv2d(image, offset, weight, 1, 1).square().sum(),
            [one for one in (image, offset, weight) if one.requires_grad],
        )

    image, offset, weight = torch.randn(1, 2, 4, 4), torch.randn(1, 18, 4, 4), torch.randn(3, 2, 3, 3)
    whole = gradients(image.requires_grad_(), offset.requires_grad_(), weight.requires_grad_())
    assert len(counted) == 1
    # Half a step, of frozen weights, leaves nothing behind for the next layer.
    gradients(torch.randn(1, 2, 4, 4).requires_grad_(), torch.randn(1, 18, 4, 4), torch.randn(3, 2, 3, 3))
    (alone,) = gradients(image.detach(), offset.detach(), weight)
    assert len(counted) == 3 and torch.equal(alone, whole[2])


# ------------------------------------------------------------------------------------------------------ Transformers


class Weights(torch.nn.Linear):
    """Stands for a model of Transformers: it has weights of a kind."""

    def __init__(self, kind=torch.float32):
        super().__init__(1, 1, dtype=kind)


@pytest.fixture
def transformers(monkeypatch):
    """Transformers 5, as far as anyone asks for it: without the names that are gone."""
    top, modeling, functions = (ModuleType(f'transformers{part}') for part in ('', '.modeling_utils', '.pytorch_utils'))
    top.__spec__ = ModuleSpec('transformers', None)
    top.modeling_utils, top.pytorch_utils = modeling, functions
    functions.apply_chunking_to_forward = functions.prune_linear_layer = len
    for name in (
        'GenerationConfig',
        'GenerationMixin',
        'PretrainedConfig',
        'PreTrainedModel',
        'PreTrainedTokenizerBase',
    ):
        setattr(top, name, type(name, (), {}))
    for module in (top, modeling, functions):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return top


def test_names_that_transformers_has_no_more_are_found(transformers):
    transformers_names.restore_transformers_names()
    found = transformers.modeling_utils
    assert found.apply_chunking_to_forward is len and found.PretrainedConfig is transformers.PretrainedConfig
    assert found.find_pruneable_heads_and_indices is transformers_names.find_pruneable_heads_and_indices
    tokenizer = type('Tokenizer', (transformers.PreTrainedTokenizerBase,), {'__call__': lambda self, *a, **k: (a, k)})
    assert tokenizer().batch_encode_plus(['a cat'], padding=True) == ((['a cat'],), {'padding': True})


def test_names_that_transformers_has_are_left_alone(transformers):
    transformers.modeling_utils.prune_linear_layer = transformers.PreTrainedTokenizerBase.batch_encode_plus = max
    transformers_names.restore_transformers_names()
    assert transformers.modeling_utils.prune_linear_layer is max
    assert transformers.PreTrainedTokenizerBase.batch_encode_plus is max


@pytest.mark.parametrize('kind', [torch.float32, torch.bfloat16])
def test_tokens_that_are_not_seen_get_no_attention(kind):
    model, own = Weights(kind), torch.tensor([[[1, 1, 0], [1, 1, 0], [0, 0, 1]]])
    for seen, shape in ((own, (1, 1, 3, 3)), (own[:, 0], (1, 1, 1, 3))):
        added = transformers_names.get_extended_attention_mask(model, seen, None)
        assert added.shape == shape and added.dtype == kind
        weights = (torch.zeros(shape, dtype=kind) + added).softmax(-1).reshape(seen.shape)
        torch.testing.assert_close(weights, (seen / seen.sum(-1, keepdim=True)).to(kind))


@given(st.integers(1, 6), st.integers(1, 3), st.data())
def test_pruned_heads_are_those_of_a_list(heads, size, data):
    everyone = set(range(heads))
    gone = data.draw(st.sets(st.sampled_from(sorted(everyone)), max_size=heads - 1))
    wanted = data.draw(st.sets(st.sampled_from(sorted(everyone))))
    left, stays = transformers_names.find_pruneable_heads_and_indices(wanted, heads - len(gone), size, gone)
    outputs = [(head, place) for head in sorted(everyone - gone) for place in range(size)]
    assert left == wanted - gone
    assert [outputs[index] for index in stays] == [output for output in outputs if output[0] not in wanted]


def test_grounding_dino_and_glip_read_texts_with_the_installed_transformers():
    """With real parts of Transformers, where they are installed: a token sees those of its phrase alone."""
    bert = pytest.importorskip('transformers.models.bert.modeling_bert', reason='Transformers is not installed')
    from transformers import BertConfig

    settings = BertConfig(
        vocab_size=50, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16
    )
    torch.manual_seed(0)
    encoder = language_models.BertEncoder.__new__(language_models.BertEncoder)
    torch.nn.Module.__init__(encoder)
    encoder.model, encoder.num_layers_of_embedded = bert.BertModel(settings, add_pooling_layer=False).eval(), 1
    ids, own = torch.tensor([[1, 2, 3, 4]]), torch.block_diag(torch.ones(2, 2), torch.ones(2, 2)).bool()[None]
    text = dict(attention_mask=own, position_ids=torch.tensor([[0, 1, 0, 1]]), token_type_ids=torch.zeros_like(ids))
    found = encoder(dict(text, input_ids=ids))
    other = encoder(dict(text, input_ids=torch.tensor([[1, 2, 7, 9]])))
    assert torch.equal(found['masks'], own)
    torch.testing.assert_close(found['embedded'][:, :2], other['embedded'][:, :2])
    assert not torch.allclose(found['embedded'][:, 2:], other['embedded'][:, 2:])
    layer = vlfuse_helper.BertEncoderLayer(settings).eval()
    features = dict(hidden=torch.rand(1, 4, 8), masks=torch.tensor([[1, 1, 1, 0]]))
    first = layer(dict(visual=None, lang=dict(features)))['lang']['hidden']
    features['hidden'] = torch.cat([features['hidden'][:, :3], torch.rand(1, 1, 8)], dim=1)
    torch.testing.assert_close(layer(dict(visual=None, lang=features))['lang']['hidden'][:, :3], first[:, :3])
