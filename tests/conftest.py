"""Fixtures that all tests share."""

import os
from pathlib import Path

import matplotlib
import pytest

matplotlib.use('Agg')
REPO = Path(__file__).resolve().parent.parent


@pytest.fixture(scope='session')
def shared_data() -> Path:
    """Real weights, images and annotations, which do not come with the project; without them the test is skipped."""
    folder = Path(os.environ.get('DET_INCEPTION_SHARED', REPO.parent / 'shared')) / 'data'
    if 'DET_INCEPTION_SHARED' in os.environ and not folder.is_dir():
        folder = folder.parent
    if not folder.is_dir():
        pytest.skip(f'real data are not at {folder} (DET_INCEPTION_SHARED names another place)')
    return folder


@pytest.fixture(scope='session', autouse=True)
def proposal_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Computed proposals go to a folder of this run, not to the user's cache."""
    os.environ['XDG_CACHE_HOME'] = str(tmp_path_factory.mktemp('cache'))
