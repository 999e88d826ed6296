"""Tests a trained detector or classifier and prints its score."""

import argparse
import json
import os
from pathlib import Path

from det_inception.cli.common import (
    add_config_options,
    add_data_options,
    add_launcher_options,
    add_speed_options,
    add_verbose_option,
    data_options,
    require_output,
)
from det_inception.utils.errors import InputError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Tests a trained detector or classifier on the test data of its config and prints the metrics.',
        epilog='Example: det-inception test googlenet_rcnn_voc work_dirs/googlenet_rcnn_voc/epoch_10.pth '
        '--data-root my_data',
    )
    parser.add_argument('config', help='config file that the checkpoint was trained with')
    parser.add_argument(
        'checkpoint',
        nargs='*',
        help='checkpoint file; none: the best one of the work directory, or the one that comes with the config; '
        'several are averaged as an ensemble (for detectors --cfg-options ensemble.combine=logits, '
        'ensemble.mirror=True); for a detector also files of region scores (.h5), which stand for the networks that '
        'wrote them, for a classifier also a file of Caffe or torchvision',
    )
    add_data_options(parser)
    parser.add_argument(
        '--work-dir',
        metavar='DIR',
        help='for the log, and for the checkpoint where none is named; default: work_dirs/CONFIG',
    )
    parser.add_argument('--out', metavar='FILE.json', help='write the metrics to this file')
    parser.add_argument('--show-dir', metavar='DIR', help='draw objects and detections above 0.3 to this folder')
    parser.add_argument('--report', metavar='DIR', help='write an HTML report of the test to this folder (index.html)')
    parser.add_argument(
        '--report-pictures', type=int, default=12, metavar='N', help='pictures in each of its galleries (default: 12)'
    )
    parser.add_argument(
        '--crops', type=int, choices=(1, 10, 144), help="a classifier's crops of every image; default: the config's, 1"
    )
    parser.add_argument(
        '--save-region-scores',
        metavar='FILE.h5',
        help='also write what the network says of every proposal; several such files, perhaps of several machines, are '
        'averaged by naming them in place of checkpoints',
    )
    add_speed_options(parser)
    add_config_options(
        parser, 'settings that override those of the config, e.g. model.test_cfg.rcnn.nms.iou_threshold=0.5'
    )
    add_launcher_options(parser)
    add_verbose_option(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    require_output(args.out, '--out')
    require_output(args.save_region_scores, '--save-region-scores')
    from mmengine.dist import is_main_process

    from det_inception.config.classifier import is_classifier
    from det_inception.config.loading import load_config
    from det_inception.config.options import read_options
    from det_inception.config.test_outputs import add_report, save_region_scores
    from det_inception.engine.console import quiet_console
    from det_inception.engine.runner import apply_amp, apply_work_dir
    from det_inception.engine.test import test
    from det_inception.inference.acceleration import accelerate
    from det_inception.utils.files import write_text

    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))

    checkpoints = args.checkpoint or [_default_checkpoint(args.config, args.work_dir)]
    with quiet_console(args.verbose) as console:
        options = read_options(args.cfg_options) | data_options(args)
        if args.crops:
            options['crops'] = args.crops
        cfg = load_config(args.config, options=options, data_root=args.data_root, checkpoint=checkpoints)
        cfg.launcher = args.launcher
        apply_work_dir(cfg, args.work_dir)
        if (args.show_dir or args.report) and is_classifier(cfg):
            raise InputError('--show-dir and --report draw boxes, which a classifier has none of; leave them out.')
        if args.amp:
            apply_amp(cfg)
        if args.show_dir:
            cfg.custom_hooks = [*(cfg.get('custom_hooks') or ()), dict(type='DrawDetectionsHook', folder=args.show_dir)]
        if args.report:
            add_report(cfg, args.report, ', '.join(Path(path).name for path in checkpoints), args.report_pictures)
        if args.save_region_scores:
            save_region_scores(cfg, args.save_region_scores)
        prepare = None if args.engine is None else lambda model: accelerate(model, args.engine)
        metrics = test(cfg, checkpoints, prepare, console)
    if is_main_process():
        for name, value in metrics.items():
            print(f'{name}: {value:.4f}')
        if args.report:
            print(f'report: {Path(args.report) / "index.html"}')
        if args.out:
            write_text(args.out, json.dumps(metrics, indent=2) + '\n')


def _default_checkpoint(config: str, work_dir: str | None) -> str | Path:
    """The best checkpoint that was trained with a config, or the one that comes with it."""
    from det_inception.engine.resuming import find_best_checkpoint
    from det_inception.engine.runner import default_work_dir
    from det_inception.utils.included import checkpoint_of

    folder = work_dir or default_work_dir(config)
    found = find_best_checkpoint(folder) or checkpoint_of(config)
    if found is None:
        raise InputError(
            f'{config}: no checkpoint comes with this config, and {folder} holds none; name the one to test.'
        )
    return found
