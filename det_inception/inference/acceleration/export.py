"""Trained detectors as files for programs without PyTorch: ONNX, and OpenVINO's own format."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import ConfigDict
from torch import nn

from det_inception.inference.acceleration.onnx_detector import detector_to_onnx, is_exportable
from det_inception.inference.acceleration.onnx_export import to_onnx
from det_inception.models.data_preprocessors.normalization import plain_values
from det_inception.models.detectors.rcnn import RCNN
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_bytes
from det_inception.version import __version__

if TYPE_CHECKING:
    import onnx

SUFFIXES = ('.onnx', '.xml')


def require_suffix(path: str | Path) -> None:
    """Makes sure that a file's name says one of the formats.

    Raises:
        InputError: It does not.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        raise InputError(f'{path}: its suffix says no format; use .onnx, or .xml for OpenVINO.')


def export_detector(
    model: nn.Module, path: str | Path, classes: Sequence[str], pipeline: Sequence[Mapping] = ()
) -> str:
    """Writes a detector as ``.onnx``, or as ``.xml`` and ``.bin`` for OpenVINO.

    Fast and Faster R-CNN become whole detectors, see
    :func:`~det_inception.inference.acceleration.onnx_detector.detector_to_onnx`; an R-CNN becomes the network behind
    the crops, see :func:`~det_inception.inference.acceleration.onnx_export.to_onnx`. What a program needs to prepare
    the input and to read the output is in the metadata, as JSON: ``classes``; of a detector ``scale`` (the longest
    longer and shorter side that an image is resized to; the ratio is kept); of an R-CNN the settings of
    its :class:`~det_inception.models.RegionWarp`, ``mean``, ``std`` and ``bgr_to_rgb``, ``delta_means`` and
    ``delta_stds``, and ``scale``.

    Args:
        model: Trained and loaded.
        path: The file.
        classes: Names of the K classes.
        pipeline: The config's test pipeline, for ``scale``; without a ``Resize`` it is null.

    Returns:
        What the file takes and gives, in words.

    Raises:
        InputError: The suffix is another one, packages are missing, the model is of another kind, a setting has no form
            in ONNX, or the file cannot be written.
    """
    path = Path(path)
    require_suffix(path)
    facts = dict(classes=list(classes), scale=_scale(pipeline), det_inception_version=__version__)
    if is_exportable(model):
        content = detector_to_onnx(model)
        said = ' and '.join(item.name for item in content.graph.input) + ' in, boxes, scores and labels out'
    elif isinstance(model, RCNN):
        content = to_onnx(model)
        warp, coder = model.region_warp, model.bbox_head.bbox_coder
        facts |= dict(size=warp.size, context=warp.context, **plain_values(model.data_preprocessor))
        facts |= dict(interpolation=warp.interpolation, whole_pixels=warp.whole_pixels)
        facts |= dict(delta_means=list(coder.means), delta_stds=list(coder.stds))
        said = f'crops of {warp.size} pixels in, {" and ".join(item.name for item in content.graph.output)} out'
    else:
        instead = 'export its members' if hasattr(model, 'members') else 'choose a config of one of these'
        raise InputError(
            f'{path}: R-CNN, Fast and Faster R-CNN can be exported, and no {type(model).__name__}; {instead}.'
        )
    for key, value in facts.items():
        content.metadata_props.add(key=key, value=json.dumps(value))
    if path.suffix.lower() == '.onnx':
        write_bytes(path, content.SerializeToString())
    else:
        _write_openvino(content, facts, path)
    return said


def _scale(pipeline: Sequence[Mapping]) -> list[int] | None:
    """The longest longer and shorter side that the pipeline resizes an image to."""
    for step in pipeline:
        inner = step.get('transforms') or ()
        if step.get('type') == 'Resize':
            if not step.get('keep_ratio') or not isinstance(step.get('scale'), (tuple, list)):
                raise InputError('images are resized without keep_ratio=True and one scale; only that can be exported.')
            return sorted(map(int, step['scale']), reverse=True)
        if inner and (found := _scale([one for one in inner if isinstance(one, (Mapping, ConfigDict))])):
            return found
    return None


def _write_openvino(content: onnx.ModelProto, facts: Mapping, path: Path) -> None:
    try:
        import openvino
    except ImportError as error:
        raise InputError(
            f'{error.name} is missing, so nothing goes to OpenVINO; run pip install "det_inception[openvino]".'
        ) from error
    model = openvino.Core().read_model(content.SerializeToString(), b'')
    for key, value in facts.items():
        model.set_rt_info(json.dumps(value), ['det_inception', key])
    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(model, Path(folder, 'model.xml'), compress_to_fp16=False)
        # The .xml, which the runtime opens, appears last.
        for suffix in ('.bin', '.xml'):
            write_bytes(path.with_suffix(suffix), Path(folder, f'model{suffix}').read_bytes())
