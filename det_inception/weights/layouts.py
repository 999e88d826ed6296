"""The layouts in which a network's weights are published, mapped to this project's names.

A network declares its names, variants and channels as a :class:`NetworkLayout`; :func:`read_weights` does the rest.
Read are Caffe's ``.caffemodel`` and ``.npz``, torchvision's ``state_dict``, TF-slim's checkpoints, and this project's
own files and checkpoints. Whatever does not make the whole network is an error: nothing is taken in part.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from det_inception.ilsvrc import RULES
from det_inception.utils.errors import some
from det_inception.weights.files import CheckpointError, RawCheckpoint, find_raw, sha256_of
from det_inception.weights.normalization import stated_normalization, stated_testing

SHARED_HEAD = 'roi_head.shared_head.'
"""Where Fast and Faster R-CNN keep the last stage of the network."""
_STATISTICS = ('running_mean', 'running_var', 'num_batches_tracked')


class Unit(NamedTuple):
    """One convolution with what belongs to it: its name in each layout and its output channels at width 1."""

    own: str
    caffe: str
    torchvision: str
    channels: int
    slim: str


@dataclass(frozen=True)
class NetworkLayout:
    """What must be known of a network to recognize its weights.

    Attributes:
        name: As in messages.
        units: Its convolutions. In a ``state_dict`` of this project a unit has ``conv``, and ``norm`` where there is
            batch norm.
        build: Returns the network of a variant and a width, with ``out_channels``.
        variants: To each variant, whether it has batch norm, the size of the kernel of ``telling``, and whether it has
            the buffer ``marker``.
        telling: The unit whose kernel tells the variants apart.
        normalization: What each variant's public weights were trained with.
        scale_channels: Returns the channels at a width, of those at width 1.
        caffe_trunk: What Caffe's names of the network's layers begin with.
        caffe_classifier: What Caffe's name of the last layer begins with.
        marker: A buffer that tells variants of equal arrays apart.
        slim_trunk: What TF-slim's names of all layers begin with.
        settings: Of the network's class, besides variant and width.
        lacking: What no name of this network contains and every other layout's does; for one that is not the first.
    """

    name: str
    units: tuple[Unit, ...]
    build: Callable[[str, float], nn.Module]
    variants: Mapping[str, tuple[bool, int, bool]]
    telling: str
    normalization: Mapping[str, dict]
    scale_channels: Callable[[int, float], int]
    caffe_trunk: tuple[str, ...]
    caffe_classifier: str
    marker: str = ''
    slim_trunk: str = ''
    settings: Mapping[str, object] = field(default_factory=dict)
    lacking: str = ''


@dataclass(frozen=True)
class Weights:
    """The weights of one network.

    Attributes:
        backbone: Parameters and buffers, complete, under the names of the network's class; float32.
        classifier: ``fc.weight`` (K classes, C channels) and ``fc.bias`` (K,); empty where the file has no classifier.
        variant: One of the layout's.
        width: Multiplier of the channels.
        normalization: ``mean``, ``std`` and ``bgr_to_rgb`` that belong to the weights.
        testing: How images become crops in a test of the weights, a rule of :mod:`det_inception.ilsvrc.crops`; None
            where nothing says it.
        classes: The K classes in the order of the outputs, where the file names them.
        source: The file or address that was read.
        sha256: Of the file's bytes, in hexadecimal; None where an address left no file behind.
        settings: Of the network's class, besides variant and width.
    """

    backbone: dict[str, Tensor]
    classifier: dict[str, Tensor]
    variant: str
    width: float
    normalization: dict
    classes: tuple[str, ...] | None
    source: str
    sha256: str | None = None
    testing: dict | None = None
    settings: dict = field(default_factory=dict)

    @property
    def num_parameters(self) -> int:
        """Number of learned values, without the statistics of batch norms."""
        learned = (name for name, value in self.backbone.items() if value.is_floating_point())
        return sum(self.backbone[name].numel() for name in learned if not name.endswith(_STATISTICS)) + sum(
            tensor.numel() for tensor in self.classifier.values()
        )


def read_weights(source: str | Path, *layouts: NetworkLayout) -> Weights:
    """Reads a network's weights, in whichever layout they come.

    Args:
        source: A file, ``'torchvision://googlenet'``, or an ``http://`` or ``https://`` address of a file.
        layouts: The network's; another one's only if that fits better, see ``NetworkLayout.lacking``.

    Returns:
        The weights, complete and under this project's names. The auxiliary classifiers of a file are left out.

    Raises:
        CheckpointError: The file cannot be read, could run code, or does not fit the network.
    """
    path, raw = find_raw(source)
    sha256 = sha256_of(path) if path.is_file() else None
    return replace(convert_state_dict(raw, os.fspath(source), *layouts), sha256=sha256)


def convert_state_dict(raw: RawCheckpoint, name: str, *layouts: NetworkLayout) -> Weights:
    """Maps the arrays of any layout to this project's names and checks that they make the whole network.

    Args:
        raw: The file's content.
        name: The file's, for messages.
        layouts: As for :func:`read_weights`.

    Raises:
        CheckpointError: They do not.
    """
    layout = _layout_of(raw.tensors, layouts)
    tensors = _without_prefix(raw.tensors, layout)
    if any(key.startswith('backbone.') for key in tensors):
        inside = {
            key.removeprefix(place): value
            for key, value in tensors.items()
            for place in ('backbone.', SHARED_HEAD)
            if key.startswith(place)
        }
        head = {key: tensors[key] for key in ('fc.weight', 'fc.bias') if key in tensors}
        tensors = inside | head
    first = layout.units[0]
    testing = stated_testing(raw.meta)
    if f'{first.caffe}.weight' in tensors:
        backbone, classifier = _from_caffe(tensors, name, layout)
        testing = testing or RULES['caffe']
    elif f'{first.torchvision}.bn.weight' in tensors:
        backbone, classifier = _from_torchvision(tensors, layout)
        testing = testing or RULES['torchvision']
    elif f'{first.slim}/weights' in tensors:
        backbone, classifier = _from_slim(tensors, layout)
        testing = testing or RULES['tf_slim']
    else:
        backbone = {key: value for key, value in tensors.items() if not key.startswith('fc.')}
        classifier = {key: value for key, value in tensors.items() if key.startswith('fc.')}
    known = tuple(f'{unit.own}.' for unit in layout.units)
    if not any(key.startswith(known) and key.count('.') > 1 for key in backbone):
        example = f' (they are {some(map(repr, tensors), 3)})' if tensors else ''
        raise CheckpointError(
            f'{name}: holds {len(tensors)} arrays and none of them fits {layout.name}{example}; '
            f"give torchvision's or Caffe's {layout.name}, or a checkpoint of this project."
        )

    backbone = {key: _as_float(value) for key, value in backbone.items()}
    variant, width = _variant(backbone, name, layout), _width(backbone, name, layout)
    with torch.device('meta'):
        network = layout.build(variant, width)
    expected = network.state_dict()
    for key in expected:
        if key.endswith('num_batches_tracked'):  # unused, and absent from old and foreign files
            backbone.setdefault(key, torch.tensor(0))
    _require_fit(backbone, expected, name, f'the {variant!r} variant at width {width:g} of {layout.name}')
    backbone = {key: backbone[key] for key in expected}
    classifier = _check_classifier(classifier, network.out_channels[-1], name)
    for key, value in (backbone | classifier).items():
        if value.is_floating_point() and not value.isfinite().all():
            raise CheckpointError(
                f'{name}: holds values in {key} that are not finite; its training has diverged, so name another.'
            )
    return Weights(
        backbone=backbone,
        classifier=classifier,
        variant=variant,
        width=width,
        normalization=stated_normalization(raw.meta, raw.tensors) or copy.deepcopy(layout.normalization[variant]),
        classes=_classes(raw.meta, classifier),
        source=name,
        testing=testing and dict(testing),
        settings=dict(layout.settings),
    )


def _layout_of(tensors: Mapping[str, Tensor], layouts: Sequence[NetworkLayout]) -> NetworkLayout:
    """Returns the layout of a file's network, told by a unit that the file has and one that it lacks."""
    first, *others = layouts
    for layout in others:
        telling = f'{layout.telling}.conv.weight'
        if any(key.endswith(telling) for key in tensors) and not any(layout.lacking in key for key in tensors):
            return layout
    return first


