"""Trains a detector or a classifier from a config."""

import argparse
import os

from det_inception.cli.common import (
    add_config_options,
    add_data_options,
    add_launcher_options,
    add_verbose_option,
    data_options,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Trains a detector or a classifier. Checkpoints and logs go to the work directory; Ctrl-C loses at '
        'most what was done since the last checkpoint, and --resume goes on from there.',
        epilog='Example: det-inception train googlenet_rcnn_voc --data-root my_data',
    )
    parser.add_argument('config', help='config file, or the name of one of the project, e.g. googlenet_rcnn')
    add_data_options(parser)
    parser.add_argument(
        '--weights',
        metavar='FILE',
        help="pretrained weights instead of the config's: torchvision://googlenet, or a file of torchvision, Caffe or "
        "this project; sets the backbone's variant and width too. none: random weights, and no layer is frozen",
    )
    parser.add_argument('--work-dir', metavar='DIR', help='for logs and checkpoints; default: work_dirs/CONFIG')
    parser.add_argument(
        '--resume',
        nargs='?',
        const=True,
        default=False,
        metavar='CHECKPOINT',
        help='go on from the last checkpoint in the work directory, or from the one named',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision; bfloat16 on a CPU')
    parser.add_argument(
        '--ema', action='store_true', help='average the weights over the last steps; see docs/commands.md'
    )
    parser.add_argument(
        '--early-stopping',
        type=int,
        metavar='N',
        help='end the training after N validations in a row that are no better than the best',
    )
    parser.add_argument(
        '--log',
        action='append',
        default=[],
        choices=['tensorboard', 'wandb'],
        help='log there as well; may be repeated',
    )
    parser.add_argument(
        '--no-report',
        dest='report',
        action='store_false',
        help='leave out the report, which keeps the detections of a validation in memory',
    )
    add_config_options(parser, 'settings that override the config, e.g. train_cfg.max_epochs=20 randomness.seed=1')
    add_launcher_options(parser)
    add_verbose_option(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from det_inception.config.loading import load_config
    from det_inception.config.options import read_options
    from det_inception.engine.console import quiet_console
    from det_inception.engine.runner import apply_amp, apply_average, apply_early_stopping, apply_log, apply_work_dir
    from det_inception.engine.train import train

    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))

    with quiet_console(args.verbose) as console:
        options = read_options(args.cfg_options) | data_options(args)
        cfg = load_config(args.config, options=options, data_root=args.data_root, weights=args.weights)
        cfg.launcher = args.launcher
        apply_work_dir(cfg, args.work_dir)
        if args.amp:
            apply_amp(cfg)
        if args.ema:
            apply_average(cfg)
        if args.early_stopping is not None:
            apply_early_stopping(cfg, args.early_stopping)
        for package in args.log:
            apply_log(cfg, package)
        train(cfg, resume=args.resume, console=console, report=args.report)
