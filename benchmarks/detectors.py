"""Measures detectors from image to boxes: seconds an image, proposals included.

    python benchmarks/detectors.py my_voc/JPEGImages \\
        --detector R-CNN configs/googlenet_rcnn_bbox-reg_voc.py rcnn.pth \\
        --detector Fast configs/googlenet_fast-rcnn_voc.py fast.pth --amp

Every image goes through all detectors before the next image, so that a machine that is busy for a while is busy for all
of them; the first image is not counted. Files are read beforehand; proposals are computed, whatever the cache holds.
"""

from __future__ import annotations

import argparse
import statistics
import time

from mmengine.logging import MMLogger

from det_inception.config import read_config
from det_inception.images import read_image
from det_inception.inference import Detector, find_images
from det_inception.registry import MODELS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('images', nargs='+', help='files, folders or globs')
    parser.add_argument(
        '--detector',
        nargs=3,
        action='append',
        required=True,
        metavar=('NAME', 'CONFIG', 'CHECKPOINT'),
        dest='detectors',
    )
    parser.add_argument('--count', type=int, default=9, help='images, the first for warming up (default: %(default)s)')
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument('--engine', help='for those that classify crops, instead of --amp, as for tools/test.py')
    args = parser.parse_args()
    if args.count < 2:
        parser.error('--count is at least 2: one to warm up, one to measure')
    MMLogger.get_current_instance().setLevel('WARNING')
    detectors = {}
    for name, config, checkpoint in args.detectors:
        options = {'proposals.cache_dir': ''}
        engine = args.engine if hasattr(MODELS.get(read_config(config).model.type), 'judge') else None
        amp = args.amp and engine is None
        detectors[name] = Detector(config, checkpoint, amp=amp, options=options, engine=engine)
    seconds: dict[str, list[float]] = {name: [] for name in detectors}
    for path in find_images(args.images)[: args.count]:
        image = read_image(path)
        for name, detector in detectors.items():
            start = time.perf_counter()
            detector.detect(image, path)
            seconds[name].append(time.perf_counter() - start)
    width = max(map(len, detectors))
    print(f'| {"detector":{width}} | seconds an image | slowest |\n| {"-" * width} | ---------------: | ------: |')
    for name, found in seconds.items():
        print(f'| {name:{width}} | {statistics.median(found[1:]):16.2f} | {max(found[1:]):7.2f} |')


if __name__ == '__main__':
    main()
