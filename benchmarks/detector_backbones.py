"""One detector with each backbone of GoogLeNet's family: size, arithmetic, speed and mAP at one equal short training.

    python benchmarks/detector_backbones.py my_data --backbones googlenet bn_inception inception_v3 --epochs 12
    python benchmarks/detector_backbones.py my_data --weights googlenet=bvlc_googlenet.npz resnet50=timm://
    python benchmarks/detector_backbones.py my_data --backbones googlenet resnet50 --seeds 1 2 3

Trains MMDetection's Fast R-CNN with a feature pyramid on the maps of stride 4, 8, 16 and 32. Data, regions, pyramid,
head, schedule, seed and size of images are the same for all. Those of --backbones start from random numbers, and none
of them is frozen. Those of --weights stay as they are up to the map of stride 4, and their batch norms keep their
statistics. A backbone may be in both lists. With several --seeds, each is trained with each: mAP is the mean, with the
lowest and the highest behind it. Once all are trained, they are timed, in turn on each image.

Writes backbones.md, backbones.png and a folder per training to --work-dir. A call that is repeated leaves out what is
finished, and goes on where a training was ended.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config, ConfigDict
from trainings import once, require_at_least

from det_inception.cli import common as cli
from det_inception.config.loading import load_config
from det_inception.config.options import read_options
from det_inception.engine.console import quiet_console
from det_inception.engine.runner import apply_amp
from det_inception.engine.test import test
from det_inception.engine.train import train
from det_inception.evaluation.analysis.training_curves import save_curves
from det_inception.inference import Detector
from det_inception.models.backbones.graph import network_graph
from det_inception.models.classifiers.family import FAMILY, count_parameters
from det_inception.registry import DATASETS, MODELS
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_text
from det_inception.utils.images import read_image
from det_inception.utils.tables import markdown_table

CONFIGS = Path(__file__).resolve().parent.parent / 'configs'
BASE, PYRAMID = CONFIGS / 'googlenet_fast-rcnn_voc.py', CONFIGS / 'googlenet_cascade-rcnn_voc.py'
STRIDES = (4, 8, 16, 32)
DEFAULT = ('googlenet', 'bn_inception', 'inception_v3', 'inception_resnet_v1', 'xception', 'nin', 'resnet50')
SIDE = 480
"""Multiply-adds are counted for an image of this height and width, in pixels."""
CONFIG = 'config.py'
SPEED, RANDOM = 'images_per_second', 'random'


def detector_config(name: str, pretrained: bool) -> Config:
    """Returns the config: the project's Fast R-CNN, on the pyramid and with the first head of its Cascade R-CNN.

    Args:
        name: Of the backbone, a key of :data:`FAMILY`.
        pretrained: The backbone starts from weights, so its first stages and batch norms stay as they are.

    Raises:
        InputError: The backbone has no maps of these strides.
    """
    cfg, pyramid = Config.fromfile(BASE), Config.fromfile(PYRAMID).model
    backbone = FAMILY[name].backbone
    with torch.device('meta'):
        stages = MODELS.build(backbone).feature_info
    strides = [stage['stride'] for stage in stages]
    if missing := {*STRIDES} - {*strides}:
        raise InputError(f'{name}: has no map of stride {", ".join(map(str, sorted(missing)))}; leave it out.')
    used = [strides.index(stride) for stride in STRIDES]  # The first of them: fc6 and fc7 are behind it.
    frozen = dict(frozen_stages=used[0], norm_eval=True) if pretrained else dict(frozen_stages=-1, norm_eval=False)
    cfg.load_from, model = None, cfg.model
    model.backbone = ConfigDict(backbone, out_indices=tuple(used), **frozen)
    channels = [stages[index]['channels'] for index in used]
    model.neck = ConfigDict(pyramid.neck, in_channels=channels, num_outs=len(used))
    model.data_preprocessor = pyramid.data_preprocessor
    head = dict(bbox_roi_extractor=pyramid.roi_head.bbox_roi_extractor, bbox_head=pyramid.roi_head.bbox_head[0])
    model.roi_head = ConfigDict(type='StandardRoIHead', **head)
    # MMDetection's own head knows no limit for each class.
    model.test_cfg.rcnn = ConfigDict(pyramid.test_cfg.rcnn)
    return cfg


class Start(NamedTuple):
    """What a training begins with.

    Attributes:
        name: Of the backbone, a key of :data:`FAMILY`.
        weights: A file of its weights, or ``timm://``; None: random numbers.
        seed: Of random numbers; None: the config's.
    """

    name: str
    weights: str | None
    seed: int | None = None

    @property
    def folder(self) -> str:
        """The name of the training's folder."""
        name = self.name if self.weights is None else f'{self.name}-pretrained'
        return name if self.seed is None else f'{name}-seed{self.seed}'


