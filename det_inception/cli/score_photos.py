"""Runs a detector on photos that have DET ground truth and prints the official score, also for a few photos."""

import argparse

from det_inception.cli.common import add_config_options, require_output


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Finds objects in photos and scores them by the official rules of ILSVRC DET. Files that are not '
        'in the image list are left out. Without --checkpoint: by an ImageNet classifier, without training on boxes.',
        epilog='Example: det-inception score-photos photos/ --ground-truth ILSVRC2015_det_validation_ground_truth.mat '
        '--image-list det_lists/val.txt --weights bvlc_googlenet.npz',
    )
    parser.add_argument('images', nargs='+', metavar='IMAGE', help='image files, folders or globs')
    parser.add_argument(
        '--ground-truth',
        required=True,
        metavar='PATH',
        help="the development kit's .mat file, or a folder or tar archive of XML files",
    )
    parser.add_argument('--image-list', required=True, metavar='FILE', help='lines "<image name> <index>": val.txt')
    parser.add_argument('--blacklist', metavar='FILE', help="the development kit's, of the same image list")
    parser.add_argument('--config', default='googlenet_rcnn_imagenet1k')
    parser.add_argument('--checkpoint', nargs='+', help='trained detector, or several as an ensemble')
    parser.add_argument('--weights', metavar='FILE', help="ImageNet classifier; default: torchvision's, downloaded")
    parser.add_argument('--out', metavar='FILE', help='write the detections as a submission file')
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ...; default: a GPU where there is one')
    parser.add_argument('--amp', action='store_true', help='mixed precision; bfloat16 on a CPU')
    add_config_options(parser, 'settings that override the config')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    require_output(args.out, '--out')

    from det_inception.config.options import read_options
    from det_inception.ilsvrc import write_detections
    from det_inception.inference import Detector, find_images
    from det_inception.inference.photos import read_photo_set, score_photos

    photos = read_photo_set(find_images(args.images), args.ground_truth, args.image_list, args.blacklist)
    detector = Detector(
        args.config, args.checkpoint, args.device, args.amp, read_options(args.cfg_options), weights=args.weights
    )
    result = score_photos(detector, photos)
    if args.out:
        write_detections(args.out, result.detections)
    score = result.score
    for name, ap, objects in zip(score.class_names, score.ap, score.num_objects):
        if objects:
            print(f'{name:<26} {ap:.3f}  ({objects} objects)')
    print(
        f'{len(photos.files)} images, {int(score.num_objects.sum())} objects, {len(result.detections)} detections\n'
        f'mean AP of the {int((score.num_objects > 0).sum())} classes that have objects here: '
        f'{score.mean_ap_with_objects:.3f}\n'
        f'official mean AP over all {len(score.class_names)} classes: {score.mean_ap:.3f} (on a few images no '
        'measure: NaN where something is found of a class without objects, and 0 for the others without)\n'
        f'best box of an image has the class of an object: {result.named} of {result.with_objects}; and its place '
        f'(IoU 0.5): {result.localized}'
    )
