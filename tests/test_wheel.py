"""What a wheel holds: the tables that the package reads lie beside its modules and are no Python."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent


def test_a_wheel_holds_every_file_of_the_package(tmp_path):
    pytest.importorskip('setuptools', minversion='77', reason='the build backend is not installed')
    source = tmp_path / 'source'
    ignored = shutil.ignore_patterns('__pycache__', '*.nbi', '*.nbc')
    shutil.copytree(REPO / 'det_inception', source / 'det_inception', ignore=ignored)
    for name in ('pyproject.toml', 'README.md', 'LICENSE'):
        shutil.copy(REPO / name, source)
    command = [sys.executable, '-c', f'from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path)!r})']
    built = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob('*.whl')
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith('det_inception/')}
    files = (path for path in source.glob('det_inception/**/*') if path.is_file())
    assert held == {path.relative_to(source).as_posix() for path in files}
    assert {'det_inception/formats/ilsvrc_det_synsets.tsv', 'det_inception/ilsvrc/imagenet_classes.tsv'} <= held
