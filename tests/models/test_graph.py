"""The graph of a network is what the network does, and its picture shows the graph."""

import re
import xml.etree.ElementTree as ElementTree
from itertools import combinations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from det_inception.models import NIN, BNInception, GoogLeNet, InceptionResNetV1
from det_inception.models.backbones.diagram import draw_graph, draw_network
from det_inception.models.backbones.googlenet import Inception, LocalResponseNorm
from det_inception.models.backbones.graph import network_graph

SVG = '{http://www.w3.org/2000/svg}'
NETWORKS = {
    'nin': (lambda: NIN(), 227, '', ()),
    'googlenet': (lambda: GoogLeNet(), 224, '', (Inception, LocalResponseNorm)),
    'batch norm': (lambda: GoogLeNet('batch_norm'), 224, 'inception4e', ()),
    'bn-inception': (lambda: BNInception('caffe'), 224, 'inception3c', ()),
    'residual': (lambda: InceptionResNetV1(), 299, 'repeat_2.3', ()),
    'reduction': (lambda: InceptionResNetV1(), 299, 'mixed_7a', ()),
    'classifier': (lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 36, 5)), 8, '', ()),
}


def built(name):
    make, size, part, boxes = NETWORKS[name]
    with torch.device('meta'):
        return make(), size, part, boxes


@pytest.mark.parametrize('name', NETWORKS)
def test_a_graph_counts_what_pytorch_counts(name):
    network, size, part, boxes = built(name)
    graph, module = network_graph(network, size, part, boxes), network.get_submodule(part)
    assert network.training, 'as it was'
    with torch.device('meta'), torch.no_grad(), FlopCounterMode(display=False) as counter:
        out = module.eval()(torch.zeros(1, *graph.nodes[0].shape))
    assert graph.parameters == sum(parameter.numel() for parameter in module.parameters())
    assert graph.multiply_adds == counter.get_total_flops() // 2 > 0
    assert graph.nodes[-1].shape == tuple((out[-1] if isinstance(out, tuple) else out).shape[1:])
    assert all(source < index for index, node in enumerate(graph.nodes) for source in node.inputs)


def test_the_wires_of_a_module():
    network, size, part, _ = built('batch norm')
    nodes = network_graph(network, size, part).nodes
    relu = ('batch norm', 'ReLU')
    assert [(node.kind, node.inputs, node.shape[0], node.kernel, node.then) for node in nodes] == [
        ('input', (), 528, (), ()),
        ('convolution', (0,), 256, (1, 1), relu),
        ('convolution', (0,), 160, (1, 1), relu),
        ('convolution', (2,), 320, (3, 3), relu),
        ('convolution', (0,), 32, (1, 1), relu),
        ('convolution', (4,), 128, (5, 5), relu),
        ('max pool', (0,), 528, (3, 3), ()),
        ('convolution', (6,), 128, (1, 1), relu),
        ('concatenation', (1, 3, 5, 7), 832, (), ()),
    ]


class Odd(nn.Module):
    """A map that is needed before and behind a ReLU, channels apart, and a concatenation inside another."""

    def __init__(self):
        super().__init__()
        self.conv, self.apart = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, 2, padding=1, groups=6)
        self.pool = nn.AvgPool2d(3, 2, padding=1)

    def forward(self, images):
        x = self.conv(images)
        positive = x.relu()
        left = torch.cat([self.apart(positive), self.apart(x) * 0.5], dim=1)
        return torch.cat([left, self.pool(positive) + self.pool(x)], dim=1)


