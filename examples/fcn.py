#!/usr/bin/env python3
"""GoogLeNet as a fully convolutional network: a class for every pixel (Long et al., arXiv 1411.4038).

python examples/fcn.py train --stride 8 --weights bvlc_googlenet.npz --iterations 2000
python examples/fcn.py train --data VOCdevkit/VOC2012 --stride 8 --weights bvlc_googlenet.npz --iterations 100000
python examples/fcn.py draw work_dirs/fcn/iter_2000.pth photo.jpg classes.png

``--stride`` chooses FCN-32s, -16s or -8s; ``--start`` continues from a coarser one, as the paper does. Without
``--data`` it learns from pictures that the mini set's program draws. Data of your own are in Pascal VOC's layout:
``JPEGImages/``, ``SegmentationClass/`` (PNG with a class per pixel, 255: not said) and ``ImageSets/Segmentation/``.

Shape legend: N images, K classes with the background, H and W an image's sides, h and w a map's.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner, set_random_seed
from mmengine.structures import BaseDataElement
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset

from det_inception.cli.common import run
from det_inception.mini_set import CLASSES
from det_inception.mini_set.scene import compose
from det_inception.models import GoogLeNet
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_image
from det_inception.utils.images import read_image
from det_inception.weights.checkpoints import read_checkpoint

NOT_SAID = 255
STAGES = {8: 2, 16: 3, 32: 4}
"""To each stride, the stage of GoogLeNet that has it."""


class Double(nn.Module):
    """A map of scores on the grid of the next finer stage: a transposed convolution that starts as bilinear.

    A cell of the coarse map looks where every second cell of the finer one does, so the kernel is 3x3. Every class is
    on its own. At its borders the map goes on as it is.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(classes, classes, 3, stride=2, groups=classes, bias=False)
        line = torch.tensor([0.5, 1.0, 0.5])
        with torch.no_grad():
            self.conv.weight.copy_(torch.outer(line, line).expand_as(self.conv.weight))

    def forward(self, scores: Tensor, size: torch.Size) -> Tensor:
        doubled = self.conv(nn.functional.pad(scores, (1, 1, 1, 1), mode='replicate'))
        return doubled[..., 2 : 2 + size[0], 2 : 2 + size[1]]


def on_pixels(scores: Tensor, stride: int, first_center: float, height: int, width: int) -> Tensor:
    """Interpolates scores (N, K, h, w), whose cell j looks at pixel ``stride j + first_center``: (N, K, H, W)."""
    x, y = (
        ((torch.arange(side, device=scores.device) + 0.5 - first_center) / stride + 0.5) / cells * 2 - 1
        for side, cells in ((width, scores.shape[3]), (height, scores.shape[2]))
    )
    grid = torch.stack(torch.meshgrid(x, y, indexing='xy'), dim=-1)[None].expand(len(scores), -1, -1, -1)
    return nn.functional.grid_sample(scores, grid.to(scores), padding_mode='border', align_corners=False)


class FCN(BaseModel):
    """FCN-32s, -16s or -8s on GoogLeNet.

    Scores of the last map are doubled, those of the next finer stage are added, and so on down to the stride; the rest
    of the way is bilinear. New layers start at zero, so a finer network starts with what a coarser one says.

    Args:
        classes: K.
        stride: 32, 16 or 8.
        backbone: Settings of :class:`~det_inception.models.GoogLeNet`.
    """

    def __init__(self, classes: int, stride: int = 8, backbone: dict | None = None) -> None:
        network = GoogLeNet(**{**(backbone or {}), 'out_indices': tuple(STAGES[s] for s in STAGES if s >= stride)})
        network.init_weights()
        normalization = network.normalization or network.default_normalization
        super().__init__(dict(type='ImgDataPreprocessor', **normalization))
        self.backbone, self.stride = network, stride
        self.strides = [s for s in sorted(STAGES, reverse=True) if s >= stride]
        self.score = nn.ModuleDict(
            {str(s): nn.Conv2d(network.feature_info[STAGES[s]]['channels'], classes, 1) for s in self.strides}
        )
        self.doubled = nn.ModuleDict({str(s): Double(classes) for s in self.strides[1:]})
        for layer in self.score.values():
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement] | None = None, mode: str = 'tensor'
    ) -> Tensor | dict[str, Tensor] | list[BaseDataElement]:
        """Scores every pixel of images (N, 3, H, W), H and W at least 31.

        Returns:
            ``'tensor'``: logits (N, K, H, W). ``'loss'``: the mean cross entropy of the pixels whose class is said.
            ``'predict'``: the samples with ``pred``, (H, W) of their own image, without padding.
        """
        *finer, features = self.backbone(inputs)
        scores = self.score['32'](features)
        for stride, features in zip(self.strides[1:], reversed(finer)):
            scores = self.doubled[str(stride)](scores, features.shape[-2:]) + self.score[str(stride)](features)
        info = self.backbone.feature_info[STAGES[self.stride]]
        logits = on_pixels(scores, self.stride, info['first_center'], *inputs.shape[-2:])
        if mode == 'tensor':
            return logits
        own = [one[:, : s.classes.shape[0], : s.classes.shape[1]] for one, s in zip(logits, data_samples)]
        if mode == 'predict':
            for sample, one in zip(data_samples, own):
                sample.pred = one.argmax(dim=0)
            return list(data_samples)
        pixels = torch.cat([one.flatten(1) for one in own], dim=1).T
        labels = torch.cat([sample.classes.flatten() for sample in data_samples]).to(pixels.device)
        return dict(loss=nn.functional.cross_entropy(pixels, labels, ignore_index=NOT_SAID))


