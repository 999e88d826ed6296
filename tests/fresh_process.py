"""Programs in processes of their own, in which neither this project nor OpenMMLab's libraries are imported yet.

A new interpreter takes most of its time to import PyTorch and torchvision. One does so, and forks for each program.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_SERVER = """
import json, os, sys, traceback
import cv2, matplotlib.pyplot, scipy.optimize, torch, torchvision

torch.set_num_threads(1)  # A pool of threads would not survive the fork.
early = {'det_inception', 'mmengine', 'mmcv', 'mmdet', 'sklearn', 'albumentations'} & {*sys.modules}
assert not early, early
for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if not child:
        status = 1
        try:
            for stream, path in enumerate(job['streams']):
                os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), stream)
            os.chdir(job['folder'])
            os.environ.update(job['environment'])
            sys.argv = ['-c', *job['arguments']]
            exec(compile(job['code'], '<string>', 'exec'), {'__name__': '__main__'})
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@functools.cache
def _server() -> subprocess.Popen:
    """Ends with this process, which holds the other end of its input."""
    return subprocess.Popen([sys.executable, '-c', _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run_fresh(code: str, arguments: Sequence[str] = (), folder: os.PathLike | str = '.', **environment: str) -> str:
    """Runs Python code as ``python -c CODE ARGUMENTS`` would; returns what it prints. It must end well."""
    with tempfile.TemporaryDirectory() as place:
        streams = [os.devnull, *(str(Path(place, name)) for name in ('said', 'errors'))]
        job = dict(code=code, arguments=[*arguments], folder=str(Path(folder).resolve()), streams=streams)
        job['environment'] = environment
        server = _server()
        server.stdin.write(json.dumps(job) + '\n')
        server.stdin.flush()
        status = server.stdout.readline().strip()
        said, errors = (Path(path).read_text() for path in streams[1:])
        assert status == '0', (status, said[-2000:], errors[-4000:])
    return said
