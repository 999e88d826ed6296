"""Measures what a training step costs beside the bare forward and backward pass of its crops.

    python benchmarks/training_step.py configs/googlenet_rcnn_voc.py --data-root my_voc --amp

A step is all of it: waiting for images and proposals, assigning, sampling, warping, both passes, clipping, the
optimizer, the hooks. The bare passes are those of backbone and head on the crops that these steps had, in the same
precision, with the head's own losses. Both are measured in turns in one run: so many steps, then their crops once
more. The steps right behind a turn are left out, since for them the workers had time to read ahead. Proposals come
from the cache or a store as in every epoch but the first; --cold measures the first one.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile

import torch
from clock import now
from mmengine.config import DictAction
from mmengine.hooks import Hook
from mmengine.runner import Runner

from det_inception.config.loading import load_config
from det_inception.engine.runner import apply_amp
from det_inception.models import RCNN
from det_inception.registry import HOOKS
from det_inception.utils.allocator import keep_freed_memory

LEFT_OUT = 5


@HOOKS.register_module()
class Turns(Hook):
    """Times steps, and between turns the bare passes of their crops."""

    def __init__(self, steps: int) -> None:
        self.steps, self.crops, self.targets = steps, [], []
        self.whole: list[float] = []
        self.bare: list[float] = []
        self.waited: list[float] = []
        self.ratios: list[float] = []

    def before_train(self, runner: Runner) -> None:
        model: RCNN = runner.model
        head = model.bbox_head

        def classify(crops, original=model.classify_regions):
            self.crops.append(crops)
            return original(crops)

        def losses(*arguments, original=head.loss_and_target, **keywords):
            self.targets.append((arguments[2:], keywords))
            return original(*arguments, **keywords)

        model.classify_regions, head.loss_and_target = classify, losses
        self.last = now()
        self.turn: list[tuple[float, float]] = []

    def before_train_iter(self, runner: Runner, *_, **__) -> None:
        self.began = now()

    def after_train_iter(self, runner: Runner, *_, **__) -> None:
        time_now = now()
        self.turn.append((time_now - self.last, self.began - self.last))
        if len(self.turn) == LEFT_OUT + self.steps:
            self._bare(runner)
        self.last = now()

    def _bare(self, runner: Runner) -> None:
        model: RCNN = runner.model
        crops, targets = list(self.crops[LEFT_OUT:]), list(self.targets[LEFT_OUT:])
        own = []
        for images, (arguments, keywords) in zip(crops, targets):
            start = now()
            with runner.optim_wrapper.optim_context(model):
                answer = model.bbox_head(model.backbone(images)[-1])
                losses = type(model.bbox_head).loss_and_target(model.bbox_head, *answer, *arguments, **keywords)
            sum(value for name, value in losses['loss_bbox'].items() if 'loss' in name).backward()
            own.append(now() - start)
            model.zero_grad()
        whole = [seconds for seconds, _ in self.turn[LEFT_OUT:]]
        self.whole += whole
        self.waited += [seconds for _, seconds in self.turn[LEFT_OUT:]]
        self.bare += own
        self.ratios.append(sum(whole) / sum(own))
        self.crops.clear(), self.targets.clear(), self.turn.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--data-root', metavar='DIR')
    parser.add_argument('--weights', metavar='FILE')
    parser.add_argument('--amp', action='store_true')
    parser.add_argument('--turns', type=int, default=3, help='default: %(default)s')
    parser.add_argument('--steps', type=int, default=8, help='timed steps of a turn (default: %(default)s)')
    parser.add_argument('--cold', action='store_true', help='every image is new: proposals are computed')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args()
    options = dict(args.cfg_options)
    if args.cold:
        options['proposals.cache_dir'] = ''
    cfg = load_config(args.config, options=options, data_root=args.data_root, weights=args.weights)
    if args.amp:
        apply_amp(cfg)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        cfg.update(work_dir=folder, log_level='WARNING', custom_hooks=[dict(type='Turns', steps=args.steps)])
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=args.turns * (LEFT_OUT + args.steps))
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.param_scheduler = None
        cfg.default_hooks.checkpoint = None
        cfg.log_processor = dict(by_epoch=False)
        if not args.cold:
            _fill_cache(cfg)
        runner = Runner.from_cfg(cfg)
        turns = next(hook for hook in runner.hooks if isinstance(hook, Turns))
        runner.train()
    print(
        f'{len(turns.whole)} steps, {torch.get_num_threads()} threads, '
        + ('mixed precision' if args.amp else 'float32')
    )
    print(f'step            {statistics.median(turns.whole):.3f} s, of it waiting for data '
          f'{statistics.median(turns.waited):.3f} s')  # fmt: skip
    print(f'bare passes     {statistics.median(turns.bare):.3f} s')
    print(f'ratio           {statistics.median(turns.ratios):.3f} (turns: '
          f'{", ".join(f"{ratio:.3f}" for ratio in turns.ratios)})')  # fmt: skip


def _fill_cache(cfg) -> None:
    """Computes the proposals of all training images, as the first epoch does."""
    from det_inception.registry import DATASETS

    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    for index in range(len(dataset)):
        dataset[index]


if __name__ == '__main__':
    main()
