"""Checkpoints of a training: whole or not there, and nobody's files deleted on behalf of a stranger's."""

import errno
import os

import pytest
import torch
from one_layer import runner_of

from det_inception.engine import CheckpointHook
from det_inception.engine.resuming import find_last_checkpoint
from det_inception.engine.runner import Runner, explain_disk_errors
from det_inception.utils.errors import InputError
from det_inception.weights.files import CheckpointError


@pytest.fixture
def trained(tmp_path):
    runner_of(tmp_path / 'first', max_keep_ckpts=1, save_best='acc').train()
    return tmp_path / 'first/epoch_1.pth'


def names(folder):
    return sorted(path.name for path in folder.glob('*.pth'))


def forge(source, target, info):
    content = torch.load(source)
    content['message_hub']['runtime_info'].update(info)
    content['message_hub']['resumed_keys'].update(dict.fromkeys(info, True))
    torch.save(content, target)
    return str(target)


def test_configs_get_this_hook_under_its_usual_name(tmp_path):
    assert any(type(hook) is CheckpointHook for hook in runner_of(tmp_path).hooks)


def test_old_ones_go_when_the_new_one_is_whole(tmp_path, monkeypatch):
    runner = runner_of(tmp_path, epochs=3, max_keep_ckpts=1, save_best='acc')
    seen = []
    replace = os.replace

    def watched(source, target):
        replace(source, target)
        seen.append(names(tmp_path))

    monkeypatch.setattr(os, 'replace', watched)
    runner.train()
    assert names(tmp_path) == ['best_acc_epoch_3.pth', 'epoch_3.pth']
    # At every moment from the first checkpoint on, one of the last epoch and a best one are there.
    assert ['best_acc_epoch_1.pth', 'epoch_1.pth', 'epoch_2.pth'] in seen
    assert ['best_acc_epoch_1.pth', 'best_acc_epoch_2.pth', 'epoch_2.pth'] in seen


def test_a_full_disk_names_the_file_and_keeps_what_was_there(tmp_path, monkeypatch):
    runner = runner_of(tmp_path, epochs=2, max_keep_ckpts=1)
    save = Runner.save_checkpoint

    def fill(self, out_dir, filename, *args, **settings):
        if filename == 'epoch_2.pth':
            monkeypatch.setattr(os, 'fsync', no_space)
        save(self, out_dir, filename, *args, **settings)

    def no_space(descriptor):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(Runner, 'save_checkpoint', fill)
    with pytest.raises(InputError, match=r'epoch_2\.pth: cannot be written: no space is left'):
        runner.train()
    assert names(tmp_path) == ['epoch_1.pth']


def test_a_full_disk_names_the_folder_at_least(tmp_path):
    with pytest.raises(InputError, match='^work: cannot be written to: no space is left'):
        with explain_disk_errors('work'):
            raise OSError(errno.ENOSPC, 'No space left on device')
    with pytest.raises(FileNotFoundError), explain_disk_errors('work'):
        open(tmp_path / 'none')


def test_a_strangers_checkpoint_deletes_nothing_elsewhere(trained, tmp_path):
    precious = tmp_path / 'home/precious.pth'
    precious.parent.mkdir()
    precious.write_text('precious')
    (tmp_path / 'second/epoch_').mkdir(parents=True)
    for info in (
        dict(best_ckpt=str(precious), best_score=-1.0),
        dict(best_ckpt=[str(precious)], best_score='high'),
        dict(best_ckpt='../home/precious.pth', best_score=-1.0),
        dict(keep_ckpt_ids=['/../../home/precious', 1, 2, 3]),
        dict(keep_ckpt_ids=str(precious)),
    ):
        forged = forge(trained, tmp_path / 'forged.pth', info)
        for save_best in ('acc', None):
            settings = dict(max_keep_ckpts=1, save_best=save_best)
            runner_of(tmp_path / 'second', epochs=2, load_from=forged, **settings).train()
        assert precious.read_text() == 'precious'
        assert 'epoch_2.pth' in names(tmp_path / 'second')


def test_best_and_outdated_ones_of_the_own_folder_go_also_after_it_was_moved(trained, tmp_path):
    assert names(trained.parent) == ['best_acc_epoch_1.pth', 'epoch_1.pth']
    moved = trained.parent.rename(tmp_path / 'moved')
    settings = dict(max_keep_ckpts=1, save_best='acc')
    runner_of(moved, epochs=2, load_from=str(moved / 'epoch_1.pth'), **settings).train()
    assert names(moved) == ['best_acc_epoch_2.pth', 'epoch_2.pth']


@pytest.mark.parametrize(
    'change, said',
    [
        (lambda content: content.update(optimizer={'state': 5}), 'does not fit'),
        (lambda content: content.update(param_schedulers=[5]), 'does not fit'),
        (
            lambda content: content['optimizer']['state'][0].update(momentum_buffer=torch.ones(7)),
            r'momentum_buffer is \(7,\) for \(1, 2\) weights',
        ),
    ],
)
def test_a_state_that_does_not_fit(change, said, trained, tmp_path):
    content = torch.load(trained)
    change(content)
    torch.save(content, tmp_path / 'odd.pth')
    with pytest.raises(CheckpointError, match=said) as caught:
        runner_of(tmp_path / 'second', epochs=2, load_from=str(tmp_path / 'odd.pth')).train()
    assert str(caught.value).startswith(str(tmp_path / 'odd.pth')) and '\n' not in str(caught.value)


def test_the_last_checkpoint(trained):
    folder, last = trained.parent, trained.parent / 'last_checkpoint'
    assert find_last_checkpoint(folder) == str(trained)
    trained.with_name('epoch_2.pth').write_bytes(trained.read_bytes()[:1000])
    # Emptied or damaged, or naming what is gone or not whole: the newest whole one.
    for content in (b'', b'\0' * 50, b'\xff\xfe', b'epoch_7.pth', b'x' * 300, str(folder / 'epoch_2.pth').encode()):
        last.write_bytes(content)
        assert find_last_checkpoint(folder) == str(trained)
    last.unlink()
    assert find_last_checkpoint(folder) == str(trained)
    last.mkdir()
    assert find_last_checkpoint(folder) == str(trained)


def test_no_whole_checkpoint(trained, tmp_path):
    assert find_last_checkpoint(tmp_path) is None
    folder = trained.parent
    for content, said in (
        (trained.read_bytes()[:1000], r'epoch_1\.pth: is damaged'),
        (b'', r'epoch_1\.pth: is empty'),
    ):
        trained.write_bytes(content)
        with pytest.raises(CheckpointError, match=rf'holds no whole checkpoint to resume from \(.*{said}'):
            find_last_checkpoint(folder)
    torch.save(dict(state_dict={}, meta={}), trained)
    with pytest.raises(CheckpointError, match='no state of a training'):
        find_last_checkpoint(folder)
    trained.unlink()
    with pytest.raises(CheckpointError, match='last_checkpoint names none that is there'):
        find_last_checkpoint(folder)
