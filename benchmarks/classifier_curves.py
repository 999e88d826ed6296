"""What auxiliary classifiers and Polyak averaging bring on the objects of the mini set; draws the curves.

    python tools/make_mini.py data/mini --objects data/mini_objects
    python benchmarks/classifier_curves.py --seeds 2014 2015 2016 --work-dir work_dirs/curves --out curves.png

Trains configs/googlenet_imagenet_mini.py with and without auxiliary classifiers, each with every seed; runs that are
complete are not repeated, and --draw-only draws those that there are. Averaging does not change how the weights move,
so one run shows both: behind every validation, which measures the average, the last weights are measured too, and an
exponential moving average that began in the same epoch.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.model import ExponentialMovingAverage
from mmengine.runner import Runner
from torch import nn

from det_inception.config.loading import load_config
from det_inception.engine.runner import apply_amp
from det_inception.engine.train import train
from det_inception.evaluation.analysis.training_curves import read_scalars, save_curves
from det_inception.registry import HOOKS

CONFIG = Path(__file__).resolve().parent.parent / 'configs/googlenet_imagenet_mini.py'
KINDS = {'auxiliary': 'with auxiliary classifiers', 'plain': 'without'}
WEIGHTS = {'last': 'last weights', 'mean': 'Polyak average', 'moving': 'moving average'}
FINISHED = 'accuracy.json'


@HOOKS.register_module()
class MeasureOtherWeights(Hook):
    """Measures, next to the average that MMEngine validates, the last weights and a moving average."""

    priority = 'LOWEST'  # Behind EMAHook, which has put the last weights back by then.

    def __init__(self, begin_epoch: int, momentum: float = 0.002) -> None:
        self.begin_epoch, self.momentum = begin_epoch, momentum
        self.moving: ExponentialMovingAverage | None = None
        self.found: list[dict[str, float]] = []

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        if runner.epoch + 1 >= self.begin_epoch:
            if self.moving is None:
                self.moving = ExponentialMovingAverage(runner.model, self.momentum, update_buffers=True)
            self.moving.update_parameters(runner.model)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        last = accuracy(runner, runner.model)
        moving = last if self.moving is None else accuracy(runner, self.moving.module)
        self.found.append(dict(last=last, mean=metrics['imagenet/top1_accuracy'], moving=moving))

    def after_train(self, runner: Runner) -> None:
        Path(runner.work_dir, FINISHED).write_text(json.dumps(self.found) + '\n')


@torch.no_grad()
def accuracy(runner: Runner, model: nn.Module) -> float:
    """Top-1 accuracy on the validation images."""
    training = model.training
    model.eval()
    samples = [sample for batch in runner.val_dataloader for sample in model.val_step(batch)]
    model.train(training)
    return float(np.mean([int(sample.pred_label) == int(sample.gt_label) for sample in samples]))


def run(kind: str, seed: int, work_dir: Path, data_root: str | None, amp: bool) -> None:
    """Trains once, in this process."""
    cfg = load_config(CONFIG, options={'randomness.seed': seed}, data_root=data_root)
    if kind == 'plain':
        cfg.model.auxiliary = None
    cfg.work_dir = str(work_dir)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 1
    (averaging,) = cfg.custom_hooks
    cfg.custom_hooks.append(dict(type='MeasureOtherWeights', begin_epoch=averaging.begin_epoch))
    if amp:
        apply_amp(cfg)
    torch.set_num_threads(1)
    train(cfg)


def draw(runs: dict[tuple[str, int], Path], out: Path) -> None:
    """Draws every run that is complete, prints their last accuracies, and says which are missing."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), dpi=90, layout='constrained')
    losses, scores = figure.subplots(1, 2)
    for kind, color in zip(KINDS, ('C0', 'C1')):
        done = {seed: path for (name, seed), path in runs.items() if name == kind and (path / FINISHED).exists()}
        accuracies = {seed: json.loads((path / FINISHED).read_text()) for seed, path in done.items()}
        for number, (seed, path) in enumerate(done.items()):
            points = [(e['epoch'], e['loss_cls']) for e in read_scalars(path) if 'loss_cls' in e]
            epochs = sorted({epoch for epoch, _ in points})
            means = [np.mean([loss for epoch, loss in points if epoch == wanted]) for wanted in epochs]
            losses.plot(epochs, means, color, alpha=0.8, linewidth=1.2, label=None if number else KINDS[kind])
            for weights, line in (('last', ':'), ('mean', '-')):
                scores.plot(
                    range(1, len(accuracies[seed]) + 1),
                    [entry[weights] for entry in accuracies[seed]],
                    color + line,
                    alpha=0.8,
                    linewidth=1.2,
                    label=None if number else f'{KINDS[kind]}, {WEIGHTS[weights]}',
                )
        for weights, words in WEIGHTS.items():
            ends = [values[-1][weights] for values in accuracies.values()]
            if ends:
                each = ' '.join(f'{end:.3f}' for end in ends)
                print(f'{KINDS[kind]}, {words}: {np.mean(ends):.3f} (seeds {" ".join(map(str, done))}: {each})')
    losses.set(xlabel='epoch', ylabel='cross entropy of the main classifier', title='Training loss', ylim=(0, None))
    scores.set(xlabel='epoch', ylabel='top-1 accuracy', title='Validation', ylim=(0, 1))
    save_curves(figure, out)
    missing = [f'{kind} {seed}' for (kind, seed), path in runs.items() if not (path / FINISHED).exists()]
    print(f'{out}' + (f'; without the runs {", ".join(missing)}' if missing else ''))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', type=int, nargs='+', default=[2014, 2015, 2016])
    parser.add_argument('--data-root', metavar='DIR')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/curves'), metavar='DIR')
    parser.add_argument('--amp', action='store_true', help='bfloat16')
    parser.add_argument('--out', type=Path, default=Path('curves.png'), metavar='FILE.png')
    parser.add_argument('--draw-only', action='store_true', help='train nothing; draw the runs that are complete')
    parser.add_argument('--run', choices=KINDS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    runs = {(kind, seed): args.work_dir / f'{kind}_{seed}' for seed in args.seeds for kind in KINDS}
    if args.run:
        run(args.run, args.seeds[0], runs[args.run, args.seeds[0]], args.data_root, args.amp)
        return
    for (kind, seed), path in runs.items():
        if not args.draw_only and not (path / FINISHED).exists():
            print(f'{path}', flush=True)
            words = [sys.executable, __file__, '--run', kind, '--seeds', str(seed), '--work-dir', str(args.work_dir)]
            words += ['--data-root', args.data_root] if args.data_root else []
            subprocess.run([*words, *(['--amp'] if args.amp else [])], check=True, stdout=subprocess.DEVNULL)
    draw(runs, args.out)


if __name__ == '__main__':
    main()
