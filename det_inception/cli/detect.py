"""Finds objects in images and videos: draws their boxes, names and scores, and writes them as JSON."""

import argparse

from det_inception.cli.common import add_detector_options, chosen_detector


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Finds objects in images and videos, without annotations or a proposal file. Writes a picture with '
        'boxes for every image, detections.json with all boxes, and for a video a line of JSON per frame. Without '
        'options, the included detector finds the 20 classes of Pascal VOC: people, animals, vehicles, furniture. With '
        '--config and --checkpoint, a detector of your own finds its classes.',
        epilog='Examples: det-inception detect photo.jpg; det-inception detect holiday/*.jpg --config '
        'googlenet_rcnn_voc --checkpoint work_dirs/googlenet_rcnn_voc/epoch_8.pth --out-dir found',
    )
    parser.add_argument(
        'images',
        nargs='+',
        metavar='IMAGE',
        help='image files, folders with their sub-folders, globs, http and https addresses of images, video files, '
        'camera:0, or - for an image from standard input',
    )
    parser.add_argument(
        '--classes',
        choices=('voc', 'det'),
        help="voc: Pascal VOC's 20 (default); det: the 200 of ILSVRC DET, by an ImageNet classifier that was never "
        "trained on boxes: torchvision's GoogLeNet, which is downloaded, or the file that --weights names",
    )
    parser.add_argument(
        '--out-dir', default='demo_out', metavar='DIR', help='for pictures and JSON (default: %(default)s)'
    )
    parser.add_argument(
        '--score', type=float, help='lowest score that is drawn (default: 0.5 of a trained detector, 0.05 without)'
    )
    parser.add_argument(
        '--max-boxes', type=int, default=30, help='at most so many boxes a picture (default: %(default)s)'
    )
    parser.add_argument(
        '--save-as',
        nargs='+',
        default=[],
        choices=('coco', 'csv', 'yolo', 'voc'),
        help='also write the boxes of images as coco.json, as detections.csv, as labels/*.txt of YOLO (of --score or '
        'more) or as Annotations/*.xml of Pascal VOC (likewise)',
    )
    parser.add_argument(
        '--every', type=int, default=1, metavar='N', help='of a video, only each N-th frame (default: %(default)s)'
    )
    parser.add_argument('--frames', type=int, metavar='N', help='of a video or camera, at most N frames')
    parser.add_argument('--save-video', action='store_true', help='of a video or camera, also an MP4 with boxes')
    add_detector_options(parser)
    return parser.parse_args()


def main() -> int:
    args = parse_args()

    import cv2

    from det_inception.inference import find_sources, passed_over
    from det_inception.inference.demo import known_people
    from det_inception.inference.detecting import Wanted, detect_all, is_trained
    from det_inception.utils.errors import counted, printable

    cv2.setNumThreads(1)
    wanted = Wanted(args.score, args.max_boxes, args.save_as, args.every, args.frames, args.save_video)
    sources = find_sources(args.images)
    if unread := str(passed_over(args.images)):
        print(f'Passed over: {printable(unread)}.')
    detector = chosen_detector(args)
    done = detect_all(detector, sources, args.out_dir, wanted)
    for sentence in done.ended_early:
        print(f'warning: {printable(sentence)}')
    counts = [counted(done.images, 'image')] if done.images else []
    counts += [f'{counted(done.frames, "frame")} of videos'] if done.frames else []
    skipped = f', {len(done.unreadable)} skipped' if done.unreadable else ''
    boxes = f'{counted(done.boxes, "box", "boxes")} of score {done.score} or more'
    print(f'{", ".join(counts)}, {boxes}{skipped}; pictures and JSON are in {args.out_dir}')
    if not is_trained(detector):
        print(f'Found by an ImageNet classifier that was never trained on boxes; {known_people(detector)}')
    return 1 if done.unreadable or done.ended_early else 0
