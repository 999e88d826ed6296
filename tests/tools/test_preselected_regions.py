"""The benchmark of preselected regions."""

import re
from pathlib import Path

import mmengine.runner.runner
import pytest
import torch
from small_sets import VOC

from det_inception.config.loading import load_config
from det_inception.config.options import read_options
from det_inception.registry import MODELS
from det_inception.weights.export import write_checkpoint

REPO = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.skipif(
    not (REPO / 'benchmarks').is_dir(), reason='the source archive comes without benchmarks'
)
CONFIG = 'googlenet_rcnn_bbox-reg_voc'
QUICK = [
    *(
        'model.backbone.width=0.125',
        'model.bbox_head.in_channels=128',
        'model.region_warp.size=32',
        'model.region_warp.context=2',
    ),
    *('model.test_cfg.rcnn.preselect.map_sides=[32,64]', 'visualizer.vis_backends=None'),
    *('proposals.max_num=40', 'model.test_cfg.rcnn.nms.iou_threshold=0.9', 'model.test_cfg.rcnn.score_thr=0'),
    *('test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False'),
]


def test_the_row_of_all_regions_is_what_the_test_says(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(mmengine.runner.runner, 'collect_env', dict)
    data = VOC(tmp_path / 'ants')
    for number in range(3):
        data.add('val', f'{number}', ('ant', 1, 1, 38, 28)).list('train', f'{number}')
    torch.manual_seed(0)
    cfg = load_config(CONFIG, options=read_options(QUICK), data_root=data.root, weights='none')
    model, checkpoint = MODELS.build(cfg.model), tmp_path / 'ants.pth'
    model.init_weights()
    write_checkpoint(checkpoint, model.state_dict(), dict(dataset_meta=dict(classes=['ant'])))
    words, options = (CONFIG, checkpoint, '--data-root', data.root), ['--cfg-options', *QUICK]
    status, said, errors = tool(
        'preselected_regions',
        *words,
        '--counts',
        2,
        1000,
        '--out',
        tmp_path / 'curve.png',
        *options,
        folder='benchmarks',
    )
    assert status == 0, (said[-3000:], errors)
    rows = re.findall(r'^\| (\w+) +\| +([\d.]+) \| +([\d.]+) \| +(\d+) \|$', said, re.MULTILINE)
    assert [row[0] for row in rows] == ['2', '1000', 'all'] and rows[0][3] == '2'
    assert rows[1][1] == rows[2][1] and rows[1][3] == rows[2][3]  # No image has as many.
    assert (tmp_path / 'curve.png').stat().st_size > 1000
    status, said, errors = tool('test', *words, '--work-dir', tmp_path / 'test', options=QUICK)
    assert status == 0, errors
    assert float(rows[2][1]) > 0
    assert float(re.search(r'voc/AP50: ([\d.]+)', said)[1]) == pytest.approx(float(rows[2][1]), abs=6e-4)

    status, _, errors = tool('preselected_regions', *words, '--images', 1, *options, folder='benchmarks')
    assert status == 2 and 'at least two' in errors

    status, said, errors = tool(
        'preselected_regions', *words, '--counts', 5, 1000, '--coverage', *options, folder='benchmarks'
    )
    assert status == 0, (said[-3000:], errors)
    rows = re.findall(r'^\| (\w+) +\| +([\d.]+) \| +([\d.]+) \|$', said, re.MULTILINE)
    assert '3 images with 3 objects' in said and [row[0] for row in rows] == ['5', '1000', 'all']
    assert rows[1][1:] == rows[2][1:] == (rows[2][1],) * 2 and float(rows[2][1]) > 0
