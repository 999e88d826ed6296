#!/usr/bin/env python3
"""Trains the members of an ensemble from the same initial weights, each with its own sampling."""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

import torch
from mmengine.logging import MMLogger
from mmengine.runner import find_latest_checkpoint, set_random_seed

from det_inception.cli.common import read_options, run
from det_inception.config.loading import load_config
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError
from det_inception.utils.files import atomic_write
from det_inception.weights.checkpoints import publish

TRAIN = Path(__file__).resolve().parent / 'train.py'
INITIAL = 'initial.pth'

EPILOG = """
The members begin with equal weights, also in the new layers, and differ in the order of images and in the regions that
are drawn from them, as the six of 2014 did. Members that are complete are left as they are; one that was interrupted
goes on. Then, for the ensemble:
  tools/test.py CONFIG WORK_DIR/member_*/final.pth
On a cluster, --print-commands writes the initial weights and prints one command a member, for a scheduler.
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of the members, e.g. configs/googlenet_rcnn.py')
    parser.add_argument(
        '--members', type=int, metavar='N', help="number of networks (default: the config's ensemble.members, or 6)"
    )
    parser.add_argument('--data-root', metavar='DIR', help="folder of the data set, instead of the config's")
    parser.add_argument('--weights', metavar='FILE', help='pretrained GoogLeNet to start from, as for tools/train.py')
    parser.add_argument(
        '--work-dir', metavar='DIR', help='default: work_dirs/ and the name of the config, with _ensemble behind it'
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision; on a processor, bfloat16')
    parser.add_argument('--print-commands', action='store_true', help='print the commands instead of running them')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='settings that override those of the config, for all members',
    )
    args = parser.parse_args()
    if args.members is not None and args.members < 1:
        parser.error('--members is at least 1')
    return args


def write_initial(args: argparse.Namespace, path: Path) -> tuple[int, int]:
    """Writes the weights that all members start from, and returns the config's seed and number of members."""
    cfg = load_config(
        args.config, options=read_options(args.cfg_options), data_root=args.data_root, weights=args.weights
    )
    seed = (cfg.get('randomness') or {}).get('seed') or 0
    if not path.exists():
        # Of every layer how it begins would stand among the commands.
        MMLogger.get_current_instance().setLevel('WARNING')
        set_random_seed(seed)
        model = MODELS.build(cfg.model)
        model.init_weights()
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as unfinished:
            torch.save(dict(state_dict=model.state_dict(), meta=dict(initial_weights=str(args.weights))), unfinished)
    return seed, (cfg.get('ensemble') or {}).get('members', 6)


def command(args: argparse.Namespace, member: Path, initial: Path, seed: int) -> list[str]:
    words = [sys.executable, str(TRAIN), args.config, '--work-dir', str(member), '--resume']
    for name in ('data_root', 'weights'):
        if getattr(args, name):
            words += [f'--{name.replace("_", "-")}', getattr(args, name)]
    if args.amp:
        words.append('--amp')
    return [*words, '--cfg-options', *args.cfg_options, f'load_from={initial}', f'randomness.seed={seed}']


def main() -> None:
    args = parse_args()
    name = Path(args.config).stem
    work_dir = Path(args.work_dir or Path('work_dirs') / (name if 'ensemble' in name else f'{name}_ensemble'))
    initial = work_dir / INITIAL
    seed, usual = write_initial(args, initial)
    members = args.members or usual
    for number in range(1, members + 1):
        member = work_dir / f'member_{number}'
        words = command(args, member, initial, seed + number - 1)
        if args.print_commands:
            print(shlex.join(words))
            continue
        final = member / 'final.pth'
        if final.exists():
            print(f'{final}: is there already.')
            continue
        print(f'member {number} of {members}: {member}', flush=True)
        status = subprocess.run(words).returncode
        if status == 130:
            raise KeyboardInterrupt
        if status:
            raise InputError(f'{member}: its training ended with status {status}; see its log, and start this again.')
        publish(find_latest_checkpoint(str(member)), final)


if __name__ == '__main__':
    run(main)
