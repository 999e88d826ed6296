"""What configs for own data reach on several small data sets, with several seeds, and in which time.

    python benchmarks/own_data.py --data raccoon=raccoon bccd=bccd voc_200=VOC2007,200,150
    python benchmarks/own_data.py --data raccoon=raccoon --variants default= colder=optim_wrapper.optimizer.lr=5e-5
    python benchmarks/own_data.py --data raccoon=raccoon --configs googlenet_faster-rcnn_voc googlenet_fast-rcnn_voc

Every set is trained with every config, variant and seed, without validation, and tested at the end by AP at IoU 0.5.
Settings that are chosen so are chosen on these sets: report them on others. Writes own_data.md and a folder per
training to --work-dir. A call that is repeated leaves out what is finished, and goes on where a training was ended.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from trainings import once

from det_inception.cli import common as cli
from det_inception.config.loading import load_config
from det_inception.config.options import read_options
from det_inception.engine.console import quiet_console
from det_inception.engine.test import test
from det_inception.engine.train import train
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_text
from det_inception.utils.tables import markdown_table


class DataSet(NamedTuple):
    """A folder, and how many of its first images are trained on and tested; None: all."""

    name: str
    root: Path
    train: int | None = None
    test: int | None = None


def data_set(word: str) -> DataSet:
    """Reads ``NAME=FOLDER`` or ``NAME=FOLDER,TRAIN,TEST``.

    Raises:
        InputError: The word is none of these.
    """
    name, _, rest = word.partition('=')
    folder, *counts = rest.split(',')
    if (
        not name
        or not folder
        or len(counts) not in (0, 2)
        or not all(count.isdigit() and int(count) for count in counts)
    ):
        raise InputError(
            f'--data {word}: is neither NAME=FOLDER nor NAME=FOLDER,TRAIN,TEST with two numbers of images.'
        )
    return DataSet(name, Path(folder), *map(int, counts))


def variant(word: str) -> tuple[str, list[str]]:
    """Reads ``NAME=KEY=VALUE KEY=VALUE``.

    Raises:
        InputError: The word has no name.
    """
    name, equals, settings = word.partition('=')
    if not name or not equals:
        raise InputError(f'--variants {word!r}: is no NAME=KEY=VALUE; NAME= is the config as it stands.')
    return name, settings.split()


def measure(data: DataSet, config: str, settings: list[str], seed: int, folder: Path) -> dict:
    """Trains and tests one network as far as that is not done.

    Returns:
        ``AP50``, and ``seconds`` of the training, of which those before a resume are missing.

    Raises:
        InputError: The folder is of a training with other settings.
    """
    told = dict(config=config, data=[str(data.root), data.train, data.test], settings=settings, seed=seed)
    return once(folder, told, lambda: train_and_test(data, config, settings, seed, folder))


def train_and_test(data: DataSet, config: str, settings: list[str], seed: int, folder: Path) -> dict:
    """Trains without validation, goes on where a training was ended, and tests at the end."""
    options = {'randomness.seed': seed, **read_options(settings)}

    def load(checkpoint: Path | None = None) -> Config:
        cfg = load_config(config, options=options, data_root=data.root, checkpoint=checkpoint)
        cfg.work_dir = str(folder if checkpoint is None else folder / 'test')
        cfg.default_hooks.checkpoint.update(max_keep_ckpts=1, save_best=None)  # Scored once, at the end.
        cfg.train_cfg.val_begin = cfg.train_cfg.max_epochs + 1
        for part, count in (('train', data.train), ('val', data.test), ('test', data.test)):
            if count is not None:
                cfg[f'{part}_dataloader'].dataset.indices = count
        return cfg

    cfg = load()
    last = folder / f'epoch_{cfg.train_cfg.max_epochs}.pth'
    with quiet_console() as console:
        start = time.perf_counter()
        if not last.is_file():
            train(cfg, resume=True, console=console, report=False)
        seconds = time.perf_counter() - start
        scores = test(load(last), last, console=console)
    return dict(AP50=scores['voc/AP50'], seconds=seconds)


def table(rows: dict[tuple[str, ...], list[dict]]) -> str:
    """Returns a line for each set, config and variant: mean and standard deviation of its seeds."""
    lines = []
    for names, results in rows.items():
        scores = [result['AP50'] for result in results]
        spread = f' ± {statistics.stdev(scores):.3f}' if len(scores) > 1 else ''
        minutes = statistics.mean(result['seconds'] for result in results) / 60
        lines.append([*names, str(len(scores)), f'{statistics.mean(scores):.3f}{spread}', f'{minutes:.1f}'])
    heads = ['data', 'config', 'variant', 'seeds', 'AP50', 'minutes']
    return markdown_table([heads, *lines], numbers_from=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--data',
        nargs='+',
        required=True,
        metavar='NAME=FOLDER[,TRAIN,TEST]',
        help='data sets in any layout of docs/data.md; of a large one so many of the first images',
    )
    parser.add_argument('--configs', nargs='+', default=['googlenet_faster-rcnn_voc'], help='default: %(default)s')
    parser.add_argument(
        '--variants',
        nargs='+',
        default=['default='],
        metavar='NAME=KEY=VALUE',
        help='settings to compare, in quotes where there are several; default: the config as it stands',
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], metavar='N', help='default: %(default)s')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/own_data'), metavar='DIR', help='%(default)s')
    args = parser.parse_args()
    sets, variants = [data_set(word) for word in args.data], dict(variant(word) for word in args.variants)
    rows: dict[tuple[str, ...], list[dict]] = {}
    # Seed by seed, so that a long run shows all sets early.
    for seed, data, config, (name, settings) in itertools.product(args.seeds, sets, args.configs, variants.items()):
        folder = args.work_dir / data.name / Path(config).stem / name / f'seed_{seed}'
        print(folder, flush=True)
        rows.setdefault((data.name, Path(config).stem, name), []).append(measure(data, config, settings, seed, folder))
        write_text(args.work_dir / 'own_data.md', f'{table(rows)}\n')
    print(table(rows))


if __name__ == '__main__':
    cli.run(main)
