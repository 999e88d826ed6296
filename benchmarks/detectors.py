"""Measures detectors from image to boxes: seconds an image, proposals included.

    python benchmarks/detectors.py my_voc/JPEGImages \\
        --detector R-CNN configs/googlenet_rcnn_bbox-reg_voc.py rcnn.pth \\
        --detector Fast configs/googlenet_fast-rcnn_voc.py fast.pth proposals.max_num=1000 --engine auto

Every image goes through all detectors before the next image, so that a machine that is busy for a while is busy for all
of them; the first image is not counted. Files are read beforehand; proposals are computed, whatever the cache holds.
"""

from __future__ import annotations

import argparse
import statistics
import time

from mmengine.logging import MMLogger

from det_inception.cli.common import add_speed_options
from det_inception.config.options import read_options
from det_inception.inference import Detector, find_images
from det_inception.utils.images import read_image
from det_inception.utils.tables import markdown_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('images', nargs='+', help='files, folders or globs')
    parser.add_argument(
        '--detector',
        nargs='+',
        action='append',
        required=True,
        metavar='NAME CONFIG CHECKPOINT [KEY=VALUE ...]',
        dest='detectors',
        help='a trained detector, and settings that override those of its config',
    )
    parser.add_argument('--count', type=int, default=9, help='images, the first for warming up (default: %(default)s)')
    add_speed_options(parser)
    args = parser.parse_args()
    if args.count < 2:
        parser.error('--count is at least 2: one to warm up, one to measure')
    MMLogger.get_current_instance().setLevel('WARNING')
    detectors = {}
    for words in args.detectors:
        if len(words) < 3:
            parser.error('--detector is a name, a config and a checkpoint, and perhaps settings.')
        name, config, checkpoint, *settings = words
        options = {'proposals.cache_dir': '', **read_options(settings)}
        detectors[name] = Detector(config, checkpoint, amp=args.amp, options=options, engine=args.engine)
    seconds: dict[str, list[float]] = {name: [] for name in detectors}
    for path in find_images(args.images)[: args.count]:
        image = read_image(path)
        for name, detector in detectors.items():
            start = time.perf_counter()
            detector.detect(image, path)
            seconds[name].append(time.perf_counter() - start)
    rows = [['detector', 'seconds an image', 'slowest']]
    for name, found in seconds.items():
        rows.append([name, f'{statistics.median(found[1:]):.2f}', f'{max(found[1:]):.2f}'])
    print(markdown_table(rows, numbers_from=1))


if __name__ == '__main__':
    main()
