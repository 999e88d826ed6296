"""What label smoothing, auxiliary classifiers, batch norm and residual connections bring early in a training.

    python tools/make_mini.py data/mini --objects data/mini_objects
    python benchmarks/classifier_recipes.py --work-dir work_dirs/recipes --out recipes.png

Trains small classifiers on the objects of the mini set with each of several recipes and seeds, prints a table and draws
the curves. All runs of a network see equally many images. A run that is complete is not repeated, and --draw-only uses
those that there are. --data-root takes other images in ImageNet's layout. --voc cuts the objects out of Pascal VOC's
train and val, up to so many a class; they need far more epochs.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from torch import nn

from det_inception.config.loading import load_config
from det_inception.engine.train import train
from det_inception.evaluation.analysis.training_curves import read_scalars, save_curves
from det_inception.evaluation.metrics.samples import to_array
from det_inception.formats.voc import VOC
from det_inception.models.backbones.googlenet import INCEPTION, VARIANTS, GoogLeNet, Inception, InceptionWidths
from det_inception.registry import METRICS, MODELS
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_image, write_text
from det_inception.utils.images import read_image

CONFIG = Path(__file__).resolve().parent.parent / 'configs/googlenet_imagenet_mini.py'
SIZE = 48
"""Of the crops; auxiliary classifiers need 47."""
CONTEXT, LEAST_SIDE, STORED_SIDE = 0.15, 24, 96
FINISHED = 'measured.json'
GOOGLENET, DEEP = 'GoogLeNet, a quarter as wide', 'the same with 18 modules'
KINDS = {
    'batch_norm': (GOOGLENET, 'batch norm'),
    'smoothing': (GOOGLENET, 'batch norm, labels smoothed by 0.1'),
    'auxiliary_v1': (GOOGLENET, 'batch norm, auxiliary classifiers of v1'),
    'auxiliary_v3': (GOOGLENET, 'batch norm, auxiliary classifiers of v3'),
    'plain': (GOOGLENET, 'LRN and biases'),
    'plain_auxiliary': (GOOGLENET, 'LRN and biases, auxiliary classifiers of v1'),
    'residual': (DEEP, 'batch norm, residual connections'),
    'no_residual': (DEEP, 'batch norm, no residual connections'),
}


@METRICS.register_module()
class CrossEntropyMetric(BaseMetric):
    """The mean of -log of the score of the true class, in nats."""

    default_prefix = 'imagenet'

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            self.results.append(-float(np.log(max(to_array(sample['pred_score'])[int(sample['gt_label'])], 1e-12))))

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        return dict(cross_entropy=float(np.mean(results)))


class Block(nn.Module):
    """A block of Inception-ResNet: an inception module and a linear 1x1 convolution, added to what they were given."""

    def __init__(self, channels: int, widths: InceptionWidths, added: bool) -> None:
        super().__init__()
        self.inception = Inception(channels, widths, VARIANTS['batch_norm'])
        self.expand, self.added = nn.Conv2d(widths.out, channels, 1), added

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        said = self.expand(self.inception(x))
        return nn.functional.relu(x + 0.2 * said if self.added else said)


@MODELS.register_module()
class DeepGoogLeNet(GoogLeNet):
    """GoogLeNet with such a block behind every module; or, if not ``added``, the same layers without the sums."""

    def __init__(self, added: bool, **kwargs) -> None:
        super().__init__(**kwargs)
        for name, widths in INCEPTION.items():
            widths = widths.scaled(self.width)
            module = getattr(self, f'inception{name}')
            setattr(self, f'inception{name}', nn.Sequential(module, Block(widths.out, widths, added)))


def cut_objects(root: Path, out: Path, most: int) -> None:
    """Writes up to ``most`` objects a class of VOC's train, and half as many of val, as images in class folders."""

    def refuse(message: str) -> None:
        raise InputError(message)

    for split, limit in (('train', most), ('val', most // 2)):
        counts: Counter[str] = Counter()
        names = (root / f'ImageSets/Main/{split}.txt').read_text().split()
        for name in np.random.default_rng(2014).permutation(names):
            image = None
            for number, thing in enumerate(VOC().read_annotation(root / f'Annotations/{name}.xml', refuse).objects):
                x1, y1, x2, y2 = thing.box
                if thing.difficult or min(x2 - x1, y2 - y1) < LEAST_SIDE or counts[thing.name] == limit:
                    continue
                counts[thing.name] += 1
                image = read_image(root / f'JPEGImages/{name}.jpg') if image is None else image
                dx, dy = CONTEXT * (x2 - x1), CONTEXT * (y2 - y1)
                cut = image[max(int(y1 - dy), 0) : int(y2 + dy), max(int(x1 - dx), 0) : int(x2 + dx)]
                scale = STORED_SIDE / min(cut.shape[:2])
                if scale < 1:
                    cut = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
                path = out / split / thing.name / f'{name}_{number}.jpg'
                path.parent.mkdir(parents=True, exist_ok=True)
                write_image(path, cut)
        print(f'{out / split}: {sum(counts.values())} objects of {len(counts)} classes', flush=True)


def recipe(kind: str, seed: int, data_root: Path | None, epochs: int) -> Config:
    """Returns the config of one run."""
    options = {'randomness.seed': seed, 'max_epochs': epochs}
    cfg = load_config(CONFIG, options=options, data_root=data_root)
    cfg.custom_hooks = [dict(type='BackboneNormalizationHook')]
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.pipeline[1].size = SIZE
    cfg.train_dataloader.batch_size = 32
    cfg.param_scheduler = [
        dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=30),
        dict(type='PolyLR', power=1.0, eta_min=0.0, by_epoch=False, begin=30),
    ]
    cfg.val_evaluator = [cfg.val_evaluator, dict(type='CrossEntropyMetric')]
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=epochs, max_keep_ckpts=1)
    cfg.default_hooks.logger.interval = 10
    cfg.log_level = 'WARNING'
    model = cfg.model
    model.backbone.update(width=0.25, variant='paper' if kind.startswith('plain') else 'batch_norm')
    model.auxiliary = None
    if 'auxiliary' in kind:
        model.auxiliary = dict(crop_size=SIZE, kind='v3' if kind.endswith('v3') else 'v1')
    if kind == 'smoothing':
        model.label_smoothing = 0.1
    if KINDS[kind][0] == DEEP:
        model.backbone.update(type='DeepGoogLeNet', added=kind == 'residual')
    return cfg


