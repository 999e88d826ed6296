"""Options of a training: when it ends, averaged weights, other logs, the best checkpoint."""

import math
import shutil

import mmengine.runner
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from one_layer import Growing, runner_of

from det_inception.engine import runner as module
from det_inception.engine.hooks import early_stopping
from det_inception.engine.hooks.work_folder import _KeptReport, _try
from det_inception.engine.resuming import find_best_checkpoint
from det_inception.engine.runner import apply_amp, apply_average, apply_early_stopping, apply_log
from det_inception.engine.summary import _device_line
from det_inception.registry import HOOKS
from det_inception.utils.errors import InputError


def config(**settings):
    return Config(dict(settings), cfg_text='# none', filename='config.py')


@HOOKS.register_module()
class KeepWeights(Hook):
    """Notes the weights after every step, before they are averaged."""

    priority = 'VERY_HIGH'
    kept: list[torch.Tensor] = []

    def before_run(self, runner):
        self.kept.clear()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.kept.append(runner.model.layer.weight.detach().cpu().double().clone())


@pytest.mark.parametrize(
    'scores, patience, epochs, best',
    [
        ([0.1, 0.3, 0.3, 0.2, 0.5], 2, 4, 0.3),  # As good as the best is no gain.
        ([0.1, 0.3, 0.2, 0.4, 0.3], 2, 5, 0.4),
        ([0.0, 0.0, 0.0, 0.0, 0.0], 3, 4, 0.0),
    ],
)
def test_it_ends_without_gain(scores, patience, epochs, best, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(early_stopping, 'print_log', lambda text, *_: said.append(text))
    Growing.scores = list(scores)
    cfg = config(val_cfg=dict(), custom_hooks=None)
    apply_early_stopping(cfg, patience)
    runner = runner_of(tmp_path, epochs=5, custom_hooks=cfg.custom_hooks)
    runner.train()
    assert runner.epoch == epochs and len(Growing.scores) == 5 - epochs
    Growing.scores = []
    stopped = epochs < 5
    since = '1 validation' if patience == 1 else f'{patience} validations'
    assert said == [f'The training ends: acc {best:.4f} is the best, and then came {since} without gain.'] * stopped


def test_the_best_score_of_a_resumed_training_counts(tmp_path):
    Growing.scores = [0.5, 0.1, 0.2, 0.3]
    hooks = [dict(type='StopWithoutGainHook', patience=2)]
    runner_of(tmp_path, save_best='acc').train()
    runner = runner_of(tmp_path, epochs=4, load_from=str(tmp_path / 'epoch_1.pth'), custom_hooks=hooks, save_best='acc')
    runner.train()
    assert runner.epoch == 3
    Growing.scores = []


def test_wrong_options():
    for cfg, number in ((config(val_cfg=dict()), 0), (config(val_cfg=None), 3)):
        with pytest.raises(InputError, match='--early-stopping'):
            apply_early_stopping(cfg, number)
    for hooks in (dict(custom_hooks=[dict(type='EMAHook')]), dict(default_hooks=dict(average=dict(type='EMAHook')))):
        with pytest.raises(InputError, match='averages the weights already .* leave --ema out'):
            apply_average(config(**hooks))


def test_averaged_weights_are_those_of_the_formula(tmp_path):
    cfg = config(custom_hooks=[dict(type='KeepWeights')])
    apply_average(cfg)
    runner_of(tmp_path, epochs=50, custom_hooks=cfg.custom_hooks, interval=50).train()
    covered = 100 // 20
    average = KeepWeights.kept[0]
    for step, weights in enumerate(KeepWeights.kept[1:], start=1):
        share = (1 - 1 / covered) * math.exp(-(1 + step) / covered) + 1 / covered
        average = (1 - share) * average + share * weights
    content = torch.load(tmp_path / 'epoch_50.pth', weights_only=True)
    assert len(KeepWeights.kept) == 100
    assert torch.allclose(content['state_dict']['layer.weight'].cpu().double(), average, rtol=1e-4, atol=1e-6)
    last = content['ema_state_dict']['module.layer.weight'].cpu().double()
    assert torch.allclose(last, KeepWeights.kept[-1], rtol=1e-5) and not torch.allclose(last, average, rtol=1e-3)


def test_other_logs_join_the_json_log(monkeypatch):
    cfg = config(visualizer=dict(type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')]))
    plain = config()
    monkeypatch.setattr(module.importlib.util, 'find_spec', lambda name: object())
    for _ in range(2):
        apply_log(cfg, 'tensorboard')
    assert [part['type'] for part in cfg.visualizer.vis_backends] == ['LocalVisBackend', 'TensorboardVisBackend']
    apply_log(plain, 'wandb')
    assert [part['type'] for part in plain.visualizer.vis_backends] == ['LocalVisBackend', 'WandbVisBackend']


def test_the_best_checkpoint(tmp_path):
    assert find_best_checkpoint(tmp_path) is None
    runner_of(tmp_path).train()
    assert find_best_checkpoint(tmp_path) == str(tmp_path / 'epoch_1.pth')
    Growing.scores = [0.3, 0.9, 0.5]
    runner_of(tmp_path, epochs=3, save_best='auto', rule='greater').train()
    assert find_best_checkpoint(tmp_path) == str(tmp_path / 'best_acc_epoch_2.pth')


def test_a_report_that_cannot_be_made_ends_no_training(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('det_inception.engine.hooks.work_folder.print_log', lambda text, *_: said.append(text))
    metric = _KeptReport(out_dir=str(tmp_path))
    metric.dataset_meta = dict(classes=('a',))
    metric.process({}, [dict(img_id=1, pred_instances=dict(bboxes=[], scores=[], labels=[]))])
    assert metric.evaluate(1) == {} and metric.run is None
    assert len(said) == 2 and all(text.endswith('(the training goes on.)') for text in said)
    with pytest.raises(ZeroDivisionError):  # A fault of the program is none of the data.
        _try(lambda: 1 / 0)


@pytest.mark.parametrize(
    'gpu, has_bfloat16, expected',
    [
        (False, False, dict(type='CPUAmpOptimWrapper')),
        (True, True, dict(type='AmpOptimWrapper', dtype='bfloat16')),
        (True, False, dict(type='AmpOptimWrapper', dtype='float16')),
    ],
)
def test_mixed_precision_is_bfloat16_where_there_is_one(monkeypatch, gpu, has_bfloat16, expected):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation: has_bfloat16)
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda: 'A GPU')
    cfg = config(optim_wrapper=dict(type='OptimWrapper'), test_cfg=dict(type='TestLoop'))
    apply_amp(cfg)
    assert cfg.optim_wrapper.to_dict() == expected and cfg.test_cfg.fp16
    assert _device_line(cfg).endswith(f'; {expected.get("dtype", "bfloat16")}, weights in float32')


def test_two_runs_of_the_same_second_write_their_own_files(tmp_path, monkeypatch):
    monkeypatch.setattr(mmengine.runner.runner.time, 'time', lambda: 1e9)
    for _ in range(2):
        runner_of(tmp_path / 'run')
        (config,), (log,) = ((tmp_path / 'run').rglob(kind) for kind in ('vis_data/config.py', '*.log'))
        assert config.parent.parent == log.parent
        shutil.rmtree(tmp_path / 'run')
