"""How ``init_cfg=dict(type='Pretrained', checkpoint=...)`` loads this project's networks: all of a file or an error.

MMEngine's own ``Pretrained`` loads what fits and is silent where nothing does. A module of this project that is
initialized from a file says how, as ``load_pretrained``; :class:`PretrainedWeights`, in MMEngine's registry, calls it.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from mmengine.model import BaseModule, initialize
from mmengine.registry import WEIGHT_INITIALIZERS


@WEIGHT_INITIALIZERS.register_module()
class PretrainedWeights:
    """Loads a module by its own ``load_pretrained``.

    Args:
        checkpoint: A file or an address.
    """

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = str(checkpoint)

    def __call__(self, module: PretrainedModule) -> None:
        module.load_pretrained(self.checkpoint)


class PretrainedModule(BaseModule):
    """A module whose ``init_cfg=dict(type='Pretrained', checkpoint=...)`` loads a file whole or not at all."""

    @abstractmethod
    def load_pretrained(self, source: str | Path) -> None:
        """Loads a file of weights.

        Args:
            source: A file or an address.

        Raises:
            InputError: The file cannot be read, or holds another network or variant; nothing has been loaded.
        """

    def init_random(self) -> None:
        """Draws random weights where there is no ``init_cfg``."""
        super().init_weights()

    def init_weights(self) -> None:
        """Loads the weights of ``init_cfg``, or draws random ones; once."""
        if self.is_init:
            return
        if self.init_cfg is None:
            self.init_random()
        elif isinstance(self.init_cfg, dict) and self.init_cfg['type'] == 'Pretrained':
            initialize(self, dict(self.init_cfg, type='PretrainedWeights'))
        else:
            super().init_weights()
        self.is_init = True
