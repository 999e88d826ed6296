"""Builds one model, and runs it: the losses of two images, their gradients, a prediction."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.logging import MessageHub
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch import distributed, nn

from det_inception.zoo.configs import said
from det_inception.zoo.inputs import make_batch, settings_of, shrink
from det_inception.zoo.pretended_gpu import device_context

STEPS = ('build', 'loss', 'backward', 'predict')


def _alone(model: Mapping) -> None:
    """Makes this process a group of its own where a model adds up statistics of several."""
    if 'MMSyncBN' in settings_of(model, 'type') and not distributed.is_initialized():
        distributed.init_process_group('gloo', store=distributed.HashStore(), rank=0, world_size=1)


def build(model: Mapping) -> dict:
    """Builds a model without memory for its weights where it can.

    Args:
        model: Its settings.

    Returns:
        ``parameters``, how many, or ``error``.
    """
    init_default_scope('mmdet')
    _alone(model)
    try:
        with torch.device('meta'):
            network = MODELS.build(ConfigDict(copy.deepcopy(model)))
    except Exception:  # Some look at their weights, or compute with NumPy, while they are built.
        try:
            network = MODELS.build(ConfigDict(copy.deepcopy(model)))
        except Exception as error:  # The model is a stranger's: anything may go wrong in it.
            return dict(error=said(error))
    return dict(parameters=sum(parameter.numel() for parameter in network.parameters()))


def run(model: Mapping, device: str = 'cpu') -> dict:
    """Builds a model with random weights and runs it on small random images.

    Args:
        model: Its settings.
        device: Where; see :func:`~det_inception.zoo.pretended_gpu.device_context`.

    Returns:
        ``steps``, those of :data:`STEPS` that went well; ``seconds``; and, where one did not, ``error``.
    """
    started, passed, model = time.monotonic(), [], copy.deepcopy(dict(model))
    init_default_scope('mmdet')
    _alone(model)
    torch.manual_seed(0)
    hub = MessageHub.get_current_instance()
    for name in ('iter', 'epoch'):
        hub.update_info(name, 0)
    try:
        shrink(model)
        network = revert_sync_batchnorm(MODELS.build(ConfigDict(copy.deepcopy(model))))
        network.init_weights()
    except Exception as raised:  # The model is a stranger's: anything may go wrong in it.
        error = said(raised)
    else:
        with device_context(device) as place:
            error = _run(network, model, place, passed)
    result = dict(steps=passed, seconds=round(time.monotonic() - started, 1))
    return result if error is None else dict(result, error=error)


def _run(network: nn.Module, model: Mapping, device: torch.device, passed: list[str]) -> str | None:
    """Adds the steps that go well to ``passed``, and returns the first error, if any."""
    try:
        network.to(device)
    except Exception as raised:
        return said(raised)
    passed.append('build')
    error = None
    try:
        total = _loss(network, make_batch(model, training=True))
        if total is not None:
            passed.append('loss')
            total.backward()
            if not any(one.grad is not None for one in network.parameters()):
                raise ArithmeticError('no weight has got a gradient')
            passed.append('backward')
    except Exception as raised:
        error = said(raised)
    try:  # Configs that are for prediction alone cannot train.
        network.eval()
        with torch.no_grad():
            network.test_step(_for_prediction(make_batch(model, training=False), model))
        passed.append('predict')
    except Exception as raised:
        error = error or said(raised)
    return error


def _loss(network: nn.Module, batch: Mapping) -> torch.Tensor | None:
    """Returns the sum of the losses; None for a tracker, whose parts are trained each by itself."""
    network.train()
    data = network.data_preprocessor(copy.deepcopy(batch), training=True)
    try:
        losses = network(**data, mode='loss')
    except NotImplementedError as error:
        if 'Please train' in str(error):
            return None
        raise
    total, _ = network.parse_losses(losses)
    if not torch.isfinite(total):
        raise ArithmeticError(f'the loss is {total.item()}')
    return total


def _for_prediction(batch: Mapping, model: Mapping) -> dict:
    """The images alone, of the first branch where a training has several.

    One image where a text comes in pieces, and for guided anchoring: MMCV's masked convolution takes no more at a time.
    """
    batch = {key: value['sup'] if isinstance(value, Mapping) else value for key, value in copy.deepcopy(batch).items()}
    single = any(isinstance(size, int) and size > 0 for size in settings_of(model, 'chunked_size'))
    single = single or any(kind in ('GARPNHead', 'GARetinaHead') for kind in settings_of(model, 'type'))
    return {key: value[:1] for key, value in batch.items()} if single else batch
