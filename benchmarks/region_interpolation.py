"""Which interpolation of the warped regions suits which weights: an ImageNet classifier on VOC's ground-truth boxes.

    python benchmarks/region_interpolation.py --voc VOCdevkit/VOC2007 --weights bvlc_googlenet.npz

The region operation does not smooth where a region shrinks; two ways that do are compared with it. Nothing is trained.
A class's score is the sum of its leaves among the 1000, as in ImageNetRCNN. People are left out, since ImageNet has no
class for them. Differences from bilinear are paired, with their standard error.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from det_inception.formats.voc import VOC
from det_inception.models import CropPreprocessor, GoogLeNet, GoogLeNetClassifier, RegionWarp
from det_inception.models.detectors.imagenet_rcnn import CLASS_SETS
from det_inception.utils.errors import InputError
from det_inception.utils.images import read_image

SIZE, CONTEXT = 224, 16
PLAIN = ('bilinear', 'bicubic', 'nearest')
SMOOTH = {'bilinear, antialiased': 'antialias', 'area where it shrinks': 'area'}


def objects(root: Path, split: str, most: int) -> list[tuple[Path, tuple[float, ...], str]]:
    """Returns image, box and class of up to ``most`` objects a class, at random."""

    def refuse(message: str) -> None:
        raise InputError(message)

    names = (root / f'ImageSets/Main/{split}.txt').read_text().split()
    counts: Counter[str] = Counter()
    found = []
    for name in np.random.default_rng(0).permutation(names):
        for thing in VOC().read_annotation(root / f'Annotations/{name}.xml', refuse).objects:
            if not thing.difficult and thing.name != 'person' and counts[thing.name] < most:
                counts[thing.name] += 1
                found.append((root / f'JPEGImages/{name}.jpg', thing.box, thing.name))
    return found


def smooth_crop(image: Tensor, window: Tensor, how: str) -> Tensor:
    """Resizes a window (4,) of an image (3, H, W), zero outside, to (3, SIZE, SIZE)."""
    x1, y1, x2, y2 = (round(value) for value in window.tolist())
    height, width = image.shape[1:]
    inside = image[:, max(y1, 0) : min(y2, height), max(x1, 0) : min(x2, width)]
    border = (max(-x1, 0), max(x2 - width, 0), max(-y1, 0), max(y2 - height, 0))
    cut = nn.functional.pad(inside, border)
    if how == 'antialias':
        return nn.functional.interpolate(cut[None], (SIZE, SIZE), mode='bilinear', antialias=True)[0]
    shrinks = cut.shape[1] > SIZE or cut.shape[2] > SIZE
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return torch.from_numpy(cv2.resize(cut.permute(1, 2, 0).numpy(), (SIZE, SIZE), interpolation=kind)).permute(2, 0, 1)


@torch.no_grad()
def measure(
    weights: str, things: list[tuple[Path, tuple[float, ...], str]]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Returns the score of the true class and whether it is the best, (N, 2) for each way; and which regions shrink."""
    read = GoogLeNet.read_weights(weights)
    backbone = dict(type='GoogLeNet', variant=read.variant, width=read.width)
    model = GoogLeNetClassifier(len(read.classifier['fc.bias']), backbone)
    preprocessor = CropPreprocessor(**read.normalization)
    model.load_pretrained(read)
    model.eval()
    classes, leaves = CLASS_SETS['voc']
    groups = torch.from_numpy(leaves[:, None] == np.arange(len(classes))).float()
    warps = {name: RegionWarp(SIZE, CONTEXT, name) for name in PLAIN}
    found: dict[str, list] = {name: [] for name in (*PLAIN, *SMOOTH)}
    shrinks = []
    for path, box, name in things:
        image = preprocessor.normalize(torch.from_numpy(read_image(path))[None])[0].permute(2, 0, 1)
        region = torch.tensor([[0.0, *box]])
        window = warps['bilinear'].windows(region[:, 1:])[0]
        shrinks.append(bool(((window[2:] - window[:2]) > SIZE).any()))
        crops = [warp(image[None], region, [image.shape[1:]])[0] for warp in warps.values()]
        crops += [smooth_crop(image, window, how) for how in SMOOTH.values()]
        scores = model(torch.stack(crops)).softmax(1) @ groups
        label = classes.index(name)
        for way, score in zip(found, scores):
            found[way].append((float(score[label]), float(score.argmax() == label)))
    return {way: np.array(values) for way, values in found.items()}, np.array(shrinks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--voc', type=Path, required=True, metavar='DIR')
    parser.add_argument('--split', default='val')
    parser.add_argument('--weights', nargs='+', required=True, metavar='FILE', help='GoogLeNets of the 1000 classes')
    parser.add_argument('--per-class', type=int, default=20, metavar='N')
    args = parser.parse_args()
    torch.set_num_threads(1)
    things = objects(args.voc, args.split, args.per_class)
    print(f'{len(things)} boxes\n')
    print('| weights | interpolation | top-1 | score of the class | difference | where it shrinks |')
    print('| --- ' * 6 + '|')
    for weights in args.weights:
        found, shrinks = measure(weights, things)
        for way, values in found.items():
            change = values[:, 0] - found['bilinear'][:, 0]
            parts = [
                f'{part.mean():+.4f} ± {part.std(ddof=1) / len(part) ** 0.5:.4f}' for part in (change, change[shrinks])
            ]
            parts = ['-', '-'] if way == 'bilinear' else parts
            means = f'{values[:, 1].mean():.3f} | {values[:, 0].mean():.4f}'
            print(f'| {Path(weights).name} | {way} | {means} | {" | ".join(parts)} |', flush=True)
        print(f'\n{shrinks.sum()} of the {len(shrinks)} regions shrink.\n')


if __name__ == '__main__':
    main()
