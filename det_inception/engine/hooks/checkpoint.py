"""Checkpoints that are whole or not there, whoever's checkpoint the training goes on from."""

from __future__ import annotations

import numbers
import os
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook

from det_inception.registry import HOOKS
from det_inception.utils.files import write_bytes

BACKEND = 'det_inception.checkpoints'


@register_backend(BACKEND)
class CheckpointFiles(LocalBackend):
    """Local files that appear whole, and that are only marked for deletion."""

    def __init__(self) -> None:
        self.outdated: list[str] = []

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Writes a file beside and renames it.

        Raises:
            InputError: The disk is full, or the folder cannot be written to.
        """
        write_bytes(filepath, obj)

    def remove(self, filepath: str | Path) -> None:
        """Marks a file."""
        self.outdated.append(str(filepath))

    def rmtree(self, dir_path: str | Path) -> None:
        """Does nothing: no checkpoint of this project is a folder."""


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """MMEngine's hook, for local folders safe in three ways; it takes the place of the other under the same name.

    * A checkpoint is written beside and renamed, so that its name never stands for half of one.
    * An outdated one is deleted when the new one is whole. So there is room for one more on the disk.
    * What a resumed checkpoint says of former ones is believed only for files of this training's own folder: nothing
      else is ever deleted.
    """

    def before_train(self, runner: Any) -> None:
        """Takes over what a resumed checkpoint says; MMEngine calls this when it has been loaded."""
        folder = str(self.out_dir or runner.work_dir)
        if '://' in folder or self.file_client_args is not None or self.backend_args is not None:
            super().before_train(runner)
            return
        if folder != runner.work_dir:  # As MMEngine extends it.
            folder = os.path.join(folder, os.path.basename(runner.work_dir.rstrip(os.sep)))
        _keep_own(runner.message_hub.runtime_info, folder)
        self.backend_args = dict(backend=BACKEND)
        super().before_train(runner)
        self._delete_outdated()

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        self._delete_outdated()

    def _save_best_checkpoint(self, runner: Any, metrics: dict) -> None:
        super()._save_best_checkpoint(runner, metrics)
        self._delete_outdated()

    def _delete_outdated(self) -> None:
        if not isinstance(self.file_backend, CheckpointFiles):
            return
        best = getattr(self, 'best_ckpt_path_dict', {}).values()
        current = {self.last_ckpt, getattr(self, 'best_ckpt_path', None), *best}
        for path in self.file_backend.outdated:
            if path not in current and is_main_process():
                Path(path).unlink(missing_ok=True)
        self.file_backend.outdated.clear()


def _keep_own(info: dict, folder: str) -> None:
    """Drops what is no score, number or best checkpoint of the folder; one that has been moved is found there."""
    for key in list(info):
        if key == 'keep_ckpt_ids':
            steps = info[key] if isinstance(info[key], (list, tuple)) else ()
            info[key] = [step for step in steps if type(step) is int and step >= 0]
        elif key.startswith('best_score') and not isinstance(info[key], numbers.Real):
            del info[key]
        elif key.startswith('best_ckpt'):
            name = os.path.basename(info[key]) if isinstance(info[key], str) else ''
            path = os.path.join(folder, name)
            if name.startswith('best_') and os.path.isfile(path):
                info[key] = path
            else:
                del info[key]
