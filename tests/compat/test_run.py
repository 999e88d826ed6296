"""``python -m det_inception.compat.run`` runs a program behind the stand-in."""

import subprocess
import sys


def run(*arguments):
    return subprocess.run(
        [sys.executable, '-m', 'det_inception.compat.run', *map(str, arguments)], capture_output=True, text=True
    )


def test_a_program_runs_behind_the_stand_in(tmp_path):
    """Its name, arguments and folder are its own, and the processes that it starts have the stand-in too."""
    (tmp_path / 'beside.py').write_text(
        'from mmcv.ops import nms\n\ndef work(number):\n    return nms.__name__, number\n'
    )
    (tmp_path / 'tool.py').write_text(
        'import multiprocessing, sys\n'
        'from concurrent.futures import ProcessPoolExecutor\n'
        'import beside\n'
        "if __name__ == '__main__':\n"
        '    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:\n'
        '        print(sys.argv, __file__, list(pool.map(beside.work, [7])))\n'
    )
    tool = tmp_path / 'tool.py'
    done = run(tool, '--epochs', 3)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{[str(tool), '--epochs', '3']} {tool} [('nms', 7)]"


def test_without_a_program():
    for arguments in ((), ('no/such/tool.py',)):
        done = run(*arguments)
        assert done.returncode == 1 and done.stderr.startswith('Usage: python -m det_inception.compat.run SCRIPT')
