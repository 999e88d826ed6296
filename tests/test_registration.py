"""Where the parts are registered, each case in a process of its own; and what the ground floor does without."""

import subprocess
import sys
import textwrap

import pytest
from fresh_process import run_fresh

HEAVY = ('torch', 'mmengine', 'mmcv', 'mmdet', 'matplotlib', 'albumentations')


CHECK = """
from mmdet.registry import DATASETS, METRICS, MODELS, OPTIM_WRAPPERS, TRANSFORMS
for name, registry in dict(
    GoogLeNet=MODELS, RCNN=MODELS, GoogLeNetClassifier=MODELS, ILSVRCDetDataset=DATASETS, ILSVRCDetMetric=METRICS,
    LoadRegionProposals=TRANSFORMS, CPUAmpOptimWrapper=OPTIM_WRAPPERS,
).items():
    assert name in registry.module_dict, name
from mmcv.ops import nms
import torch
assert len(nms(torch.tensor([[0., 0, 9, 9]]), torch.ones(1), 0.5)[1]) == 1
import det_inception
assert det_inception.models.RCNN is MODELS.get('RCNN')
"""


@pytest.mark.parametrize(
    'first',
    [
        'import det_inception; det_inception.register_all_modules()',
        'import mmengine, det_inception; det_inception.register_all_modules()',
        'from mmengine.config import Config; Config.fromfile("configs/_base_/runtime.py")',
    ],
)
def test_every_part_is_registered(first):
    run_fresh(f'{first}\n{CHECK}')


@pytest.mark.parametrize('room', ['compat', 'registry', 'weights', 'models', 'datasets', 'evaluation', 'engine'])
def test_every_room_that_touches_mmdetection_amends_it_first(room):
    run_fresh(f'import det_inception.{room}\nfrom mmdet.registry import MODELS\nfrom mmcv.ops import nms')


def test_the_ground_floor_needs_neither_torch_nor_mmdetection():
    code = textwrap.dedent(f"""
        import sys
        import det_inception
        import det_inception.proposals, det_inception.ilsvrc, det_inception.formats, det_inception.utils
        import det_inception.cli.common, det_inception.utils.images
        print([name for name in {HEAVY!r} if name in sys.modules])
    """)
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == '[]'
