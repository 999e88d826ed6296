"""Training and testing in several processes."""

from __future__ import annotations

import os
import re

import torch
from mmengine.config import Config

from det_inception.config.loading import ConfigError


def name_meeting_place() -> None:
    """Tells this process of a Slurm step its rank, and where the processes meet, in the variables that PyTorch reads.

    MMEngine's own start needs a GPU. Its port is 29500 for every job, or one that each process chooses for itself where
    that is taken, so two jobs on one node can't start. Here the numbers of job and step give it.

    Raises:
        ConfigError: ``srun`` has not started this process.
    """
    try:
        keys = ('JOB_ID', 'STEP_ID', 'PROCID', 'NTASKS', 'LOCALID', 'STEP_NODELIST')
        job, step, rank, size, local, nodes = (os.environ[f'SLURM_{key}'] for key in keys)
    except KeyError as error:
        raise ConfigError(
            f'--launcher slurm: srun has not started this process ({error.args[0]} is not set); run srun and then this '
            'command, in a job of several tasks.'
        ) from error
    os.environ.update(RANK=rank, WORLD_SIZE=size, LOCAL_RANK=local)
    os.environ.setdefault('MASTER_PORT', str(20000 + (16 * int(job) + int(step)) % 10000))
    if 'MASTER_ADDR' not in os.environ:
        os.environ['MASTER_ADDR'] = first_node(nodes)


def first_node(nodes: str) -> str:
    """Returns the first of Slurm's compressed list of nodes: ``gpu003`` of ``gpu[003-007,012],big1``."""
    prefix, bracket, rest = nodes.partition(',')[0].partition('[')
    return prefix + re.split('[-,\\]]', rest)[0] if bracket else prefix


def join_processes(cfg: Config) -> None:
    """Prepares distributed training; without a GPU, processes talk through Gloo.

    Raises:
        ConfigError: No launcher has started this process, or it needs GPUs and there is none.
    """
    if cfg.launcher == 'slurm':
        name_meeting_place()
    wrapper = dict(
        type='MMDistributedDataParallel',
        # Batch norm's statistics are the first process's in all, so that all validate the same network.
        broadcast_buffers=True,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    if cfg.launcher == 'pytorch' and 'RANK' not in os.environ:
        raise ConfigError(
            '--launcher pytorch: no launcher has started this process; run python -m torch.distributed.run '
            '--nproc_per_node N and then this command.'
        )
    if not torch.cuda.is_available():
        if cfg.launcher == 'mpi':
            raise ConfigError('--launcher mpi needs GPUs, and there is none; use --launcher pytorch or slurm.')
        # MMEngine's own start chooses a GPU first.
        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group('gloo')
        wrapper['device_ids'] = None
    cfg.model_wrapper_cfg = dict(wrapper, **cfg.get('model_wrapper_cfg') or {})
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or ()), dict(type='AverageLossesHook')]
