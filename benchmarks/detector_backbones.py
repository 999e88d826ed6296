"""One detector with each backbone of GoogLeNet's family: size, arithmetic, speed and mAP at one equal short training.

    python benchmarks/detector_backbones.py my_data --backbones googlenet bn_inception inception_v3 --epochs 12
    python benchmarks/detector_backbones.py my_data --weights googlenet=bvlc_googlenet.npz resnet50=timm://

Trains MMDetection's Fast R-CNN with a feature pyramid on the maps of stride 4, 8, 16 and 32. Data, regions, pyramid,
head, schedule, seed and size of images are the same for all. A backbone without --weights starts from random numbers,
and none of it is frozen. With weights, it stays as it is up to the map of stride 4, and its batch norms keep their
statistics. Writes backbones.md, backbones.png and a folder per backbone to --work-dir. A call that is repeated leaves
out what is finished, and goes on where a training was ended.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict
from trainings import once

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
SIDE = 480
"""Multiply-adds are counted for an image of this height and width, in pixels."""
CONFIG = 'config.py'


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


def measure(name: str, args: argparse.Namespace) -> dict:
    """Trains and tests one backbone as far as that is not done, and returns its row.

    Raises:
        InputError: The folder is of a training with other settings.
    """
    folder, weights = args.work_dir / name, args.weights.get(name)
    settings = dict(
        epochs=args.epochs,
        weights=weights,
        data=str(args.data_root),
        options=args.cfg_options or [],
        amp=args.amp,
    )
    return once(folder, settings, lambda: train_and_test(name, weights, folder, args))


def train_and_test(name: str, weights: str | None, folder: Path, args: argparse.Namespace) -> dict:
    """Trains, goes on where a training was ended, tests, and returns the row."""
    detector_config(name, weights is not None).dump(folder / CONFIG)
    options = {'max_epochs': args.epochs, 'train_cfg.val_begin': args.epochs + 1, **read_options(args.cfg_options)}

    def load(**how: object) -> Config:
        cfg = load_config(folder / CONFIG, options=options, data_root=args.data_root, **how)
        cfg.work_dir = str(folder)
        cfg.default_hooks.checkpoint.update(max_keep_ckpts=1, save_best=None)  # Scored once, at the end.
        if args.amp:
            apply_amp(cfg)
        return cfg

    last = folder / f'epoch_{args.epochs}.pth'
    with quiet_console() as console:
        if not last.is_file():
            train(load(weights=weights or 'none'), resume=True, console=console, report=False)
        cfg = load(checkpoint=last)
        cfg.work_dir = str(folder / 'test')
        scores = test(cfg, last, console=console)
    with torch.device('meta'):
        detector = MODELS.build(cfg.model)
    return dict(
        network=FAMILY[name].title,
        weights=weights or 'random',
        backbone_parameters=count_parameters(detector.backbone),
        parameters=count_parameters(detector),
        multiply_adds=network_graph(detector.backbone, SIDE).multiply_adds,
        images_per_second=1 / seconds(cfg, folder / CONFIG, last, options, args.images),
        mAP=scores['voc/AP50'],
    )


def seconds(cfg: Config, config: Path, checkpoint: Path, options: dict, count: int) -> float:
    """Returns the median time from an image in memory to its boxes, over images of the validation part."""
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    paths = [dataset.get_data_info(index)['img_path'] for index in range(min(count + 1, len(dataset)))]
    detector, times = Detector(config, checkpoint, options=options), []
    for path in paths:
        image = read_image(path)
        start = time.perf_counter()
        detector.detect(image, path)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:] or times)  # The first warms up.


def table(rows: list[dict]) -> str:
    """Returns the rows as a table."""
    heads = ['backbone', 'weights', 'backbone', 'detector', 'multiply-adds', 'images/s', 'mAP']
    lines = [
        [
            *(row['network'], row['weights'].rpartition('/')[2] or row['weights']),
            *(f'{row[key] / 1e6:.1f} M' for key in ('backbone_parameters', 'parameters')),
            *(f'{row["multiply_adds"] / 1e9:.2f} G', f'{row["images_per_second"]:.2f}', f'{row["mAP"]:.3f}'),
        ]
        for row in rows
    ]
    return markdown_table([heads, *lines], numbers_from=2)


def draw(rows: list[dict], out: Path) -> None:
    """Draws mAP over multiply-adds and over speed; the area of a point is the number of the backbone's parameters."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), dpi=100, layout='constrained')
    axes = figure.subplots(1, 2, sharey=True)
    for plot, key, scale, words in (
        (axes[0], 'multiply_adds', 1e9, f'multiply-adds of the backbone at {SIDE}x{SIDE} pixels, G'),
        (axes[1], 'images_per_second', 1, 'images per second'),
    ):
        for number, row in enumerate(rows):
            place = row[key] / scale, row['mAP']
            plot.scatter(*place, s=row['backbone_parameters'] / 1e5, color=f'C{number % 10}', alpha=0.6)
            plot.annotate(row['network'], place, xytext=(6, 4), textcoords='offset points', fontsize=9)
        plot.set(xlabel=words, xscale='log')
        plot.margins(0.15)
    axes[0].set(ylabel='mAP at IoU 0.5', title='Area: parameters of the backbone')
    save_curves(figure, out)


def weights_of(words: list[str]) -> dict[str, str]:
    """Reads ``NAME=FILE`` words.

    Raises:
        InputError: A word is none, or names no backbone.
    """
    pairs = dict(word.partition('=')[::2] for word in words)
    for name, source in pairs.items():
        if name not in FAMILY or not source:
            raise InputError(f'--weights {name}: is no NAME=FILE with one of the names {", ".join(FAMILY)}.')
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data_root', type=Path, help='a data set in any layout of docs/data.md')
    default = ['googlenet', 'bn_inception', 'inception_v3', 'inception_resnet_v1', 'xception', 'nin', 'resnet50']
    parser.add_argument(
        '--backbones', nargs='+', choices=FAMILY, default=default, metavar='NAME', help=f'of {", ".join(FAMILY)}'
    )
    parser.add_argument(
        '--weights', nargs='+', default=[], metavar='NAME=FILE', help='what backbones start from; timm://: downloaded'
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
    args.weights = weights_of(args.weights)
    rows = []
    for name in args.backbones:
        print(f'{args.work_dir / name}', flush=True)
        rows.append(measure(name, args))
        # Written anew each time, so that a long run shows what it has.
        write_text(args.work_dir / 'backbones.md', f'{table(rows)}\n')
        draw(rows, args.work_dir / 'backbones.png')
    print(table(rows))


if __name__ == '__main__':
    cli.run(main)
