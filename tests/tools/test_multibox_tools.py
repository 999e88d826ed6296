"""MultiBox from its training to the mix of proposals of a data set and of a picture, with the tools."""

import json
from pathlib import Path

import pytest
import torch

from det_inception.mini_set import make_mini
from det_inception.proposals import ProposalStore

REPO = Path(__file__).resolve().parent.parent.parent
MINI = str(REPO / 'configs/googlenet_multibox_mini.py')
TINY = [
    'model.backbone.width=0.125',
    'model.bbox_head.in_channels=[64,104,128]',
    'model.bbox_head.channels=16',
    'model.bbox_head.sizes_per_cell=1',
    'image_size=[64,64]',
    'train_cfg.max_epochs=1',
    'train_cfg.val_interval=1',
    'default_hooks.checkpoint.save_optimizer=False',
    *(f'{loader}.num_workers=0' for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')),
]

TINY_MODEL = """
model = dict(backbone=dict(width=0.125), bbox_head=dict(in_channels=(64, 104, 128), channels=16, sizes_per_cell=1))
image_size = (64, 64)
"""


@pytest.fixture(scope='module')
def mini(tmp_path_factory):
    return make_mini(tmp_path_factory.mktemp('data') / 'mini', train=6, val=3, workers=1, progress=False)


def test_from_training_to_the_mix(tool, mini, tmp_path):
    status, _, stderr = tool(
        'train', MINI, '--data-root', mini, '--work-dir', tmp_path / 'work', '--cfg-options', *TINY
    )
    assert status == 0, stderr
    checkpoint = tmp_path / 'work/epoch_1.pth'
    priors = torch.load(checkpoint, weights_only=True)['state_dict']['bbox_head.priors']
    assert priors.shape == (3, 2) and torch.isfinite(priors).all()

    # The tool's priors are the training's, and the same from a file.
    file = tmp_path / 'priors.json'
    status, stdout, _ = tool('multibox_priors', MINI, '--data-root', mini, '--out', file, '--cfg-options', *TINY)
    assert status == 0 and 'Mean best overlap' in stdout and '84 boxes of an image' in stdout
    torch.testing.assert_close(torch.tensor(json.loads(file.read_text())['priors']), priors, atol=1e-5, rtol=0)

    out = tmp_path / 'metrics.json'
    arguments = (MINI, checkpoint, '--data-root', mini, '--work-dir', tmp_path / 'test', '--out', out)
    assert tool('test', *arguments, '--cfg-options', *TINY)[0] == 0
    assert 0 <= json.loads(out.read_text())['proposals/AR_200'] <= 1

    config = tmp_path / 'tiny.py'
    config.write_text(f'_base_ = {MINI!r}{TINY_MODEL}')
    multibox = ('--config', config, '--checkpoint', checkpoint, '--multibox-boxes', '20')
    images = mini / 'Data/DET/val'
    for method in ('multibox', 'mix'):
        store = tmp_path / f'{method}.h5'
        status, stdout, stderr = tool(
            'make_proposals', images, '--out', store, '--method', method, *multibox, '--workers', '1'
        )
        assert status == 0 and 'Made the proposals of 3 images' in stdout, stderr
    with ProposalStore(tmp_path / 'multibox.h5') as few, ProposalStore(tmp_path / 'mix.h5') as many:
        assert many.parameters['second']['mode'] == 'ilsvrc2014'
        for key in few:
            best = few[key].boxes
            assert 0 < len(best) <= 20 and (many[key].boxes[: len(best)] == best).all()

    # The mini detector on the mix, computed for the picture.
    picture = next(images.iterdir())
    options = [
        f'multibox.{name}={value}' for name, value in (('config', config), ('checkpoint', checkpoint), ('number', 20))
    ]
    rcnn = ('--config', REPO / 'configs/googlenet_rcnn_mini.py')
    status, stdout, stderr = tool('demo', picture, *rcnn, '--out-dir', tmp_path / 'demo', '--cfg-options', *options)
    assert status == 0 and '1 image, ' in stdout, stderr
    # And MultiBox by itself: objects without a class.
    model = ('--config', config, '--checkpoint', checkpoint, '--score', '0.001')
    assert tool('demo', picture, '--out-dir', tmp_path / 'boxes', *model)[0] == 0
    (found,) = json.loads((tmp_path / 'boxes/detections.json').read_text())['images'].values()
    assert {box['label'] for box in found} == {'object'}


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ('--method mix', '--method mix needs a trained MultiBox; give its --config and --checkpoint'),
        (f'--method multibox --config {MINI}', '--method multibox needs a trained MultiBox'),
        (f'--method mix --config {MINI} --checkpoint none.pth', 'none.pth: no such checkpoint'),
        (f'--config {MINI}', 'has no LoadRegionProposals'),
        ('--checkpoint none.pth', '--checkpoint is of a MultiBox; give --method'),
    ],
)
def test_make_proposals_refuses(tool, mini, tmp_path, arguments, words):
    status, _, stderr = tool(
        'make_proposals', mini / 'Data/DET/val', '--out', tmp_path / 'store.h5', *arguments.split()
    )
    assert status == 2 and stderr.startswith('error: ') and words in stderr
    assert not list(tmp_path.iterdir())


def test_priors_tool_refuses(tool, mini):
    status, _, stderr = tool('multibox_priors', REPO / 'configs/googlenet_rcnn_mini.py', '--data-root', mini)
    assert status == 2 and 'is no config of a MultiBox' in stderr
    many = ['model.bbox_head.sizes_per_cell=50']
    status, _, stderr = tool('multibox_priors', MINI, '--data-root', mini, '--cfg-options', *many)
    assert status == 2 and '150 priors cannot be made of' in stderr
