"""A training of a second: one layer, four samples, a score that grows."""

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch import nn

from det_inception.engine.runner import Runner
from det_inception.registry import DATASETS, METRICS, MODELS


@MODELS.register_module()
class OneLayer(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, inputs, mode='tensor'):
        loss = self.layer(torch.stack(inputs)).mean()
        return dict(loss=loss) if mode == 'loss' else [loss]


@DATASETS.register_module()
class Twos(torch.utils.data.Dataset):
    metainfo = dict(classes=('two',))

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(inputs=torch.full((2,), 2.0))


@METRICS.register_module()
class Growing(BaseMetric):
    """Better in every epoch, or as ``scores`` say."""

    epochs = 0
    scores: list[float] = []

    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        Growing.epochs += 1
        return dict(acc=Growing.scores.pop(0) if Growing.scores else float(Growing.epochs))


def runner_of(folder, epochs=1, load_from=None, custom_hooks=(), **checkpoint):
    """A runner of two steps an epoch; ``checkpoint`` are settings of its checkpoint hook."""
    loader = dict(
        batch_size=2, num_workers=0, dataset=dict(type='Twos'), sampler=dict(type='DefaultSampler', shuffle=False)
    )
    return Runner.from_cfg(
        Config(
            dict(
                model=dict(type='OneLayer'),
                work_dir=str(folder),
                train_dataloader=loader,
                val_dataloader=loader,
                train_cfg=dict(by_epoch=True, max_epochs=epochs),
                val_cfg=dict(),
                val_evaluator=dict(type='Growing'),
                optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
                param_scheduler=[dict(type='ConstantLR', factor=1.0)],
                default_hooks=dict(checkpoint=dict(dict(type='CheckpointHook', interval=1), **checkpoint)),
                custom_hooks=list(custom_hooks),
                default_scope='mmdet',
                load_from=load_from,
                resume=load_from is not None,
                log_level='ERROR',
                experiment_name=str(folder),
            )
        )
    )
