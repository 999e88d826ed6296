"""The layouts in which weights of GoogLeNet are published, mapped to this project's names.

Whatever fits no GoogLeNet is an error: nothing is taken in part.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from det_inception.models.backbones.googlenet import INCEPTION, NORMALIZATION, VARIANTS, GoogLeNet, scale_channels
from det_inception.weights.files import CheckpointError, Content
from det_inception.weights.normalization import stated_normalization


@dataclass(frozen=True)
class Weights:
    """The weights of one GoogLeNet.

    Attributes:
        backbone: Parameters and buffers, complete, under the names of :class:`GoogLeNet`; float32.
        classifier: ``fc.weight`` (K classes, C channels) and ``fc.bias`` (K,); empty where the file has no classifier.
        variant: ``'paper'``, ``'batch_norm'`` or ``'torchvision'``.
        width: Multiplier of the channels.
        normalization: ``mean``, ``std`` and ``bgr_to_rgb`` that belong to the weights, as in :data:`NORMALIZATION`.
        classes: The K classes in the order of the outputs, where the file names them.
        source: The file or address that was read.
        sha256: Of the file's bytes, in hexadecimal; None where an address left no file behind.
    """

    backbone: dict[str, Tensor]
    classifier: dict[str, Tensor]
    variant: str
    width: float
    normalization: dict
    classes: tuple[str, ...] | None
    source: str
    sha256: str | None = None

    @property
    def num_parameters(self) -> int:
        """Number of learned values, without the statistics of batch norms."""
        learned = (name for name in self.backbone if not name.endswith(_STATISTICS))
        return sum(self.backbone[name].numel() for name in learned) + sum(
            tensor.numel() for tensor in self.classifier.values()
        )


class _Unit(NamedTuple):
    """One convolution with what belongs to it: its name in each layout and its output channels at width 1."""

    own: str
    caffe: str
    torchvision: str
    channels: int


def _units() -> list[_Unit]:
    units = [
        _Unit('conv1', 'conv1/7x7_s2', 'conv1', 64),
        _Unit('conv2_reduce', 'conv2/3x3_reduce', 'conv2', 64),
        _Unit('conv2', 'conv2/3x3', 'conv3', 192),
    ]
    branches = (
        ('conv_1x1', '1x1', 'branch1'),
        ('reduce_3x3', '3x3_reduce', 'branch2.0'),
        ('conv_3x3', '3x3', 'branch2.1'),
        ('reduce_5x5', '5x5_reduce', 'branch3.0'),
        ('conv_5x5', '5x5', 'branch3.1'),
        ('pool_proj', 'pool_proj', 'branch4.1'),
    )
    for module, widths in INCEPTION.items():
        for own, caffe, torchvision in branches:
            units.append(
                _Unit(
                    f'inception{module}.{own}',
                    f'inception_{module}/{caffe}',
                    f'inception{module}.{torchvision}',
                    getattr(widths, own),
                )
            )
    return units


UNITS = _units()
SHARED_HEAD = 'roi_head.shared_head.'
"""Where Fast and Faster R-CNN keep the last stage of the network."""
_STATISTICS = ('running_mean', 'running_var', 'num_batches_tracked')
_LAST_BRANCHES = ('conv_1x1', 'conv_3x3', 'conv_5x5', 'pool_proj')
_CAFFE_TRUNK = ('conv1/', 'conv2/', 'inception_')
_CAFFE_CLASSIFIER = 'loss3/classifier'  # fine-tuned files append to the name, as Caffe's users are told to


def interpret(content: Content, name: str) -> Weights:
    """Maps the arrays of any layout to this project's names and checks that they make a whole GoogLeNet."""
    tensors = {key.removeprefix('module.'): value for key, value in content.tensors.items()}
    if any(key.startswith('backbone.') for key in tensors):
        inside = {
            key.removeprefix(place): value
            for key, value in tensors.items()
            for place in ('backbone.', SHARED_HEAD)
            if key.startswith(place)
        }
        head = {key: tensors[key] for key in ('fc.weight', 'fc.bias') if key in tensors}
        tensors = inside | head
    if f'{UNITS[0].caffe}.weight' in tensors:
        backbone, classifier = _from_caffe(tensors, name)
    elif f'{UNITS[0].torchvision}.bn.weight' in tensors:
        backbone, classifier = _from_torchvision(tensors)
    else:
        backbone = {key: value for key, value in tensors.items() if not key.startswith('fc.')}
        classifier = {key: value for key, value in tensors.items() if key.startswith('fc.')}
    known = tuple(f'{unit.own}.' for unit in UNITS)
    if not any(key.startswith(known) and key.count('.') > 1 for key in backbone):
        example = f' (its first is {next(iter(tensors))!r})' if tensors else ''
        raise CheckpointError(
            f'{name} holds {len(tensors)} arrays and none of them fits GoogLeNet{example}; '
            "give torchvision's or Caffe's GoogLeNet, or a checkpoint of this project."
        )

    backbone = {key: _as_float(value) for key, value in backbone.items()}
    variant, width = _variant(backbone, name), _width(backbone, name)
    with torch.device('meta'):
        expected = GoogLeNet(variant=variant, width=width).state_dict()
    for key in expected:
        if key.endswith('num_batches_tracked'):  # unused, and absent from old and foreign files
            backbone.setdefault(key, torch.tensor(0))
    _require_fit(backbone, expected, name, f'the {variant!r} variant at width {width:g}')
    backbone = {key: backbone[key] for key in expected}
    classifier = _check_classifier(classifier, backbone, name)
    for key, value in (backbone | classifier).items():
        if value.is_floating_point() and not value.isfinite().all():
            raise CheckpointError(f'{name} holds values in {key} that are not finite; its training has diverged.')
    return Weights(
        backbone=backbone,
        classifier=classifier,
        variant=variant,
        width=width,
        normalization=stated_normalization(content.meta, content.tensors) or copy.deepcopy(NORMALIZATION[variant]),
        classes=_classes(content.meta, classifier),
        source=name,
    )


