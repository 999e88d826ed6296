"""Serves a detector: a page on which photos are dropped, and an address that answers images with JSON."""

import argparse

from det_inception.cli.common import add_config_options, add_speed_options


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__
        + ' Without options, the included detector finds the 20 classes of Pascal VOC, and the page '
        'is for this machine alone.',
        epilog='Examples: det-inception serve; det-inception serve --config configs/googlenet_rcnn_voc.py --checkpoint '
        'work_dirs/googlenet_rcnn_voc/epoch_8.pth --port 9000; curl --data-binary @photo.jpg '
        'http://127.0.0.1:8000/detect?score=0.5',
    )
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='name or number to be reached by; 0.0.0.0: from other machines, too, by anybody (default: %(default)s)',
    )
    parser.add_argument('--port', type=int, default=8000, help='0: any that is free (default: %(default)s)')
    parser.add_argument(
        '--score', type=float, default=0.5, help='threshold that the page begins with (default: %(default)s)'
    )
    parser.add_argument('--classes', choices=('voc', 'det'), help="as for detect: Pascal VOC's 20 or ILSVRC DET's 200")
    parser.add_argument('--config', help="config of the checkpoint; default with a checkpoint: the mini set's")
    parser.add_argument(
        '--checkpoint',
        nargs='+',
        help='trained detector, or several as an ensemble; default with a config: the included one of the same name',
    )
    parser.add_argument('--weights', metavar='FILE', help='ImageNet classifier for --classes det')
    parser.add_argument('--device', help='cpu, cuda, cuda:1, ...; default: a GPU where there is one')
    add_speed_options(parser)
    add_config_options(parser, 'settings that override the config')
    return parser.parse_args()


def main() -> int:
    args = parse_args()

    import cv2

    from det_inception.config.options import read_options
    from det_inception.inference.demo import demo_detector
    from det_inception.inference.server import DetectionServer

    cv2.setNumThreads(1)
    with DetectionServer(args.host, args.port, args.score) as server:
        server.detector = demo_detector(
            args.config,
            args.checkpoint,
            args.weights,
            args.classes,
            device=args.device,
            amp=args.amp,
            options=read_options(args.cfg_options),
            engine=args.engine,
        )
        print(f'{server.address} (Ctrl-C ends it)', flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print('Stopped.')
    return 0