def run(kind: str, seed: int, data_root: Path | None, epochs: int, work_dir: Path) -> None:
    """Trains once, in this process, and notes losses and scores."""
    if work_dir.exists():  # Of a run that was interrupted.
        shutil.rmtree(work_dir)
    cfg = recipe(kind, seed, data_root, epochs)
    cfg.work_dir = str(work_dir)
    runner = train(cfg, report=False)
    batch, steps = runner.train_dataloader.batch_size, len(runner.train_dataloader)
    losses, scores = [], []
    for entry in read_scalars(work_dir):
        if 'loss_cls' in entry:
            losses.append((entry['step'] * batch, entry['loss_cls']))
        elif 'imagenet/top1_accuracy' in entry:
            seen = entry['step'] * steps * batch
            scores.append((seen, entry['imagenet/top1_accuracy'], entry['imagenet/cross_entropy']))
    write_text(work_dir / FINISHED, json.dumps(dict(losses=losses, scores=scores)) + '\n')
    for path in work_dir.glob('*.pth'):
        path.unlink()


def summarize(runs: dict[tuple[str, int], Path], out: Path) -> None:
    """Prints the table of the complete runs, draws their curves, and says which are missing."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 8), dpi=90, layout='constrained')
    axes = dict(zip((GOOGLENET, DEEP), figure.subplots(2, 2)))
    print('| network | recipe | seeds | images seen | top-1 halfway | top-1 | cross entropy |\n' + '| --- ' * 7 + '|')
    for number, (kind, (network, words)) in enumerate(KINDS.items()):
        found = [
            json.loads((path / FINISHED).read_text())
            for (name, _), path in runs.items()
            if name == kind and (path / FINISHED).exists()
        ]
        if not found:
            continue
        losses, accuracies = axes[network]
        for ax, values in (
            (losses, np.array([one['losses'] for one in found])),
            (accuracies, np.array([one['scores'] for one in found])),
        ):
            seen, middle = values[0, :, 0], values[:, :, 1]
            ax.plot(seen, middle.mean(0), f'C{number}', label=words if ax is accuracies else None)
            ax.fill_between(seen, middle.min(0), middle.max(0), color=f'C{number}', alpha=0.15)
        spread = [
            f'{part.mean():.3f} ± {part.std(ddof=min(1, len(part) - 1)):.3f}'
            for part in (values[:, (values.shape[1] - 1) // 2, 1], *values[:, -1, 1:].T)
        ]
        print(f'| {network} | {words} | {len(found)} | {int(seen[-1])} | {" | ".join(spread)} |')
    for network, (losses, accuracies) in axes.items():
        losses.set(title=network, xlabel='images seen', ylabel='training loss of the main classifier')
        accuracies.set(title='validation', xlabel='images seen', ylabel='top-1 accuracy', ylim=(0, None))
        if accuracies.lines:
            accuracies.legend(loc='center left', bbox_to_anchor=(1, 0.5), frameon=False)  # Of both plots beside it.
    save_curves(figure, out)
    missing = [f'{kind} {seed}' for (kind, seed), path in runs.items() if not (path / FINISHED).exists()]
    print(f'\n{out}' + (f'; without the runs {", ".join(missing)}' if missing else ''))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--data-root', type=Path, metavar='DIR', help='with train/CLASS and val/CLASS; default: the mini set'
    )
    parser.add_argument('--voc', type=Path, metavar='DIR', help='Pascal VOC, to cut objects out of')
    parser.add_argument('--per-class', type=int, default=100, help='training objects a class of --voc at most')
    parser.add_argument('--epochs', type=int, default=4)
    parser.add_argument('--seeds', type=int, nargs='+', default=[2014, 2015, 2016])
    parser.add_argument('--kinds', nargs='+', choices=KINDS, default=list(KINDS))
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/recipes'), metavar='DIR')
    parser.add_argument('--out', type=Path, default=Path('recipes.png'), metavar='FILE.png')
    parser.add_argument('--draw-only', action='store_true', help='train nothing; use the runs that are complete')
    args = parser.parse_args()
    torch.set_num_threads(1)
    runs = {(kind, seed): args.work_dir / f'{kind}_{seed}' for seed in args.seeds for kind in args.kinds}
    data_root = args.data_root
    if args.voc:
        data_root = args.work_dir / 'objects'
        if not args.draw_only and not data_root.exists():
            beside = args.work_dir / 'objects_unfinished'
            cut_objects(args.voc, beside, args.per_class)
            beside.rename(data_root)
    for (kind, seed), path in runs.items():
        if not args.draw_only and not (path / FINISHED).exists():
            print(f'{path}', flush=True)
            run(kind, seed, data_root, args.epochs, path)
    summarize(runs, args.out)


if __name__ == '__main__':
    main()
