"""What a built network does to an image, as a graph: recorded while it runs, for pictures and for counting.

The network runs once on PyTorch's meta device, so nothing is computed. Recorded are the operations below PyTorch's
modules, so it makes no difference who wrote the network or how its ``forward`` goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


@dataclass(frozen=True)
class Node:
    """One step of a network.

    Attributes:
        kind: ``'input'``, ``'convolution'``, ``'linear'``, ``'max pool'``, ``'average pool'``, ``'concatenation'``,
            ``'sum'``, ``'scale'``, ``'batch norm'``, ``'ReLU'``, ``'module'``, or the name of another operation in
            PyTorch.
        inputs: The nodes it gets maps from, as indices into :attr:`Graph.nodes`; each is smaller than its own.
        shape: Of its output without the batch: channels, and height and width where it has them.
        parameters: Learned values, with those of what is folded into it.
        multiply_adds: Of its convolutions and linear layers, for one image.
        kernel: Height and width of what it looks at; empty where it looks at no neighborhood.
        stride: Along the height.
        groups: Of a convolution.
        name: Of a module: its place in the network, and its class.
        scale: The factor of ``'scale'``.
        then: What follows directly and is folded into it, such as ``('batch norm', 'ReLU')``.
    """

    kind: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    parameters: int = 0
    multiply_adds: int = 0
    kernel: tuple[int, ...] = ()
    stride: int = 1
    groups: int = 1
    name: tuple[str, str] = ('', '')
    scale: float = 1.0
    then: tuple[str, ...] = ()


@dataclass(frozen=True)
class Graph:
    """The nodes of a network, in an order in which they can run; the first is the input, the last the output."""

    nodes: tuple[Node, ...]

    @property
    def parameters(self) -> int:
        """Learned values of all nodes."""
        return sum(node.parameters for node in self.nodes)

    @property
    def multiply_adds(self) -> int:
        """Of all convolutions and linear layers, for one image."""
        return sum(node.multiply_adds for node in self.nodes)


def network_graph(network: nn.Module, size: int, part: str = '', boxes: tuple[type[nn.Module], ...] = ()) -> Graph:
    """Runs a network in evaluation mode on an empty image, and returns what it does, or what a part of it does.

    Args:
        network: On the meta device; it takes images (N, 3, H, W).
        size: Side of the image in pixels.
        part: The name of a module in the network, which runs once; empty: the whole network.
        boxes: Kinds of modules that are one node each, whatever is inside.

    Returns:
        The graph; batch norms and ReLUs are folded into what they follow, and concatenations of
        concatenations are one.

    Raises:
        ValueError: The part does not run, or is given something else than one map.
    """
    module = network.get_submodule(part)
    recorder = _Recorder()
    hooks = [
        module.register_forward_pre_hook(lambda _, given: recorder.begin(given)),
        module.register_forward_hook(lambda *_: recorder.end()),
    ]
    names = {module: name for name, module in network.named_modules()}
    for box in module.modules():
        if isinstance(box, boxes) and box is not module:
            hooks.append(box.register_forward_pre_hook(lambda *_: recorder.enter()))
            hooks.append(box.register_forward_hook(lambda box, given, out: recorder.leave(box, names[box], given, out)))
    training = network.training
    try:
        with torch.no_grad(), recorder:
            network.eval()(torch.zeros(1, 3, size, size, device='meta'))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    if not recorder.nodes:
        raise ValueError(f'{part!r} of {type(network).__name__} does not run when an image passes through')
    return Graph(_folded(recorder.nodes))


_SILENT = {'clone', '_to_copy', 'detach', 'alias', 'view', '_unsafe_view', 'constant_pad_nd', 'squeeze', 'unsqueeze'}
"""Operations that change no value; the padding in front of a layer is counted as the layer's."""


