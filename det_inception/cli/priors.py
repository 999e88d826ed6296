"""Computes the priors of MultiBox from a training set, and shows how well they alone cover it."""

import argparse

from det_inception.cli.common import add_config_options, require_output


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Computes the priors of a MultiBox config from its training set and prints them. Training does the '
        'same by itself; a file of priors is for looking at them, and for several trainings to share them '
        '(--cfg-options model.bbox_head.priors=FILE).',
        epilog='Example: det-inception priors googlenet_multibox_voc --data-root my_data',
    )
    parser.add_argument('config', help='config of a MultiBox')
    parser.add_argument('--data-root', metavar='DIR', help="folder of the data set, instead of the config's")
    parser.add_argument('--out', metavar='FILE.json', help='write the priors to this file')
    add_config_options(parser, 'settings that override those of the config, e.g. model.bbox_head.sizes_per_cell=6')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    require_output(args.out, '--out')
    import numpy as np

    from det_inception.config.data import pipeline_steps
    from det_inception.config.loading import ConfigError, is_class_agnostic, load_config
    from det_inception.config.options import read_options
    from det_inception.engine.hooks.multibox_priors import dataset_boxes
    from det_inception.proposals.multibox import mean_best_overlap, write_priors
    from det_inception.registry import DATASETS, MODELS

    cfg = load_config(args.config, options=read_options(args.cfg_options), data_root=args.data_root)
    resize = next(pipeline_steps(cfg, 'Resize'), None)
    if not is_class_agnostic(cfg) or cfg.get('train_dataloader') is None or resize is None:
        raise ConfigError(
            f'{args.config}: is no config of a MultiBox with a train_dataloader that resizes its images; name one.'
        )
    model = MODELS.build(dict(cfg.model, bbox_head=dict(cfg.model.bbox_head, priors=None)))
    boxes = dataset_boxes(DATASETS.build(dict(cfg.train_dataloader.dataset, pipeline=[])))
    priors = model.bbox_head.make_priors(boxes)
    model.bbox_head.set_priors(priors)
    all_boxes = model.prior_boxes(*resize.scale).double().numpy()

    print('priors, in % of width and height:', 'x1 y1 x2 y2' if priors.shape[1] == 4 else 'width height')
    for row in priors:
        print('  ' + ' '.join(f'{100 * value:6.1f}' for value in row))
    print(f'{len(boxes)} boxes in the training set, {len(priors)} priors, {len(all_boxes)} boxes of an image.')
    print(f'Mean best overlap of the training set with them: {mean_best_overlap(all_boxes, boxes, 500):.3f}')
    if args.out:
        write_priors(args.out, np.asarray(priors))
        print(f'Written to {args.out}.')
