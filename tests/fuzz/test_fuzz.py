"""Attacks every reader with damaged and odd inputs: one sentence of ours, or a sound result, within seconds.

    pytest tests/fuzz                                      a few seconds for each target, always the same inputs first
    pytest tests/fuzz --fuzz-seconds 3600 --fuzz-seed 7    hours, and others
    pytest tests/fuzz --fuzz-inputs 100000 -s              so many for each, and what became of them
    pytest tests/fuzz -k store --fuzz-only 7:1234          one input again, as a failure names it

The input under test is the file ``input`` in the test's folder, also after the process has ended.
"""

import faulthandler
import time
import traceback

import numpy as np
import pytest
from annotation_targets import ANNOTATION_TARGETS
from config_targets import CONFIG_TARGETS
from targets import TARGETS
from weight_targets import WEIGHT_TARGETS

from det_inception.utils.memory import limited_memory

ALL = TARGETS | ANNOTATION_TARGETS | CONFIG_TARGETS | WEIGHT_TARGETS

MAX_SECONDS = 5
MAX_FAILURES = 5
_MEMORY = 3 * 2**30  # Beside what the tests have already.


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('name', ALL)
def test_readers_withstand(name, tmp_path, pytestconfig, monkeypatch):
    pytest.importorskip('resource')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    target = ALL[name](tmp_path)
    numbers, limit = range(10**9), pytestconfig.getoption('fuzz_seconds')
    seed, only = pytestconfig.getoption('fuzz_seed'), pytestconfig.getoption('fuzz_only')
    if only:
        seed, number = map(int, only.split(':'))
        numbers, limit = [number], float('inf')
    elif count := pytestconfig.getoption('fuzz_inputs'):
        numbers, limit = range(count), float('inf')
    for content in target.seeds:  # Else everything would be refused, and nothing tried.
        target.path.write_bytes(content)
        target.read()
    failures, tried, refused, begin = [], 0, 0, time.monotonic()
    with limited_memory(_MEMORY):
        for number in numbers:
            if time.monotonic() - begin > limit or len(failures) == MAX_FAILURES:
                break
            tried += 1
            start = time.process_time()  # Whatever else the machine is busy with.
            faulthandler.dump_traceback_later(20 * MAX_SECONDS, exit=True)
            try:
                target.try_one(np.random.default_rng([seed, number]))
            except target.allowed as error:
                refused += 1
                if '\n' in str(error) and not target.says_names:
                    failures.append(f'--fuzz-only {seed}:{number}: more than one line: {error}')
            except Exception:
                failures.append(f'--fuzz-only {seed}:{number}:\n{traceback.format_exc(limit=-6)}')
            finally:
                faulthandler.cancel_dump_traceback_later()
            if (seconds := time.process_time() - start) > MAX_SECONDS:
                failures.append(f'--fuzz-only {seed}:{number}: took {seconds:.1f} s')
    print(f'{name}: {tried} inputs, {refused} refused')
    assert not failures, f'of {tried} inputs:\n' + '\n'.join(failures)
