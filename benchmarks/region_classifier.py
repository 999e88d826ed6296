"""Measures how many crops a second the region classifier classifies, in every mode, against torchvision's GoogLeNet.

    python benchmarks/region_classifier.py --weights torchvision://googlenet

All modes get the same crops, one after the other in every round, so that a machine that is busy for a while is busy
for all of them; a mode's figure is its median over the rounds, and its ratio the median of the ratios to the first
line's figure of the same round. The last lines are whole detectors: warp, network, softmax, NMS, on one image with as
many proposals. The ceiling is what the same cores (or GPU) reach in a product of two large matrices, divided by the
operations of a crop.

What is not installed (det_inception[openvino], det_inception[onnx], a compiler for torch.compile) is left out and said.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
import torchvision
from clock import now
from mmdet.structures import DetDataSample
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from torch.utils.flop_counter import FlopCounterMode

from det_inception.config.loading import read_config
from det_inception.inference.acceleration import accelerate, make_engine
from det_inception.models import GoogLeNet
from det_inception.registry import MODELS
from det_inception.utils.allocator import keep_freed_memory
from det_inception.utils.errors import InputError
from det_inception.utils.tables import markdown_table

REPO = Path(__file__).resolve().parent.parent
HALF = 'bfloat16'


def detector(args: argparse.Namespace) -> torch.nn.Module:
    """An R-CNN of 20 classes with the weights, in evaluation mode."""
    cfg = read_config(REPO / 'configs/googlenet_rcnn_voc.py').model
    cfg.backbone.update(variant=args.variant, init_cfg=None)
    if args.weights:
        weights = GoogLeNet.read_weights(args.weights)
        cfg.backbone.update(variant=weights.variant, init_cfg=dict(type='Pretrained', checkpoint=args.weights))
        cfg.data_preprocessor.update(weights.normalization)
    cfg.bbox_head.update(num_classes=20, with_reg=True)
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    return model.to(args.device).eval()


def onnx_session(model: torch.nn.Module, threads: int) -> Callable:
    import onnxruntime

    from det_inception.inference.acceleration.export import export_detector

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'model.onnx')
        export_detector(model, path, [str(number) for number in range(20)])
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(str(path), settings, providers=['CPUExecutionProvider'])
    return lambda crops: session.run(None, {'crops': crops.contiguous().numpy()})


def calibrated(engine: Callable) -> Callable:
    """An engine that has seen enough crops to be quantized; which ones makes no difference to its speed."""
    while engine.calibration is not None:
        engine(torch.randn(64, 3, 224, 224))
    return engine


def modes(args: argparse.Namespace) -> dict[str, Callable]:
    """Name and function of every mode; each takes crops (R, 3, 224, 224), float32."""
    model = detector(args)
    reference = torchvision.models.googlenet(weights=None, init_weights=True, aux_logits=False, transform_input=False)
    reference = reference.to(args.device).eval()

    def mixed(crops: torch.Tensor):
        with torch.autocast(crops.device.type, torch.bfloat16):
            return model.classify_regions(crops.contiguous(memory_format=torch.channels_last))

    found: dict[str, Callable] = {
        'torchvision, eager, float32': reference,
        'eager, float32': lambda crops: model.classify_regions(crops.contiguous(memory_format=torch.channels_last)),
        f'eager, mixed precision ({HALF})': mixed,
    }
    builders: dict[str, Callable[[], Callable]] = {}
    for engine in ('fused', 'compile', 'openvino'):
        for precision in ('float32', HALF):
            builders[f'{engine}, {precision}'] = lambda e=engine, p=precision: make_engine(model, e, p)
    builders['openvino, int8'] = lambda: calibrated(make_engine(model, 'openvino', 'int8'))
    builders['ONNX Runtime, float32'] = lambda: onnx_session(model, torch.get_num_threads())
    probe = torch.zeros(8, 3, 224, 224, device=args.device)
    for name, build in builders.items():
        if (args.device != 'cpu' and name.startswith(('openvino', 'ONNX'))) or name.split(',')[0] in args.skip:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                function = build()
                function(probe)
        except Exception as error:  # A compiler, a package or an instruction set that this machine lacks.
            print(f'left out: {name} ({type(error).__name__}: {str(error).splitlines()[0][:90]})', flush=True)
            continue
        found[name] = function
    return found


def whole(args: argparse.Namespace, engine: str) -> Callable:
    """A detector on one image with as many proposals as there are crops, from pixels to boxes."""
    model = detector(args)
    print(f'detector: {accelerate(model, engine)}', flush=True)
    if engine.endswith('int8'):
        calibrated(model.engine)
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (3, 375, 500), generator=generator, dtype=torch.uint8)
    corners = torch.rand(args.crops, 4, generator=generator) * torch.tensor([300.0, 200, 180, 150])
    boxes = torch.cat([corners[:, :2], corners[:, :2] + corners[:, 2:] + 20], 1)

    def detect(_: torch.Tensor):
        sample = DetDataSample(metainfo=dict(img_shape=(375, 500), ori_shape=(375, 500)))
        sample.gt_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
        sample.proposals = InstanceData(bboxes=boxes.clone(), scores=torch.ones(len(boxes)))
        return model.test_step(dict(inputs=[image], data_samples=[sample]))

    return detect


def ceiling(device: str, precision: str) -> float:
    """Operations a second in a product of two large matrices."""
    side = 2048 if device == 'cpu' else 8192
    matrix = torch.randn(side, side, device=device).to(getattr(torch, precision))
    best = float('inf')
    for _ in range(6):
        best = min(best, seconds(lambda _: matrix @ matrix, matrix))
    return 2 * side**3 / best


def seconds(function: Callable, crops: torch.Tensor) -> float:
    start = now()
    function(crops)
    return now() - start


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--weights', help='weights of a GoogLeNet; default: random ones, which cost the same')
    parser.add_argument('--variant', default='torchvision', help='variant without --weights (default: %(default)s)')
    parser.add_argument('--crops', type=int, default=128, help='crops a round (default: %(default)s)')
    parser.add_argument('--rounds', type=int, default=5, help='default: %(default)s')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(), help='default: %(default)s')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='default: %(default)s')
    parser.add_argument('--skip', nargs='*', default=[], help='engines to leave out, such as compile')
    args = parser.parse_args()
    if args.crops < 1 or args.rounds < 1:
        raise InputError('--crops and --rounds are at least 1.')
    torch.set_num_threads(args.threads)
    MMLogger.get_current_instance().setLevel('WARNING')
    if args.device == 'cpu':
        keep_freed_memory()

    functions = modes(args)
    functions['detector: eager, float32'] = whole(args, 'eager:float32')
    functions['detector: auto'] = whole(args, 'auto')
    if 'openvino, int8' in functions:
        functions['detector: openvino, int8'] = whole(args, 'openvino:int8')
    crops = torch.randn(args.crops, 3, 224, 224, device=args.device)
    for function in functions.values():
        function(crops)
    rates: dict[str, list[float]] = {name: [] for name in functions}
    names = list(functions)
    for round_ in range(args.rounds):
        for name in names[round_ % len(names) :] + names[: round_ % len(names)]:
            rates[name].append(args.crops / seconds(functions[name], crops))
    first = rates[names[0]]

    counter = FlopCounterMode(display=False)
    with counter:
        functions[names[0]](crops[:1])
    operations = counter.get_total_flops()
    device = torch.cuda.get_device_name() if args.device != 'cpu' else f'{args.threads} threads'
    print(f'\n{args.crops} crops, {args.rounds} rounds, {device}; {operations / 1e9:.2f} GFLOP a crop\n')
    rows = [['mode', 'crops/s', 'ratio']]
    for name, own in rates.items():
        ratio = statistics.median(rate / reference for rate, reference in zip(own, first))
        rows.append([name, f'{statistics.median(own):.1f}', f'{ratio:.2f}'])
    for precision in ('float32', HALF):
        rows.append(
            [f'ceiling: matrix product, {precision}', f'{ceiling(args.device, precision) / operations:.1f}', '']
        )
    print(markdown_table(rows, numbers_from=1))


if __name__ == '__main__':
    main()
