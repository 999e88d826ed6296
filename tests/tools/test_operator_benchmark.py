"""The benchmark of the stand-in for MMCV's operators."""

import sys
from pathlib import Path

import pytest
import torch

REPO = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.skipif(
    not (REPO / 'benchmarks').is_dir(), reason='the source archive comes without benchmarks'
)


@pytest.fixture
def benchmark(tool):
    return tool.load('operators', 'benchmarks')


def test_the_stand_in_takes_the_place_of_the_compiled_operators_for_a_while(benchmark, monkeypatch):
    compiled = object()
    modules = [sys.modules[f'mmcv.ops.{name}'] for name in ('nms', 'roi_align', 'deform_conv', 'focal_loss')]
    for module in modules:
        monkeypatch.setattr(module, 'ext_module', compiled)
    with benchmark.standing_in():
        assert all(module.ext_module is benchmark.STAND_IN for module in modules)
    assert all(module.ext_module is compiled for module in modules)


def test_a_row_has_the_ratio_and_the_difference(benchmark, monkeypatch):
    """An original that is slower, and a tenth too large."""
    import time

    nms = sys.modules['mmcv.ops.nms']
    dets, scores = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 30]]), torch.tensor([0.5, 0.9])

    class Compiled:
        def nms(self, bboxes, scores, iou_threshold, offset):
            time.sleep(0.05)
            return torch.tensor([1, 0])

    monkeypatch.setattr(nms, 'ext_module', Compiled())

    def call():
        time.sleep(0.01)
        found, _ = nms.nms(dets, scores, 0.5)
        return found * (1.1 if isinstance(nms.ext_module, Compiled) else 1.0)

    ours, theirs, ratio, difference = benchmark.compare(call, turns=1, least=0.01, compiled=True)
    assert float(theirs) >= 50 and 0 < float(ratio) < 1 and float(ours) < float(theirs)
    assert float(difference) == pytest.approx(1 / 11, abs=0.005)


def test_what_mmcv_has_for_gpus_alone_is_timed_alone(benchmark, monkeypatch):
    nms = sys.modules['mmcv.ops.nms']

    class Compiled:
        def nms(self, *_, **__):
            raise RuntimeError('nms_impl: implementation for device cpu not found.')

    monkeypatch.setattr(nms, 'ext_module', Compiled())
    row = benchmark.compare(lambda: nms.nms(torch.rand(1, 4), torch.rand(1), 0.5), 1, 0.01, True)
    assert float(row[0]) >= 0 and row[1:] == ['', '', '']


def test_results_of_other_shapes_differ_without_end(benchmark):
    assert benchmark.difference([torch.zeros(2)], [torch.zeros(3)]) == float('inf')
    assert benchmark.difference([torch.zeros(2)], [torch.zeros(2), 1]) == float('inf')
    assert benchmark.difference([torch.ones(2), [2]], [torch.ones(2), [2]]) == 0


def test_the_cases_of_boxes_find_some(benchmark):
    cases = dict(benchmark.cases()[:3])
    assert list(cases) == ['NMS, 2,000 boxes', 'soft-NMS, 500 boxes', '`nms_match`, 500 boxes']
    for name, call in cases.items():
        assert sum(map(len, call())) > 10, name
