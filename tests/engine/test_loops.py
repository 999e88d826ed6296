"""The loop that resumes at once: it goes on from its step, with other images than at the start."""

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

import det_inception.engine  # noqa: F401  (registers the loop)


class Numbers(torch.utils.data.Dataset):
    metainfo = {}

    def __len__(self):
        return 50

    def get_data_info(self, number):
        return dict(width=3, height=2 if number % 5 else 4)  # Every fifth is upright.

    def __getitem__(self, number):
        return dict(number=float(number))


class Mean(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, number, mode):
        return dict(loss=(self.weight * number.float()).mean())


class Seen(Hook):
    def __init__(self):
        self.numbers = []

    def before_train_iter(self, runner, batch_idx, data_batch):
        self.numbers.append((runner.iter, data_batch['number'].tolist()))


def run(folder, steps, batches=None, **settings):
    seen = Seen()
    loader = dict(batch_size=2, num_workers=0, sampler=dict(type='InfiniteSampler', shuffle=True), dataset=Numbers())
    if batches is not None:
        # A worker fetches batches ahead, which a resumed training leaves.
        loader.update(batch_sampler=dict(type=batches), num_workers=1)
    Runner(
        Mean(),
        str(folder),
        train_dataloader=dict(loader, collate_fn=dict(type='default_collate')),
        train_cfg=dict(type='ReshufflingTrainLoop', max_iters=steps),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=10)),
        custom_hooks=[seen],
        randomness=dict(seed=1),
        experiment_name=f'{folder}_{steps}',  # MMEngine keeps what it logs to by this name and the second.
        **settings,
    ).train()
    return seen.numbers


def test_a_resumed_training_goes_on_with_other_images(tmp_path):
    first = run(tmp_path, 10)
    second = run(tmp_path, 14, resume=True)
    assert [step for step, _ in first + second] == list(range(14))
    assert [batch for _, batch in second] != [batch for _, batch in first[:4]]
    assert second == run(tmp_path / 'again', 14, resume=True, load_from=str(tmp_path / 'iter_10.pth'))


def test_a_resumed_training_sees_images_of_both_orientations(tmp_path):
    kind = 'mmdet.AspectRatioBatchSampler'
    run(tmp_path, 10, kind)
    batches = [batch for _, batch in run(tmp_path, 60, kind, resume=True)]
    assert all(len({number % 5 == 0 for number in batch}) == 1 for batch in batches)
    assert {number for batch in batches for number in batch} == set(range(50))
