"""Ways to run a trained region classifier faster than as it was trained.

Shape legend: R crops, S their side, K classes.

========== =============================================================================================
engine     what runs
========== =============================================================================================
eager      the network as it was trained
fused      a copy in channels-last layout whose batch norms are part of the convolutions
compile    the fused copy through ``torch.compile``
openvino   the fused copy through OpenVINO's CPU plug-in (``pip install det_inception[openvino]``)
========== =============================================================================================

Each runs in float32 or, if it says so, in half the bits: bfloat16, or float16 on a GPU that has no bfloat16. OpenVINO
can also quantize to 8 bits; what that costs in mAP must be measured, so it is never chosen by itself.
"""

from __future__ import annotations

import copy
import functools
import importlib.util
import time
from collections.abc import Callable, Sequence

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from det_inception.models.backbones.googlenet import ConvUnit
from det_inception.models.layers.chunks import RegionPredictions
from det_inception.models.layers.region_classifier import RegionClassifier, run
from det_inception.utils.errors import InputError

ENGINES = ('eager', 'fused', 'compile', 'openvino')
PRECISIONS = ('float32', 'bfloat16', 'float16', 'int8')
PACKAGES = {'openvino': ('openvino', 'onnx', 'onnxscript', 'onnxruntime')}
"""What an engine needs that the project itself does not."""


def accelerate(model: nn.Module, choice: str = 'auto') -> str:
    """Makes a detector, or every member of an ensemble, judge its crops by a faster engine.

    Call it when the weights are loaded and the model is where it is to run; they must not change afterwards. Of a
    detector that looks at the whole image first, the engine judges the regions; unless it is ``eager``, a fused copy of
    the backbone computes the map, in the engine's precision.

    Args:
        model: An :class:`~det_inception.models.RCNN` or :class:`~det_inception.models.RCNNEnsemble`, or a detector
            with a :class:`~det_inception.models.SharedRoIHead`.
        choice: One of :data:`ENGINES`, or ``'auto'``: the fastest that is installed; with a colon behind it, one of
            :data:`PRECISIONS`, such as ``'fused:float32'``. Without: half the bits where that is faster, as a short
            trial on a processor says.

    Returns:
        What was chosen, in words.

    Raises:
        InputError: The engine is not installed or cannot run there, or the model has no region classifier.
    """
    whole = getattr(model, 'roi_head', None)
    parts = [part for part in getattr(model, 'members', [whole or model]) if isinstance(part, RegionClassifier)]
    if not parts:
        raise InputError(
            f'{type(model).__name__} classifies no regions, so no engine can judge them; leave --engine away.'
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
        model.backbone = _FusedMap(model.backbone, 'bfloat16' if precision == 'int8' else precision)
    said = f'{engine}, {precision}, on {_device_name(device)}'
    print_log(f'Region classifier: {said}.', 'current')
    return said


def make_engine(model: RegionClassifier, engine: str, precision: str) -> Callable[[Tensor], RegionPredictions]:
    """Returns what computes logits (R, K + 1) and deltas (R, 4 K), or None, in float32, of crops.

    Args:
        model: Whose weights to use. Crops are (R, 3, S, S) or regions of its map (R, C, S, S).
        engine: One of :data:`ENGINES`.
        precision: One of :data:`PRECISIONS`.
    """
    if engine == 'eager':
        return _Network(Judge(model), precision)
    if engine == 'openvino':
        from det_inception.inference.acceleration.openvino_engine import OpenVINOEngine

        return OpenVINOEngine(model, precision)
    return _Network(fuse(Judge(model)), precision, compiled=engine == 'compile')


def fuse(network: nn.Module) -> nn.Module:
    """Moves every batch norm into the convolution before it, in place; the network is then good for inference only."""
    for unit in network.modules():
        if isinstance(unit, ConvUnit) and isinstance(unit.norm, nn.BatchNorm2d):
            unit.conv, unit.norm = fuse_conv_bn_eval(unit.conv.eval(), unit.norm.eval()), nn.Identity()
    return network


def fast_precision(device: torch.device) -> str:
    """Returns the precision that a device is fastest in: half the bits where it has arithmetic for them."""
    if device.type == 'cuda':
        return 'bfloat16' if torch.cuda.is_bf16_supported(including_emulation=False) else 'float16'
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


class Judge(nn.Module):
    """Box head and what comes before it as one network, a copy that shares nothing with the detector."""

    def __init__(self, model: RegionClassifier) -> None:
        super().__init__()
        self.features, self.bbox_head = copy.deepcopy(model.features), copy.deepcopy(model.bbox_head)
        self.eval().requires_grad_(False)

    def forward(self, crops: Tensor) -> RegionPredictions:
        return run(self.features, self.bbox_head, crops)


class _FusedMap(nn.Module):
    """A backbone with fused batch norm, for inference, in a precision of its own."""

    def __init__(self, backbone: nn.Module, precision: str) -> None:
        super().__init__()
        self.dtype = getattr(torch, precision)
        self.network = fuse(copy.deepcopy(backbone)).eval().requires_grad_(False)
        self.network.to(dtype=self.dtype, memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast(images.device.type, enabled=False):
            return tuple(feature.float() for feature in self.network(images.to(self.dtype)))


class _Network:
    """A copy of the network, run by PyTorch."""

    def __init__(self, network: nn.Module, precision: str, compiled: bool = False) -> None:
        self.dtype = getattr(torch, precision)
        self.network = network.to(dtype=self.dtype, memory_format=torch.channels_last)
        if compiled:
            self.network = torch.compile(self.network, dynamic=True)

    @torch.no_grad()
    def __call__(self, crops: Tensor) -> RegionPredictions:
        # The copy has its precision already; mixed precision on top would convert back and forth.
        with torch.autocast(crops.device.type, enabled=False):
            logits, deltas = self.network(crops.to(dtype=self.dtype, memory_format=torch.channels_last))
        return logits.float(), None if deltas is None else deltas.float()


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
    if precision == 'bfloat16' and device.type == 'cuda' and not torch.cuda.is_bf16_supported(False):
        raise InputError(
            f'{_device_name(device)} has no arithmetic for bfloat16; choose the precision float16 or float32.'
        )


def _missing(engine: str) -> list[str]:
    return [package for package in PACKAGES.get(engine, ()) if importlib.util.find_spec(package) is None]


def _device_name(device: torch.device) -> str:
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    return f'{device.type} ({torch.get_num_threads()} threads)' if device.type == 'cpu' else str(device)
