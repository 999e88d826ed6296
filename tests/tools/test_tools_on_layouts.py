"""Data as people have it: every layout is checked, trained on, tested on and detected on, by --data-root alone."""

import json
from pathlib import Path

import mmengine.config.config
import mmengine.runner.runner
import pytest
import torch
from layouts import LAYOUTS, picture
from sets_on_disk import make_voc, write

from det_inception.datasets import DetectionDataset

REPO = Path(__file__).resolve().parent.parent.parent
LEAF = """
_base_ = '{repo}/configs/googlenet_faster-rcnn_{config}.py'
narrow = dict(variant='paper', width=0.125)
load_from = None
model = dict(
    backbone=dict(frozen_stages=-1, norm_eval=False, **narrow),
    rpn_head=dict(in_channels=104, feat_channels=16),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=104), shared_head=narrow, bbox_head=dict(in_channels=128, num_classes=2)
    ),
)
train_cfg = dict(max_epochs=1, val_begin=2)
train_dataloader = dict(num_workers=0, persistent_workers=False)
val_dataloader = test_dataloader = dict(num_workers=0, persistent_workers=False)
default_hooks = dict(checkpoint=dict(save_optimizer=False, save_param_scheduler=False))
visualizer = dict(vis_backends=None)
"""


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """The config of a detector with few channels, for images of 96 pixels."""
    folder = tmp_path_factory.mktemp('leaf')
    return lambda kind: write(folder / f'leaf_{kind}.py', LEAF.format(repo=REPO, config=kind))


