"""Trains the members of an ensemble from the same initial weights, each with its own sampling."""

from __future__ import annotations

import argparse

EPILOG = """
The members begin with equal weights, also in the new layers, and differ in the order of images and in the regions that
are drawn from them, as the six of 2014 did. Members that are complete are left as they are; one that was interrupted
goes on. Then, for the ensemble:
  det-inception test CONFIG WORK_DIR/member_*/final.pth
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
    parser.add_argument(
        '--weights', metavar='FILE', help='pretrained GoogLeNet to start from, as for det-inception train'
    )
    parser.add_argument(
        '--work-dir', metavar='DIR', help='default: work_dirs/ and the name of the config, with _ensemble behind it'
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision; bfloat16 on a CPU')
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


def main() -> None:
    args = parse_args()
    from det_inception.engine.ensemble import train_ensemble

    train_ensemble(
        args.config,
        args.work_dir,
        members=args.members,
        data_root=args.data_root,
        weights=args.weights,
        amp=args.amp,
        options=args.cfg_options,
        print_commands=args.print_commands,
    )
