"""Puts what lies beside the package in a clone into the wheel: configs, checkpoints and examples.

Everything else is in pyproject.toml. :mod:`det_inception.utils.included` finds the files in either place.
"""

import os
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BESIDE = ('configs', 'checkpoints', 'examples')


class BuildWithIncludedFiles(build_py):
    """The usual command, and afterwards the files beside the package; not for an editable installation."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for source, target in self._included().items():
                self.mkpath(os.path.dirname(target))
                self.copy_file(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        included = [] if self.editable_mode else [*self._included().values()]
        return super().get_outputs(include_bytecode) + included

    def _included(self) -> dict[str, str]:
        files = (path for folder in BESIDE for path in sorted(Path(folder).rglob('*')))
        return {
            str(path): str(Path(self.build_lib, 'det_inception', path))
            for path in files
            if path.is_file() and not {'__pycache__', '.ipynb_checkpoints'} & {*path.parts}
        }


setup(cmdclass=dict(build_py=BuildWithIncludedFiles))
