"""The files around the package agree with it: metadata, workflow, site."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from det_inception.version import __version__

REPO = Path(__file__).resolve().parent.parent


def read(name: str) -> str:
    return (REPO / name).read_text(encoding='utf-8')


def test_the_version_is_the_same_everywhere():
    assert str(yaml.safe_load(read('CITATION.cff'))['version']) == __version__
    assert f'\n## {__version__}\n' in read('CHANGELOG.md')
    assert f'det_inception-{__version__}-py3-none-any.whl' in read('docs/installation.md')


def test_the_versions_of_python_are_the_same_everywhere():
    classified = re.findall(r'Python :: (3\.\d+)', read('pyproject.toml'))
    assert (
        yaml.safe_load(read('.github/workflows/ci.yml'))['jobs']['test']['strategy']['matrix']['python'] == classified
    )
    first, last = classified[0], classified[-1]
    assert f'requires-python = ">={first},<3.{int(last[2:]) + 1}"' in read('pyproject.toml')
    assert f'Python {first} to {last} is needed' in read('Makefile')
    assert f'Python {first} to {last}' in read('docs/installation.md')


def test_the_versions_of_opencv_are_the_same_everywhere():
    pinned = dict(re.findall(r'^(opencv-python(?:-headless)?)==(\S+)', read('constraints.txt'), re.MULTILINE))
    assert pinned['opencv-python'] == pinned['opencv-python-headless']
    named = re.findall(r'opencv-python(?:-headless)?==([\d.]+)', read('docs/installation.md'))
    assert named and {*named} == {pinned['opencv-python']}


def test_every_extra_is_in_the_manual():
    settings = read('pyproject.toml')
    extras = settings[settings.index('[project.optional-dependencies]') : settings.index('[project.urls]')]
    assert {*re.findall(r'^(\w+) = ', extras, re.MULTILINE)} == {
        *re.findall(r'^\| `det_inception\[(\w+)\]`', read('docs/installation.md'), re.MULTILINE)
    }


@pytest.mark.parametrize('path', sorted(REPO.glob('.github/**/*.yml')) + [REPO / '.pre-commit-config.yaml'], ids=str)
def test_a_file_for_other_programs_is_yaml(path):
    assert isinstance(yaml.safe_load(path.read_text(encoding='utf-8')), dict)


def test_what_the_workflow_and_the_hooks_run_is_there():
    workflow = read('.github/workflows/ci.yml')
    assert all(target in read('Makefile') for target in re.findall(r'make (\w+)', workflow))
    for config in re.findall(r'det-inception t\w+ (\S+)', workflow):
        assert (REPO / f'configs/{config}.py').is_file()
    for hook in yaml.safe_load(read('.pre-commit-config.yaml'))['repos'][0]['hooks']:
        assert all((REPO / name).exists() for name in re.findall(r'tests/\S+', hook['entry']))


def test_the_image_gets_what_the_wheel_is_built_of():
    let_in = {line[1:] for line in read('.dockerignore').splitlines() if line.startswith('!')}
    beside = {
        name.split('/')[0] for name in re.search(r'BESIDE = \((.*)\)', read('setup.py'))[1].replace("'", '').split(', ')
    }
    assert {'det_inception', 'pyproject.toml', 'setup.py', 'README.md', 'LICENSE', 'constraints.txt'} | beside <= let_in


@pytest.mark.parametrize('path', sorted(REPO.glob('examples/*.ipynb')), ids=lambda path: path.name)
def test_a_notebook_is_stored_without_outputs_and_needs_no_ipython(path):
    notebook = json.loads(path.read_text(encoding='utf-8'))
    cells = notebook['cells']
    assert len({cell['id'] for cell in cells}) == len(cells) and (notebook['nbformat'], notebook['nbformat_minor']) == (
        4,
        5,
    )
    for cell in cells:
        text = ''.join(cell['source'])
        if cell['cell_type'] == 'code':
            assert cell['outputs'] == [] and cell['execution_count'] is None
            compile(text, cell['id'], 'exec')  # Magics and commands of a shell are no Python.
        for target in re.findall(r'\]\((?!https?:)([^)#]+)', text) if cell['cell_type'] == 'markdown' else []:
            assert (path.parent / target).exists(), target


def test_every_page_is_in_the_site():
    class Loader(yaml.SafeLoader):
        """Of files whose tags are for MkDocs."""

    nav = yaml.dump(yaml.load(read('mkdocs.yml'), Loader)['nav'])
    pages = [path.relative_to(REPO / 'docs').as_posix() for path in REPO.glob('docs/**/*.md')]
    assert [page for page in pages if page not in nav] == []


def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip('mkdocs', reason='the extra docs is not installed')
    pytest.importorskip('mkdocstrings', reason='the extra docs is not installed')
    for name in (
        'mkdocs.yml',
        'docs',
        'det_inception',
        'checkpoints/README.md',
        'examples/mini_set.ipynb',
        'examples/tour.ipynb',
        *map(str, REPO.glob('*.md')),
    ):
        source, target = REPO / name, tmp_path / (REPO / name).relative_to(REPO)
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--quiet']
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    for page, content in {
        'index.html': 'images/photos.jpg',
        'checkpoints.html': 'Pascal VOC 2007',
        'notebook.html': 'href="mini_set.ipynb"',
        'tour.html': 'href="tour.ipynb"',
        'api/inference.html': 'Finds the objects of one image',
    }.items():
        assert content in (tmp_path / 'site' / page).read_text(encoding='utf-8')
    assert (tmp_path / 'site/images/photos.jpg').is_file()
    pages = (tmp_path / 'site/api').glob('*.html')
    assert [page.name for page in pages if ':class:' in page.read_text(encoding='utf-8')] == [], 'roles of Sphinx'


def test_names_of_test_files_differ():
    """pytest imports them by their bare names."""
    names = [path.name for path in (REPO / 'tests').rglob('test_*.py')]
    assert sorted(names) == sorted(set(names))
