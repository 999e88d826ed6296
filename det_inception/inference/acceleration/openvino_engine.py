"""The region classifier run by OpenVINO on a processor.

Shape legend: R crops, C their channels, S their side, K classes.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import openvino
import torch
from mmengine.logging import print_log
from onnxruntime import quantization
from torch import Tensor

from det_inception.inference.acceleration.onnx_export import to_onnx
from det_inception.models.layers.region_classifier import RegionClassifier, RegionPredictions

BATCH = 8
"""Crops of one request: enough to fill a core, few enough that the last request wastes little."""
CALIBRATION = 192
"""Crops by which the ranges of the 8-bit network are set,"""
CALIBRATION_SHARE = 32
"""and how many of them may come from one call, so that they are of several images."""

_HINTS = {'float32': 'f32', 'bfloat16': 'bf16', 'float16': 'f16', 'int8': 'bf16'}


def convolutions(network: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of the weights of all convolutions by their names, in their order."""
    shapes = {weights.name: tuple(weights.dims) for weights in network.graph.initializer}
    return {node.name: shapes[node.input[1]] for node in network.graph.node if node.op_type == 'Conv'}


def costly(network: onnx.ModelProto) -> list[str]:
    """Returns the names of the 3 x 3 convolutions without groups behind the first layer, or else of all behind it."""
    behind = dict(list(convolutions(network).items())[1:])
    return [name for name, shape in behind.items() if shape[2:] == (3, 3) and shape[1] > 1] or list(behind)


class OpenVINOEngine:
    """Computes logits and deltas of crops; a request a core at a time.

    In ``'int8'``, the 3 x 3 convolutions behind the first layer are quantized, weights by channel, with ranges from the
    first crops that are seen; up to then the network runs in bfloat16, and the rest of it remains there. That is most
    of the multiplications at an eighth of the error that 8 bits in every convolution bring: docs/speed.md.

    Args:
        model: Its weights are copied.
        precision: ``'float32'``, ``'bfloat16'``, ``'float16'`` or ``'int8'``.
        chosen: For ``'int8'``, names the convolutions of a network that are quantized.
    """

    def __init__(
        self, model: RegionClassifier, precision: str, chosen: Callable[[onnx.ModelProto], list[str]] = costly
    ) -> None:
        self.shape, self.precision, self.chosen = model.crop_shape, precision, chosen
        self.network = to_onnx(model, scores=False)
        self._compile(self.network)
        self.calibration: list[np.ndarray] | None = [] if precision == 'int8' else None

    def __call__(self, crops: Tensor) -> RegionPredictions:
        """Returns logits (R, K + 1) and deltas (R, 4 K), or None, in float32, of crops (R, C, S, S)."""
        pixels = crops.float().permute(0, 2, 3, 1).contiguous().numpy()  # Crops lie channels-last in memory.
        answer = self._infer(pixels)
        if self.calibration is not None and len(pixels):
            self._calibrate(pixels)
        return answer

    def _infer(self, pixels: np.ndarray) -> RegionPredictions:
        outputs = [np.empty((len(pixels), width), np.float32) for width in self.widths]
        for start in range(0, len(pixels), BATCH):
            part = pixels[start : start + BATCH]
            if len(part) < BATCH:
                part = np.concatenate([part, np.zeros((BATCH - len(part), *part.shape[1:]), np.float32)])
            self.queue.start_async({0: part}, (outputs, start))
        self.queue.wait_all()
        logits, *deltas = map(torch.from_numpy, outputs)
        return RegionPredictions(logits, deltas[0] if deltas else None)

    @staticmethod
    def _collect(request: openvino.InferRequest, place: tuple[list[np.ndarray], int]) -> None:
        outputs, start = place
        for number, output in enumerate(outputs):
            rows = output[start : start + BATCH]
            rows[:] = request.get_output_tensor(number).data[: len(rows)]

    def _compile(self, network: onnx.ModelProto) -> None:
        core = _core()
        model = core.read_model(network.SerializeToString(), b'')
        model.reshape([BATCH, *self.shape])
        steps = openvino.preprocess.PrePostProcessor(model)
        steps.input().tensor().set_layout(openvino.Layout('NHWC'))
        steps.input().model().set_layout(openvino.Layout('NCHW'))
        cores = torch.get_num_threads()
        settings = {
            'INFERENCE_PRECISION_HINT': _HINTS[self.precision],
            'NUM_STREAMS': cores,
            'INFERENCE_NUM_THREADS': cores,
            # Pinned to cores, two processes would both take the first ones, and leave the others idle.
            'ENABLE_CPU_PINNING': False,
        }
        compiled = core.compile_model(steps.build(), 'CPU', settings)
        self.widths = [output.shape[1] for output in compiled.outputs]
        self.queue = openvino.AsyncInferQueue(compiled, cores)
        self.queue.set_callback(self._collect)

    def _calibrate(self, pixels: np.ndarray) -> None:
        """Keeps crops, and goes over to the quantized network when there are enough."""
        self.calibration.append(pixels[:: -(-len(pixels) // CALIBRATION_SHARE)].copy())
        if sum(map(len, self.calibration)) < CALIBRATION:
            return
        crops, self.calibration = np.concatenate(self.calibration).transpose(0, 3, 1, 2), None
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, 'float.onnx'), Path(folder, 'int8.onnx')
            source.write_bytes(self.network.SerializeToString())
            quantization.quantize_static(
                source,
                target,
                _Crops(crops),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                op_types_to_quantize=['Conv'],
                nodes_to_quantize=self.chosen(self.network),
            )
            self._compile(onnx.load(target))
        print_log(f'OpenVINO: quantized to 8 bits by the ranges of {len(crops)} crops.', 'current')


@functools.cache
def _core() -> openvino.Core:
    """OpenVINO, once a process.

    Its plug-in puts the stack for signal handlers somewhere else, and puts it back when it goes. Of two that overlap,
    the last to go puts back the stack of the first, which is no longer there: the next Ctrl-C then kills the process.
    """
    return openvino.Core()


class _Crops(quantization.CalibrationDataReader):
    """Hands crops (R, C, S, S) to the calibration."""

    def __init__(self, crops: np.ndarray) -> None:
        self.batches: Iterator[np.ndarray] = iter(np.split(crops, range(BATCH, len(crops), BATCH)))

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self.batches, None)
        return None if batch is None else {'crops': np.ascontiguousarray(batch)}
