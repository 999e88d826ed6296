"""Chooses and builds an engine.

Shape legend: R regions, C their channels, S their side, K classes.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import time
from collections.abc import Callable, Sequence

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from det_inception.inference.acceleration.fused_engine import FusedBackbone
from det_inception.models.layers.precision import gpu_half_precision, gpu_has_bfloat16
from det_inception.models.layers.region_classifier import RegionClassifier, RegionPredictions
from det_inception.utils.errors import InputError

ENGINES = {
    'eager': 'eager_engine:EagerEngine',
    'fused': 'fused_engine:FusedEngine',
    'compile': 'compile_engine:CompileEngine',
    'openvino': 'openvino_engine:OpenVINOEngine',
}
"""Where each engine is; a module is imported when its engine is used."""
PRECISIONS = ('float32', 'bfloat16', 'float16', 'int8')
PACKAGES = {'openvino': ('openvino', 'onnx', 'onnxscript', 'onnxruntime')}
"""What an engine needs that the project itself does not."""


def accelerate(model: nn.Module, choice: str = 'auto') -> str:
    """Lets a detector, or every member of an ensemble, classify its regions by a faster engine.

    Call it when the weights are loaded and the model is on its device; neither may change afterwards. In Fast and
    Faster R-CNN the engine classifies the regions of the map; unless it is ``eager``, a fused copy of the backbone
    computes the map, in the engine's precision.

    Args:
        model: An :class:`~det_inception.models.RCNN` or :class:`~det_inception.models.RCNNEnsemble`, or a detector
            with a :class:`~det_inception.models.SharedRoIHead`.
        choice: One of :data:`ENGINES`, or ``'auto'``: the fastest that is installed. One of :data:`PRECISIONS` may
            follow behind a colon, such as ``'fused:float32'``; without it, half the bits are used where a short trial
            says that this is faster.

    Returns:
        What was chosen, in words.

    Raises:
        InputError: The engine is not installed or cannot run there, or the model has no region classifier.
    """
    whole = getattr(model, 'roi_head', None)
    parts = [part for part in getattr(model, 'members', [whole or model]) if isinstance(part, RegionClassifier)]
    if not parts:
        raise InputError(
            f'{type(model).__name__} classifies no regions, so no engine can do it faster; leave --engine away.'
        )
    device = next(parts[0].parameters()).device
    engine, _, precision = choice.partition(':')
    if engine == 'auto':
        engine = 'openvino' if device.type == 'cpu' and not _missing('openvino') else 'fused'
    if not precision:
        precision = fast_precision(device)
    _require_possible(engine, precision, device)
    for part in parts:
        part.engine = make_engine(part, engine, precision)
    if whole is not None and engine != 'eager':
        model.backbone = FusedBackbone(model.backbone, 'bfloat16' if precision == 'int8' else precision)
    said = f'{engine}, {precision}, on {_device_name(device)}'
    print_log(f'Region classifier: {said}.', 'current')
    return said


def make_engine(model: RegionClassifier, engine: str, precision: str) -> Callable[[Tensor], RegionPredictions]:
    """Builds a function that computes logits (R, K + 1) and deltas (R, 4 K), or None, in float32.

    Args:
        model: Its weights are copied. The function takes crops (R, 3, S, S), or regions of its map (R, C, S, S).
        engine: One of :data:`ENGINES`.
        precision: One of :data:`PRECISIONS`.
    """
    module, _, name = ENGINES[engine].partition(':')
    return getattr(importlib.import_module(f'{__package__}.{module}'), name)(model, precision)


def fast_precision(device: torch.device) -> str:
    """Returns the precision that a device is fastest in: half the bits where it has arithmetic for them."""
    if device.type == 'cuda':
        return gpu_half_precision()
    if device.type != 'cpu':
        return 'float32'
    # Which processors have instructions for bfloat16, and since when PyTorch uses them, is a long list; a trial is not.
    seconds = _trial(('float32', 'bfloat16'))
    return 'bfloat16' if seconds['bfloat16'] < 0.8 * seconds['float32'] else 'float32'


@torch.no_grad()
def _trial(precisions: Sequence[str], rounds: int = 10) -> dict[str, float]:
    """Seconds of one of the network's convolutions in each precision, the best of many: others may use the machine."""
    candidates = {}
    for precision in precisions:
        dtype = getattr(torch, precision)
        layer = nn.Conv2d(96, 128, 3, padding=1).to(dtype=dtype, memory_format=torch.channels_last)
        crops = torch.ones(8, 96, 28, 28, dtype=dtype).contiguous(memory_format=torch.channels_last)
        candidates[precision] = functools.partial(layer, crops)
    best = dict.fromkeys(precisions, float('inf'))
    for _ in range(rounds):
        for precision, candidate in candidates.items():  # In turns, so that what disturbs one disturbs the others.
            start = time.perf_counter()
            candidate()
            best[precision] = min(best[precision], time.perf_counter() - start)
    return best


def _require_possible(engine: str, precision: str, device: torch.device) -> None:
    if engine not in ENGINES:
        raise InputError(f'there is no engine {engine!r}; choose auto, {", ".join(ENGINES)}.')
    if precision not in PRECISIONS:
        raise InputError(f'there is no precision {precision!r}; choose {", ".join(PRECISIONS)}.')
    if missing := _missing(engine):
        raise InputError(
            f'the engine {engine} needs {", ".join(missing)}; run pip install "det_inception[{engine}]", or choose '
            'fused.'
        )
    if precision == 'int8' and engine != 'openvino':
        raise InputError(f'the engine {engine} has no precision int8; choose the engine openvino.')
    if engine == 'openvino' and device.type != 'cpu':
        raise InputError(f'the engine openvino runs on processors, and the device is {device}; choose fused.')
    if precision == 'bfloat16' and device.type == 'cuda' and not gpu_has_bfloat16():
        raise InputError(
            f'{_device_name(device)} has no arithmetic for bfloat16; choose the precision float16 or float32.'
        )


def _missing(engine: str) -> list[str]:
    return [package for package in PACKAGES.get(engine, ()) if importlib.util.find_spec(package) is None]


def _device_name(device: torch.device) -> str:
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    return f'{device.type} ({torch.get_num_threads()} threads)' if device.type == 'cpu' else str(device)