class _Recorder(TorchDispatchMode):
    """Notes every operation on a map that comes from the input of the part."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self._source: dict[int, int] = {}  # from a tensor's identity to the node that made it
        self._kept: list[object] = []  # so that no identity is given again
        self._on, self._depth, self._inside = False, 0, 0  # boxes around; multiply-adds inside the outermost

    def begin(self, given: tuple) -> None:
        maps = [value for value in tree_leaves(given) if isinstance(value, Tensor)]
        if len(maps) != 1 or self.nodes:
            raise ValueError(f'a part of a network that is drawn gets one map, once, not {len(maps)} or several times')
        self._on = True
        self._add(Node('input', (), tuple(maps[0].shape[1:])), maps[0])

    def end(self) -> None:
        self._on = False

    def enter(self) -> None:
        self._depth += 1

    def leave(self, box: nn.Module, name: str, given: tuple, output: Any) -> None:
        self._depth -= 1
        if not self._on or self._depth:
            return
        out = [value for value in tree_leaves(output) if isinstance(value, Tensor)][-1]
        self._add(
            Node(
                'module',
                self._inputs(given),
                tuple(out.shape[1:]),
                sum(parameter.numel() for parameter in box.parameters()),
                self._inside,
                name=(name, type(box).__name__),
            ),
            out,
        )
        self._inside = 0

    def _add(self, node: Node, output: Tensor) -> None:
        self.nodes.append(node)
        self._note(output, len(self.nodes) - 1)

    def _note(self, output: Tensor, node: int) -> None:
        self._source[id(output)] = node
        self._kept.append(output)

    def _inputs(self, values: object) -> tuple[int, ...]:
        found = (self._source.get(id(value)) for value in tree_leaves(values) if isinstance(value, Tensor))
        return tuple(dict.fromkeys(node for node in found if node is not None))

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: Mapping | None = None) -> Any:
        name = func.overloadpacket.__name__.removesuffix('_')
        if name == 'native_batch_norm' and args[0].is_meta:  # PyTorch takes milliseconds to find the same shape.
            result = (args[0].new_empty(args[0].shape), *(args[0].new_empty(0) for _ in range(2)))
        else:
            result = func(*args, **(kwargs or {}))
        output = result[0] if isinstance(result, (tuple, list)) else result
        if self._on and isinstance(output, Tensor):
            if self._depth:
                self._inside += _multiply_adds(name, args, output)
            elif inputs := self._inputs(args):
                if name in _SILENT:
                    self._note(output, inputs[0])
                else:
                    self._add(_node(name, inputs, args, output), output)
        return result


def _multiply_adds(name: str, args: tuple, output: Tensor) -> int:
    if name == 'convolution':
        return args[1].numel() * prod(output.shape[2:])
    return args[2].numel() if name == 'addmm' else 0


def _node(name: str, inputs: tuple[int, ...], args: tuple, output: Tensor) -> Node:
    """Returns the node of an operation of ATen, whose arguments are in ATen's order."""
    node = Node(name, inputs, tuple(output.shape[1:]), multiply_adds=_multiply_adds(name, args, output))
    if name == 'convolution':
        return replace(
            node,
            parameters=args[1].numel() + (0 if args[2] is None else args[2].numel()),
            kernel=tuple(args[1].shape[2:]),
            stride=args[3][0],
            groups=args[8],
        )
    if name == 'addmm':
        return replace(node, kind='linear', parameters=args[0].numel() + args[2].numel())
    if 'batch_norm' in name:
        return replace(node, kind='batch norm', parameters=sum(0 if one is None else one.numel() for one in args[1:3]))
    if name in ('max_pool2d_with_indices', 'avg_pool2d'):
        stride = args[2] if len(args) > 2 and args[2] else args[1]
        kind = 'max pool' if name[0] == 'm' else 'average pool'
        return replace(node, kind=kind, kernel=tuple(args[1]), stride=stride[0])
    if name == 'mean':
        return replace(node, kind='average pool', kernel=tuple(args[0].shape[2:]))
    if name == 'mul' and not isinstance(args[1], Tensor):
        return replace(node, kind='scale', scale=float(args[1]))
    names = {'relu': 'ReLU', 'cat': 'concatenation', 'add': 'sum'}
    return replace(node, kind=names.get(name, name))


def _folded(nodes: list[Node]) -> tuple[Node, ...]:
    """Folds batch norms and ReLUs into what they follow, and concatenations into the next."""
    uses = [0] * len(nodes)
    for node in nodes:
        for index in node.inputs:
            uses[index] += 1
    kept: list[Node] = []
    place: list[int] = []  # from a node as recorded to its place in ``kept``
    spliced: dict[int, tuple[int, ...]] = {}  # the inputs of a concatenation that is part of the next one
    consumers: dict[int, Node] = {index: node for node in nodes for index in node.inputs}
    for index, node in enumerate(nodes):
        inputs = tuple(one for source in node.inputs for one in spliced.get(source, (place[source],)))
        alone = len(node.inputs) == 1 and uses[node.inputs[0]] == 1
        if alone and node.kind in ('batch norm', 'ReLU') and kept[inputs[0]].kind not in ('input', 'max pool'):
            before = kept[inputs[0]]
            kept[inputs[0]] = replace(
                before, then=(*before.then, node.kind), parameters=before.parameters + node.parameters
            )
            place.append(inputs[0])
        elif node.kind == 'concatenation' and uses[index] == 1 and consumers[index].kind == 'concatenation':
            spliced[index] = inputs
            place.append(-1)
        else:
            place.append(len(kept))
            kept.append(replace(node, inputs=inputs))
    return tuple(kept)
