"""Says which of MMDetection's own configs work on this machine."""

import argparse

from det_inception.cli.common import require_output


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Builds every config of the installed MMDetection, and runs one model of each kind on small random '
        'images: losses, gradients, a prediction. Each runs in a process of its own. What was found is kept, so that '
        'the command goes on where it was stopped. Writes OUT.json and OUT.md.',
        epilog="Example: det-inception zoo 'retinanet/*' --out zoo",
    )
    parser.add_argument('patterns', nargs='*', metavar='PATTERN', help="configs such as 'retinanet/*'; default: all")
    parser.add_argument('--out', default='zoo', metavar='OUT', help='where to write, without suffix (default: zoo)')
    parser.add_argument('--build-only', action='store_true', help='run none')
    parser.add_argument(
        '--device',
        default='cpu',
        help='where to run (default: cpu); pretended: the processor refuses what a GPU would, to find tensors that a '
        'model leaves behind, without a GPU',
    )
    parser.add_argument('--seconds', type=float, default=180, help='longest time for each (default: 180)')
    parser.add_argument('--memory', type=float, default=8, metavar='GIB', help='for each, on a processor (default: 8)')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    require_output(f'{args.out}.json', '--out')
    import os
    import warnings

    # Else PyTorch opens the GPU to see whether there is one, and a process that has can have no children there.
    os.environ.setdefault('PYTORCH_NVML_BASED_CUDA_CHECK', '1')
    import torch

    from det_inception.utils.errors import InputError

    if args.seconds <= 0 or args.memory <= 0:
        raise InputError('--seconds and --memory: name more than 0.')
    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    from det_inception import compat  # noqa: F401  (before MMDetection)
    from det_inception.zoo.pretended_gpu import PRETENDED
    from det_inception.zoo.survey import survey, write_table

    if args.device != PRETENDED:
        try:
            kind = torch.device(args.device).type
        except RuntimeError as error:
            raise InputError(f'--device {args.device}: is no device; name cpu, cuda, cuda:1 or pretended.') from error
        if kind == 'cuda' and not torch.cuda.is_available():
            raise InputError(f'--device {args.device}: PyTorch finds no GPU; pretended does without one.')
    results = survey(
        f'{args.out}.json',
        args.patterns,
        build_only=args.build_only,
        device=args.device,
        seconds=args.seconds,
        memory=int(args.memory * 2**30),
        progress=lambda line: print(line, flush=True),
    )
    write_table(results, f'{args.out}.md')
    print(f'{args.out}.json, {args.out}.md')