def _as_float(tensor: Tensor) -> Tensor:
    return tensor.detach().float() if tensor.is_floating_point() else tensor.detach()


def _from_caffe(tensors: Mapping[str, Tensor], name: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    backbone = {}
    for unit in UNITS:
        for kind in ('weight', 'bias'):
            if f'{unit.caffe}.{kind}' in tensors:
                tensor = tensors[f'{unit.caffe}.{kind}']
                backbone[f'{unit.own}.conv.{kind}'] = tensor.flatten() if kind == 'bias' else tensor
    # Batch norms between the convolutions, for example, would change the network; they must not vanish unseen.
    known = {f'{unit.caffe}.{kind}' for unit in UNITS for kind in ('weight', 'bias')}
    backbone |= {key: tensors[key] for key in tensors if key.startswith(_CAFFE_TRUNK) and key not in known}
    heads = sorted({key.rpartition('.')[0] for key in tensors if key.startswith(_CAFFE_CLASSIFIER)})
    if len(heads) > 1:
        raise CheckpointError(f'{name} holds several classifiers ({", ".join(heads)}); one is expected.')
    classifier = {}
    for head in heads:
        for kind in ('weight', 'bias'):
            if f'{head}.{kind}' in tensors:
                classifier[f'fc.{kind}'] = tensors[f'{head}.{kind}'].flatten()
    if {'fc.weight', 'fc.bias'} <= classifier.keys():
        # Caffe writes the matrix as 1x1xKxC, or KxCx1x1 where it was turned into a convolution: K rows either way.
        rows = classifier['fc.bias'].numel()
        if rows and classifier['fc.weight'].numel() % rows == 0:
            classifier['fc.weight'] = classifier['fc.weight'].reshape(rows, -1)
    return backbone, classifier


def _from_torchvision(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    backbone = {}
    for unit in UNITS:
        for theirs, ours in (('conv', 'conv'), ('bn', 'norm')):
            prefix = f'{unit.torchvision}.{theirs}.'
            for key in ('weight', 'bias', *_STATISTICS):
                if prefix + key in tensors:
                    backbone[f'{unit.own}.{ours}.{key}'] = tensors[prefix + key]
    return backbone, {key: tensors[key] for key in ('fc.weight', 'fc.bias') if key in tensors}


def _variant(backbone: Mapping[str, Tensor], name: str) -> str:
    batch_norm = any('.norm.' in key for key in backbone)
    kernel = backbone.get('inception3a.conv_5x5.conv.weight')
    if kernel is None or kernel.ndim != 4:
        raise CheckpointError(
            f'{name} holds a part of GoogLeNet only: inception3a.conv_5x5.conv.weight is missing or no kernel.'
        )
    for variant, kind in VARIANTS.items():
        if (kind.batch_norm, kind.kernel_5x5) == (batch_norm, kernel.shape[-1]):
            return variant
    raise CheckpointError(
        f'{name} fits no variant of GoogLeNet: {kernel.shape[-1]}x{kernel.shape[-1]} kernels in the 5x5 branch '
        f'{"with" if batch_norm else "without"} batch norm.'
    )


def _width(backbone: Mapping[str, Tensor], name: str) -> float:
    """Finds the multiplier that gives all channel counts; of the many that do, the one with the fewest digits."""
    weights = {unit: backbone.get(f'{unit.own}.conv.weight') for unit in UNITS}
    channels = {unit.channels: len(weight) for unit, weight in weights.items() if weight is not None and weight.ndim}
    if all(base == count for base, count in channels.items()):
        return 1.0
    # A count of n means a product from n - 4 to n + 4, because counts are rounded to multiples of 8.
    low = max(((count - 4) / base for base, count in channels.items() if count > 8), default=0.0)
    for digits in (4, 8, 10, 20, 100, 1000, 10000):
        for step in (0, 1):
            width = (math.ceil(low * digits) + step) / digits
            if 0 < width <= 4 and all(scale_channels(base, width) == count for base, count in channels.items()):
                return width
    raise CheckpointError(f'{name} has channel counts that no width of GoogLeNet gives; it is another network.')


def _require_fit(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], name: str, what: str) -> None:
    missing = [key for key in expected if key not in found]
    excess = [key for key in found if key not in expected]
    shapes = [
        f'{key} ({"x".join(map(str, found[key].shape))} instead of {"x".join(map(str, expected[key].shape))})'
        for key in expected
        if key in found and found[key].shape != expected[key].shape
    ]
    problems = [
        f'{len(keys)} {text}, the first being {keys[0]}'
        for keys, text in ((missing, 'missing'), (shapes, 'of another shape'), (excess, 'too many'))
        if keys
    ]
    if problems:
        raise CheckpointError(
            f'{name} looks like {what} of GoogLeNet and does not fit it: arrays {"; ".join(problems)}.'
        )


def _check_classifier(classifier: Mapping[str, Tensor], backbone: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    if not classifier:
        return {}
    channels = sum(len(backbone[f'inception5b.{branch}.conv.weight']) for branch in _LAST_BRANCHES)
    weight, bias = classifier.get('fc.weight'), classifier.get('fc.bias')
    if weight is None or bias is None or bias.ndim != 1 or weight.shape != (len(bias), channels) or not len(bias):
        shapes = ', '.join(f'{key} {"x".join(map(str, value.shape))}' for key, value in classifier.items())
        raise CheckpointError(f'{name} has a classifier ({shapes}) that is not Kx{channels} with K biases.')
    return {'fc.weight': _as_float(weight), 'fc.bias': _as_float(bias)}


# ------------------------------------------------------------------------------------------- what belongs to weights


def _classes(meta: Mapping, classifier: Mapping[str, Tensor]) -> tuple[str, ...] | None:
    if not classifier:
        return None
    dataset = meta.get('dataset_meta')
    stated = meta.get('classes') or (dataset.get('classes') if isinstance(dataset, Mapping) else None)
    if isinstance(stated, (list, tuple)) and len(stated) == len(classifier['fc.bias']):
        return tuple(str(name) for name in stated)
    return None
