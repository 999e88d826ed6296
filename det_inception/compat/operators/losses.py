"""Focal losses (Lin et al., arXiv 1708.02002).

Shape legend: N samples, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, one_hot


def focal_terms(input: Tensor, target: Tensor, weight: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Returns the probability of the true answer's side and its factor, both (N, K); ``target`` K is background."""
    hot = one_hot(target.long(), input.size(1) + 1)[:, : input.size(1)].bool()
    factor = torch.where(hot, alpha, 1.0 - alpha)
    if weight.numel():
        factor = factor * weight.to(factor)[target.long().clamp(max=weight.numel() - 1)][:, None]
    return hot, factor.to(input.dtype)


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    hot, factor = focal_terms(input, target, weight, alpha)
    logit = torch.where(hot, input, -input)
    output.copy_(-factor * torch.sigmoid(-logit) ** gamma * logsigmoid(logit))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    hot, factor = focal_terms(input, target, weight, alpha)
    logit = torch.where(hot, input, -input)
    p, log_p = torch.sigmoid(logit), logsigmoid(logit)
    grad = factor * (1 - p) ** gamma * (gamma * p * log_p + p - 1)
    grad_input.copy_(torch.where(hot, grad, -grad))


def softmax_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """-alpha (1 - p)^gamma log p of the probability p of the true class; ``input`` (N, K) is behind the softmax.

    A negative target counts nothing.
    """
    p, factor = softmax_terms(input, target, weight, alpha)
    output.copy_(-factor * (1 - p) ** gamma * p.log())


def softmax_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, buff: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Gradient of the logits (N, K); ``buff`` (N,) receives the derivative by log p."""
    p, factor = softmax_terms(input, target, weight, alpha)
    # (1 - p)^(gamma - 1) of p = 1 and gamma < 1 is infinite, but p log p beside it is 0.
    slope = torch.where(p < 1, gamma * (1 - p).clamp(min=1e-12) ** (gamma - 1) * p * p.log(), 0)
    buff.copy_(factor * (slope - (1 - p) ** gamma))
    hot = one_hot(target.clamp(min=0), input.size(1)).to(input.dtype)
    grad_input.copy_(buff[:, None] * (hot - input))


def softmax_terms(input: Tensor, target: Tensor, weight: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Returns the probability of the true class and the factor of its loss, both (N,)."""
    true = target.clamp(min=0)
    factor = alpha * (target >= 0).to(input.dtype)
    if weight.numel():
        factor = factor * weight.to(factor)[true]
    return input.gather(1, true[:, None])[:, 0].clamp(min=torch.finfo(torch.float32).tiny), factor