def measure(start: Start, args: argparse.Namespace) -> dict:
    """Trains and tests one backbone as far as that is not done, and returns its row.

    Raises:
        InputError: The folder is of a training with other settings.
    """
    folder = args.work_dir / start.folder
    settings = dict(
        epochs=args.epochs,
        weights=start.weights,
        data=str(args.data_root),
        options=args.cfg_options or [],
        amp=args.amp,
    )
    if start.seed is not None:
        settings['seed'] = start.seed
    return once(folder, settings, lambda: train_and_test(start, folder, args))


def options_of(args: argparse.Namespace) -> dict:
    """Returns what the command line says about all configs."""
    return {'max_epochs': args.epochs, 'train_cfg.val_begin': args.epochs + 1, **read_options(args.cfg_options)}


def last_checkpoint(folder: Path, args: argparse.Namespace) -> Path:
    """Returns where the finished training's checkpoint is."""
    return folder / f'epoch_{args.epochs}.pth'


def train_and_test(start: Start, folder: Path, args: argparse.Namespace) -> dict:
    """Trains, goes on where a training was ended, tests, and returns the row."""
    detector_config(start.name, start.weights is not None).dump(folder / CONFIG)

    def load(**how: object) -> Config:
        cfg = load_config(folder / CONFIG, options=options_of(args), data_root=args.data_root, **how)
        cfg.work_dir = str(folder)
        cfg.default_hooks.checkpoint.update(max_keep_ckpts=1, save_best=None)  # Scored once, at the end.
        if start.seed is not None:
            cfg.randomness.seed = start.seed
        if args.amp:
            apply_amp(cfg)
        return cfg

    last = last_checkpoint(folder, args)
    with quiet_console() as console:
        if not last.is_file():
            train(load(weights=start.weights or 'none'), resume=True, console=console, report=False)
        cfg = load(checkpoint=last)
        cfg.work_dir = str(folder / 'test')
        scores = test(cfg, last, console=console)
    with torch.device('meta'):
        detector = MODELS.build(cfg.model)
    return dict(
        network=FAMILY[start.name].title,
        weights=start.weights or RANDOM,
        backbone_parameters=count_parameters(detector.backbone),
        parameters=count_parameters(detector),
        multiply_adds=network_graph(detector.backbone, SIDE).multiply_adds,
        mAP=scores['voc/AP50'],
    )


def images_per_second(folders: Sequence[Path], args: argparse.Namespace) -> list[float]:
    """Times all detectors, in turn on each image, from an image in memory to its boxes.

    Returns:
        To each folder, the rate of the median time over images of the validation part.
    """
    detectors, times = [], [[] for _ in folders]
    for folder in folders:
        detectors.append(Detector(folder / CONFIG, last_checkpoint(folder, args), options=options_of(args)))
    cfg = load_config(folders[0] / CONFIG, options=options_of(args), data_root=args.data_root)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    for index in range(min(args.images + 1, len(dataset))):
        path = dataset.get_data_info(index)['img_path']
        image = read_image(path)
        for detector, measured in zip(detectors, times, strict=True):
            start = time.perf_counter()
            detector.detect(image, path)
            measured.append(time.perf_counter() - start)
    return [1 / statistics.median(measured[1:] or measured) for measured in times]  # The first warms up.


def table(rows: list[dict]) -> str:
    """Returns the rows as a table."""
    heads = ['backbone', 'weights', 'backbone', 'detector', 'multiply-adds', 'images/s', 'mAP']
    lines = [
        [
            *(row['network'], row['weights'].rpartition('/')[2] or row['weights']),
            *(f'{row[key] / 1e6:.1f} M' for key in ('backbone_parameters', 'parameters')),
            f'{row["multiply_adds"] / 1e9:.2f} G',
            f'{row[SPEED]:.2f}' if SPEED in row else '-',  # Timed when all are trained.
            spread(row['mAPs']),
        ]
        for row in rows
    ]
    return markdown_table([heads, *lines], numbers_from=2)


def spread(values: Sequence[float]) -> str:
    """Returns the mean, and of several values the lowest and the highest too."""
    mean = f'{statistics.mean(values):.3f}'
    return mean if len(values) == 1 else f'{mean} ({min(values):.3f} to {max(values):.3f})'