class MeanIU(BaseMetric):
    """The paper's four figures, over all pixels whose class is said.

    With n_ij pixels of class i that are found to be j: pixel accuracy, mean accuracy, mean IU (intersection over
    union), and IU weighted by how frequent a class is. Classes that no image has are left out.

    Args:
        classes: K.
    """

    default_prefix = 'fcn'

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            truth, found = sample['classes'].cpu().flatten(), sample['pred'].cpu().flatten()
            known = truth != NOT_SAID
            pairs = torch.bincount(truth[known] * self.classes + found[known], minlength=self.classes**2)
            self.results.append(pairs.reshape(self.classes, self.classes))

    def compute_metrics(self, results: list) -> dict[str, float]:
        n = torch.stack(results).sum(0).double()
        right, true = n.diag(), n.sum(1)
        there = true > 0
        iu = right / (true + n.sum(0) - right).clamp(min=1)
        return dict(
            pixel_accuracy=float(right.sum() / n.sum()),
            mean_accuracy=float((right / true)[there].mean()),
            mean_iu=float(iu[there].mean()),
            weighted_iu=float((true * iu).sum() / n.sum()),
        )


def as_sample(image: np.ndarray, classes: np.ndarray) -> dict:
    """Returns what the model's ``train_step`` takes of an image (H, W, 3), BGR, with a class for each pixel."""
    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    return dict(inputs=pixels, data_samples=BaseDataElement(classes=torch.from_numpy(classes.astype(np.int64))))


class Drawn(Dataset):
    """Pictures of the mini set's program, with the class that is in front at every pixel: 0 is the background.

    Args:
        count: How many.
        seed: The pictures of another seed are others.
        side: The longer side of a picture, in pixels.
    """

    names = ('background', *(name for _, name in CLASSES))

    def __init__(self, count: int, seed: int, side: int = 256) -> None:
        self.count, self.seed, self.side = count, seed, side

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict:
        scene = compose((self.seed, index))
        numbers = {wnid: number for number, (wnid, _) in enumerate(CLASSES, start=1)}
        classes = np.zeros(scene.image.shape[:2], np.uint8)
        for layer in scene.layers:
            front = 0 if layer.object_index < 0 else numbers[scene.boxes[layer.object_index][0]]
            classes[layer.alpha >= 128] = front
        scale = self.side / max(classes.shape)
        size = tuple(max(32, round(length * scale)) for length in classes.shape[::-1])
        image = cv2.resize(scene.image, size, interpolation=cv2.INTER_AREA)
        return as_sample(image, cv2.resize(classes, size, interpolation=cv2.INTER_NEAREST))


class VOC(Dataset):
    """A part of a folder in Pascal VOC's layout for segmentation.

    Args:
        root: With ``JPEGImages``, ``SegmentationClass`` and ``ImageSets/Segmentation``.
        part: ``'train'`` or ``'val'``.

    Raises:
        InputError: The part has no list.
    """

    names = (
        *('background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow'),
        *('diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor'),
    )

    def __init__(self, root: Path, part: str) -> None:
        self.root, list_file = root, root / f'ImageSets/Segmentation/{part}.txt'
        if not list_file.is_file():
            raise InputError(f'{list_file}: no such list; --data is a folder in the layout of Pascal VOC.')
        self.images = list_file.read_text(encoding='utf-8').split()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict:
        name = self.images[index]
        image, mask = self.root / f'JPEGImages/{name}.jpg', self.root / f'SegmentationClass/{name}.png'
        try:
            classes = np.asarray(Image.open(mask))  # A palette's numbers, not its colors.
        except OSError as error:
            raise InputError(f'{mask}: cannot be read ({error}).') from error
        pixels = read_image(image)
        if classes.shape != pixels.shape[:2] or (classes[classes != NOT_SAID] >= len(self.names)).any():
            raise InputError(f'{mask}: is no map of the classes 0 to {len(self.names) - 1} of {image.name}.')
        return as_sample(pixels, classes)


