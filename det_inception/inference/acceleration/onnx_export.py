"""Networks in ONNX's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from det_inception.inference.acceleration.eager_engine import RegionNetwork
from det_inception.inference.acceleration.fused_engine import fuse
from det_inception.models.backbones.googlenet import LocalResponseNorm
from det_inception.models.detectors.rcnn import RCNN
from det_inception.utils.errors import InputError

if TYPE_CHECKING:
    import onnx

    from det_inception.models.heads.shared_roi_head import SharedRoIHead

OPSET = 18


@torch.library.custom_op('det_inception::lrn', mutates_args=())
def _lrn(x: Tensor, size: int, alpha: float, k: float) -> Tensor:
    return LocalResponseNorm(size, alpha, k)(x)


@_lrn.register_fake
def _(x: Tensor, size: int, alpha: float, k: float) -> Tensor:
    return torch.empty_like(x)


class _WholeLRN(nn.Module):
    """A :class:`LocalResponseNorm` that is exported as ONNX's own operator rather than as what it is made of."""

    def __init__(self, lrn: LocalResponseNorm) -> None:
        super().__init__()
        self.size, self.alpha, self.k = lrn.size, lrn.alpha, lrn.k

    def forward(self, x: Tensor) -> Tensor:
        return _lrn(x, self.size, self.alpha, self.k)


def with_whole_lrn(network: nn.Module) -> nn.Module:
    """Prepares a network for the export, in place."""
    if isinstance(getattr(network, 'lrn', None), LocalResponseNorm):
        network.lrn = _WholeLRN(network.lrn)
    return network


class _Outputs(nn.Module):
    """What the exported network gives: softmax scores, or logits, and with box regression deltas."""

    def __init__(self, model: RCNN, scores: bool) -> None:
        super().__init__()
        self.network = fuse(RegionNetwork(model)).cpu()
        self.scores = scores
        with_whole_lrn(self.network.features)

    def forward(self, crops: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        logits, deltas = self.network(crops)
        first = self.network.bbox_head.to_scores(logits) if self.scores else logits
        return first if deltas is None else (first, deltas)


def to_onnx(model: RCNN | SharedRoIHead, scores: bool = True) -> onnx.ModelProto:
    """Returns backbone and head in ONNX's form: crops in, softmax scores and box deltas out.

    Input ``crops``: float32 (R, C, S, S), any number of them; an R-CNN's are warped and normalized. Outputs ``scores``
    (R, K + 1), background last, and with box regression ``deltas`` (R, 4 K).

    Args:
        model: Trained and loaded.
        scores: Whether the first output is ``scores`` or ``logits``.

    Raises:
        InputError: The packages for ONNX are missing.
    """
    names = ['scores' if scores else 'logits', *(['deltas'] if model.bbox_head.with_reg else [])]
    regions = ({0: torch.export.Dim('regions', min=1)},)
    return export_network(_Outputs(model, scores).eval(), torch.zeros(2, *model.crop_shape), 'crops', names, regions)


def export_network(
    network: nn.Module, example: Tensor, input_name: str, output_names: Sequence[str], dynamic_shapes: tuple
) -> onnx.ModelProto:
    """Returns a network of one input in ONNX's form.

    Args:
        network: In evaluation mode, on a processor.
        example: An input.
        input_name: Its name in the file.
        output_names: Those of the outputs.
        dynamic_shapes: As for ``torch.onnx.export``.

    Raises:
        InputError: The packages for ONNX are missing.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript
    except ImportError as error:
        raise InputError(
            f'{error.name} is missing, so nothing goes to ONNX; run pip install "det_inception[onnx]".'
        ) from error

    def lrn(x, size: int, alpha: float, k: float):
        return onnxscript.opset18.LRN(x, alpha=alpha, beta=0.75, bias=k, size=size)

    program = torch.onnx.export(
        network,
        (example,),
        input_names=[input_name],
        output_names=list(output_names),
        dynamic_shapes=dynamic_shapes,
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
        custom_translation_table={torch.ops.det_inception.lrn.default: lrn},
    )
    return program.model_proto