def draw(rows: list[dict], out: Path) -> None:
    """Draws mAP over multiply-adds and over speed, with a row of plots for the pretrained backbones and one for others.

    The area of a point is the number of the backbone's parameters. Each seed has a point.
    """
    from matplotlib.figure import Figure

    looks = {
        network: dict(color=f'C{number % 10}', marker='os^'[number // 10 % 3], alpha=0.7)
        for number, network in enumerate(dict.fromkeys(row['network'] for row in rows))
    }
    kinds = {
        'pretrained': [row for row in rows if row['weights'] != RANDOM],
        'from random numbers': [row for row in rows if row['weights'] == RANDOM],
    }
    kinds = {words: some for words, some in kinds.items() if some}
    figure = Figure(figsize=(11, 0.6 + 3.6 * len(kinds)), dpi=100, layout='constrained')
    plots = figure.subplots(len(kinds), 2, sharey='row', sharex='col', squeeze=False)
    places = (
        ('multiply_adds', 1e9, f'multiply-adds of the backbone at {SIDE}x{SIDE} pixels, G'),
        (SPEED, 1, 'images per second'),
    )
    for (words, some), line in zip(kinds.items(), plots, strict=True):
        for plot, (key, scale, _) in zip(line, places, strict=True):
            for row in some:
                area = row['backbone_parameters'] / 1e5
                for value in row['mAPs']:
                    plot.scatter(row[key] / scale, value, area, **looks[row['network']])
            plot.set_ylim(0, 1.25 * max(value for row in some for value in row['mAPs']) or 1)
            plot.margins(x=0.15)
        line[0].set(ylabel='mAP at IoU 0.5', xscale='log', title=words)
    for plot, (_, _, words) in zip(plots[-1], places, strict=True):
        plot.set_xlabel(words)
    plots[0, 1].set_title('area: parameters of the backbone')
    points = [plots[0, 0].scatter([], [], 60, **look) for look in looks.values()]
    figure.legend(points, looks, loc='outside right upper', frameon=False)
    save_curves(figure, out)


def starts_of(backbones: Sequence[str] | None, words: Sequence[str]) -> list[Start]:
    """Returns the trainings: those of ``NAME=FILE`` words, and behind them those from random numbers.

    Raises:
        InputError: A word is none, names no backbone, one that another word names, or no file.
    """
    pairs = [word.partition('=')[::2] for word in words]
    for name, source in pairs:
        if name not in FAMILY or not source:
            raise InputError(f'--weights {name}: is no NAME=FILE with one of the names {", ".join(FAMILY)}.')
        if '://' not in source and not Path(source).is_file():
            raise InputError(f'--weights {name}={source}: there is no such file; correct the path.')
    pretrained = [Start(*pair) for pair in pairs]
    starts = [*pretrained, *(Start(name, None) for name in backbones or (() if pretrained else DEFAULT))]
    folders = [start.folder for start in starts]
    if twice := [folder for folder in folders if folders.count(folder) > 1]:
        raise InputError(f'{twice[0]}: is asked for twice; name it once, or give the calls different --work-dir.')
    return starts


def seeds_of(seeds: Sequence[int] | None, options: Sequence[str] | None) -> list[int | None]:
    """Returns the seeds of the trainings; None stands for the config's own.

    Raises:
        InputError: One is named twice, or --cfg-options names another.
    """
    if seeds is None:
        return [None]
    if any(word.startswith('randomness.seed=') for word in options or ()):
        raise InputError('--cfg-options randomness.seed: --seeds names the seeds; leave one of them out.')
    if len({*seeds}) < len(seeds):
        raise InputError('--seeds: names one of them twice; name each once.')
    own = Config.fromfile(BASE).randomness.seed
    return [None if seed == own else seed for seed in seeds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data_root', type=Path, help='a data set in any layout of docs/data.md')
    parser.add_argument(
        '--backbones',
        nargs='+',
        choices=FAMILY,
        metavar='NAME',
        help=f'from random numbers, of {", ".join(FAMILY)} (default without --weights: {", ".join(DEFAULT)})',
    )
    parser.add_argument(
        '--weights', nargs='+', default=[], metavar='NAME=FILE', help='backbones from files; timm://: downloaded'
    )
    parser.add_argument(
        '--seeds', type=int, nargs='+', metavar='N', help="train each with each (default: the config's)"
    )
    parser.add_argument('--epochs', type=int, default=12, metavar='N', help='default: %(default)s')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument('--images', type=int, default=20, metavar='N', help='to time (default: %(default)s)')
    parser.add_argument(
        '--work-dir',
        type=Path,
        default=Path('work_dirs/detector_backbones'),
        metavar='DIR',
        help='default: %(default)s',
    )
    cli.add_config_options(parser, 'settings that override those of every detector, e.g. batch_size=2')
    args = parser.parse_args()
    require_at_least(epochs=(args.epochs, 1), images=(args.images, 1))
    seeds = seeds_of(args.seeds, args.cfg_options)
    results, rows = {start: [] for start in starts_of(args.backbones, args.weights)}, []
    for seed in seeds:
        for start, found in results.items():
            one = start._replace(seed=seed)
            print(f'{args.work_dir / one.folder}', flush=True)
            found.append(measure(one, args))
            rows = [{**some[0], 'mAPs': [result['mAP'] for result in some]} for some in results.values() if some]
            # Written anew each time, so that a long run shows what it has.
            write_text(args.work_dir / 'backbones.md', f'{table(rows)}\n')
    folders = [args.work_dir / start._replace(seed=seeds[0]).folder for start in results]
    rows = [{**row, SPEED: speed} for row, speed in zip(rows, images_per_second(folders, args), strict=True)]
    write_text(args.work_dir / 'backbones.md', f'{table(rows)}\n')
    draw(rows, args.work_dir / 'backbones.png')
    print(table(rows))


if __name__ == '__main__':
    cli.run(main)
