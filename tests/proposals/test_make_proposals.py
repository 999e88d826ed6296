"""Making proposals of many images: kill -9, bad images, shards, and what the tools say."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from PIL import Image

from det_inception.cli import common as cli
from det_inception.proposals import (
    PROPOSAL_METHODS,
    Images,
    ProposalError,
    Proposals,
    ProposalStore,
    ProposalWriter,
    identify,
    list_images,
    make_proposals,
    merge_stores,
    rank_scores,
    selective_search,
)

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Stub:
    """Two boxes that depend on the image, after a while."""

    seconds: float = 0.0
    count: int = 2

    def __call__(self, image):
        time.sleep(self.seconds)
        height, width = image.shape[:2]
        if width == 13:
            raise RuntimeError('bad luck')
        if width == 14:
            os.kill(os.getpid(), signal.SIGKILL)
        boxes = np.array([[0, 0, width, height], [0, 0, image[0, 0, 0] / 256, 1]], np.float32)
        return boxes[: self.count], None

    @property
    def parameters(self):
        return {'method': 'stub', 'count': self.count}


def make_images(root: Path, count: int) -> Images:
    root.mkdir(parents=True)
    for number in range(count):
        cv2.imwrite(str(root / f'{number:03d}.png'), np.full((20, 30, 3), number, np.uint8))
    return list_images(root)


def make(images, out, method=None, **options):
    return make_proposals(images, out, method or Stub(), **{'workers': 2, 'progress': False} | options)


def run_tool(monkeypatch, name, *arguments) -> int:
    """Runs a tool as the command line does; returns its exit status."""
    spec = importlib.util.spec_from_file_location(f'tool_{name}', ROOT / 'tools' / f'{name}.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(sys, 'argv', [f'{name}.py', *map(str, arguments)])
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as exited:
            cli.run(tool.main)
    finally:
        signal.signal(signal.SIGTERM, handler)
    return exited.value.code


def assert_one_sentence(capsys, *words: str) -> None:
    """Whatever else was printed, the error is one line, and none of it a traceback."""
    captured = capsys.readouterr()
    errors = [line for line in captured.err.splitlines() if line.startswith('error: ')]
    assert len(errors) == 1 and errors[0].endswith('.'), captured.err
    assert 'Traceback' not in captured.err
    for word in words:
        assert word in errors[0]


def test_every_image_gets_its_own_proposals(tmp_path):
    images = make_images(tmp_path / 'images', 12)
    summary = make(images, tmp_path / 'a.h5')
    assert (summary.made, summary.known, summary.proposals, summary.unreadable) == (12, 0, 24, {})
    with ProposalStore(tmp_path / 'a.h5') as store:
        store.require({'method': 'stub', 'count': 2, 'max_boxes': None})
        for number, key in enumerate(images.keys):
            assert store[key].boxes[1, 2] == number / 256
            assert (store[key].height, store[key].width) == (20, 30)
            store.check(key, images.root / key)
    # Equal images give an equal file, whatever the number of workers; and there is nothing left to do.
    make(images, tmp_path / 'b.h5', workers=1)
    assert (tmp_path / 'a.h5').read_bytes() == (tmp_path / 'b.h5').read_bytes()
    assert make(images, tmp_path / 'a.h5').known == 12
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.h5', 'b.h5', 'images']


def test_max_boxes(tmp_path):
    images = make_images(tmp_path / 'images', 2)
    make(images, tmp_path / 'a.h5', max_boxes=1)
    with ProposalStore(tmp_path / 'a.h5') as store:
        assert store[images.keys[0]].boxes.tolist() == [[0, 0, 30, 20]]
        assert store[images.keys[0]].scores.tolist() == [1]


KILLED = """
import sys
sys.path.insert(0, {folder!r})
from test_make_proposals import Stub
from det_inception.proposals import list_images, make_proposals

assert 'torch' not in sys.modules and 'mmengine' not in sys.modules

if __name__ == '__main__':
    make_proposals(list_images({images!r}), {out!r}, Stub(seconds=0.1), workers=2, progress=False, flush_seconds=0.3)
