"""A trained region classifier as an ONNX file, for programs without PyTorch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from det_inception.inference.acceleration.eager_engine import RegionNetwork
from det_inception.inference.acceleration.fused_engine import fuse
from det_inception.models.backbones.googlenet import LocalResponseNorm
from det_inception.models.data_preprocessors.normalization import plain_values
from det_inception.models.detectors.rcnn import RCNN
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_bytes
from det_inception.version import __version__

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


class _Outputs(nn.Module):
    """What the exported network gives: softmax scores, or logits, and with box regression deltas."""

    def __init__(self, model: RCNN, scores: bool) -> None:
        super().__init__()
        self.network = fuse(RegionNetwork(model)).cpu()
        self.scores = scores
        if isinstance(getattr(self.network.features, 'lrn', None), LocalResponseNorm):
            self.network.features.lrn = _WholeLRN(self.network.features.lrn)

    def forward(self, crops: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        logits, deltas = self.network(crops)
        first = self.network.bbox_head.to_scores(logits) if self.scores else logits
        return first if deltas is None else (first, deltas)


def export_onnx(model: RCNN, path: str | Path, classes: Sequence[str]) -> None:
    """Writes backbone and head: crops in, softmax scores and box deltas out.

    Input ``crops``: float32 (R, 3, S, S), warped and normalized, any number of them. Outputs ``scores`` (R, K + 1),
    background last, and with box regression ``deltas`` (R, 4 K). The file's metadata tell what a program needs to make
    such crops and to read the answer: ``classes``, ``size`` and ``context`` of the warp, ``mean``, ``std`` and
    ``bgr_to_rgb``, ``delta_means`` and ``delta_stds``, as JSON.

    Args:
        model: Trained and loaded.
        path: The file.
        classes: Names of the K classes.

    Raises:
        InputError: The packages for ONNX are missing, the model is no :class:`~det_inception.models.RCNN`, or the file
            cannot be written.
    """
    if not isinstance(model, RCNN):
        instead = 'export its members' if hasattr(model, 'members') else 'choose a config of that type'
        raise InputError(f'{path}: only an RCNN can be exported, not a {type(model).__name__}; {instead}.')
    warp, preprocessor, coder = model.region_warp, model.data_preprocessor, model.bbox_head.bbox_coder
    facts = dict(
        classes=list(classes),
        size=warp.size,
        context=warp.context,
        **plain_values(preprocessor),
        delta_means=list(coder.means),
        delta_stds=list(coder.stds),
        det_inception_version=__version__,
    )
    content = to_onnx(model)
    for key, value in facts.items():
        content.metadata_props.add(key=key, value=json.dumps(value))
    write_bytes(path, content.SerializeToString())


def to_onnx(model: RCNN | SharedRoIHead, scores: bool = True) -> onnx.ModelProto:
    """Returns backbone and head in ONNX's form; see :func:`export_onnx`.

    Args:
        model: Trained and loaded.
        scores: Whether the first output is ``scores`` or ``logits``.

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

    names = ['scores' if scores else 'logits', *(['deltas'] if model.bbox_head.with_reg else [])]
    program = torch.onnx.export(
        _Outputs(model, scores).eval(),
        (torch.zeros(2, *model.crop_shape),),
        input_names=['crops'],
        output_names=names,
        dynamic_shapes=({0: torch.export.Dim('regions', min=1)},),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
        custom_translation_table={torch.ops.det_inception.lrn.default: lrn},
    )
    return program.model_proto
