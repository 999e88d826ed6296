"""Training and testing in several processes."""

from __future__ import annotations

import os

import torch
from mmengine.config import Config

from det_inception.config.loading import ConfigError


def join_processes(cfg: Config) -> None:
    """Prepares distributed training; without a GPU, processes talk through Gloo.

    Raises:
        ConfigError: No launcher has started this process, or it needs GPUs and there is none.
    """
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
        if cfg.launcher != 'pytorch':
            raise ConfigError(f'--launcher {cfg.launcher} needs GPUs, and there is none; use --launcher pytorch.')
        # MMEngine's own start chooses a GPU first.
        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group('gloo')
        wrapper['device_ids'] = None
    cfg.model_wrapper_cfg = dict(wrapper, **cfg.get('model_wrapper_cfg') or {})
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or ()), dict(type='AverageLossesHook')]
