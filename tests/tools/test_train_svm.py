"""The tool that trains SVMs, and what the other tools say to its checkpoint."""

import pytest
from sets_on_disk import draw_sets

CONFIG, SVM = 'configs/googlenet_rcnn_bbox-reg_voc.py', 'configs/googlenet_rcnn_svm_voc.py'
TINY = [
    'model.backbone.width=0.125',
    'model.bbox_head.in_channels=128',
    'model.region_warp.size=32',
    'model.region_warp.context=2',
    'proposals.max_num=20',
    'proposals.method.width=None',
    *(f'{loader}.num_workers=0' for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')),
]


@pytest.fixture
def data(tmp_path):
    """A drawn VOC set, all of whose six images are for training."""
    root = draw_sets(tmp_path / 'data')
    names = ''.join((root / f'ImageSets/Main/{split}.txt').read_text() for split in ('train', 'val'))
    (root / 'ImageSets/Main/train.txt').write_text(names)
    return root


def test_train_and_test(data, tool, tmp_path):
    checkpoint = tmp_path / 'out' / 'svm.pth'
    arguments = (CONFIG, '--data-root', data, '--weights', 'none', '--out', checkpoint, '--engine', 'fused:float32')
    status, text, _ = tool('train_svm', *arguments, options=TINY)
    assert status == 0 and 'blue thing, 6, ' in text and text.endswith(f'Written to {checkpoint}.\n')

    published = tmp_path / 'published.pth'
    assert tool('publish_checkpoint', checkpoint, published)[0] == 0
    arguments = (CONFIG, published, '--data-root', data, '--work-dir', tmp_path / 'work')
    status, text, _ = tool('test', *arguments, options=TINY)
    assert status == 0 and 'voc/mAP: ' in text
    said = tool.refused('test', *arguments, '--save-region-scores', tmp_path / 'scores.h5', options=TINY)
    assert 'files of region scores are of networks with a softmax, not with SVMs' in said
    said = tool.refused('train', SVM, '--data-root', data, '--weights', 'none', '--work-dir', tmp_path, options=TINY)
    assert said == 'SVMs are not trained step by step; train them with det-inception train-svm.'

    # Without fine-tuning there are no random weights unless they are asked for.
    said = tool.refused('train_svm', 'configs/googlenet_rcnn_mini.py', '--out', checkpoint, options=['classes=[a,b]'])
    assert 'its network has random weights' in said
