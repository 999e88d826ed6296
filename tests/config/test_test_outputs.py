"""A test's config gets the metrics that write its report."""

from pathlib import Path

import pytest
from mmengine.config import Config

from det_inception.config.loading import load_config
from det_inception.config.test_outputs import add_report
from det_inception.registry import METRICS

REPO = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ('evaluator', 'rules'),
    [
        (dict(type='ILSVRCDetMetric', submission_file='x'), 'ilsvrc'),
        (dict(type='VOCBoxMetric', iou_thrs=0.5), 'voc'),
        (dict(type='VOCBoxMetric', iou_thrs=0.5, eval_mode='11points'), 'voc2007'),
        (dict(type='VOCMetric', iou_thrs=0.5), 'voc2007'),
        (dict(type='VOCMetric', iou_thrs=0.5, eval_mode='area'), 'voc'),
        ([dict(type='CocoMetric', metric='bbox'), dict(type='DumpDetResults', out_file_path='x.pkl')], 'coco'),
    ],
)
def test_add_report_keeps_the_metrics_and_takes_their_rules(evaluator, rules, tmp_path):
    (tmp_path / 'mine.py').write_text(f'test_evaluator = {evaluator!r}')
    cfg = Config.fromfile(tmp_path / 'mine.py')
    add_report(cfg, tmp_path / 'out', 'epoch_3.pth', 3)
    *kept, added = cfg.test_evaluator
    assert kept == (evaluator if isinstance(evaluator, list) else [evaluator])
    assert added == dict(
        type='ReportMetric',
        out_dir=str(tmp_path / 'out'),
        rules=rules,
        title='mine',
        pictures=3,
        facts=[('config', 'mine.py'), ('checkpoint', 'epoch_3.pth')],
    )
    METRICS.build(added)


def test_add_report_hands_the_blacklist_on(tmp_path):
    cfg = load_config(REPO / 'configs/googlenet_rcnn_mini.py', options={'test_evaluator.blacklist': 'black.txt'})
    add_report(cfg, tmp_path, 'a.pth')
    assert cfg.test_evaluator[1].blacklist == 'black.txt' and 'image_list' not in cfg.test_evaluator[1]