def _without_prefix(tensors: Mapping[str, Tensor], layout: NetworkLayout) -> dict[str, Tensor]:
    """The arrays without what a wrapper puts before their names: ``module.``, ``model.``, ``_orig_mod.``."""
    first = layout.units[0]
    ends = (f'{first.caffe}.weight', f'{first.torchvision}.bn.weight', f'{first.own}.conv.weight')
    found = {key.removesuffix(end) for key in tensors for end in ends if key == end or key.endswith(f'.{end}')}
    # Several networks, as in an ensemble, have several.
    prefix = found.pop().removesuffix('backbone.') if len(found) == 1 else 'module.'
    return {key.removeprefix(prefix): value for key, value in tensors.items()}


def _as_float(tensor: Tensor) -> Tensor:
    return tensor.detach().float() if tensor.is_floating_point() else tensor.detach()


def _from_caffe(
    tensors: Mapping[str, Tensor], name: str, layout: NetworkLayout
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    backbone = {}
    for unit in layout.units:
        for kind in ('weight', 'bias'):
            if f'{unit.caffe}.{kind}' in tensors:
                tensor = tensors[f'{unit.caffe}.{kind}']
                backbone[f'{unit.own}.conv.{kind}'] = tensor.flatten() if kind == 'bias' else tensor
    # Batch norms between the convolutions, for example, would change the network; they must not vanish unseen.
    known = {f'{unit.caffe}.{kind}' for unit in layout.units for kind in ('weight', 'bias')}
    backbone |= {key: tensors[key] for key in tensors if key.startswith(layout.caffe_trunk) and key not in known}
    # Fine-tuned files append to the name of the classifier, as Caffe's users are told to.
    heads = sorted({key.rpartition('.')[0] for key in tensors if key.startswith(layout.caffe_classifier)})
    if len(heads) > 1:
        raise CheckpointError(f'{name}: holds several classifiers ({", ".join(heads)}); keep one.')
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


def _from_torchvision(
    tensors: Mapping[str, Tensor], layout: NetworkLayout
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    backbone = {}
    for unit in layout.units:
        for theirs, ours in (('conv', 'conv'), ('bn', 'norm')):
            prefix = f'{unit.torchvision}.{theirs}.'
            for key in ('weight', 'bias', *_STATISTICS):
                if prefix + key in tensors:
                    backbone[f'{unit.own}.{ours}.{key}'] = tensors[prefix + key]
    return backbone, {key: tensors[key] for key in ('fc.weight', 'fc.bias') if key in tensors}


def _from_slim(tensors: Mapping[str, Tensor], layout: NetworkLayout) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """TF-slim's kernels are height x width x inputs x outputs, its batch norms have no scale, class 0 is background."""
    kinds = dict(beta='bias', gamma='weight', moving_mean='running_mean', moving_variance='running_var')
    backbone, known = {layout.marker: torch.tensor(True)}, set()
    for unit in layout.units:
        parts = {f'{unit.slim}/BatchNorm/{theirs}': f'{unit.own}.norm.{ours}' for theirs, ours in kinds.items()}
        for theirs, ours in ({f'{unit.slim}/weights': f'{unit.own}.conv.weight'} | parts).items():
            if (value := tensors.get(theirs)) is not None:
                known.add(theirs)
                backbone[ours] = value.permute(3, 2, 0, 1).contiguous() if value.ndim == 4 else value
        if (bias := backbone.get(f'{unit.own}.norm.bias')) is not None:
            backbone.setdefault(f'{unit.own}.norm.weight', torch.ones_like(bias))
    # What is no unit's stays, to be found too many. What a training remembers of an array is named behind the array.
    ends = ('/weights', '/biases', *(f'/BatchNorm/{kind}' for kind in kinds))
    rest = {key: tensors[key] for key in tensors if key.startswith(layout.slim_trunk) and key.endswith(ends)}
    head, classifier = f'{layout.slim_trunk}Logits/', {}
    for key, value in rest.items():
        if not key.startswith(head):
            backbone |= {} if key in known else {key: value}
            continue
        value = value.flatten(0, -2).T if value.ndim > 1 else value
        # Without the background, the outputs are the 1000 classes in the usual order.
        classifier['fc.weight' if value.ndim > 1 else 'fc.bias'] = value[1:] if len(value) == 1001 else value
    return backbone, classifier


def _variant(backbone: Mapping[str, Tensor], name: str, layout: NetworkLayout) -> str:
    batch_norm = any('.norm.' in key for key in backbone)
    key = f'{layout.telling}.conv.weight'
    kernel = backbone.get(key)
    if kernel is None or kernel.ndim != 4:
        raise CheckpointError(
            f'{name}: holds a part of {layout.name} only, {key} is missing or no kernel; name a file with all of it.'
        )
    if kernel.shape[0] == kernel.shape[1] < 8 <= kernel.shape[-1]:
        raise CheckpointError(
            f"{name}: has kernels in TensorFlow's order, height x width x inputs x outputs ({key}); name the "
            'checkpoint of TensorFlow itself, or transpose them with permute(3, 2, 0, 1).'
        )
    marked = bool(layout.marker) and layout.marker in backbone
    for variant, kind in layout.variants.items():
        if kind == (batch_norm, kernel.shape[-1], marked):
            return variant
    raise CheckpointError(
        f'{name}: fits no variant of {layout.name}, with {kernel.shape[-1]}x{kernel.shape[-1]} kernels in '
        f'{layout.telling} {"with" if batch_norm else "without"} batch norm; name another file.'
    )


def _width(backbone: Mapping[str, Tensor], name: str, layout: NetworkLayout) -> float:
    """Finds the multiplier that gives all channel counts; of the many that do, the one with the fewest digits."""
    weights = {unit: backbone.get(f'{unit.own}.conv.weight') for unit in layout.units}
    channels = {unit.channels: len(weight) for unit, weight in weights.items() if weight is not None and weight.ndim}
    if all(base == count for base, count in channels.items()):
        return 1.0
    # A count of n means a product from n - 4 to n + 4, because counts are rounded to multiples of 8.
    low = max(((count - 4) / base for base, count in channels.items() if count > 8), default=0.0)
    for digits in (4, 8, 10, 20, 100, 1000, 10000):
        for step in (0, 1):
            width = (math.ceil(low * digits) + step) / digits
            if 0 < width <= 4 and all(layout.scale_channels(base, width) == count for base, count in channels.items()):
                return width
    raise CheckpointError(
        f'{name}: has channel counts that no width of {layout.name} gives; it is another network, so name another file.'
    )


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
            f'{name}: looks like {what} and does not fit it, arrays {"; ".join(problems)}; name another file.'
        )


def _check_classifier(classifier: Mapping[str, Tensor], channels: int, name: str) -> dict[str, Tensor]:
    if not classifier:
        return {}
    weight, bias = classifier.get('fc.weight'), classifier.get('fc.bias')
    if weight is None or bias is None or bias.ndim != 1 or weight.shape != (len(bias), channels) or not len(bias):
        shapes = ', '.join(f'{key} {"x".join(map(str, value.shape))}' for key, value in classifier.items())
        raise CheckpointError(
            f'{name}: has a classifier ({shapes}) that is not Kx{channels} with K biases; name another.'
        )
    return {'fc.weight': _as_float(weight), 'fc.bias': _as_float(bias)}


def _classes(meta: Mapping, classifier: Mapping[str, Tensor]) -> tuple[str, ...] | None:
    if not classifier:
        return None
    dataset = meta.get('dataset_meta')
    stated = meta.get('classes') or (dataset.get('classes') if isinstance(dataset, Mapping) else None)
    if isinstance(stated, (list, tuple)) and len(stated) == len(classifier['fc.bias']):
        return tuple(str(name) for name in stated)
    return None
