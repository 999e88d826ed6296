"""Names that Transformers 5 has elsewhere or no more, and for which MMDetection and MMPretrain ask where they were.

MMDetection then takes Transformers for missing, and GLIP cannot be built. Where MMPretrain is installed too,
MMDetection cannot be imported (a ``TypeError``). GLIP and Grounding DINO encode texts by a method that is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from importlib.util import find_spec

import torch


def restore_transformers_names() -> None:
    """Adds what Transformers lacks to ``modeling_utils`` and to its tokenizers; does nothing without Transformers."""
    if find_spec('transformers') is None:
        return
    try:
        import transformers
        from transformers import modeling_utils, pytorch_utils
    except ImportError:  # It is broken; who uses it says so.
        return
    for module, names in (
        (pytorch_utils, ('apply_chunking_to_forward', 'prune_linear_layer')),
        (transformers, ('GenerationConfig', 'GenerationMixin', 'PretrainedConfig')),
    ):
        for name in names:
            if not hasattr(modeling_utils, name) and hasattr(module, name):
                setattr(modeling_utils, name, getattr(module, name))
    if not hasattr(modeling_utils, 'find_pruneable_heads_and_indices'):
        modeling_utils.find_pruneable_heads_and_indices = find_pruneable_heads_and_indices
    for kind, method in (
        (transformers.PreTrainedTokenizerBase, batch_encode_plus),
        (transformers.PreTrainedModel, get_extended_attention_mask),
    ):
        if not hasattr(kind, method.__name__):
            setattr(kind, method.__name__, method)


def batch_encode_plus(self: Callable, batch_text_or_text_pairs: Sequence, **kwargs: object) -> object:
    """Encodes texts with a tokenizer, which since version 3 is called for that."""
    return self(batch_text_or_text_pairs, **kwargs)


def get_extended_attention_mask(
    self: torch.nn.Module, attention_mask: torch.Tensor, *_: object, **__: object
) -> torch.Tensor:
    """Returns what is added to the logits of an attention: 0 for a token that is seen, else the least number.

    Args:
        attention_mask: (N, T), or (N, T, T) where tokens see different ones; not 0 for those that are seen.

    Returns:
        (N, 1, 1, T) or (N, 1, T, T), of the kind of the model's weights.
    """
    mask = attention_mask[:, None, None] if attention_mask.dim() == 2 else attention_mask[:, None]
    kind = next((one.dtype for one in self.parameters() if one.is_floating_point()), torch.float32)
    return torch.zeros(mask.shape, dtype=kind, device=mask.device).masked_fill_(mask == 0, torch.finfo(kind).min)


def find_pruneable_heads_and_indices(
    heads: Collection[int], n_heads: int, head_size: int, already_pruned_heads: Collection[int]
) -> tuple[set[int], torch.Tensor]:
    """Says which heads of an attention are still to be pruned, and which of its outputs stay.

    Args:
        heads: To prune, numbered as before any pruning.
        n_heads: How many are left.
        head_size: Outputs of one.
        already_pruned_heads: Those that are gone.

    Returns:
        Those of ``heads`` that are not gone, and int64 indices of the outputs that stay.
    """
    left, gone = set(heads) - set(already_pruned_heads), sorted(already_pruned_heads)
    stays = torch.ones(n_heads, head_size, dtype=torch.bool)
    for head in left:
        stays[head - sum(other < head for other in gone)] = False
    return left, stays.flatten().nonzero().flatten()
