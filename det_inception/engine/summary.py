"""What a training or a test is of, in a few lines: model, weights, data, device and precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.runner import EpochBasedTrainLoop, Runner

from det_inception.evaluation.analysis.label_statistics import LabelStatistics, label_statistics
from det_inception.utils.errors import counted, some
from det_inception.weights.checkpoints import unwrapped


def describe_training(runner: Runner, train: LabelStatistics) -> Iterator[str]:
    """Yields the lines that a training begins with, when its checkpoint has been loaded.

    Args:
        runner: The training.
        train: What its data are.
    """
    loop = runner.train_loop
    yield _model_line(runner)
    yield f'weights     {_start(runner)}'
    yield f'train       {_data(train)}'
    if runner.val_loop is not None:
        yield f'validate    {_data(label_statistics(runner.val_loop.dataloader.dataset), classes=False)}'
    yield _device_line(runner.cfg)
    batch = batch_size(runner)
    if isinstance(loop, EpochBasedTrainLoop):
        length = f'{counted(loop.max_epochs, "epoch")} of {counted(len(loop.dataloader), "step")}'
    else:
        length = counted(loop.max_iters, 'step')
    yield f'length      {length} of {counted(batch, "image")}'
    yield f'log         {short_path(runner.logger.log_file)}'


def describe_test(runner: Runner, checkpoints: Sequence[str | Path]) -> Iterator[str]:
    """Yields the lines that a test begins with."""
    yield _model_line(runner)
    yield f'weights     {some(map(str, checkpoints))}'
    yield f'test        {_data(label_statistics(runner.test_loop.dataloader.dataset))}'
    yield _device_line(runner.cfg)
    yield f'log         {short_path(runner.logger.log_file)}'


def batch_size(runner: Runner) -> int:
    """Returns the number of images of a training step, in all processes."""
    return (getattr(runner.train_loop.dataloader.batch_sampler, 'batch_size', None) or 1) * get_world_size()


def _model_line(runner: Runner) -> str:
    model = unwrapped(runner.model)
    parameters = list(model.parameters())
    count, fixed = (
        sum(weight.numel() for weight in weights)
        for weights in (parameters, [weight for weight in parameters if not weight.requires_grad])
    )
    # An ensemble has as many as it has members, and names each kind once.
    parts = [getattr(member, 'backbone', None) for member in getattr(model, 'members', [model])]
    names = dict.fromkeys(getattr(part, 'description', type(part).__name__) for part in parts if part is not None)
    of = f' of {" and ".join(names)}' if names else ''
    frozen = f', {fixed / 1e6:.2f} of them frozen' if fixed else ''
    return f'model       {type(model).__name__}{of}, {count / 1e6:.2f} million weights{frozen}'


def _start(runner: Runner) -> str:
    """Says which weights a training starts from."""
    cfg = runner.cfg
    if runner._resume:
        return f'{short_path(runner._load_from)}, which goes on after epoch {runner.epoch}, step {runner.iter}'
    if runner._load_from is not None:
        return short_path(runner._load_from)
    for part in (cfg.model, cfg.model.get('backbone') or {}):
        settings = part.get('init_cfg') or {}
        settings = settings if isinstance(settings, dict) else {}
        if settings.get('checkpoint'):
            return short_path(settings['checkpoint'])
    return 'random'


def short_path(path: str) -> str:
    """Returns a file as seen from the current folder; an address as it is."""
    return path if '://' in path else str(Path(path).resolve()).replace(f'{Path.cwd()}/', '', 1)


def _data(statistics: LabelStatistics, classes: bool = True) -> str:
    objects = '' if statistics.labels is None else f', {counted(len(statistics.labels), "object")}'
    names = statistics.classes if classes else ()
    of = f', {counted(len(names), "class", "classes")} ({some(names)})' if names else ''
    return f'{counted(statistics.images, "image")}{objects}{of}'


def _device_line(cfg: Config) -> str:
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        device = f'CPU, {counted(torch.get_num_threads(), "thread")}'
    processes = f', {get_world_size()} processes' if get_world_size() > 1 else ''
    wrapper = cfg.get('optim_wrapper') or {}
    # What MMEngine takes where the config names no type.
    half = 'float16' if torch.cuda.is_available() else 'bfloat16'
    precision = 'float32'
    if wrapper.get('type') in ('AmpOptimWrapper', 'CPUAmpOptimWrapper'):
        precision = f'{wrapper.get("dtype", half)}, weights in float32'
    elif (cfg.get('test_cfg') or {}).get('fp16'):
        precision = f'{half}, weights in float32'
    return f'device      {device}{processes}; {precision}'
