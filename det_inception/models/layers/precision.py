"""Which numbers of 16 bits a GPU computes in."""

import torch


def gpu_has_bfloat16() -> bool:
    """Whether PyTorch's GPU has arithmetic for bfloat16."""
    return torch.cuda.is_bf16_supported(including_emulation=False)


def gpu_half_precision() -> str:
    """Returns ``'bfloat16'``, which has float32's range, or ``'float16'`` for an older GPU."""
    return 'bfloat16' if gpu_has_bfloat16() else 'float16'
