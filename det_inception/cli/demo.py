"""Shows on photos and on a set that it draws itself what the project can do, without a download."""

import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Finds objects in the photos that come with the project. Then draws a small data set, tests a '
        'small network on it and prints its mAP. Nothing is downloaded.'
    )
    parser.add_argument(
        '--out-dir', default='demo_out', metavar='DIR', help='for pictures and the log (default: %(default)s)'
    )
    parser.add_argument(
        '--data-root',
        metavar='DIR',
        help='folder of the small data set, which is drawn if it is not there; default: data/mini where it is, else '
        'its test part is drawn in the folder of the pictures',
    )
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ...; default: a GPU where there is one')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    import cv2

    from det_inception.inference.tour import tour

    cv2.setNumThreads(1)
    seen = tour(args.out_dir, args.data_root, args.device)
    print(
        f'{seen.photos.images} photos, {seen.photos.boxes} boxes: {args.out_dir}/photos\n'
        f'{seen.drawn.images} of the drawn test images, {seen.drawn.boxes} boxes: {args.out_dir}/mini\n'
        f'mAP of the small network on the drawn set, {seen.data_root}: {seen.mean_ap:.3f}'
    )
