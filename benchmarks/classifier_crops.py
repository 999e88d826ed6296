"""What 144 crops of an image cost, compared with what the network alone costs for them.

    python benchmarks/classifier_crops.py [PHOTO...] [--crops 144] [--rounds 5] [--threads 1]

The whole is what tools/test.py does in one process: read and decode the file, cut and mirror the crops, normalize them,
run the network, average the softmax. The network alone gets the same crops as one float tensor, normalized and
channels-last, in chunks of the same size. Both run by turns, eagerly, on this computer's processor, with random weights
(which cost what others do), without and with channels that change places, and in float32 and bfloat16. A figure is the
median over the rounds of the ratio within a round, in processor time, so that other work on the machine matters little.
Without a photo, one of 500 x 375 pixels is drawn.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope

from det_inception.models import GoogLeNetClassifier
from det_inception.utils.allocator import keep_freed_memory

NORMALIZATIONS = {
    "Caffe's weights": dict(mean=[104.0, 117.0, 123.0], std=[1.0] * 3, bgr_to_rgb=False),
    "torchvision's": dict(mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True),
}


def draw_photo(path: Path) -> Path:
    """Writes a JPEG with some structure in it."""
    rng = np.random.default_rng(2014)
    coarse = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(coarse, (500, 375), interpolation=cv2.INTER_CUBIC))
    return path


@torch.no_grad()
def measure(model: GoogLeNetClassifier, photos: list[Path], crops: int, rounds: int, bfloat16: bool) -> tuple:
    """Returns seconds of the whole and of the network alone, per image, one a round."""
    steps = (dict(type='LoadAnyImage'), dict(type='TestCrops', number=crops), dict(type='PackCrops'))
    pipeline = Compose(steps)
    whole, alone = [], []
    for number in range(rounds + 1):  # The first is not counted.
        path = photos[number % len(photos)]
        precision = torch.autocast('cpu', torch.bfloat16) if bfloat16 else contextlib.nullcontext()
        with precision:
            start = time.process_time()
            model.test_step(pseudo_collate([pipeline(dict(img_path=str(path)))]))
            middle = time.process_time()
            ready = model.data_preprocessor(pseudo_collate([pipeline(dict(img_path=str(path)))]))['inputs'][0]
            chunks = ready.contiguous(memory_format=torch.channels_last).split(model.chunk_size)
            begin = time.process_time()
            for chunk in chunks:
                model(chunk)
            end = time.process_time()
        if number:
            whole.append(middle - start)
            alone.append(end - begin)
    return np.array(whole), np.array(alone)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('photos', nargs='*', type=Path, metavar='PHOTO')
    parser.add_argument('--crops', type=int, default=144, choices=(1, 10, 144))
    parser.add_argument('--rounds', type=int, default=5, metavar='N', help='default: %(default)s')
    parser.add_argument('--threads', type=int, default=1, metavar='N', help='default: %(default)s')
    parser.add_argument('--chunk-size', type=int, metavar='N', help="default: the classifier's")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    init_default_scope('mmdet')
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        photos = args.photos or [draw_photo(Path(folder, 'photo.jpg'))]
        for name, settings in NORMALIZATIONS.items():
            chunk = {} if args.chunk_size is None else dict(chunk_size=args.chunk_size)
            model = GoogLeNetClassifier(
                1000, dict(type='GoogLeNet'), data_preprocessor=dict(type='CropPreprocessor', **settings), **chunk
            ).eval()
            model.init_weights()
            for bfloat16 in (False, True):
                whole, alone = measure(model, photos, args.crops, args.rounds, bfloat16)
                print(
                    f'{args.crops} crops, {"bfloat16" if bfloat16 else "float32"}, normalized for {name}: '
                    f'{np.median(whole):.2f} s an image, network alone {np.median(alone):.2f} s '
                    f'({args.crops / np.median(alone):.0f} crops/s): ratio {np.median(whole / alone):.3f}',
                    flush=True,
                )


if __name__ == '__main__':
    main()
