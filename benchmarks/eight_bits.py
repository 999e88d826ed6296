"""Measures what 8 bits cost and bring, by which convolutions get them.

    python benchmarks/eight_bits.py configs/googlenet_rcnn_bbox-reg_voc.py rcnn.pth my_voc/JPEGImages

Crops of the images' proposals go through a trained detector in float32 and through OpenVINO with different layers in
8 bits. Some crops of every image set the ranges; the others are measured. The error is that of the margin by which the
best class leads the background (in logits): its standard deviation over the regions that might be objects. Crops a
second are medians of rounds in which every choice has its turn.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from mmengine.logging import MMLogger
from torch import Tensor
from tqdm import tqdm

from det_inception.cli.common import run
from det_inception.inference import Detector, find_images
from det_inception.inference.acceleration.openvino_engine import (
    CALIBRATION,
    CALIBRATION_SHARE,
    OpenVINOEngine,
    convolutions,
    costly,
)
from det_inception.models.layers.region_classifier import RegionClassifier
from det_inception.utils.errors import InputError
from det_inception.utils.images import read_image
from det_inception.utils.tables import markdown_table

CHOICES = {
    'all': lambda network: list(convolutions(network)),
    'all behind the first': lambda network: list(convolutions(network))[1:],
    'all behind the third': lambda network: list(convolutions(network))[3:],
    '3 x 3 behind the first': costly,
}
LEAD = -3.0
"""A region whose margin is below this is background beyond doubt."""


def collect(detector: Detector, images: list, wanted: int) -> Tensor:
    """Returns crops (R, C, S, S) of the images, evenly many of each and of its proposals."""
    share = -(-wanted // len(images))
    found, seen = [], []

    def keep(crops: Tensor):
        seen.append(crops.clone())
        head = detector.model.bbox_head
        return torch.zeros(len(crops), head.num_classes + 1), torch.zeros(len(crops), 4 * head.num_classes)

    detector.model.engine = keep
    for path in tqdm(images, unit='image', desc='crops'):
        detector.detect(read_image(path), path)
        crops = torch.cat(seen)
        found.append(crops[torch.linspace(0, len(crops) - 1, min(share, len(crops))).long()])
        seen.clear()
    detector.model.engine = None
    return torch.cat(found)[:wanted].contiguous(memory_format=torch.channels_last)


def margins(classify: Callable, crops: Tensor) -> Tensor:
    """Returns by how much the best class leads the background, (R,)."""
    with torch.no_grad():
        logits = torch.cat([classify(part)[0] for part in crops.split(64)])
    return logits[:, :-1].max(1).values - logits[:, -1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='of an R-CNN')
    parser.add_argument('checkpoint', help='a trained one')
    parser.add_argument('images', nargs='+', help='files, folders or globs')
    parser.add_argument('--count', type=int, default=40, help='images, evenly chosen (default: %(default)s)')
    parser.add_argument('--crops', type=int, default=600, help='crops to classify (default: %(default)s)')
    parser.add_argument('--rounds', type=int, default=5, help='rounds that are timed (default: %(default)s)')
    args = parser.parse_args()
    MMLogger.get_current_instance().setLevel('WARNING')
    detector = Detector(args.config, args.checkpoint, device='cpu', options={'proposals.max_num': 200})
    if not isinstance(detector.model, RegionClassifier):
        raise InputError(f'{args.config}: describes no R-CNN, whose regions are crops; name one that does.')
    paths = find_images(args.images)
    paths = [paths[place] for place in torch.linspace(0, len(paths) - 1, min(args.count, len(paths))).long()]
    crops = collect(detector, paths, args.crops + CALIBRATION)
    # Every so many go to the calibration, so that both parts are of all images.
    calibrating = torch.zeros(len(crops), dtype=torch.bool)
    calibrating[torch.linspace(0, len(crops) - 1, CALIBRATION).long()] = True
    measured = crops[~calibrating]
    reference = margins(detector.model.classify_regions, measured)
    doubtful = reference > LEAD
    engines: dict[str, Callable] = {'none (bfloat16)': OpenVINOEngine(detector.model, 'bfloat16')}
    for name, chosen in CHOICES.items():
        engines[name] = engine = OpenVINOEngine(detector.model, 'int8', chosen)
        for part in crops[calibrating].split(CALIBRATION_SHARE):
            engine(part)
    errors = {name: (margins(engine, measured) - reference)[doubtful].std() for name, engine in engines.items()}
    speeds: dict[str, list[float]] = {name: [] for name in engines}
    for _ in tqdm(range(args.rounds), unit='round', desc='speed'):
        for name, engine in engines.items():
            start = time.perf_counter()
            engine(measured[:256])
            speeds[name].append(min(256, len(measured)) / (time.perf_counter() - start))
    print(f'{len(measured)} crops, {int(doubtful.sum())} of them perhaps objects')
    rows = [['convolutions in 8 bits', 'error of the margin', 'crops/s']]
    for name, error in errors.items():
        rows.append([name, f'{error:.3f}', f'{statistics.median(speeds[name]):.1f}'])
    print(markdown_table(rows, numbers_from=1))


if __name__ == '__main__':
    run(main)
