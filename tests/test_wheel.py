"""What people install: the source archive builds the wheel, and the wheel works in a folder far from the clone."""

import email
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from fresh_process import run_fresh
from sets_on_disk import draw_sets

from det_inception.version import __version__

REPO = Path(__file__).resolve().parent.parent
INCLUDED = ('configs', 'checkpoints', 'examples')
DETECTOR, TRAINED = 'googlenet_faster-rcnn_voc2007', 'googlenet_faster-rcnn_voc'
ISSUED = 'train test detect check split propose recall score report compare export demo'


def call(*command, cwd: Path, **environment) -> str:
    """Runs Python and returns what it prints."""
    environment = {**os.environ, 'PYTHONDONTWRITEBYTECODE': '1', **environment}
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=cwd, capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tracked() -> list[str]:
    """The files of the project, of which ignored ones in a developer's folder are none."""
    listed = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard'], cwd=REPO, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip('this is no clone')
    return [name for name in listed.stdout.splitlines() if (REPO / name).is_file()]


@pytest.fixture(scope='module')
def sdist(tmp_path_factory) -> Path:
    """The source archive, of a copy of the clone."""
    pytest.importorskip('setuptools', minversion='77', reason='the build backend is not installed')
    folder = tmp_path_factory.mktemp('sdist')
    for name in tracked():
        (folder / 'clone' / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPO / name, folder / 'clone' / name)
    call('-c', f'from setuptools.build_meta import build_sdist; build_sdist({str(folder)!r})', cwd=folder / 'clone')
    (archive,) = folder.glob('*.tar.gz')
    return archive


@pytest.fixture(scope='module')
def wheel(sdist, tmp_path_factory) -> Path:
    """The wheel, built from the source archive alone."""
    folder = tmp_path_factory.mktemp('wheel')
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter='data')
    (source,) = folder.iterdir()
    call('-c', f'from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})', cwd=source)
    (built,) = folder.glob('*.whl')
    return built


@pytest.fixture(scope='module')
def site(wheel, tmp_path_factory) -> Path:
    """A folder in which the wheel alone is installed; what it depends on is that of the tests."""
    folder = tmp_path_factory.mktemp('installed')
    options = ('--no-deps', '--no-index', '--no-compile', '--disable-pip-version-check')
    call('-m', 'pip', 'install', '--quiet', *options, '--target', folder / 'site', wheel, cwd=folder)
    return folder / 'site'


def test_the_wheel_holds_every_file_of_the_package_and_those_beside_it(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if '.dist-info/' not in name}
    beside = [
        f'det_inception/{name}' for name in tracked() if name.startswith(tuple(f'{folder}/' for folder in INCLUDED))
    ]
    assert held == {name for name in tracked() if name.startswith('det_inception/')} | {*beside}
    assert {
        'det_inception/py.typed',
        'det_inception/formats/ilsvrc_det_synsets.tsv',
        'det_inception/evaluation/report/templates/page.html',
        f'det_inception/checkpoints/{DETECTOR}.pth',
        f'det_inception/configs/{DETECTOR}.py',
        'det_inception/configs/_base_/runtime.py',
        'det_inception/examples/mini_set.ipynb',
    } <= held


LIST_OUTPUTS = """
import setuptools  # First: it brings distutils.
from distutils.core import run_setup
build = run_setup('setup.py', stop_after='config').get_command_obj('build_py')
build.ensure_finalized()
print(*build.get_outputs(include_bytecode=False), sep='\\n')
"""


def test_the_build_knows_all_that_it_writes(wheel):
    (source,) = (path for path in wheel.parent.iterdir() if path.is_dir())
    listed = map(Path, call('-c', LIST_OUTPUTS, cwd=source).splitlines())
    written = {path.relative_to('build/lib').as_posix() for path in listed if path.parts[:2] == ('build', 'lib')}
    assert written == {name for name in zipfile.ZipFile(wheel).namelist() if '.dist-info/' not in name}


def test_the_metadata(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith('.dist-info/METADATA'))
    metadata = email.message_from_bytes(archive.read(name))
    assert metadata['Version'] == __version__
    assert {*metadata['Requires-Python'].split(',')} == {'>=3.10', '<3.15'}
    assert metadata['License-Expression'] == 'Apache-2.0'
    assert metadata['Author'] and metadata['Keywords'] and 'Typing :: Typed' in metadata.get_all('Classifier')
    assert all('://' in url for url in metadata.get_all('Project-URL'))
    assert metadata['Description-Content-Type'] == 'text/markdown'
    entry_points = archive.read(name.replace('METADATA', 'entry_points.txt')).decode()
    assert 'det-inception = det_inception.cli.main:entry_point' in entry_points


def test_the_source_archive_can_be_tested(sdist):
    with tarfile.open(sdist) as archive:
        held = {name.partition('/')[2] for name in archive.getnames()}
    left_out = {name for name in tracked() if name.split('/')[0] in ('benchmarks', '.ci', '.github') or name[0] == '.'}
    assert {*tracked()} - left_out <= held
    assert not any('__pycache__' in name for name in held)


