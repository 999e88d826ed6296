"""When the parts are registered, each case in a process of its own; and what the ground floor does without."""

import subprocess
import sys
import textwrap

import pytest

HEAVY = ('torch', 'mmengine', 'mmcv', 'mmdet', 'matplotlib', 'albumentations')


def run(code):
    result = subprocess.run([sys.executable, '-c', textwrap.dedent(code)], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


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
        'import det_inception',
        'import mmengine, det_inception',
        'import det_inception.models',
        'import det_inception.checkpoints',
        'from det_inception.proposals import selective_search; from mmengine.config import Config',
    ],
)
def test_everything_is_registered_whatever_is_imported_first(first):
    run(f'{first}\n{CHECK}')


def test_the_ground_floor_needs_neither_torch_nor_mmdetection():
    loaded = run(f"""
        import sys
        import det_inception
        import det_inception.proposals, det_inception.ilsvrc, det_inception.cli, det_inception.images
        import det_inception.annotations, det_inception.files
        print([name for name in {HEAVY!r} if name in sys.modules])
    """)
    assert loaded == '[]'


def test_a_missing_library_is_a_plain_import_error():
    said = run("""
        import sys
        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name == 'mmdet':
                    raise ModuleNotFoundError(f'No module named {name!r}', name=name)
        sys.meta_path.insert(0, Missing())
        import det_inception.proposals
        try:
            import det_inception.models
        except ModuleNotFoundError as error:
            print(error.name)
    """)
    assert said == 'mmdet'
