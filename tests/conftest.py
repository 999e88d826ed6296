"""Fixtures that all tests share."""

import contextlib
import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup('fuzz', 'tests/fuzz')
    group.addoption('--fuzz-seconds', type=float, default=2, help='time for each reader (default: 2)')
    group.addoption('--fuzz-inputs', type=int, metavar='N', help='so many for each reader, however long it takes')
    group.addoption('--fuzz-seed', type=int, default=0, help='other inputs (default: 0)')
    group.addoption('--fuzz-only', metavar='SEED:NUMBER', help='one input alone')


def pytest_configure(config: pytest.Config) -> None:
    """Imports what all tests need, in the processes that run tests: with ``-n``, the first one runs none."""
    if config.getoption('dist', 'no') != 'no' and not hasattr(config, 'workerinput'):
        return
    import matplotlib
    import torch

    import det_inception

    det_inception.register_all_modules()  # Also offers mmcv's operators to tests that import mmcv.ops.
    matplotlib.use('Agg')
    # The tests' networks are tiny: threads cost more than they bring, above all on a busy machine.
    torch.set_num_threads(1)
    # MMEngine's data sets collect garbage; what was imported is none, and looking at it takes half a second.
    gc.freeze()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # Else libraries complain of leaks at the end.


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs what asks for ``device`` on the processor and on the GPU; where there is none, on the pretended one."""
    if 'device' in metafunc.fixturenames:
        import torch

        metafunc.parametrize('device', ['cpu', 'cuda' if torch.cuda.is_available() else 'pretended'], indirect=True)


@pytest.fixture
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """New tensors and layers are on this device."""
    from det_inception.zoo.pretended_gpu import device_context

    with device_context(request.param) as place, place:
        yield str(place)


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


@pytest.fixture(autouse=True)
def mmdetections_scope() -> None:
    """What every config of the project sets: names are looked up in MMDetection's registries."""
    from mmengine.registry import init_default_scope

    init_default_scope('mmdet')


@pytest.fixture(autouse=True)
def open_logs() -> Iterator[None]:
    """MMEngine's logger outlives a test, and every later network would write its initialization to the test's log."""
    yield
    from mmengine.logging import MMLogger

    for logger in MMLogger._instance_dict.values():
        for handler in [handler for handler in logger.handlers if isinstance(handler, logging.FileHandler)]:
            logger.removeHandler(handler)
            handler.close()


@pytest.fixture
def full_disk():
    """A block in which no file may grow beyond a number of bytes, as on a disk that is full."""
    resource = pytest.importorskip('resource')

    @contextlib.contextmanager
    def limited(size: int):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
