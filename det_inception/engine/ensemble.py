"""Trains the members of an ensemble from the same initial weights, each with its own sampling."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import set_random_seed

from det_inception.config.loading import load_config
from det_inception.config.options import read_options
from det_inception.engine.resuming import find_last_checkpoint
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError
from det_inception.weights.export import publish, write_checkpoint

TRAIN = (sys.executable, '-m', 'det_inception.cli.main', 'train')
INITIAL = 'initial.pth'


def train_ensemble(
    config: str,
    work_dir: str | None = None,
    *,
    members: int | None = None,
    data_root: str | None = None,
    weights: str | None = None,
    amp: bool = False,
    options: Sequence[str] = (),
    print_commands: bool = False,
) -> None:
    """Trains the members one after the other, each in a process of its own.

    They begin with equal weights, also in the new layers. Members that are complete are left as they are.

    Args:
        config: Config file of the members.
        work_dir: For the members' folders; None: ``work_dirs/`` and the config's name, ending in ``_ensemble``.
        members: Their number; None: the config's ``ensemble.members``, or 6.
        data_root: Folder of the data set, instead of the config's.
        weights: Pretrained weights to start from, instead of the config's.
        amp: Mixed precision.
        options: Settings for all members, each as ``KEY=VALUE``.
        print_commands: Print the commands for a scheduler instead of running them.

    Raises:
        InputError: A member's training failed, or config, data or weights cannot be used.
    """
    name = Path(config).stem
    folder = Path(work_dir or Path('work_dirs') / (name if 'ensemble' in name else f'{name}_ensemble'))
    cfg = load_config(config, options=read_options(options), data_root=data_root, weights=weights)
    seed = (cfg.get('randomness') or {}).get('seed') or 0
    initial = folder / INITIAL
    if not initial.exists():
        _write_initial(cfg, seed, initial, weights)
    shared = [config]
    for flag, value in (('--data-root', data_root), ('--weights', weights)):
        shared += [flag, str(value)] if value else []
    shared += ['--amp'] if amp else []
    members = members or (cfg.get('ensemble') or {}).get('members', 6)
    for number in range(1, members + 1):
        member = folder / f'member_{number}'
        own = [f'load_from={initial}', f'randomness.seed={seed + number - 1}']
        words = [*TRAIN, *shared, '--work-dir', str(member), '--resume', '--cfg-options', *options, *own]
        final = member / 'final.pth'
        if print_commands:
            print(shlex.join(words))
        elif final.exists():
            print(f'{final}: is there already.')
        else:
            print(f'member {number} of {members}: {member}', flush=True)
            _run(words, member)
            publish(find_last_checkpoint(member), final)


def _write_initial(cfg: Config, seed: int, path: Path, weights: str | None) -> None:
    """Writes the weights that all members start from."""
    # How each layer begins would otherwise be printed among the commands.
    MMLogger.get_current_instance().setLevel('WARNING')
    set_random_seed(seed)
    model = MODELS.build(cfg.model)
    model.init_weights()
    write_checkpoint(path, model.state_dict(), dict(initial_weights=str(weights)))


def _run(words: list[str], member: Path) -> None:
    status = subprocess.run(words).returncode
    if status == 130:
        raise KeyboardInterrupt
    if status:
        raise InputError(f'{member}: its training ended with status {status}; see its log, and start this again.')
