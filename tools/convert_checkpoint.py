"""Converts public GoogLeNet weights into this project's checkpoints: one for the backbone, one for the classifier."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlparse

from det_inception.cli import common as cli
from det_inception.weights.pretrained import (
    CheckpointError,
    Weights,
    describe,
    read_weights,
    write_backbone,
    write_classifier,
)

EXPLANATION = """
SOURCE is one of
  googlenet-1378be20.pth   a state_dict of torchvision's GoogLeNet, with or without auxiliary heads
  *.caffemodel             Caffe's GoogLeNet, old or new format; neither Caffe nor protobuf is needed
  *.npz                    arrays under Caffe's names, "<layer>.weight" and "<layer>.bias"
  *.pth                    a detector or classifier trained with this project, to take its backbone out
  torchvision://googlenet  downloaded and cached by PyTorch; so is any http:// or https:// address

What a file is, is told from its content. Its auxiliary classifiers are left out. A config can also name any of these
files directly: init_cfg=dict(type='Pretrained', checkpoint=SOURCE).

examples:
  python tools/convert_checkpoint.py googlenet-1378be20.pth checkpoints/
  python tools/convert_checkpoint.py bvlc_googlenet.caffemodel --classifier caffe.pth --classes synset_words.txt
"""


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXPLANATION, formatter_class=argparse.RawDescriptionHelpFormatter
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
    arguments = parser.parse_args()
    if (arguments.out_dir is None) == (arguments.backbone is None and arguments.classifier is None):
        parser.error('name OUT_DIR, or --backbone and --classifier or one of them')
    if arguments.backbone and arguments.backbone == arguments.classifier:
        parser.error('--backbone and --classifier name the same file')
    return arguments


def with_classes(weights: Weights, path: Path) -> Weights:
    """Returns the weights with the classes that a text file names, one a line."""
    try:
        lines = path.read_text(encoding='utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f'{path} cannot be read as text ({error}); name a file with one class a line.') from error
    classes = tuple(line.strip() for line in lines if line.strip())
    count = len(weights.classifier.get('fc.bias', ()))
    if len(classes) != count:
        raise CheckpointError(
            f'{path} names {len(classes)} classes and the classifier of {weights.source} has {count}.'
        )
    return replace(weights, classes=classes)


def main() -> None:
    arguments = parse_arguments()
    weights = read_weights(arguments.source)
    if arguments.classes:
        weights = with_classes(weights, arguments.classes)
    classes = f'{len(weights.classifier["fc.bias"])} classes' if weights.classifier else 'no classifier'
    print(f'read {weights.source}')
    print(f'  variant        {weights.variant}, width {weights.width:g}')
    print(f'  parameters     {weights.num_parameters:,}, {classes}')
    print(f'  normalization  {describe(weights.normalization)}')

    backbone, classifier = arguments.backbone, arguments.classifier
    if arguments.out_dir:
        path = urlparse(arguments.source).path.strip('/') if '://' in arguments.source else Path(arguments.source).name
        name = PurePosixPath(path or 'googlenet').stem
        backbone = arguments.out_dir / f'{name}_backbone.pth'
        classifier = arguments.out_dir / f'{name}_classifier.pth' if weights.classifier else None
    if classifier and not weights.classifier:
        raise CheckpointError(f'{weights.source} has no classifier; leave --classifier out.')
    outputs = [(path, write) for path, write in ((backbone, write_backbone), (classifier, write_classifier)) if path]
    for path, _ in outputs:
        if path.exists() and Path(arguments.source).exists() and path.samefile(arguments.source):
            raise CheckpointError(f'{path} is the file that is read; choose another one to write.')
    for path, write in outputs:
        write(path, weights)
        print(f'wrote {path}')


if __name__ == '__main__':
    cli.run(main)
