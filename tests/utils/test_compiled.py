"""Numba's cache where there is a place for it, and none where there is not."""

from pathlib import Path

import numba.core.caching
import pytest

from det_inception.utils.compiled import compiled
from det_inception.utils.files import cache_folder


def one_more(x):
    return x + 1


def test_without_a_place_for_the_cache(monkeypatch, caplog):
    monkeypatch.setattr(numba.core.caching.CacheImpl, '_locator_classes', [])
    with pytest.raises(RuntimeError, match='no locator'):
        numba.njit(cache=True)(one_more)
    assert compiled()(one_more)(2) == 3
    assert compiled(nogil=True)(one_more)(2) == 3
    assert caplog.text.count('set NUMBA_CACHE_DIR') == 1


def test_a_user_without_a_home_has_no_cache(monkeypatch):
    def homeless(cls):
        raise RuntimeError('Could not determine home directory.')

    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.setattr(Path, 'home', classmethod(homeless))
    assert cache_folder('proposals') is None
