"""Naive inception modules beside the reduced ones: a network of them, its files, and what both cost."""

import re
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from det_inception.cli import modules as command
from det_inception.config.loading import load_config
from det_inception.models import GoogLeNet
from det_inception.models.backbones.module_costs import module_costs, worked_examples
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError

REPO = Path(__file__).resolve().parent.parent.parent
PAPERS_MILLIONS = dict(zip(('3a', '3b', '4a', '4b', '4c', '4d', '4e', '5b'), (128, 304, 73, 88, 100, 119, 170, 71)))
"""Operations in table 1 of arXiv 1409.4842; its 54 for 5a does not fit its own widths."""


def test_reduced_modules_cost_what_the_paper_says():
    costs = {cost.name: cost for cost in module_costs()}
    for name, millions in PAPERS_MILLIONS.items():
        assert costs[name].multiply_adds / 1e6 == pytest.approx(millions, abs=1.0), name
    assert costs['3a'].parameters == 159.859375 * 1024  # 159K there
    assert costs['conv1 to 5b'].parameters + 1_025_000 == 6_998_552  # BVLC's file


@pytest.mark.parametrize('modules', ['naive', 'reduced'])
def test_the_whole_is_what_pytorch_counts(modules):
    whole = module_costs(modules, 96)[-1]
    with torch.device('meta'), torch.no_grad(), FlopCounterMode(display=False) as counter:
        GoogLeNet(modules=modules)(torch.zeros(1, 3, 96, 96))
    assert whole.multiply_adds == counter.get_total_flops() // 2 and whole.side == 3


def test_naive_modules_by_hand():
    """4a has 208 filters of 3x3 and 48 of 5x5, on 832 channels instead of 96 and 16."""
    (cost,) = [cost for cost in module_costs('naive') if cost.name == '4a']
    assert cost.weights == 832 * (192 + 208 * 9 + 48 * 25) and cost.channels == 192 + 208 + 48 + 832
    assert cost.multiply_adds == cost.weights * 14 * 14 and cost.parameters == cost.weights + 192 + 208 + 48
    network = GoogLeNet(width=0.125, modules='naive', out_indices=(2,)).eval()
    module, x = network.inception3a, torch.rand(1, 24, 9, 9)
    expected = [module.conv_1x1(x), module.conv_3x3(x), module.conv_5x5(x), torch.nn.functional.max_pool2d(x, 3, 1, 1)]
    assert torch.equal(module(x), torch.cat(expected, dim=1))
    assert network(torch.rand(1, 3, 64, 64))[0].shape[1] == network.out_channels[0]


def test_the_documents_examples():
    found = {cost.name: (cost.weights, cost.multiply_adds) for cost in worked_examples()}
    assert found['96 filters of 3x3'][0] == 165_888 == 192 * 9 * 96
    assert found['64 filters of 1x1, then 96 of 3x3'][0] == 67_584 == 192 * 64 + 64 * 9 * 96
    assert found['32 filters of 5x5'] == (153_600, 120_422_400)
    assert found['16 filters of 1x1, then 32 of 5x5'] == (15_872, 12_443_648)


def test_the_command_prints_what_the_manual_has(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['det-inception modules'])
    command.main()
    stdout = capsys.readouterr().out
    manual = re.sub(r'[ -]+', ' ', (REPO / 'docs/backbones.md').read_text())
    rows = [re.sub(r'[ -]+', ' ', row) for row in stdout.splitlines() if row and not row.startswith('| -')]
    assert len(rows) == 17 and all(row in manual for row in rows)
    with pytest.raises(InputError, match='an image of 30 pixels is too small for GoogLeNet'):
        module_costs(size=30)


def test_naive_networks_are_told_from_their_files(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / 'naive.pth'
    source = GoogLeNet('batch_norm', width=0.125, modules='naive')
    torch.save({f'backbone.{key}': value for key, value in source.state_dict().items()}, path)
    said = GoogLeNet.config_from_pretrained({}, str(path))
    assert said.settings == dict(variant='batch_norm', width=0.125, modules='naive')
    assert 'modules' not in GoogLeNet.config_from_pretrained(dict(modules='naive'), str(path)).settings
    loaded = GoogLeNet('batch_norm', width=0.125, modules='naive')
    loaded.load_pretrained(path)
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in loaded.state_dict().items())
    assert 'naive modules' in loaded.description
    with pytest.raises(InputError, match=r"naive\.pth: holds a .* of naive modules .*backbone\.modules='naive' or"):
        GoogLeNet('batch_norm', width=0.125).load_pretrained(path)
    with pytest.raises(ValueError, match="no modules 'deep'; choose one of reduced, naive"):
        GoogLeNet(modules='deep')
    # Detectors get the channels that follow from it; reduced weights bring a naive config back.
    cfg = load_config(REPO / 'configs/googlenet_fast-rcnn.py', weights=path)
    model = MODELS.build(cfg.model)
    assert model.roi_head.shared_head.kind == 'naive' and cfg.model.roi_head.bbox_head.in_channels == 640
    features = torch.rand(2, *model.backbone.out_channels[-1:], 7, 7)
    assert model.roi_head.shared_head(features).shape[1] == source.out_channels[-1] == 640
    torch.save(GoogLeNet('batch_norm', width=0.125).state_dict(), tmp_path / 'reduced.pth')
    options = {'model.backbone.modules': 'naive'}
    cfg = load_config(REPO / 'configs/googlenet_rcnn_mini.py', weights=tmp_path / 'reduced.pth', options=options)
    assert cfg.model.backbone.modules == 'reduced'
