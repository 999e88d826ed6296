"""A config says what it means: MMEngine and MMDetection alone do with it what this project's own tools do."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fresh_process import run_fresh
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from sets_on_disk import draw_sets

from det_inception.cli import train as command
from det_inception.inference.detector import Detector
from det_inception.models import GoogLeNet
from det_inception.registry import HOOKS
from det_inception.utils.images import read_image
from det_inception.weights.normalization import same_normalization

REPO = Path(__file__).resolve().parent.parent.parent
CLASSES = ('blue thing', 'red thing')
LEAF = """
_base_ = '{repo}/configs/googlenet_{name}_voc.py'
data = dict(data_root='{root}', metainfo=dict(classes={classes}))
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=data)
test_dataloader = dict(num_workers=0, persistent_workers=False, dataset=data)
val_dataloader = val_cfg = val_evaluator = None
network = dict(variant='paper', width=0.125, init_cfg=dict(_delete_=True, type='Pretrained', checkpoint='{weights}'))
load_from = None
model = {model}
train_cfg = dict(max_epochs=1)
custom_hooks = [dict(type='BackboneNormalizationHook'), dict(type='KeepLosses')]
"""
SHARED = (
    'roi_head=dict(bbox_roi_extractor=dict(out_channels=104), shared_head=network, '
    'bbox_head=dict(num_classes=2, in_channels=128))'
)
MODELS = {
    'rcnn': 'dict(backbone=network, region_warp=dict(size=32, context=2), '
    'bbox_head=dict(num_classes=2, in_channels=128))',
    'fast-rcnn': f'dict(backbone=network, {SHARED})',
    'faster-rcnn': f'dict(backbone=network, rpn_head=dict(in_channels=104), {SHARED})',
}


@HOOKS.register_module()
class KeepLosses(Hook):
    """Notes the losses of every step."""

    kept: list[dict] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.kept.append({name: float(value) for name, value in outputs.items() if 'loss' in name})


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A drawn VOC set, a narrow GoogLeNet's weights beside it."""
    root = draw_sets(tmp_path_factory.mktemp('plain'))
    torch.manual_seed(0)
    network = GoogLeNet('paper', width=0.125)
    network.init_weights()
    torch.save(dict(state_dict=network.state_dict(), meta={}), root / 'weights.pth')
    return root


@pytest.fixture(scope='module', params=list(MODELS))
def run(request, data):
    """A config and what tools/train.py made of it: the losses of its steps, the folder."""
    leaf = data / f'leaf_{request.param.replace("-", "_")}.py'
    leaf.write_text(
        LEAF.format(
            repo=REPO, name=request.param, root=data, classes=CLASSES, weights=data / 'weights.pth',
            model=MODELS[request.param],
        )
    )  # fmt: skip
    KeepLosses.kept.clear()
    folder = data / f'work_{request.param}'
    arguments = ['train', str(leaf), '--work-dir', str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', arguments)
        command.main()
    return leaf, folder, [dict(losses) for losses in KeepLosses.kept]


def test_mmengines_runner_trains_as_our_command(run):
    leaf, folder, losses = run
    cfg = Config.fromfile(str(leaf))
    cfg.work_dir = f'{folder}_plain'
    KeepLosses.kept.clear()
    Runner.from_cfg(cfg).train()
    assert len(losses) == len(KeepLosses.kept) == 2 and all(len(step) >= 2 for step in losses)
    for ours, plain in zip(losses, KeepLosses.kept):
        assert ours.keys() == plain.keys()
        assert all(abs(ours[name] - plain[name]) < 1e-6 * max(1, abs(ours[name])) for name in ours), (ours, plain)


def test_a_checkpoint_is_complete(run):
    _, folder, _ = run
    checkpoint = torch.load(folder / 'epoch_1.pth', map_location='cpu', weights_only=True)
    assert checkpoint['meta']['dataset_meta']['classes'] == CLASSES
    cfg = Config.fromstring(checkpoint['meta']['cfg'], '.py')
    head = cfg.model.bbox_head if 'bbox_head' in cfg.model else cfg.model.roi_head.bbox_head
    assert head.num_classes == 2 and cfg.model.backbone.init_cfg.checkpoint.endswith('weights.pth')
    assert cfg.test_dataloader.dataset.data_root and cfg.test_dataloader.dataset.pipeline[0].type == 'LoadImageFromFile'
    state = checkpoint['state_dict']
    kept = {name: state[f'data_preprocessor.{name}'] for name in ('mean', 'std', 'bgr_to_rgb')}
    normalization = dict(
        mean=kept['mean'].flatten().tolist(), std=kept['std'].flatten().tolist(), bgr_to_rgb=bool(kept['bgr_to_rgb'])
    )
    assert same_normalization(normalization, dict(mean=[104, 117, 123], std=[1, 1, 1], bgr_to_rgb=False))


SCRIPT = """
import sys
import det_inception.compat
import numpy as np
from mmdet.apis import DetInferencer, inference_detector, init_detector
config, checkpoint, image, out = sys.argv[1:]
first = inference_detector(init_detector(config, checkpoint, device='cpu'), image).pred_instances
inferencer = DetInferencer(config, checkpoint, device='cpu', show_progress=False)
second = inferencer(image, return_datasamples=True)['predictions'][0].pred_instances
np.savez(out, **{f'{name}{number}': getattr(found, name).numpy()
                 for number, found in enumerate((first, second)) for name in ('bboxes', 'scores', 'labels')})
"""


def test_mmdetections_own_inference_finds_the_same(run, data, tmp_path):
    leaf, folder, _ = run
    config, checkpoint, image = folder / leaf.name, folder / 'epoch_1.pth', data / 'JPEGImages/five.jpg'
    arguments = [str(path) for path in (config, checkpoint, image, tmp_path / 'found.npz')]
    run_fresh(SCRIPT, arguments, folder=REPO)
    found = np.load(tmp_path / 'found.npz')
    ours = Detector(leaf, checkpoint, device='cpu').detect(read_image(image))
    assert len(ours) > 5
    for number in (0, 1):
        order = np.argsort(-found[f'scores{number}'], kind='stable')
        assert np.allclose(found[f'scores{number}'][order], ours.scores, atol=1e-6)
        assert np.allclose(np.sort(found[f'bboxes{number}'], 0), np.sort(ours.boxes, 0), atol=1e-3)
        assert np.bincount(found[f'labels{number}']).tolist() == np.bincount(ours.labels).tolist()
