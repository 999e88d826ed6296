"""Trainings that go on with other settings, and trainings that go astray."""

import re
import warnings

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn

from det_inception.engine.runner import Runner
from det_inception.registry import DATASETS, HOOKS, MODELS
from det_inception.utils.errors import InputError
from det_inception.weights.checkpoints import read_checkpoint
from det_inception.weights.files import CheckpointError

STEPS = 4  # in an epoch


@MODELS.register_module()
class Slope(BaseModel):
    """Two groups of weights; its loss and gradient are no numbers where the input is none."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, inputs, mode='tensor'):
        return dict(loss=self.layer(torch.stack(inputs)).mean())


@DATASETS.register_module()
class Ones(torch.utils.data.Dataset):
    metainfo = dict(classes=('one',))

    def __init__(self, bad=()):
        self.bad = bad

    def __len__(self):
        return STEPS

    def __getitem__(self, index):
        return dict(inputs=torch.full((2,), float('nan') if index in self.bad else 1.0))


@HOOKS.register_module()
class KeepRates(Hook):
    """Notes the learning rate of each step, spoils the weights after one, or undoes those that are none."""

    priority = 'HIGHEST'
    rates: list[float] = []

    def __init__(self, spoil=None, undo=False):
        self.spoil, self.undo = spoil, undo

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.rates.append(runner.optim_wrapper.param_groups[0]['lr'])

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == self.spoil:
            runner.model.layer.weight.data[0, 1] = float('inf')
        if self.undo:  # As a loss scaler does.
            runner.optim_wrapper.optimizer.state.clear()
            for weight in runner.model.parameters():
                weight.data.nan_to_num_()


SCHEDULE = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=3),
    dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True),
    dict(type='ExponentialLR', gamma=0.9, by_epoch=True),
]


def train(folder, epochs=2, resume=None, schedule=SCHEDULE, bad=(), spoil=None, undo=False, **optimizer):
    """Returns the learning rates of the steps."""
    data, sampler = dict(type='Ones', bad=bad), dict(type='DefaultSampler', shuffle=False)
    loader = dict(batch_size=1, num_workers=0, dataset=data, sampler=sampler)
    optimizer = optimizer if 'type' in optimizer else dict(dict(type='SGD', lr=0.1, momentum=0.9), **optimizer)
    config = dict(
        model=dict(type='Slope'),
        work_dir=str(folder),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=optimizer, paramwise_cfg=dict(custom_keys={'layer.bias': dict(lr_mult=10)})),
        param_scheduler=schedule,
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1),
            divergence=dict(type='StopOnDivergenceHook', patience=2),
            resume_settings=dict(type='ResumeSettingsHook'),
        ),
        custom_hooks=[dict(type='KeepRates', spoil=spoil, undo=undo)],
        default_scope='mmdet',
        load_from=resume,
        resume=resume is not None,
        experiment_name=str(folder),
    )  # fmt: skip
    KeepRates.rates = []
    Runner.from_cfg(Config(config)).train()
    return KeepRates.rates


def test_a_resumed_training_with_the_same_settings_is_the_same(tmp_path):
    whole = train(tmp_path / 'whole', 3)
    resumed = train(tmp_path / 'resumed', 3, str(tmp_path / 'whole/epoch_2.pth'))
    assert resumed == pytest.approx(whole[2 * STEPS :], rel=1e-12)
    one, other = (read_checkpoint(tmp_path / name / 'epoch_3.pth')['state_dict'] for name in ('whole', 'resumed'))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize('schedule', [SCHEDULE, SCHEDULE[1:2], []])
@pytest.mark.parametrize('changes', [dict(epochs=4), dict(lr=0.001), dict(epochs=5, lr=0.2)])
def test_another_length_or_rate_takes_effect(changes, schedule, tmp_path):
    train(tmp_path / 'first', schedule=schedule)
    changes = dict(dict(epochs=2), schedule=schedule) | changes
    expected = train(tmp_path / 'fresh', **changes)
    assert train(tmp_path / 'resumed', resume=str(tmp_path / 'first/epoch_1.pth'), **changes) == pytest.approx(
        expected[STEPS:], rel=1e-9
    )


def test_it_is_said_what_takes_effect(tmp_path, capfd):
    train(tmp_path / 'first')
    checkpoint = str(tmp_path / 'first/epoch_2.pth')
    capfd.readouterr()
    train(tmp_path / 'same', 2, checkpoint)
    said = capfd.readouterr()
    assert 'epoch_2.pth: the training is complete; set a larger max_epochs' in said.out + said.err
    train(tmp_path / 'other', 4, checkpoint, lr=0.05, weight_decay=0.1)
    said = capfd.readouterr()
    assert (
        'epoch_2.pth: was trained with other settings (lr 0.1 instead of 0.05, weight_decay 0 instead of 0.1, the '
        'schedule); from here on, those of the config hold.'
    ) in said.out + said.err


def test_another_optimizer_is_refused(tmp_path):
    train(tmp_path / 'first')
    with pytest.raises(CheckpointError, match=r'epoch_2\.pth: was trained by another optimizer, .* load_from='):
        train(tmp_path / 'other', 3, str(tmp_path / 'first/epoch_2.pth'), type='AdamW', lr=0.1)


def test_a_loss_that_is_no_number_ends_the_training(tmp_path):
    train(tmp_path / 'first', 1)
    checkpoint = str(tmp_path / 'first/epoch_1.pth')
    with pytest.raises(InputError) as caught:
        train(tmp_path / 'lost', 9, checkpoint, bad=[2], lr=0.25)
    assert re.search(
        r'lost: the loss is nan after step 7 \(epoch 2\), so the weights are lost; go on from the last sound '
        rf'checkpoint with --resume {checkpoint} and a smaller learning rate than 0\.25 \(optim_wrapper\.optimi',
        str(caught.value),
    )
    assert not list((tmp_path / 'lost').glob('*.pth'))
    with pytest.raises(InputError, match='after step 3 .* lost; begin anew with a smaller learning rate'):
        train(tmp_path / 'new', 9, bad=[2])


def test_a_lost_loss_is_named_without_a_warning_of_pytorch(tmp_path):
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)  # Else PyTorch says it once a process.
    try:
        with warnings.catch_warnings(), pytest.raises(InputError, match='the loss is nan'):
            warnings.filterwarnings('error', message='Converting a tensor with requires_grad=True')
            train(tmp_path, 9, bad=[2])
    finally:
        torch.set_warn_always(before)


def test_lost_weights_never_become_a_checkpoint(tmp_path):
    """Those of the last step before it is written, whose loss was sound."""
    with pytest.raises(InputError, match=r'some weights are no numbers after step 8 .*--resume \S*epoch_1\.pth'):
        train(tmp_path, 3, spoil=2 * STEPS - 1)
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_1.pth']


def test_a_step_that_mixed_precision_leaves_out_is_none_lost(tmp_path):
    assert len(train(tmp_path / 'one', 3, bad=[2], undo=True)) == 3 * STEPS
    with pytest.raises(InputError, match='the loss is nan after step 3'):
        train(tmp_path / 'two', 3, bad=[1, 2], undo=True)
