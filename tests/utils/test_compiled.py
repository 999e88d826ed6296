"""Numba's cache where there is a place for it, and none where there is not."""

import os
import sys
from pathlib import Path

import numba.core.caching
import numba.core.config
import platformdirs
import pytest

from det_inception import utils
from det_inception.utils.compiled import compiled
from det_inception.utils.files import cache_folder


def one_more(x):
    return x + 1


def one_less(x):
    return x - 1


def test_without_a_place_for_the_cache(monkeypatch, caplog):
    monkeypatch.setattr(numba.core.caching.CacheImpl, '_locator_classes', [])
    with pytest.raises(RuntimeError, match='no locator'):
        numba.njit(cache=True)(one_more)
    assert compiled()(one_more)(2) == 3
    assert compiled(nogil=True)(one_more)(2) == 3
    assert caplog.text.count('set NUMBA_CACHE_DIR') == 1


def test_a_user_without_a_home_has_no_cache(monkeypatch):
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.setattr(os.path, 'expanduser', lambda path: path)  # What Python does then.
    assert cache_folder('proposals') is None


def test_where_caches_are(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert cache_folder('proposals') == tmp_path / 'det_inception/proposals'
    assert cache_folder('proposals', tmp_path / 'mine') == tmp_path / 'mine'
    assert cache_folder('proposals', '') is None
    monkeypatch.delenv('XDG_CACHE_HOME')
    folder = platformdirs.user_cache_dir('det_inception', appauthor=False)
    assert cache_folder('proposals') == Path(folder) / 'proposals'
    if sys.platform == 'linux':
        assert Path(folder) == Path.home() / '.cache/det_inception'


def test_what_is_compiled_is_announced_once(monkeypatch, caplog, tmp_path):
    monkeypatch.setenv('NUMBA_CACHE_DIR', str(tmp_path))
    monkeypatch.setattr(numba.core.config, 'CACHE_DIR', str(tmp_path))
    said = 'Numba compiles the first time'
    utils.compiled._say_once.cache_clear()
    numba.njit(one_more)(2)  # Somebody else's.
    assert said not in caplog.text
    first, second = compiled()(one_more), compiled()(one_less)
    assert (first(2), first(2.0), second(2)) == (3, 3.0, 1)
    assert caplog.text.count(said) == 1
    # Found in Numba's cache, as in a second process.
    utils.compiled._say_once.cache_clear()
    caplog.clear()
    assert compiled()(one_more)(2) == 3 and said not in caplog.text
