"""One place for the normalization of a model: buffers of its data preprocessor, which a checkpoint carries.

The backbone's weights decide it. So a config names neither ``mean`` nor ``std``: :func:`fit_normalization` copies
``backbone.normalization`` into the preprocessor, and whoever loads the checkpoint later gets both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from det_inception.utils.errors import InputError
from det_inception.weights.normalization import KEYS, as_buffers, describe, same_normalization


class NormalizationBuffers(nn.Module):
    """What a data preprocessor inherits from, before MMEngine's ``ImgDataPreprocessor``.

    Attributes:
        mean: float32 (3, 1, 1), 0 to 255, in the order of the channels after ``bgr_to_rgb``.
        std: Likewise.
        bgr_to_rgb: bool, a tensor of no dimension: whether to reverse the order of the channels.
        origin: Where they come from: ``'config'``; ``'weights'``, the backbone's; ``'checkpoint'``, this model's; or
            None: from nowhere yet, so the values mean nothing.
    """

    def __init__(
        self,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        bgr_to_rgb: bool = False,
        **kwargs,
    ) -> None:
        # Buffers are replaced below: MMEngine's are not persistent, and of integers where the config has integers.
        super().__init__(mean=mean, std=std, bgr_to_rgb=bgr_to_rgb, **kwargs)
        given = dict(mean=mean or [0.0] * 3, std=std or [1.0] * 3, bgr_to_rgb=self._channel_conversion)
        for name, value in as_buffers(given).items():
            self.__dict__.pop(name, None)
            self.register_buffer(name, value)
        self.origin: str | None = 'config' if mean is not None else None

    @property
    def normalization(self) -> dict | None:
        """``mean``, ``std`` and ``bgr_to_rgb`` as plain values; None if nothing has said them yet."""
        return None if self.origin is None else plain_values(self)

    def set_normalization(self, normalization: Mapping, origin: str) -> None:
        """Changes the buffers in place, where a wrapper for distributed training keeps track of them."""
        for name, value in as_buffers(normalization).items():
            getattr(self, name).copy_(value)
        self._use(origin)

    def _use(self, origin: str) -> None:
        self.origin, self._enable_normalize = origin, True
        self._channel_conversion = bool(self.bgr_to_rgb)  # What MMEngine asks for every image.

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Tensor],
        prefix: str,
        local_metadata: dict,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Loads the buffers; a checkpoint of version 0.1, which has none, leaves them as they are."""
        missing: list[str] = []
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing, unexpected_keys, error_msgs)
        names = [prefix + name for name in KEYS]
        if all(name in missing for name in names):
            missing = [name for name in missing if name not in names]
        else:
            self._use('checkpoint')
        missing_keys.extend(missing)


def plain_values(preprocessor: nn.Module) -> dict:
    """Returns ``mean``, ``std`` and ``bgr_to_rgb`` of a data preprocessor that normalizes, also of MMDetection's."""
    mean, std = (getattr(preprocessor, name).flatten().tolist() for name in ('mean', 'std'))
    return dict(mean=mean, std=std, bgr_to_rgb=bool(preprocessor._channel_conversion))


def fit_normalization(model: nn.Module) -> None:
    """Gives a model's data preprocessor the normalization of its backbone's weights.

    What a checkpoint of the whole model has brought stays. A backbone with random weights gets what it suggests,
    ``default_normalization``.

    Args:
        model: With ``data_preprocessor``, and ``backbone`` that says its ``normalization``, as those of this project.
            Another backbone changes nothing.

    Raises:
        InputError: The config names ``mean`` and ``std``, and the backbone's weights need others.
    """
    backbone, preprocessor = getattr(model, 'backbone', None), model.data_preprocessor
    if getattr(preprocessor, 'origin', None) == 'checkpoint':
        return
    needed = getattr(backbone, 'normalization', None)
    if getattr(preprocessor, 'origin', None) == 'config' or not isinstance(preprocessor, NormalizationBuffers):
        _require_same(needed, preprocessor)
        return
    if needed is None and preprocessor.origin is None:
        needed = getattr(backbone, 'default_normalization', None)
    if needed is not None:
        preprocessor.set_normalization(needed, 'weights')


def _require_same(needed: Mapping | None, preprocessor: nn.Module) -> None:
    if needed is None or not getattr(preprocessor, '_enable_normalize', False):
        return
    used = plain_values(preprocessor)
    if not same_normalization(needed, used):
        hint = "take type='BackboneDataPreprocessor' without mean, std and bgr_to_rgb."
        if isinstance(preprocessor, NormalizationBuffers):
            hint = 'leave mean, std and bgr_to_rgb out.'
        raise InputError(
            f"the backbone's weights need images in {describe(needed)}, and model.data_preprocessor says "
            f'{describe(used)}; {hint}'
        )


def require_normalization(preprocessor: NormalizationBuffers) -> None:
    """Refuses to go on where nothing has said yet how images are normalized.

    Raises:
        InputError: Nothing has.
    """
    if preprocessor.origin is None:
        raise InputError(
            'model.data_preprocessor has no normalization: neither the checkpoint nor the backbone says it; load a '
            'checkpoint that does, or set mean, std and bgr_to_rgb in model.data_preprocessor.'
        )