"""


def test_kill_9_loses_nothing_that_was_written(tmp_path):
    images = make_images(tmp_path / 'images', 200)
    out = tmp_path / 'a.h5'
    script = tmp_path / 'killed.py'
    script.write_text(KILLED.format(folder=str(Path(__file__).parent), images=str(images.root), out=str(out)))
    # The ground floor alone, without what registers everything with MMDetection: it needs neither that nor torch.
    alone = tmp_path / 'alone' / 'det_inception'
    alone.mkdir(parents=True)
    (alone / '__init__.py').write_text(f'__path__ = [{str(ROOT / "det_inception")!r}]')
    process = subprocess.Popen(
        [sys.executable, script],
        cwd=tmp_path,
        env=os.environ | {'PYTHONPATH': str(alone.parent)},
        start_new_session=True,
    )
    parts = tmp_path / 'a.h5.parts'
    deadline = time.monotonic() + 300
    while len(list(parts.glob('part-*.h5'))) < 3:
        assert process.poll() is None and time.monotonic() < deadline, 'the run ended too early'
        time.sleep(0.02)
    process.kill()
    process.wait()
    written = [key for part in sorted(parts.glob('part-*.h5')) for key in ProposalStore(part)]
    assert 3 <= len(written) < 200 and not out.exists()
    # The workers notice that they are alone and end by themselves.
    while processes_of_session(process.pid):
        assert time.monotonic() < deadline, 'workers were left behind'
        time.sleep(0.1)

    summary = make(images, out)
    assert (summary.known, summary.made) == (len(written), 200 - len(written))
    make(images, tmp_path / 'b.h5')
    assert out.read_bytes() == (tmp_path / 'b.h5').read_bytes()
    assert not parts.exists()


def processes_of_session(session: int) -> list[str]:
    found = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = stat.read_text().rpartition(')')[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != 'Z':
            found.append(stat.parent.name)
    return found


def test_images_that_cannot_be_read_are_skipped_and_listed(tmp_path, monkeypatch, capsys):
    images = make_images(tmp_path / 'images', 5)
    png = (images.root / '000.png').read_bytes()
    (images.root / 'cut.png').write_bytes(png[:60])
    (images.root / 'empty.jpg').touch()
    (images.root / 'text.jpg').write_text('no image')
    cv2.imwrite(str(images.root / 'unlucky.png'), np.zeros((20, 13, 3), np.uint8))
    images = list_images(images.root)
    images = Images(images.root, [*images.keys, 'gone.jpg', 'z\nc.jpg'])
    summary = make(images, tmp_path / 'a.h5')
    bad = {'cut.png', 'empty.jpg', 'text.jpg', 'unlucky.png', 'gone.jpg', 'z\nc.jpg'}
    # In the order of their names, not in that in which they were found.
    assert summary.made == 5 and list(summary.unreadable) == sorted(bad)
    assert 'bad luck' in summary.unreadable['unlucky.png']
    listed = summary.unreadable_list.read_text().splitlines()
    assert len(listed) == 6 and all(line.count('\t') == 1 for line in listed)
    assert len(ProposalStore(tmp_path / 'a.h5')) == 5
    # What is mended is made in the next run, and the list goes when it has nothing to say.
    for name in ('cut.png', 'empty.jpg', 'text.jpg', 'unlucky.png'):
        (images.root / name).write_bytes(png)
    summary = make(list_images(images.root), tmp_path / 'a.h5')
    assert (summary.made, summary.known, summary.unreadable_list) == (4, 5, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.h5', 'images']


def test_no_image_can_be_read(tmp_path):
    images = make_images(tmp_path / 'images', 2)
    for key in images.keys:
        (images.root / key).write_bytes(b'x')
    with pytest.raises(ProposalError, match=r'None of the 2 images could be read; the first is 000\.png'):
        make(images, tmp_path / 'a.h5')
    assert [path.name for path in tmp_path.iterdir()] == ['images']


def test_no_proposal_at_all(tmp_path):
    with pytest.raises(ProposalError, match='single proposal'):
        make(make_images(tmp_path / 'images', 2), tmp_path / 'a.h5', Stub(count=0))
    assert not (tmp_path / 'a.h5').exists()


def test_worker_that_is_killed(tmp_path):
    images = make_images(tmp_path / 'images', 6)
    cv2.imwrite(str(images.root / 'z.png'), np.zeros((20, 14, 3), np.uint8))
    with pytest.raises(ProposalError, match='lack of memory'):
        make(list_images(images.root), tmp_path / 'a.h5', workers=1)
    (images.root / 'z.png').unlink()
    make(images, tmp_path / 'a.h5')
    assert len(ProposalStore(tmp_path / 'a.h5')) == 6


def test_changed_image_is_noticed(tmp_path):
    images = make_images(tmp_path / 'images', 3)
    make(images, tmp_path / 'a.h5')
    cv2.imwrite(str(images.root / '001.png'), np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))
    with pytest.raises(ProposalError, match=r'001\.png is not the image'):
        make(images, tmp_path / 'a.h5')


def test_shards_merge_to_the_whole(tmp_path):
    images = make_images(tmp_path / 'images', 7)
    make(images, tmp_path / 'whole.h5')
    shards = [tmp_path / f'{number}.h5' for number in (1, 2, 3)]
    for number, shard in enumerate(shards, 1):
        make(images, shard, shard=(number, 3))
    with pytest.raises(ProposalError, match='missing'):
        merge_stores(shards[:2], tmp_path / 'merged.h5')
    merge_stores(shards, tmp_path / 'merged.h5')
    assert (tmp_path / 'merged.h5').read_bytes() == (tmp_path / 'whole.h5').read_bytes()
    for shard, words in [((0, 3), 'no shard'), ((4, 3), 'no shard'), ((1, 8), 'cannot be divided')]:
        with pytest.raises(ProposalError, match=words):
            make(images, tmp_path / 'x.h5', shard=shard)


def test_proposals_fit_what_the_detector_sees(tmp_path):
    """Pictures of every kind; one that EXIF turns by a quarter."""
    from mmcv.transforms import LoadImageFromFile

    root = tmp_path / 'images'
    root.mkdir()
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (20, 30, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(colors).save(root / 'turned.jpg', exif=exif)
    Image.fromarray(colors).convert('CMYK').save(root / 'cmyk.jpg')
    Image.fromarray(colors).convert('L').save(root / 'gray.png')
    Image.fromarray(colors).convert('RGBA').save(root / 'alpha.png')
    Image.fromarray(colors).save(root / 'png.jpeg', format='PNG')
    cv2.imwrite(str(root / 'deep.png'), rng.integers(0, 65536, (20, 30, 3), np.uint16))
    images = list_images(root)
    assert make(images, tmp_path / 'a.h5').made == 6
    with ProposalStore(tmp_path / 'a.h5') as store:
        for key in images.keys:
            shape = LoadImageFromFile()({'img_path': str(root / key)})['img_shape']
            assert (store[key].height, store[key].width) == shape == ((30, 20) if key == 'turned.jpg' else (20, 30))


def test_selective_search_by_the_tool(tmp_path, monkeypatch, capsys, shared_data):
    root = shared_data / 'selective_search_reference'
    out = tmp_path / 'a.h5'
    assert run_tool(monkeypatch, 'make_proposals', root, '--out', out, '--width', 250, '--workers', 1) == 0
    image = cv2.imread(str(root / '000004.jpg'))
    with ProposalStore(out) as store:
        np.testing.assert_array_equal(store['000004.jpg'].boxes, selective_search(image, width=250, min_size=20))
        store.require({'method': 'selective_search', 'mode': 'fast', 'width': 250, 'min_size': 20})
    assert run_tool(monkeypatch, 'make_proposals', root, '--out', out, '--width', 300) == 2
    assert_one_sentence(capsys, 'width 250 instead of 300')


def test_tools_from_images_to_coverage(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(PROPOSAL_METHODS, 'SelectiveSearch', Stub)
    images = make_images(tmp_path / 'images', 4)
    listed = [{'id': n, 'file_name': key} for n, key in enumerate(images.keys)]
    found = [{'image_id': 0, 'bbox': [0, 0, 30, 20]}, {'image_id': 1, 'bbox': [0, 0, 15, 20]}]
    (tmp_path / 'a.json').write_text(json.dumps({'images': listed, 'annotations': found}))
    data = [tmp_path / 'a.json', '--image-root', images.root]
    assert run_tool(monkeypatch, 'make_proposals', *data, '--out', tmp_path / 'a.h5') == 0
    for number in (1, 2):
        arguments = [*data, '--out', tmp_path / f's{number}.h5', '--shard', f'{number}/2']
        assert run_tool(monkeypatch, 'make_proposals', *arguments) == 0
    shards = [tmp_path / 's1.h5', tmp_path / 's2.h5']
    assert run_tool(monkeypatch, 'make_proposals', '--merge', *shards, '--out', tmp_path / 'b.h5') == 0
    for name in ('a.pkl', 'a.mat'):
        export = ['--export', tmp_path / 'a.h5', '--image-root', images.root, '--out', tmp_path / name]
        assert run_tool(monkeypatch, 'make_proposals', *export) == 0
        back = [*data, '--import', tmp_path / name, '--out', tmp_path / f'{name}.h5']
        assert run_tool(monkeypatch, 'make_proposals', *back) == 0
    capsys.readouterr()
    stores = [tmp_path / 'a.h5', f'merged={tmp_path / "b.h5"}', tmp_path / 'a.pkl.h5', tmp_path / 'a.mat.h5']
    plot = ['--limits', 1, '--iou', 0.5, 0.7, '--plot', tmp_path / 'a.png']
    assert run_tool(monkeypatch, 'proposal_recall', *data, '--stores', *stores, *plot) == 0
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith('|')]
    assert len(table) == 2 + 2 * len(stores)
    assert {tuple(cell.strip() for cell in line.split('|')[3:-1]) for line in table[2:]} == {
        ('1.000', '0.500', '0.500', '0.750')
    }
    assert cv2.imread(str(tmp_path / 'a.png')) is not None


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ('{0}/missing --out {0}/a.h5', 'missing'),
        ('{0}/empty --out {0}/a.h5', 'no images'),
        ('{0}/images --out {0}/empty', 'is a folder'),
        ('{0}/images --out {0}/file/a.h5', 'cannot be made'),
        ('{0}/images --out {0}/other.h5', 'not a complete proposal store'),
        ('{0}/images --out {0}/cut.h5', 'cut.h5'),
        ('{0}/images --out {0}/newer.h5', 'version 2'),
        ('{0}/images --out {0}/a.h5 --shard 1/9', '9 shards'),
        ('{0}/images --out {0}/a.h5 --width 0', 'width is 0'),
        ('{0}/images --out {0}/a.h5 --min-size -1', 'min_size is -1'),
        ('{0}/images --out {0}/a.h5 --max-boxes 0', '--max-boxes is 0'),
        ('{0}/images --out {0}/a.h5 --workers 0', '--workers is 0'),
        ('{0}/images --out {0}/a.h5 --split val', 'no split val'),
        ('{0}/images --out {0}/a.h5 --import {0}/other.h5', '.pkl'),
        ('{0}/images --out {0}/a.h5 --import {0}/gone.pkl', 'gone.pkl'),
        ('--merge {0}/good.h5 {0}/cut.h5 --out {0}/a.h5', 'cut.h5'),
        ('--export {0}/good.h5 --out {0}/a.txt', '.mat'),
        ('--export {0}/good.h5 --out {0}/a.pkl', '--image-root'),
        ('--export {0}/cut.h5 --out {0}/a.mat', 'cut.h5'),
    ],
)
def test_make_proposals_refuses(tmp_path, monkeypatch, capsys, bad_files, arguments, words):
    before = sorted(tmp_path.rglob('*'))
    assert run_tool(monkeypatch, 'make_proposals', *arguments.format(tmp_path).split()) == 2
    assert_one_sentence(capsys, words)
    assert sorted(tmp_path.rglob('*')) == before


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ('{0}/missing --stores {0}/good.h5', 'missing'),
        ('{0}/images --stores {0}/good.h5', 'Annotations'),
        ('{0}/a.json --stores {0}/good.h5', 'lost.png'),  # an image that the store lacks
        ('{0}/a.json --stores {0}/gone.h5 --only-stored', 'gone.h5'),
        ('{0}/a.json --stores {0}/cut.h5 --only-stored', 'cut.h5'),
        ('{0}/a.json --stores {0}/good.h5 --only-stored --iou 50', 'thresholds'),
        ('{0}/a.json --stores {0}/good.h5 --only-stored --limits 0', 'at least 1'),
        ('{0}/a.json --stores {0}/good.h5 {0}/good.h5 --only-stored', 'would be called'),
        ('{0}/a.json --stores {0}/good.h5 --only-stored --plot {0}/a.xyz', '.png'),
        ('{0}/a.json --stores {0}/good.h5 --only-stored --plot {0}/a.json/a.png', 'a.json'),
    ],
)
def test_proposal_recall_refuses(tmp_path, monkeypatch, capsys, bad_files, arguments, words):
    before = sorted(tmp_path.rglob('*'))
    assert run_tool(monkeypatch, 'proposal_recall', *arguments.format(tmp_path).split()) == 2
    assert_one_sentence(capsys, words)
    assert sorted(tmp_path.rglob('*')) == before


@pytest.fixture
def bad_files(tmp_path):
    images = make_images(tmp_path / 'images', 2)
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'file').touch()
    (tmp_path / 'other.h5').write_text('something else')
    make_one_store(tmp_path / 'good.h5', images)
    content = (tmp_path / 'good.h5').read_bytes()
    (tmp_path / 'cut.h5').write_bytes(content[:-50])
    (tmp_path / 'newer.h5').write_bytes(content)
    with h5py.File(tmp_path / 'newer.h5', 'r+') as file:
        file.attrs['version'] = 2
    listed = [{'id': 0, 'file_name': '000.png'}, {'id': 1, 'file_name': 'lost.png'}]
    found = [{'image_id': n, 'bbox': [0, 0, 5, 5]} for n in (0, 1)]
    (tmp_path / 'a.json').write_text(json.dumps({'images': listed, 'annotations': found}))


def make_one_store(path: Path, images: Images) -> None:
    with ProposalWriter(path, {}) as writer:
        for key in images.keys:
            boxes = np.array([[0, 0, 30, 20]])
            writer.add(key, Proposals(boxes, rank_scores(1), 20, 30), identify((images.root / key).read_bytes()))


@pytest.mark.parametrize('arguments', ['', 'images', '--out x', 'images --merge a --out x', 'a --out x --shard 0/3'])
def test_make_proposals_asks_for_a_task(monkeypatch, capsys, arguments):
    assert run_tool(monkeypatch, 'make_proposals', *arguments.split()) == 2
    assert 'usage:' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['make_proposals', 'proposal_recall'])
def test_help(monkeypatch, capsys, name):
    assert run_tool(monkeypatch, name, '--help') == 0
    assert 'example' in capsys.readouterr().out


def test_selective_search_needs_no_torch(tmp_path):
    arguments = [str(ROOT / 'tests/data/version_0_1/images'), '--out', str(tmp_path / 'a.h5'), '--width', '40']
    code = (
        'import sys\nfrom det_inception.cli import propose\n'
        "if __name__ == '__main__':\n    propose.main()\n    assert not {'torch', 'mmengine'} & {*sys.modules}\n"
    )
    (tmp_path / 'run.py').write_text(code)
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    command = [sys.executable, tmp_path / 'run.py', *arguments, '--min-size', '4', '--workers', '1']
    subprocess.run(command, check=True, env=environment)
    with (
        ProposalStore(tmp_path / 'a.h5') as new,
        ProposalStore(ROOT / 'tests/data/version_0_1/selective_search.h5') as old,
    ):
        assert new.parameters == old.parameters and list(new) == list(old)
