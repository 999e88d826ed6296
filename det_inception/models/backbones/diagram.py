"""Draws the graph of a network as SVG: branches side by side from top to bottom, a chain in lines like text.

Positions are in pixels of the drawing. Branches are laid out as by Sugiyama, Tagawa and Toda (1981): layers by the
longest way from the input, a lane for every edge that passes a layer by, and centers over the neighbors.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

from torch import nn

from det_inception.models.backbones.graph import Graph, Node, network_graph
from det_inception.utils.files import write_text

LETTER, BOLD, LINE = 6.4, 7.0, 15.0  # a letter's mean width, in the first line, a line's height
GAP_X, GAP_Y, MARGIN = 16.0, 26.0, 14.0
LANE = 8.0  # the width of a passing edge
IN_A_LINE = 4
"""Boxes of a chain beside each other."""
SWEEPS = 200
COLORS = {
    'input': '#eceff1',
    '1x1': '#ffe9b3',
    'convolution': '#c5dcf5',
    'depthwise': '#bfe6dc',
    'pool': '#f6cdc8',
    'module': '#dccdf2',
    'join': '#d9ead3',
    'other': '#ffffff',
}


@dataclass(frozen=True)
class Diagram:
    """A drawing; notebooks show it.

    Attributes:
        graph: What is drawn.
        svg: The drawing, a whole SVG file.
    """

    graph: Graph
    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> None:
        """Writes the SVG file.

        Raises:
            OutputError: It cannot be written.
        """
        write_text(Path(path), self.svg)


def draw_network(
    network: nn.Module, size: int, part: str = '', boxes: tuple[type[nn.Module], ...] = (), title: str = ''
) -> Diagram:
    """Draws what a network, or a part of it, does to an image; see :func:`~.graph.network_graph` for the arguments.

    Args:
        network: On the meta device.
        size: Side of the image in pixels.
        part: The name of a module in it; empty: all of it.
        boxes: Kinds of modules that are one box each.
        title: Above the drawing.

    Raises:
        ValueError: There is no such part, or it cannot be drawn.

    Example:
        >>> import torch
        >>> from det_inception.models import GoogLeNet
        >>> with torch.device('meta'):
        ...     diagram = draw_network(GoogLeNet(), 224, 'inception3a', title='Inception 3a')
        >>> diagram.graph.parameters, diagram.svg.count('convolution<')
        (163696, 6)
    """
    graph = network_graph(network, size, part, boxes)
    return Diagram(graph, draw_graph(graph, title))


def draw_graph(graph: Graph, title: str = '') -> str:
    """Returns a graph as SVG."""
    nodes = graph.nodes
    common = {node.then for node in nodes if node.kind in ('convolution', 'linear')}
    common = common.pop() if len(common) == 1 else ()
    texts = [node_text(node, common) for node in nodes]
    chain = all(node.inputs == (index - 1,) for index, node in enumerate(nodes) if index)
    placed = _in_lines(texts) if chain else _in_layers(nodes, texts)
    head = 28.0 if title else 0.0
    foot = 20.0 if common else 0.0
    width = max(placed.width, len(title) * 8.0 + MARGIN) + MARGIN
    bottom = max(box.y + box.height for box in placed.boxes)
    height = head + bottom + foot + MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="Helvetica, Arial, sans-serif" font-size="12" text-anchor="middle" '
        'role="img">',
        f'<title>{escape(title)}</title>' if title else '',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#546e7a"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="{MARGIN:.0f}" y="24" font-size="14" font-weight="bold" text-anchor="start">{escape(title)}</text>'
        if title
        else '',
        f'<g transform="translate(0 {head:.0f})">',
        '<g fill="none" stroke="#546e7a" stroke-width="1.2" marker-end="url(#tip)">',
        *(f'<path d="{path}"/>' for path in placed.paths),
        '</g>',
    ]
    for node, text, box in zip(nodes, texts, placed.boxes, strict=True):
        radius = 4 if _color(node) != COLORS['join'] else 12
        lines.append(
            f'<rect x="{box.x - box.width / 2:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" '
            f'rx="{radius}" fill="{_color(node)}" stroke="#546e7a"/>'
        )
        for number, line in enumerate(text):
            weight = ' font-weight="bold"' if number == 0 else ' fill="#37474f"'
            lines.append(f'<text x="{box.x:.0f}" y="{box.y + 16 + LINE * number:.0f}"{weight}>{escape(line)}</text>')
    if common:
        lines.append(
            f'<text x="{MARGIN:.0f}" y="{bottom + 24:.0f}" text-anchor="start" fill="#37474f">'
            f'Behind every convolution: {", ".join(common)}.</text>'
        )
    return '\n'.join([*filter(None, lines), '</g>', '</svg>', ''])


def node_text(node: Node, common: tuple[str, ...] = ()) -> list[str]:
    """Returns the lines in a node's box: what it is, what comes out, what it learns.

    Args:
        node: The node.
        common: What follows every convolution, and so is not said in each box.
    """
    kernel = '×'.join(map(str, node.kernel))
    halved = f', stride {node.stride}' if node.stride > 1 else ''
    if node.kind == 'convolution':
        depthwise = node.groups == node.shape[0] and node.groups > 1
        first = f'{kernel} {"depthwise " if depthwise else ""}convolution{halved}'
    elif 'pool' in node.kind:
        first = f'{kernel} {node.kind}{halved}'
    elif node.kind == 'scale':
        first = f'× {node.scale:g}'
    elif node.kind == 'module':
        first = node.name[0] if node.parameters else node.name[1]
    else:
        first = node.kind
    channels, *sides = node.shape
    lines = [first]
    if node.kind in ('convolution', 'linear', 'sum') and node.then and node.then != common:
        lines.append(f'then {", ".join(node.then)}')
    if node.kind not in ('ReLU', 'scale'):
        lines.append(f'{channels} × {"×".join(map(str, sides))}' if sides else f'{channels} values')
    if node.parameters:
        lines.append(f'{node.parameters:,} parameters')
    return lines


def _color(node: Node) -> str:
    if node.kind == 'convolution':
        if node.groups > 1:
            return COLORS['depthwise']
        return COLORS['1x1' if set(node.kernel) == {1} else 'convolution']
    if 'pool' in node.kind:
        return COLORS['pool']
    if node.kind in ('concatenation', 'sum'):
        return COLORS['join']
    return COLORS[dict(linear='1x1').get(node.kind, node.kind if node.kind in COLORS else 'other')]


@dataclass
class _Box:
    """A box, or a lane of a passing edge: its center along x, its upper side, and its size."""

    width: float
    height: float
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class _Placed:
    boxes: list[_Box]
    width: float
    paths: list[str]


def _box(text: list[str]) -> _Box:
    letters = max(len(text[0]) * BOLD, max(map(len, text)) * LETTER)
    return _Box(letters + 18, LINE * len(text) + 9)


def _in_lines(texts: list[list[str]]) -> _Placed:
    """Places a chain in lines of equal columns."""
    boxes = [_box(text) for text in texts]
    width, height = max(box.width for box in boxes), max(box.height for box in boxes)
    paths = []
    for index, box in enumerate(boxes):
        line, column = divmod(index, IN_A_LINE)
        box.width, box.height = width, height
        box.x = MARGIN + width / 2 + column * (width + GAP_Y)
        box.y = MARGIN + line * (height + GAP_Y)
        if index and column:
            y = box.y + height / 2
            paths.append(f'M{box.x - width / 2 - GAP_Y:.0f} {y:.0f}H{box.x - width / 2:.0f}')
        elif index:
            before, middle = boxes[index - 1], box.y - GAP_Y / 2
            paths.append(f'M{before.x:.0f} {before.y + height:.0f}V{middle:.0f}H{box.x:.0f}V{box.y:.0f}')
    return _Placed(boxes, max(box.x for box in boxes) + width / 2, paths)


def _in_layers(nodes: tuple[Node, ...], texts: list[list[str]]) -> _Placed:
    """Places branches side by side; boxes of the nodes come first, then lanes."""
    boxes = [_box(text) for text in texts]
    rank = [0] * len(nodes)
    for index, node in enumerate(nodes):
        rank[index] = max((rank[source] + 1 for source in node.inputs), default=0)
    wires = [(source, index) for index, node in enumerate(nodes) for source in node.inputs]
    routes = {}  # of each wire, all that it touches, from its source to its target
    for source, target in wires:
        lanes = range(len(boxes), len(boxes) + rank[target] - rank[source] - 1)
        boxes += [_Box(LANE, 0) for _ in lanes]
        rank += range(rank[source] + 1, rank[target])
        routes[source, target] = [source, *lanes, target]
    near: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)  # neighbors, and how much they pull
    below: defaultdict[int, list[int]] = defaultdict(list)
    fan = Counter((ends[side], side) for ends in wires for side in (0, 1))  # how many wires leave a box, or come in
    fan.update(dict.fromkeys(((lane, side) for lane in range(len(nodes), len(boxes)) for side in (0, 1)), 1))
    for route in routes.values():
        for one, other in pairwise(route):
            branches = max(fan[one, 0], fan[other, 1])
            pull = 20.0 if branches == 1 else 1 / branches  # What follows in a branch stands in line.
            near[one].append((other, pull))
            near[other].append((one, pull))
            below[one].append(other)

    layers: list[list[int]] = [[] for _ in range(max(rank) + 1)]
    seen: set[int] = set()

    def visit(index: int) -> None:
        """Puts a box, and then all below it, to the right of what is there: branches keep the network's order."""
        if index not in seen:
            seen.add(index)
            layers[rank[index]].append(index)
            for other in below[index]:
                visit(other)

    visit(0)
    for layer in layers:
        for index, x in zip(layer, _apart(layer, boxes, [0.0] * len(layer))):
            boxes[index].x = x
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 else layers[::-1]:
            wanted = [
                sum(boxes[other].x * pull for other, pull in near[index]) / sum(pull for _, pull in near[index])
                for index in layer
            ]
            for index, x in zip(layer, _apart(layer, boxes, wanted)):
                boxes[index].x = x
    _straighten(
        layers, boxes, [(one, other) for one in below for other in below[one] if fan[one, 0] == fan[other, 1] == 1]
    )
    left = min(box.x - box.width / 2 for box in boxes) - MARGIN
    y = MARGIN
    for layer in layers:
        height = max(boxes[index].height for index in layer)
        for index in layer:
            box = boxes[index]
            box.x, box.y = box.x - left, y + (height - box.height) / 2 if index < len(nodes) else y
            box.height = box.height if index < len(nodes) else height
        y += height + GAP_Y
    right = max(box.x + box.width / 2 for box in boxes)
    return _Placed(boxes[: len(nodes)], right, [_path(route, routes, boxes) for route in routes.values()])


