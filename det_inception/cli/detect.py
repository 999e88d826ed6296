"""Finds objects in images: draws their boxes, names and scores, and writes them as JSON."""

import argparse

from det_inception.cli.common import add_config_options, add_speed_options


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Finds objects in images, without annotations or a proposal file. Writes a picture with boxes for '
        'every image, and detections.json with all boxes. Without options, the included detector finds the 20 classes '
        'of Pascal VOC: people, animals, vehicles, furniture. With --config and --checkpoint, a detector of your own '
        'finds its classes.',
        epilog='Examples: tools/demo.py photo.jpg; tools/demo.py holiday/*.jpg --config configs/googlenet_rcnn_voc.py '
        '--checkpoint work_dirs/googlenet_rcnn_voc/epoch_8.pth --out-dir found',
    )
    parser.add_argument('images', nargs='+', metavar='IMAGE', help='image files, folders or globs')
    parser.add_argument(
        '--classes',
        choices=('voc', 'det'),
        help="voc: Pascal VOC's 20 (default); det: the 200 of ILSVRC DET, by an ImageNet classifier that was never "
        "trained on boxes: torchvision's GoogLeNet, which is downloaded, or the file that --weights names",
    )
    parser.add_argument('--config', help="config of the checkpoint; default with a checkpoint: the mini set's")
    parser.add_argument(
        '--checkpoint',
        nargs='+',
        help='trained detector, or several as an ensemble; default with a config: the included one of the same name',
    )
    parser.add_argument('--weights', metavar='FILE', help='ImageNet classifier for --classes det')
    parser.add_argument(
        '--out-dir', default='demo_out', metavar='DIR', help='for pictures and JSON (default: %(default)s)'
    )
    parser.add_argument(
        '--score', type=float, help='lowest score that is drawn (default: 0.5 of a trained detector, 0.05 without)'
    )
    parser.add_argument(
        '--max-boxes', type=int, default=30, help='at most so many boxes a picture (default: %(default)s)'
    )
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ...; default: a GPU where there is one')
    add_speed_options(parser)
    add_config_options(parser, 'settings that override the config')
    return parser.parse_args()


def main() -> int:
    args = parse_args()

    import cv2

    from det_inception.config.options import read_options
    from det_inception.inference import find_images, passed_over
    from det_inception.inference.demo import demo_detector, draw_photos, is_trained, known_people
    from det_inception.utils.errors import printable

    cv2.setNumThreads(1)
    paths = find_images(args.images)
    if unread := passed_over(args.images):
        print(f'Passed over are {printable(unread)}')
    detector = demo_detector(
        args.config,
        args.checkpoint,
        args.weights,
        args.classes,
        device=args.device,
        amp=args.amp,
        options=read_options(args.cfg_options),
        engine=args.engine,
    )
    drawn = draw_photos(detector, paths, args.out_dir, args.score, args.max_boxes)
    print(
        f'{drawn.images} images, {drawn.boxes} boxes of score {drawn.score} or more; pictures and detections.json in '
        f'{args.out_dir}'
    )
    if not is_trained(detector):
        print(f'Found by an ImageNet classifier that was never trained on boxes; {known_people(detector)}')
    return 1 if drawn.unreadable else 0
