"""What belongs together in a model: a network's channels and those of its head."""

from __future__ import annotations

from torch import nn

from det_inception.utils.errors import InputError


def require_channels(backbone: nn.Module, head: nn.Module) -> None:
    """Refuses a head that wants another number of channels than the backbone gives it.

    Without this, training would end with an error of a matrix product in its first step.

    Args:
        backbone: Checked if it says its ``out_channels``, one a returned stage.
        head: Its ``in_channels``, if it says them, are a number, for the last stage, or one for each.

    Raises:
        InputError: They differ.
    """
    given, wanted = getattr(backbone, 'out_channels', None), getattr(head, 'in_channels', None)
    if given is None or wanted is None:
        return
    given = tuple(given) if isinstance(wanted, (tuple, list)) else given[-1]
    if given != (tuple(wanted) if isinstance(wanted, (tuple, list)) else wanted):
        raise InputError(
            f'model.bbox_head.in_channels is {wanted}, and the backbone gives {given} channels; set '
            f'model.bbox_head.in_channels={str(given).replace(" ", "")}.'
        )
