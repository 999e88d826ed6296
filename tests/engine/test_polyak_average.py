"""The plain mean of weights, with batch-norm statistics that belong to it."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.model import BaseDataPreprocessor, BaseModel
from torch import nn

from det_inception.engine import PolyakAverageHook
from det_inception.engine.hooks.polyak_average import recompute_statistics
from det_inception.engine.runner import build_runner
from det_inception.registry import DATASETS, MODELS
from det_inception.utils.errors import InputError


@DATASETS.register_module()
class EightVectors(BaseDataset):
    """Eight vectors of two numbers each."""

    def load_data_list(self):
        return [dict(inputs=torch.randn(2, generator=torch.Generator().manual_seed(number))) for number in range(8)]


@MODELS.register_module()
class StackVectors(BaseDataPreprocessor):
    """Makes one tensor of a batch."""

    def forward(self, data, training=False):
        return dict(inputs=torch.stack(self.cast_data(data)['inputs']))


@MODELS.register_module()
class NormedLayers(BaseModel):
    """A layer, and a batch norm behind it; one that is frozen, and one that is not used."""

    def __init__(self):
        super().__init__(data_preprocessor=dict(type='StackVectors'))
        self.layer, self.norm = nn.Linear(2, 3), nn.BatchNorm1d(3)
        self.frozen, self.unused = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
        nn.init.constant_(self.frozen.running_mean, 0.25)
        nn.init.constant_(self.unused.running_mean, 0.75)

    def train(self, mode=True):
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, inputs, mode='tensor', **_):
        outputs = self.frozen(self.norm(self.layer(inputs)))
        return outputs if mode == 'tensor' else dict(loss=(outputs - inputs.sum(1, keepdim=True)).abs().mean())


def expected_statistics(model, vectors):
    seen = torch.nn.functional.linear(vectors, model['layer.weight'], model['layer.bias'])
    batches = seen.split(4)
    return seen.mean(0), torch.stack([batch.var(0) for batch in batches]).mean(0)


def test_checkpoints_have_the_average_and_its_statistics(tmp_path):
    settings = dict(type='EightVectors', pipeline=[])
    cfg = Config(
        dict(
            model=dict(type='NormedLayers'),
            train_dataloader=dict(batch_size=4, num_workers=0, dataset=settings, sampler=dict(type='DefaultSampler')),
            train_cfg=dict(by_epoch=True, max_epochs=3),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.5)),
            custom_hooks=[dict(type='PolyakAverageHook', begin_epoch=2)],
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
            randomness=dict(seed=1),
            work_dir=str(tmp_path),
            default_scope='mmdet',
        ),
        cfg_text='# none',
        filename='config.py',
    )
    steps = []
    runner = build_runner(cfg)
    after = runner.model.train_step

    def train_step(*arguments, **options):
        found = after(*arguments, **options)
        steps.append(runner.model.layer.weight.detach().cpu().clone())
        return found

    runner.model.train_step = train_step
    runner.train()
    vectors = torch.stack([item['inputs'] for item in EightVectors(pipeline=[])])
    saved = torch.load(tmp_path / 'epoch_3.pth', 'cpu', weights_only=False)['state_dict']
    torch.testing.assert_close(saved['layer.weight'], torch.stack(steps[2:]).mean(0))
    mean, _ = expected_statistics(saved, vectors)
    torch.testing.assert_close(saved['norm.running_mean'], mean)
    assert saved['frozen.running_mean'].tolist() == [0.25] * 3 and saved['unused.running_mean'].tolist() == [0.75] * 3
    first = torch.load(tmp_path / 'epoch_1.pth', 'cpu', weights_only=False)['state_dict']
    torch.testing.assert_close(first['layer.weight'], steps[1])  # Before it begins, the last weights.
    assert not torch.allclose(first['norm.running_mean'], expected_statistics(first, vectors)[0], atol=1e-3)


def test_statistics_are_the_mean_of_the_batches_and_the_mode_stays():
    torch.manual_seed(0)
    model = NormedLayers().eval()
    vectors = torch.randn(8, 2)
    recompute_statistics(model, vectors.split(4))
    mean, variance = expected_statistics(model.state_dict(), vectors)
    torch.testing.assert_close(model.norm.running_mean, mean)
    torch.testing.assert_close(model.norm.running_var, variance)
    assert not model.training and model.norm.momentum == 0.1


@pytest.mark.parametrize(
    ('settings', 'message'),
    [(dict(batches=0), 'batches=0; set at least 1'), (dict(update_buffers=False), 'leave update_buffers=False out')],
)
def test_settings_that_contradict_it_are_refused(settings, message):
    PolyakAverageHook(update_buffers=True)
    with pytest.raises(InputError, match=message):
        PolyakAverageHook(**settings)