def test_what_is_used_twice_is_not_folded():
    with torch.device('meta'):
        nodes = network_graph(Odd(), 8).nodes
    assert [(node.kind, node.inputs) for node in nodes] == [
        ('input', ()),
        ('convolution', (0,)),
        ('ReLU', (1,)),
        ('convolution', (2,)),
        ('convolution', (1,)),
        ('scale', (4,)),
        ('average pool', (2,)),
        ('average pool', (1,)),
        ('sum', (6, 7)),
        ('concatenation', (3, 5, 8)),
    ]
    assert (nodes[3].groups, nodes[3].stride, nodes[5].scale, nodes[6].stride) == (6, 2, 0.5, 2)
    assert nodes[-1].shape == (18, 4, 4)


def test_a_part_that_cannot_be_drawn():
    with torch.device('meta'):
        network = GoogLeNet()
        network.unused = nn.Conv2d(1, 1, 1)
        with pytest.raises(ValueError, match="'unused' of GoogLeNet does not run"):
            network_graph(network, 64, 'unused')
        with pytest.raises(ValueError, match='several times'):
            network_graph(network, 64, 'pool')
        with pytest.raises(AttributeError, match='inception6a'):
            network_graph(network, 64, 'inception6a')
    assert not any(module._forward_hooks for module in network.modules())


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f'{SVG}text')]


def test_a_picture_is_of_the_network_that_was_built():
    with torch.device('meta'):
        five, three = (draw_network(GoogLeNet(kind), 224, 'inception3a').svg for kind in ('batch_norm', 'torchvision'))
        narrow = draw_network(GoogLeNet(width=0.5), 224, 'inception3a').svg
        scaled = draw_network(InceptionResNetV1(scales=(0.3, 0.1, 0.2)), 299, 'repeat_1.0').svg
    assert (texts(five).count('5×5 convolution'), texts(five).count('3×3 convolution')) == (1, 1)
    assert (texts(three).count('5×5 convolution'), texts(three).count('3×3 convolution')) == (0, 2)
    assert '256 × 28×28' in texts(five) and '128 × 28×28' in texts(narrow) and '256 × 28×28' not in texts(narrow)
    assert '× 0.3' in texts(scaled) and 'then batch norm, ReLU' in texts(scaled)
    assert 'Behind every convolution: batch norm, ReLU.' in texts(five)
    assert texts(draw_network(network := built('nin')[0], 227, title='A < B').svg)[0] == 'A < B' and network.training


@pytest.mark.parametrize('name', NETWORKS)
def test_no_box_covers_another_and_every_wire_meets_its_boxes(name):
    network, *how = built(name)
    diagram = draw_network(network, *how)
    drawing = ElementTree.fromstring(diagram.svg)
    width, height = (float(drawing.get(side)) for side in ('width', 'height'))
    boxes = [
        [float(box.get(key)) for key in ('x', 'y', 'width', 'height')]
        for box in drawing.iter(f'{SVG}rect')
        if box.get('rx')
    ]
    assert len(boxes) == len(diagram.graph.nodes)
    for x, y, w, h in boxes:
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
    for (x, y, w, h), (x2, y2, w2, h2) in combinations(boxes, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
    wires = [(source, index) for index, node in enumerate(diagram.graph.nodes) for source in node.inputs]
    paths = [path.get('d') for path in drawing.iter(f'{SVG}path') if path.get('d') != 'M0 0L8 4L0 8z']
    assert len(paths) == len(wires)
    if 'C' not in paths[0]:
        return  # A chain, whose wires are short and straight.
    for (source, target), path in zip(wires, paths, strict=True):
        numbers = [float(number) for number in re.findall(r'-?\d+', path)]
        for index, (px, py) in ((source, numbers[:2]), (target, numbers[-2:])):
            x, y, w, h = boxes[index]
            assert x - 1 <= px <= x + w + 1 and y - 1 <= py <= y + h + 1


def test_a_saved_picture(tmp_path):
    network, *how = built('bn-inception')
    diagram = draw_network(network, *how, title='3c')
    diagram.save(tmp_path / 'a.svg')
    assert (tmp_path / 'a.svg').read_text(encoding='utf-8') == diagram.svg == draw_graph(diagram.graph, '3c')