def test_the_module_is_the_command(site, tmp_path):
    said = call('-m', 'det_inception', cwd=tmp_path, PYTHONPATH=str(site))
    assert said.startswith('usage: det-inception COMMAND')
    assert {*ISSUED.split()} <= {line.split()[0] for line in said.splitlines() if line.startswith('  ')}
    assert call('-m', 'det_inception', '--version', cwd=tmp_path, PYTHONPATH=str(site)) == f'{__version__}\n'


def call_fresh(site: Path, code: str, words: list, folder: Path) -> str:
    """Runs a program with the installed package; returns what it prints."""
    cache = str(folder / 'cache')
    arguments = (str(site), json.dumps(words))
    return run_fresh(code, arguments, folder, PYTHONPATH=str(site), XDG_CACHE_HOME=cache, CUDA_VISIBLE_DEVICES='')


RUN = """
import json, sys
sys.path.insert(0, sys.argv[1])
import det_inception
assert det_inception.__file__.startswith(sys.argv[1]), det_inception.__file__
from det_inception.cli.main import main
for words in json.loads(sys.argv[2]):
    sys.argv = ['det-inception', *words]
    assert not main()
"""


def test_train_test_detect_by_bare_names_far_from_the_clone(site, tmp_path):
    """One process for all, because PyTorch takes seconds to import."""
    draw_sets(tmp_path / 'my_voc')
    checkpoint = f'work_dirs/{TRAINED}/epoch_1.pth'
    fewer = [f'model.test_cfg.rpn.{key}=20' for key in ('nms_pre', 'max_per_img')]
    small = ['--cfg-options', 'image_size=96,64', 'model.train_cfg.rcnn.sampler.num=8', *fewer]
    commands = [
        ['train', TRAINED, '--data-root', 'my_voc', *small, 'max_epochs=1'],
        ['test', TRAINED, checkpoint, '--data-root', 'my_voc', '--out', 'score.json', '--report', 'first', *small],
        ['report', 'first', '--images', 'my_voc/JPEGImages', '--out-dir', 'page'],
        ['detect', 'my_voc/JPEGImages/five.jpg', '--config', TRAINED, '--checkpoint', checkpoint, *small],
        ['detect', str(REPO / 'examples/photos/chelsea.jpg'), '--out-dir', 'cat', '--device', 'cpu'],
    ]
    said = call_fresh(site, RUN, commands, tmp_path)
    assert str(REPO) not in said.replace(str(REPO / 'examples/photos'), '')
    assert 0 <= json.loads((tmp_path / 'score.json').read_text())['voc/mAP'] <= 1
    assert (tmp_path / 'page/index.html').is_file()
    assert (tmp_path / 'demo_out/five.png').is_file()
    (found,) = json.loads((tmp_path / 'cat/detections.json').read_text())['images'].values()
    assert max(found, key=lambda box: box['score'])['label'] == 'cat'


# As a notebook does it: a cell's last expression is shown.
RUN_CELLS = """
import ast, json, sys
sys.path.insert(0, sys.argv[1])
import det_inception
assert det_inception.__file__.startswith(sys.argv[1]), det_inception.__file__
names, shown = {}, []
for cell in json.loads(sys.argv[2]):
    *steps, last = ast.parse(cell).body
    if not isinstance(last, ast.Expr):
        steps, last = [*steps, last], None
    exec(compile(ast.Module(steps, []), cell, 'exec'), names)
    if last is not None and (value := eval(compile(ast.Expression(last.value), cell, 'eval'), names)) is not None:
        show = next((method for method in ('_repr_html_', '_repr_png_') if hasattr(value, method)), '__repr__')
        assert getattr(value, show)()
        shown.append([type(value).__name__, show])
print(json.dumps([shown, names['scores'], names['best']]))
"""


def test_the_notebook_far_from_the_clone(site, tmp_path):
    notebook = json.loads((site / 'det_inception/examples/mini_set.ipynb').read_text(encoding='utf-8'))
    cells = [''.join(cell['source']) for cell in notebook['cells'] if cell['cell_type'] == 'code']
    (parameters,) = (cell for cell in cells if cell.startswith('IMAGES ='))
    cells[cells.index(parameters)] = 'IMAGES, EPOCHS, SIZE = 4, 1, (96, 64)'
    said = call_fresh(site, RUN_CELLS, cells, tmp_path)
    shown, scores, best = json.loads(said.splitlines()[-1])
    pictures = [kind for kind, method in shown if method == '_repr_png_']
    assert len(pictures) == 6 and shown[-2:] == [['Detections', '_repr_html_']] * 2
    assert 0 <= scores['voc/mAP'] <= 1 and len(best) == 1 + 12 and {'all classes', 'banana'} <= best.keys()
    assert (tmp_path / 'report/index.html').is_file() and (tmp_path / 'found.png').is_file()