def train(args: argparse.Namespace) -> dict[str, float]:
    """Trains and tests with MMEngine's runner; returns the figures of the test."""
    if args.data is None:
        parts = [Drawn(args.images, 0), Drawn(max(1, args.images // 4), 1)]
    else:
        parts = [VOC(args.data, 'train'), VOC(args.data, 'val')]
    backbone = dict(width=args.width)
    if args.weights:
        backbone |= GoogLeNet.config_from_pretrained(backbone, args.weights).settings
        backbone['init_cfg'] = dict(type='Pretrained', checkpoint=args.weights)
    classes = parts[0].names
    set_random_seed(args.seed)
    model = FCN(len(classes), args.stride, backbone)
    if args.start:
        found = read_checkpoint(args.start)['state_dict']
        missing, unknown = model.load_state_dict(found, strict=False)
        if unknown or {key.split('.')[0] for key in missing} - {'score', 'doubled'}:
            raise InputError(f'{args.start}: is no coarser FCN of this kind; give --stride and --width fit for it.')
    common = dict(num_workers=0, collate_fn=dict(type='pseudo_collate'))
    runner = Runner(
        model,
        str(args.out),
        train_dataloader=dict(
            dataset=parts[0], sampler=dict(type='InfiniteSampler', shuffle=True), batch_size=args.batch, **common
        ),
        val_dataloader=dict(
            dataset=parts[1], sampler=dict(type='DefaultSampler', shuffle=False), batch_size=1, **common
        ),
        train_cfg=dict(by_epoch=False, max_iters=args.iterations, val_interval=args.iterations + 1),
        val_cfg={},
        val_evaluator=[MeanIU(len(classes))],
        optim_wrapper=dict(
            optimizer=dict(type='SGD', lr=args.rate, momentum=0.9, weight_decay=5e-4), clip_grad=dict(max_norm=10)
        ),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=args.iterations, save_optimizer=False)
        ),
        randomness=dict(seed=args.seed),
        default_scope='mmengine',
        experiment_name='fcn',
    )
    runner.train()
    return runner.val()


def load(path: str) -> FCN:
    """Returns the network of a checkpoint, whose arrays say its kind.

    Raises:
        InputError: It cannot be read, or is no FCN.
    """
    checkpoint = read_checkpoint(path)
    state = checkpoint['state_dict']
    strides = [stride for stride in STAGES if f'score.{stride}.bias' in state]
    if not strides:
        raise InputError(f'{path}: is no FCN; name a checkpoint that examples/fcn.py trained.')
    settings = GoogLeNet.config_from_checkpoint({}, checkpoint, path).settings
    model = FCN(len(state['score.32.bias']), min(strides), settings)
    model.load_state_dict(state)
    return model.eval()


@torch.no_grad()
def draw(model: FCN, image: np.ndarray) -> np.ndarray:
    """Returns an image (H, W, 3), BGR, with the color of its class over every pixel; the background stays."""
    (sample,) = model.test_step(pseudo_collate([as_sample(image, np.zeros(image.shape[:2]))]))
    found = sample.pred.numpy()
    hues = np.arange(256) * 180 * 0.618 % 180
    colors = cv2.cvtColor(np.stack([hues, *np.full((2, 256), 220)], 1)[None].astype(np.uint8), cv2.COLOR_HSV2BGR)[0]
    mixed = image.copy()
    mixed[found > 0] = (image[found > 0] * 0.4 + colors[found[found > 0]] * 0.6).astype(np.uint8)
    return mixed


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    learn = commands.add_parser('train', help='trains, and tests at the end')
    learn.add_argument(
        '--data', type=Path, metavar='FOLDER', help='in the layout of Pascal VOC; default: drawn pictures'
    )
    learn.add_argument('--images', type=int, default=400, metavar='N', help='drawn pictures (default: %(default)s)')
    learn.add_argument('--stride', type=int, choices=STAGES, default=8, help='FCN-8s, -16s or -32s (default: 8)')
    learn.add_argument('--width', type=float, default=1.0, help='of GoogLeNet, without --weights (default: 1)')
    learn.add_argument('--weights', metavar='FILE', help='of a GoogLeNet')
    learn.add_argument('--start', metavar='CHECKPOINT', help='of a coarser FCN')
    learn.add_argument('--iterations', type=int, default=2000, metavar='N', help='default: %(default)s')
    learn.add_argument('--batch', type=int, default=1, metavar='IMAGES', help='default: %(default)s')
    learn.add_argument('--rate', type=float, default=0.001, help='default: %(default)s')
    learn.add_argument('--seed', type=int, default=0, metavar='N')
    learn.add_argument('--out', type=Path, default=Path('work_dirs/fcn'), metavar='FOLDER', help='default: %(default)s')
    show = commands.add_parser('draw', help='colors the pixels of a photo by their class')
    show.add_argument('checkpoint')
    show.add_argument('image')
    show.add_argument('picture', help='to write')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.command == 'draw':
        write_image(args.picture, draw(load(args.checkpoint), read_image(args.image)))
        return
    for name, value in train(args).items():
        print(f'{name}: {value:.3f}')


if __name__ == '__main__':
    run(main)