def _straighten(layers: list[list[int]], boxes: list[_Box], pairs: list[tuple[int, int]]) -> None:
    """Puts the boxes of each branch exactly below one another, where they do not come too near to others.

    Args:
        layers: The boxes from left to right.
        boxes: Nearly in line.
        pairs: Boxes that follow each other in a branch.
    """
    after = dict(pairs)
    for start in [one for one in after if one not in after.values()]:
        branch = [start]
        while branch[-1] in after:
            branch.append(after[branch[-1]])
        before = [boxes[index].x for index in branch]
        for index in branch:
            boxes[index].x = sum(before) / len(before)
        near = any(
            boxes[other].x - boxes[one].x < (boxes[one].width + boxes[other].width) / 2 + GAP_X / 2
            for layer in layers
            for one, other in pairwise(layer)
        )
        if near:
            for index, x in zip(branch, before):
                boxes[index].x = x


def _apart(layer: list[int], boxes: list[_Box], wanted: list[float]) -> list[float]:
    """Returns the places nearest to those wanted at which no box touches the next: isotonic regression."""
    shift = [0.0]
    for one, other in pairwise(layer):
        shift.append(shift[-1] + (boxes[one].width + boxes[other].width) / 2 + GAP_X)
    blocks: list[list[float]] = []  # sum of places, how many
    for place, offset in zip(wanted, shift):
        blocks.append([place - offset, 1.0])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    flat = [total / count for total, count in blocks for _ in range(int(count))]
    return [place + offset for place, offset in zip(flat, shift)]


def _path(route: list[int], routes: dict[tuple[int, int], list[int]], boxes: list[_Box]) -> str:
    """Returns a wire as an SVG path: curves between layers, straight through lanes."""
    source, target = route[0], route[-1]

    def port(index: int, side: int, own: int) -> float:
        """Where a wire meets a box: the wires of one side share it evenly, ordered as they come."""
        others = sorted(
            (boxes[other[1] if side == 0 else other[-2]].x, ends[1 - side])
            for ends, other in routes.items()
            if ends[side] == index
        )
        count, box = len(others), boxes[index]
        step = min(28.0, (box.width - 24) / max(count - 1, 1))
        return box.x + ([end for _, end in others].index(own) - (count - 1) / 2) * step

    x, y = port(source, 0, target), boxes[source].y + boxes[source].height
    path = f'M{x:.0f} {y:.0f}'
    for index in route[1:]:
        box = boxes[index]
        next_x = port(target, 1, source) if index == target else box.x
        middle = (y + box.y) / 2
        path += f'C{x:.0f} {middle:.0f} {next_x:.0f} {middle:.0f} {next_x:.0f} {box.y:.0f}'
        x, y = next_x, box.y
        if index != target:
            y += box.height
            path += f'V{y:.0f}'
    return path
