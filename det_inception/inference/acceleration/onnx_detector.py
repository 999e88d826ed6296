"""Fast and Faster R-CNN as one ONNX file: an image in, boxes with scores and labels out.

PyTorch exports the two networks, up to the map and behind RoIAlign. What lies between and behind them (anchors, box
decoding, RoIAlign, NMS) is written here in ONNX's own operators, so that every runtime can run the file.

Shape legend: H and W of the image, h and w of its map, A anchors a cell, N anchors, R regions, P the side of a cut-out
region, K classes, D detections. Boxes are x1, y1, x2, y2 in pixels of the image, continuous coordinates.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from mmcv.ops import RoIAlign
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from torch import Tensor, nn

from det_inception.inference.acceleration.fused_engine import fuse
from det_inception.inference.acceleration.onnx_export import OPSET, export_network, to_onnx, with_whole_lrn
from det_inception.models.data_preprocessors.normalization import plain_values
from det_inception.models.heads.region_classifier_head import RegionClassifierHead
from det_inception.models.heads.shared_roi_head import SharedRoIHead
from det_inception.models.layers.box_voting import VOTE
from det_inception.utils.errors import InputError

if TYPE_CHECKING:
    import onnx

VOTING = 'box_voting'
"""The type of NMS that lets boxes vote, see :mod:`det_inception.models.layers.postprocess`."""
Name = str
"""Of a value in a graph."""


def is_exportable(model: nn.Module) -> bool:
    """Whether :func:`detector_to_onnx` is for this kind of model."""
    return isinstance(getattr(model, 'roi_head', None), SharedRoIHead)


def detector_to_onnx(model: nn.Module) -> onnx.ModelProto:
    """Returns a whole detector in ONNX's form.

    Inputs: ``image``, uint8 (H, W, 3) BGR, resized as the config's test pipeline does; for Fast R-CNN also
    ``proposals``, float32 (R, 4), in pixels of this image. Outputs, best first: ``boxes`` float32 (D, 4), ``scores``
    float32 (D,), ``labels`` int64 (D,).

    Args:
        model: Fast or Faster R-CNN with a :class:`~det_inception.models.SharedRoIHead`, trained and loaded.

    Raises:
        InputError: The packages for ONNX are missing, or a setting has no form in ONNX.
    """
    _require_possible(model)
    maps = _prefixed(_export_maps(model), 'maps.', inputs=False)
    head = _prefixed(to_onnx(model.roi_head), 'head.')
    graph = _Graph()
    height, width = graph.sides('image')
    if (rpn := getattr(model, 'rpn_head', None)) is not None:
        regions = _propose(graph, rpn, height, width)
    else:
        regions = 'proposals'
    graph.op('Identity', _cut_out(graph, model.roi_head, regions), output='head.crops')
    boxes = _decode(graph, model.roi_head.bbox_head, regions, height, width)
    _select(graph, boxes, model.roi_head.bbox_head.num_classes, model.roi_head.test_cfg)
    return _merge(maps, head, graph, with_proposals=rpn is None)


# ------------------------------------------------------------------------------------------------ PyTorch's parts


class _Maps(nn.Module):
    """From pixels to the map, and to what the RPN says of it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        normalization = plain_values(model.data_preprocessor)
        self.backbone = with_whole_lrn(fuse(copy.deepcopy(model.backbone)).eval()).cpu()
        self.rpn = copy.deepcopy(getattr(model, 'rpn_head', None))
        self.flip = normalization['bgr_to_rgb']
        for name in ('mean', 'std'):
            self.register_buffer(name, torch.tensor(normalization[name], dtype=torch.float32).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        pixels = image.permute(2, 0, 1)[None].float()
        if self.flip:
            pixels = pixels.flip(1)
        (features,) = self.backbone((pixels - self.mean) / self.std)
        return features, *(() if self.rpn is None else self.rpn.forward_single(features))


def _export_maps(model: nn.Module) -> onnx.ModelProto:
    names = ['features', *(['objectness', 'deltas'] if hasattr(model, 'rpn_head') else [])]
    sides = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    return export_network(
        _Maps(model).eval(), torch.zeros(203, 267, 3, dtype=torch.uint8), 'image', names, dynamic_shapes=(sides,)
    )


def _prefixed(model: onnx.ModelProto, prefix: str, inputs: bool = True) -> onnx.ModelProto:
    from onnx import compose

    return compose.add_prefix(model, prefix, rename_inputs=inputs)


# ---------------------------------------------------------------------------------------------------- ONNX's parts


class _Graph:
    """Nodes and constants, written as one writes NumPy."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: Name, output: Name | None = None, **attributes: object) -> Name:
        """Adds a node of one output and returns its name."""
        from onnx import helper

        output = output or f'post.{kind}_{len(self.nodes)}'
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f'node.{output}', **attributes))
        return output

    def constant(self, value: object, dtype: type = np.float32) -> Name:
        """Adds a constant and returns its name."""
        from onnx import numpy_helper

        name = f'post.constant_{len(self.constants)}'
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def ints(self, *values: int) -> Name:
        """Adds a constant of whole numbers (n,)."""
        return self.constant(values, np.int64)

    def top(self, scores: Name, limit: int | None) -> tuple[Name, Name]:
        """Returns the highest of scores (N,), at most ``limit``, with their positions, best first."""
        from onnx import helper

        count = self.op('Shape', scores)
        if limit is not None:
            count = self.op('Min', count, self.ints(limit))
        outputs = [f'post.top_{len(self.nodes)}_{part}' for part in ('values', 'positions')]
        node = helper.make_node('TopK', [scores, count], outputs, name=f'node.{outputs[0]}', axis=0)
        self.nodes.append(node)
        return outputs[0], outputs[1]

    def sides(self, image: Name) -> tuple[Name, Name]:
        """Returns height and width of an image (H, W, 3) as float32 (1,)."""
        shape = self.op('Cast', self.op('Shape', image), to=1)
        return tuple(self.op('Slice', shape, self.ints(axis), self.ints(axis + 1)) for axis in (0, 1))

    def column(self, boxes: Name, number: int) -> Name:
        """Returns a column (R, 1) of (R, 4)."""
        return self.op('Slice', boxes, self.ints(number), self.ints(number + 1), self.ints(1))


def _propose(graph: _Graph, rpn: nn.Module, height: Name, width: Name) -> Name:
    """The RPN's regions (R, 4), as MMDetection's ``RPNHead`` selects them."""
    cfg = rpn.test_cfg
    objectness = graph.op('Transpose', 'maps.objectness', perm=[0, 2, 3, 1])
    scores = graph.op('Sigmoid', graph.op('Reshape', objectness, graph.ints(-1)))
    deltas = graph.op('Reshape', graph.op('Transpose', 'maps.deltas', perm=[0, 2, 3, 1]), graph.ints(-1, 4))
    scores, best = graph.top(scores, cfg['nms_pre'] if cfg.get('nms_pre', -1) > 0 else None)
    anchors = graph.op('Gather', _anchors(graph, rpn.anchor_generator), best)
    boxes = _apply_deltas(graph, anchors, graph.op('Gather', deltas, best), rpn.bbox_coder, height, width)
    if cfg.get('min_bbox_size', -1) >= 0:
        smallest = graph.constant(cfg['min_bbox_size'])
        lengths = [graph.op('Sub', graph.column(boxes, axis + 2), graph.column(boxes, axis)) for axis in (0, 1)]
        shorter = graph.op('Reshape', graph.op('Min', *lengths), graph.ints(-1))
        large = graph.op('Greater', shorter, smallest)
        boxes, scores = (graph.op('Compress', value, large, axis=0) for value in (boxes, scores))
    kept = graph.op(
        'NonMaxSuppression',
        graph.op('Unsqueeze', boxes, graph.ints(0)),
        graph.op('Unsqueeze', scores, graph.ints(0, 1)),
        graph.ints(cfg['max_per_img']),
        graph.constant([cfg['nms']['iou_threshold']]),
    )
    return graph.op('Gather', boxes, graph.op('Reshape', graph.column(kept, 2), graph.ints(-1)))


def _anchors(graph: _Graph, generator: object) -> Name:
    """All anchors (N, 4): those of the cell's rows, its columns, and the cell itself, in this order."""
    base = generator.base_anchors[0].detach().cpu().numpy()  # (A, 4), around the first cell
    shape = graph.op('Shape', 'maps.features')
    (stride,) = generator.strides
    shifts = []
    for axis, step, place in ((3, stride[0], [1, -1, 1, 1]), (2, stride[1], [-1, 1, 1, 1])):
        cells = graph.op('Reshape', graph.op('Slice', shape, graph.ints(axis), graph.ints(axis + 1)), graph.ints())
        cells = graph.op('Range', graph.constant(0, np.int64), cells, graph.constant(1, np.int64))
        shifts.append(
            graph.op(
                'Reshape', graph.op('Mul', graph.op('Cast', cells, to=1), graph.constant(step)), graph.ints(*place)
            )
        )
    zeros = [graph.op('Mul', shift, graph.constant(0)) for shift in shifts]
    x, y = graph.op('Add', shifts[0], zeros[1]), graph.op('Add', zeros[0], shifts[1])  # (h, w, 1, 1)
    grid = graph.op('Concat', x, y, x, y, axis=3)
    return graph.op('Reshape', graph.op('Add', grid, graph.constant(base[None, None])), graph.ints(-1, 4))


def _apply_deltas(
    graph: _Graph, boxes: Name, deltas: Name, coder: DeltaXYWHBBoxCoder, height: Name, width: Name
) -> Name:
    """Boxes (R, 4), moved by deltas (R, 4) and cut to the image: ``delta2bbox``."""
    deltas = graph.op('Add', graph.op('Mul', deltas, graph.constant([coder.stds])), graph.constant([coder.means]))
    limit = float(np.abs(np.log(16 / 1000)))
    low, high = [], []
    for axis, extent in enumerate((width, height)):
        start, end = graph.column(boxes, axis), graph.column(boxes, axis + 2)
        length, center = graph.op('Sub', end, start), graph.op('Mul', graph.op('Add', start, end), graph.constant(0.5))
        center = graph.op('Add', center, graph.op('Mul', length, graph.column(deltas, axis)))
        growth = graph.op('Clip', graph.column(deltas, axis + 2), graph.constant(-limit), graph.constant(limit))
        half = graph.op('Mul', graph.op('Mul', length, graph.op('Exp', growth)), graph.constant(0.5))
        low.append(_clip(graph, graph.op('Sub', center, half), extent))
        high.append(_clip(graph, graph.op('Add', center, half), extent))
    return graph.op('Concat', *low, *high, axis=1)


def _clip(graph: _Graph, values: Name, extent: Name) -> Name:
    return graph.op('Max', graph.op('Min', values, extent), graph.constant([0]))


def _cut_out(graph: _Graph, roi_head: SharedRoIHead, regions: Name) -> Name:
    """The map inside regions (R, 4): (R, C, P, P)."""
    layer = roi_head.bbox_roi_extractor.roi_layers[0]
    if roi_head.first_center is not None:
        shift = roi_head.bbox_roi_extractor.featmap_strides[0] / 2 - roi_head.first_center
        regions = graph.op('Add', regions, graph.constant([shift]))
    count = graph.op('Slice', graph.op('Shape', regions), graph.ints(0), graph.ints(1))
    images = graph.op('Expand', graph.ints(0), count)  # All of the first.
    return graph.op(
        'RoiAlign',
        'maps.features',
        regions,
        images,
        coordinate_transformation_mode='half_pixel' if layer.aligned else 'output_half_pixel',
        output_height=layer.output_size[0],
        output_width=layer.output_size[1],
        sampling_ratio=layer.sampling_ratio,
        spatial_scale=float(layer.spatial_scale),
        mode='avg',
    )


def _decode(graph: _Graph, bbox_head: nn.Module, regions: Name, height: Name, width: Name) -> Name:
    """The boxes (K, R, 4) that each class makes of regions (R, 4)."""
    classes = bbox_head.num_classes
    if bbox_head.with_reg:
        repeated = graph.op('Tile', graph.op('Unsqueeze', regions, graph.ints(1)), graph.ints(1, classes, 1))
        repeated = graph.op('Reshape', repeated, graph.ints(-1, 4))
        deltas = graph.op('Reshape', 'head.deltas', graph.ints(-1, 4))
        boxes = _apply_deltas(graph, repeated, deltas, bbox_head.bbox_coder, height, width)
        boxes = graph.op('Reshape', boxes, graph.ints(-1, classes, 4))
        return graph.op('Transpose', boxes, perm=[1, 0, 2])
    clipped = [_clip(graph, graph.column(regions, side), (width, height)[side % 2]) for side in range(4)]
    boxes = graph.op('Unsqueeze', graph.op('Concat', *clipped, axis=1), graph.ints(0))
    return graph.op('Tile', boxes, graph.ints(classes, 1, 1))


def _select(graph: _Graph, boxes: Name, classes: int, cfg: Mapping) -> None:
    """Adds the outputs: NMS of each class's boxes (K, R, 4), and limits; see ``select_detections``."""
    scores = graph.op('Slice', 'head.scores', graph.ints(0), graph.ints(classes), graph.ints(1))
    scores = graph.op('Transpose', scores, perm=[1, 0])  # (K, R)
    per_class, per_image = _limits(cfg)
    kept = graph.op(
        'NonMaxSuppression',  # A class is an image to it: each has boxes of its own.
        boxes,
        graph.op('Unsqueeze', scores, graph.ints(1)),
        graph.ints(per_class or 2**31 - 1),
        graph.constant([cfg['nms']['iou_threshold']]),
        graph.constant([cfg['score_thr']]),
    )
    pairs = graph.op('Gather', kept, graph.ints(0, 2), axis=1)  # (D, 2): class and region
    found, order = graph.top(graph.op('GatherND', scores, pairs), per_image)
    pairs = graph.op('Gather', pairs, order)
    labels = graph.op('Reshape', graph.column(pairs, 0), graph.ints(-1))
    picked = graph.op('GatherND', boxes, pairs)
    if cfg['nms'].get('type') == VOTING:
        picked = _vote(graph, picked, graph.op('Gather', boxes, labels), graph.op('Gather', scores, labels), cfg)
    for name, value in dict(boxes=picked, scores=found, labels=labels).items():
        graph.op('Identity', value, output=name)


def _vote(graph: _Graph, picked: Name, boxes: Name, scores: Name, cfg: Mapping) -> Name:
    """The picked boxes (D, 4), moved by the votes of their classes' boxes (D, R, 4) with scores (D, R)."""
    picked = graph.op('Unsqueeze', picked, graph.ints(1))  # (D, 1, 4)

    def side(values: Name, number: int) -> Name:
        return graph.op('Gather', values, graph.constant(number, np.int64), axis=2)

    def span(low: Name, high: Name) -> Name:
        return graph.op('Max', graph.op('Sub', high, low), graph.constant(0.0))

    def area(values: Name) -> Name:
        width, height = (span(side(values, axis), side(values, axis + 2)) for axis in (0, 1))
        return graph.op('Mul', width, height)

    inner = [
        span(
            graph.op('Max', side(picked, axis), side(boxes, axis)),
            graph.op('Min', side(picked, axis + 2), side(boxes, axis + 2)),
        )
        for axis in (0, 1)
    ]
    inner = graph.op('Mul', *inner)  # (D, R)
    union = graph.op('Sub', graph.op('Add', area(picked), area(boxes)), inner)
    iou = graph.op('Div', inner, graph.op('Max', union, graph.constant(1e-6)))
    voters = graph.op(
        'And',
        graph.op('Greater', iou, graph.constant(cfg['nms'].get('vote', VOTE))),
        graph.op('Greater', scores, graph.constant(cfg['score_thr'])),
    )
    weights = graph.op('Mul', graph.op('Cast', voters, to=1), scores)
    total = graph.op('ReduceSum', weights, graph.ints(1), keepdims=1)  # (D, 1)
    moved = graph.op('MatMul', graph.op('Unsqueeze', weights, graph.ints(1)), boxes)  # (D, 1, 4)
    moved = graph.op('Div', graph.op('Squeeze', moved, graph.ints(1)), total)
    return graph.op(
        'Where', graph.op('Greater', total, graph.constant(0.0)), moved, graph.op('Squeeze', picked, graph.ints(1))
    )


def _limits(cfg: Mapping) -> tuple[int | None, int | None]:
    """At most so many detections of a class, and of an image."""
    per_class, per_image = (
        value if value > 0 else None for value in (cfg.get('max_per_class', -1), cfg.get('max_per_img', -1))
    )
    if per_class is not None and per_image is not None:
        if per_class < per_image:
            raise InputError(
                f'max_per_class={per_class} with max_per_img={per_image} has no form in ONNX; set one of them to -1, '
                'such as with --cfg-options model.test_cfg.rcnn.max_per_img=-1.'
            )
        per_class = None  # Whoever is among the first of the image is among the first of its class.
    return per_class, per_image


def _merge(maps: onnx.ModelProto, head: onnx.ModelProto, graph: _Graph, with_proposals: bool) -> onnx.ModelProto:
    import onnx
    from onnx import TensorProto, helper

    inputs = [helper.make_tensor_value_info('image', TensorProto.UINT8, ['height', 'width', 3])]
    if with_proposals:
        inputs.append(helper.make_tensor_value_info('proposals', TensorProto.FLOAT, ['regions', 4]))
    outputs = [
        helper.make_tensor_value_info('boxes', TensorProto.FLOAT, ['detections', 4]),
        helper.make_tensor_value_info('scores', TensorProto.FLOAT, ['detections']),
        helper.make_tensor_value_info('labels', TensorProto.INT64, ['detections']),
    ]
    between = next(number for number, node in enumerate(graph.nodes) if node.output[0] == 'head.crops') + 1
    nodes = [*maps.graph.node, *graph.nodes[:between], *head.graph.node, *graph.nodes[between:]]
    constants = [*maps.graph.initializer, *head.graph.initializer, *graph.constants]
    merged = helper.make_model(
        helper.make_graph(nodes, 'detector', inputs, outputs, constants),
        opset_imports=[helper.make_opsetid('', OPSET)],
        ir_version=min(maps.ir_version, 10),
        producer_name='det_inception',
    )
    onnx.checker.check_model(merged)
    return merged


# ----------------------------------------------------------------------------------------------------- what is refused


def _require_possible(model: nn.Module) -> None:
    """Makes sure that the detector has no setting that the graph would silently leave out.

    Raises:
        InputError: It has.
    """
    head, rpn = model.roi_head, getattr(model, 'rpn_head', None)
    layer = head.bbox_roi_extractor.roi_layers[0]
    selections = {'rcnn': head.test_cfg} | ({} if rpn is None else {'rpn': rpn.test_cfg})
    coders = [head.bbox_head.bbox_coder] + ([] if rpn is None else [rpn.bbox_coder])
    reasons = {
        'regions are cut out by another layer than RoIAlign with pool_mode=avg': not isinstance(layer, RoIAlign)
        or layer.pool_mode != 'avg',
        'boxes are coded by another coder than DeltaXYWHBBoxCoder': any(
            type(coder) is not DeltaXYWHBBoxCoder or coder.add_ctr_clamp or not coder.clip_border for coder in coders
        ),
        'box regression is the same for all classes': head.bbox_head.reg_class_agnostic,
        'classes are scored by a head of another kind': type(head.bbox_head) is not RegionClassifierHead,
        'the RPN has a softmax': rpn is not None and not rpn.use_sigmoid_cls,
        'images are padded': (model.data_preprocessor.pad_size_divisor or 1) != 1,
        'the map is a pyramid': len(head.bbox_roi_extractor.featmap_strides) != 1,
    }
    for part, cfg in selections.items():
        nms = cfg.get('nms') or {}
        possible = {'nms': {'split_thr'}} | ({VOTING: {'vote'}} if part == 'rcnn' else {})
        foreign = set(nms) - {'type', 'iou_threshold'} - possible.get(kind := nms.get('type', 'nms'), set())
        reasons[
            f'test_cfg.{part}.nms is none that a file can hold ({" or ".join(possible)}, with its own settings alone)'
        ] = kind not in possible or 'iou_threshold' not in nms or bool(foreign)
    if found := [reason for reason, applies in reasons.items() if applies]:
        raise InputError(f'this detector cannot be exported, because {found[0]}; change that setting.')
