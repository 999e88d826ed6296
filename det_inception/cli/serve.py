"""Serves a detector: a page on which photos are dropped, and an address that answers images with JSON."""

import argparse

from det_inception.cli.common import add_detector_options, chosen_detector


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
    parser.add_argument('--gradio', action='store_true', help="a page of Gradio: pip install 'det_inception[serve]'")
    add_detector_options(parser)
    return parser.parse_args()


def main() -> int:
    args = parse_args()

    import cv2

    cv2.setNumThreads(1)
    if args.gradio:
        return serve_gradio_page(args)
    from det_inception.inference.server import DetectionServer

    with DetectionServer(args.host, args.port, args.score) as server:
        server.detector = chosen_detector(args)
        print(f'{server.address} (Ctrl-C ends it)', flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print('Stopped.')
    return 0


def serve_gradio_page(args: argparse.Namespace) -> int:
    """Serves the page of Gradio until Ctrl-C."""
    from det_inception.inference.gradio_page import require_gradio, serve_gradio

    require_gradio()  # Before the detector, which takes long to load.
    page = serve_gradio(chosen_detector(args), args.host, args.port, args.score)
    print(f'{page.local_url} (Ctrl-C ends it)', flush=True)
    page.block_thread()  # Returns at Ctrl-C, and says so.
    return 0
