"""Converts public GoogLeNet weights into this project's checkpoints: one for the backbone, one for the classifier."""

from __future__ import annotations

import argparse
from pathlib import Path, PurePosixPath
from urllib.parse import urlparse

from det_inception.cli.common import require_output

EPILOG = """
SOURCE is one of
  googlenet-1378be20.pth   a state_dict of torchvision's GoogLeNet, with or without auxiliary heads
  *.caffemodel             Caffe's GoogLeNet, old or new format; neither Caffe nor protobuf is needed
  inception_v1.ckpt        TF-slim's, of version 1 or 2; TensorFlow is not needed
  *.npz                    arrays under Caffe's names, "<layer>.weight" and "<layer>.bias"
  *.pth                    a detector or classifier trained with this project, to take its backbone out
  torchvision://googlenet  downloaded and cached by PyTorch; so is any http:// or https:// address

The file format is detected automatically. Its auxiliary classifiers are left out. A config can also name any of these
files directly: init_cfg=dict(type='Pretrained', checkpoint=SOURCE).

examples:
  det-inception convert googlenet-1378be20.pth checkpoints/
  det-inception convert bvlc_googlenet.caffemodel --classifier caffe.pth --classes synset_words.txt
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', metavar='SOURCE', help='file or address of the weights')
    parser.add_argument(
        'out_dir',
        metavar='OUT_DIR',
        nargs='?',
        type=Path,
        help='write NAME_backbone.pth and, if SOURCE has a classifier, NAME_classifier.pth there; NAME is from SOURCE',
    )
    parser.add_argument('--backbone', metavar='FILE', type=Path, help='write the backbone to FILE')
    parser.add_argument('--classifier', metavar='FILE', type=Path, help='write backbone and linear layer to FILE')
    parser.add_argument(
        '--classes',
        metavar='FILE',
        type=Path,
        help="text file with the classifier's classes, one a line in the order of its outputs; kept line by line",
    )
    args = parser.parse_args()
    if (args.out_dir is None) == (args.backbone is None and args.classifier is None):
        parser.error('name OUT_DIR, or --backbone and --classifier or one of them')
    if args.backbone and args.backbone == args.classifier:
        parser.error('--backbone and --classifier name the same file')
    return args


def main() -> None:
    args = parse_args()
    require_output(args.backbone, '--backbone')
    require_output(args.classifier, '--classifier')
    from det_inception.ilsvrc import describe_rule
    from det_inception.models import GoogLeNet
    from det_inception.weights.export import with_classes, write_backbone, write_classifier
    from det_inception.weights.files import CheckpointError
    from det_inception.weights.normalization import describe

    weights = GoogLeNet.read_weights(args.source)
    if args.classes:
        weights = with_classes(weights, args.classes)
    classes = f'{len(weights.classifier["fc.bias"])} classes' if weights.classifier else 'no classifier'
    print(f'read {weights.source}')
    print(f'  variant        {weights.variant}, width {weights.width:g}')
    print(f'  parameters     {weights.num_parameters:,}, {classes}')
    print(f'  normalization  {describe(weights.normalization)}')
    print(f'  tested         {describe_rule(weights.testing) if weights.testing else "nothing says how"}')

    backbone, classifier = args.backbone, args.classifier
    if args.out_dir:
        path = urlparse(args.source).path.strip('/') if '://' in args.source else Path(args.source).name
        name = PurePosixPath(path or 'googlenet').stem
        backbone = args.out_dir / f'{name}_backbone.pth'
        classifier = args.out_dir / f'{name}_classifier.pth' if weights.classifier else None
    if classifier and not weights.classifier:
        raise CheckpointError(f'{weights.source}: has no classifier; leave --classifier out.')
    outputs = [(path, write) for path, write in ((backbone, write_backbone), (classifier, write_classifier)) if path]
    for path, _ in outputs:
        if path.exists() and Path(args.source).exists() and path.samefile(args.source):
            raise CheckpointError(f'{path}: is the file that is read; choose another one to write.')
    for path, write in outputs:
        write(path, weights)
        print(f'wrote {path}')