@pytest.fixture(autouse=True)
def quickly(monkeypatch, tmp_path):
    """Without what takes most of a tiny training's time: to lay out the text of the config, to ask for compilers."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr(mmengine.config.config, 'FormatCode', lambda text, **_: (text, True))
    monkeypatch.setattr(mmengine.runner.runner, 'collect_env', dict)


OPTIONS = ['image_size=[96,72]']


@pytest.fixture(scope='module')
def results():
    """Weights and score of the first detector, by whether the layout is in one part."""
    return {}


def trained(tool, config, root, folder, share):
    """Checks, trains and tests; returns the checkpoint and the score."""
    status, said, errors = tool('validate_data', root, *share)
    assert status == 0, said + errors
    train = ('train', config, '--data-root', root, *share, '--weights', 'none', '--work-dir', folder, '--no-report')
    status, said, errors = tool(*train, options=OPTIONS)
    assert status == 0, (said[-3000:], errors)
    checkpoint, out = folder / 'epoch_1.pth', folder / 'metrics.json'
    arguments = (config, checkpoint, '--data-root', root, *share, '--work-dir', folder / 'test', '--out', out)
    status, said, errors = tool('test', *arguments, options=[*OPTIONS, 'model.test_cfg.rcnn.score_thr=0'])
    assert status == 0, (said[-3000:], errors)
    return checkpoint, json.loads(out.read_text())


def require_detections(tool, config, checkpoint, folder, classes):
    photo = write(folder / 'photo.png', picture('e'))
    model = ('--config', config, '--checkpoint', checkpoint, '--score', '0', '--out-dir', folder / 'found')
    status, said, errors = tool('demo', photo, *model, options=OPTIONS)
    assert status == 0, (said[-3000:], errors)
    (found,) = json.loads((folder / 'found/detections.json').read_text())['images'].values()
    assert found and {item['label'] for item in found} <= {*classes}


@pytest.mark.parametrize('name', LAYOUTS)
def test_train_test_and_detect(name, config, results, tool, tmp_path):
    """The same data in another layout make the same detector, whatever the layout that the config is called after."""
    layout, root, folder = LAYOUTS[name], tmp_path / 'set', tmp_path / 'work'
    layout.build(root)
    config = config('voc')  # Other configs read data in the same way.
    checkpoint, score = trained(tool, config, root, folder, ('--val-share', '0.33') if layout.in_one else ())
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    classes, state = content['meta']['dataset_meta']['classes'], content['state_dict']
    assert 0 <= score['voc/AP50'] <= 1
    if layout.format == 'ilsvrc':
        assert len(classes) == 200 and {'dog', 'domestic_cat'} <= {*classes}
        require_detections(tool, config, checkpoint, folder, classes)
        return
    assert tuple(classes) == ('cat', 'dog')
    if bool(layout.in_one) not in results:
        require_detections(tool, config, checkpoint, folder, classes)
    first, first_score = results.setdefault(bool(layout.in_one), (state, score))
    assert score == pytest.approx(first_score) and state.keys() == first.keys()
    # Centers and sizes of YOLO's boxes are rounded.
    assert all(torch.allclose(state[name].float(), first[name].float(), atol=1e-4) for name in state)


def test_other_configs_take_every_layout(config, tool, tmp_path):
    LAYOUTS['labelme, parts'].build(tmp_path / 'set')
    _, score = trained(tool, config('coco'), tmp_path / 'set', tmp_path / 'work', ())
    assert 'coco/bbox_mAP' in score


# ------------------------------------------------------------------------------------------- a share that is set aside


def test_a_share_is_set_aside(tmp_path):
    """Together they are all images, they have none in common, and each has its share of the rare class."""
    names = [f'{number:02}' for number in range(20)]
    box = (5, 5, 20, 20)
    pictures = {f'{name}.jpg': [('dog' if number < 4 else 'cat', *box)] for number, name in enumerate(names)}
    make_voc(tmp_path, pictures, default='\n'.join(names))

    def ids(split, **settings):
        settings = dict(val_share=0.25) | settings
        data = DetectionDataset(data_root=str(tmp_path), split=split, serialize_data=False, **settings)
        dogs = sum(data.metainfo['classes'][data.get_cat_ids(index)[0]] == 'dog' for index in range(len(data)))
        return [entry['img_id'] for entry in data.data_list], dogs

    (train, dogs), (val, other_dogs) = ids('train'), ids('val', test_mode=True)
    assert sorted(train + val) == names and train == sorted(train) and len(val) == 5
    assert (dogs, other_dogs) == (3, 1)
    assert ids('train') == (train, dogs)
    assert ids('val', val_seed=1)[0] != val


def test_refused_shares(config, tool, tmp_path):
    make_voc(tmp_path / 'one', {'a.jpg': [('cat', 1, 1, 9, 9)]}, default='a\n')
    train = ('train', config('voc'), '--weights', 'none', '--work-dir', tmp_path / 'work')
    data = (*train, '--data-root', tmp_path / 'one')
    assert (
        "no part 'train' and no part 'val'; its part is default; divide it with \"det-inception split "
        in tool.refused(*data)
    )
    assert 'val_share is 2.0 and should be between 0 and 1' in tool.refused(*data, '--val-share', '2')
    assert '1 images cannot be divided' in tool.refused(*data, '--val-share', '0.5')
    LAYOUTS['voc'].build(tmp_path / 'two')
    sentence = tool.refused(*train, '--data-root', tmp_path / 'two', '--val-share', '0.5')
    assert 'has a part to validate on already (train, val)' in sentence
    mini = (REPO / 'configs/googlenet_rcnn_mini.py', '--data-root', tmp_path / 'one', '--val-share', '0.5')
    assert 'val_share is for data of your own, and this config has a ILSVRCDetDataset' in tool.refused('train', *mini)


# ---------------------------------------------------------------------------------------------------- users' mistakes


def test_what_is_no_data_set(config, tool, tmp_path):
    train = ('train', config('voc'), '--weights', 'none', '--work-dir', tmp_path / 'work', '--data-root')
    assert 'nowhere: no such file or folder' in tool.refused(*train, tmp_path / 'nowhere')
    write(tmp_path / 'photos/a.jpg', picture('a'))
    sentence = tool.refused(*train, tmp_path / 'photos')
    assert 'no data set that is known here (there is only a.jpg); looked for Pascal VOC' in sentence
    for name in ('labelme', 'coco of Label Studio'):
        LAYOUTS[name].build(tmp_path / 'both')
    sentence = tool.refused(*train, tmp_path / 'both')
    assert 'say which it is (--format coco or --format labelme)' in sentence
    assert 'do you mean' not in sentence and sentence == tool.refused('validate_data', tmp_path / 'both')
    assert "no part 'train'" in tool.refused(*train, tmp_path / 'both', '--format', 'labelme')
    sentence = tool.refused('train', REPO / 'configs/googlenet_fast-rcnn.py', '--data-root', tmp_path / 'photos')
    assert 'photos' in sentence
    LAYOUTS['coco'].build(tmp_path / 'coco')
    sentence = tool.refused('train', REPO / 'configs/googlenet_fast-rcnn.py', '--data-root', tmp_path / 'coco')
    assert 'is a data set in COCO format' in sentence and 'such as googlenet_faster-rcnn_voc' in sentence


def test_classes_that_are_there_twice(config, tool, tmp_path):
    train = ('train', config('voc'), '--data-root', tmp_path, '--work-dir', tmp_path / 'work')
    sentence = tool.refused(*train, options=['classes=[cat,dog,cat]'])
    assert "classes has 'cat' more than once; name each class once" in sentence
