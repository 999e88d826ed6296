"""A training of one weight, whose data may end the process that reads them."""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch import nn

import det_inception.engine  # noqa: F401  (registers the hooks)
from det_inception.registry import DATASETS, METRICS, MODELS

_number = itertools.count()  # MMEngine keeps loggers by their names, also of runs that were within a second.


@MODELS.register_module()
class OneWeight(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, inputs, mode='tensor'):
        return dict(loss=(self.weight * torch.stack(inputs)).mean()) if mode == 'loss' else [0] * len(inputs)


@DATASETS.register_module()
class Deadly(torch.utils.data.Dataset):
    """Numbers, at one of which the process that reads it is killed."""

    metainfo = dict(classes=('one',))

    def __init__(self, deadly=None, rank=None):
        self.deadly, self.rank = deadly, rank

    def __len__(self):
        return 8

    def __getitem__(self, index):
        if index == self.deadly and self.rank in (None, os.environ.get('RANK')):
            os.kill(os.getpid(), signal.SIGKILL)
        return dict(inputs=torch.full((1,), float(index)))


@METRICS.register_module()
class Counted(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        return dict(count=float(len(results)))


def config(folder: Path, workers: int = 0, epochs: int = 1, **dataset) -> Config:
    loader = dict(
        batch_size=1,
        num_workers=workers,
        dataset=dict(type='Deadly', **dataset),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    return Config(
        dict(
            model=dict(type='OneWeight'),
            work_dir=str(folder),
            train_dataloader=loader,
            test_dataloader=loader,
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            test_cfg=dict(),
            test_evaluator=dict(type='Counted'),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            default_scope='mmdet',
            log_level='ERROR',
            experiment_name=f'{folder}_{next(_number)}',
        )
    )
