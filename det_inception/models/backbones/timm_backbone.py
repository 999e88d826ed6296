"""Any network of timm as a backbone: Inception v3 and v4, Inception-ResNet v2, Xception, VGG, ResNet and the others.

Shape legend: N images or region crops, H and W their height and width, S stages, C channels of one.

timm is an extra: ``pip install -e '.[backbones]'``. It is imported when a network is built, so that the project works
without it.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from det_inception.ilsvrc.crops import INTERPOLATIONS
from det_inception.models.backbones.base import Backbone, WeightsConfig
from det_inception.models.backbones.keras_arithmetic import use_keras_arithmetic
from det_inception.models.layers.depthwise import quick_gradients
from det_inception.registry import MODELS
from det_inception.utils.errors import InputError, first_line
from det_inception.weights.checkpoints import without_backbone
from det_inception.weights.efficientnet import NETWORKS as EFFICIENTNETS
from det_inception.weights.efficientnet import is_efficientnet, named_by_timm
from det_inception.weights.files import CheckpointError, RawCheckpoint, read_raw
from det_inception.weights.keras import NETWORKS, KerasError, is_keras, read_keras
from det_inception.weights.keras import NORMALIZATION as KERAS_NORMALIZATION
from det_inception.weights.normalization import stated_normalization

if TYPE_CHECKING:
    from timm.models import PretrainedCfg

ADDRESS = 'timm://'
"""As ``checkpoint``: the weights that timm itself downloads for the network."""
KERAS = 'keras_arithmetic'
"""The buffer of a network that computes as Keras does."""
NETWORK = 'network.'
"""Where the backbone keeps timm's network."""
_ANOTHER = 'name a file of timm for this network.'


def require_timm() -> ModuleType:
    """Returns timm.

    Raises:
        InputError: It is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise InputError(
            f"TimmBackbone needs timm ({error}); install the project's extra with: pip install -e '.[backbones]'"
        ) from error
    return timm


def current_name(model_name: str) -> str:
    """Returns what timm calls a network today: papers and older code say ``xception``, timm ``legacy_xception``."""
    from timm.models import _registry

    return getattr(_registry, '_deprecated_models', {}).get(model_name) or model_name


def timm_normalization(model_name: str) -> dict:
    """Returns the normalization that timm's weights of a network want, as ``DetDataPreprocessor`` takes it.

    Raises:
        InputError: timm is missing, or does not know the network or its normalization.
    """
    timm = require_timm()
    require_known(timm, model_name)
    settings = timm.get_pretrained_cfg(current_name(model_name))
    if settings is None:
        raise InputError(f'model.backbone.model_name: timm states no normalization for {model_name!r}; use another.')
    return dict(
        mean=[255 * value for value in settings.mean], std=[255 * value for value in settings.std], bgr_to_rgb=True
    )


def timm_testing(model_name: str) -> dict | None:
    """Returns how timm tests its weights of a network, a rule of :mod:`det_inception.ilsvrc.crops`.

    None where such a rule cannot say it: images with a border, crops that are no squares, random interpolation.

    Raises:
        InputError: timm is missing, or does not know the network.
    """
    timm = require_timm()
    require_known(timm, model_name)
    settings = timm.get_pretrained_cfg(current_name(model_name))
    if settings is None:
        return None
    height, crop = settings.input_size[1:]
    interpolation = f'{settings.interpolation}_antialias'  # Pillow's.
    resize = dict(center='shorter', squash='squash').get(settings.crop_mode or 'center')
    if height != crop or interpolation not in INTERPOLATIONS or resize is None:
        return None
    return dict(resize=resize, side=int(crop / settings.crop_pct), crop=crop, interpolation=interpolation)


def require_known(timm: ModuleType, model_name: str) -> None:
    """Refuses a name that timm does not know."""
    if not timm.is_model(model_name.partition('.')[0]):
        import difflib

        close = difflib.get_close_matches(model_name, timm.list_models(), n=1)
        hint = f'did you mean {close[0]!r}?' if close else 'timm.list_models() names them all.'
        raise InputError(f'model.backbone.model_name: timm has no network {model_name!r}; {hint}')
    if '.' not in model_name:
        return
    known = timm.list_models(model_name.partition('.')[0], include_tags=True)
    if model_name not in known:
        choices = f'choose {" or ".join(known)}, or ' if known else ''
        raise InputError(
            f'model.backbone.model_name: timm has no weights {model_name!r}; {choices}leave out what is behind the dot.'
        )


def timm_settings(model_name: str) -> PretrainedCfg:
    """Returns what timm says about its weights of a network, or what it assumes where it has none."""
    timm = require_timm()
    return timm.get_pretrained_cfg(current_name(model_name)) or timm.models.PretrainedCfg()


def is_keras_file(source: str) -> bool:
    """Whether a source of weights is a file of Keras."""
    return source != ADDRESS and Path(source).is_file() and is_keras(source)


def _require_keras_network(model_name: str, name: str) -> None:
    if model_name not in NETWORKS:
        raise InputError(
            f"{name}: Keras' weights and arithmetic are known of {', '.join(NETWORKS)}, not of {model_name}; set "
            'model.backbone.model_name to one of them.'
        )


def _read_efficientnet(model_name: str, source: str, found: dict[str, Tensor]) -> dict[str, Tensor]:
    if not model_name.startswith(EFFICIENTNETS):
        raise InputError(
            f"{source}: is of efficientnet_pytorch, whose networks pad as TensorFlow's do; set "
            f'model.backbone.model_name to one whose name begins with {EFFICIENTNETS}, not {model_name}.'
        )
    wanted = require_timm().create_model(model_name).state_dict()
    named = named_by_timm(found, wanted)
    _require_arrays(model_name, source, named)
    if more := sorted({*named} - {*wanted}):
        raise InputError(
            f'{source}: has {len(more)} arrays more than {model_name}, the first being {more[0]}; {_ANOTHER}'
        )
    return named


def read_own(source: str) -> RawCheckpoint | None:
    """Reads a checkpoint of this project with a network of timm in it; None of anything else."""
    if source == ADDRESS or not Path(source).is_file() or is_keras(source):
        return None
    try:
        raw = read_raw(source)
    except CheckpointError:
        return None  # timm knows formats of its own, and its refusal is the one to hear.
    return raw if any(key.startswith(f'backbone.{NETWORK}') for key in raw.tensors) else None


def read_timm(model_name: str, source: str) -> dict[str, Tensor]:
    """Reads a file of timm's weights, or of ``efficientnet_pytorch``'s; it must hold the network up to its classifier.

    timm itself loads a file of other weights as far as it fits, without an error.

    Returns:
        The arrays under timm's names.

    Raises:
        InputError: timm cannot read the file, or it is of another network.
    """
    if not Path(source).is_file():
        raise InputError(f"{source}: no such file of weights; correct the path, or write '{ADDRESS}' to download.")
    try:
        found = require_timm().models.load_state_dict(source, weights_only=True)
    except Exception as error:
        raise InputError(f'{source}: holds no weights of timm ({first_line(error)}); name another file.') from error
    if is_efficientnet(found):
        return _read_efficientnet(model_name, source, found)
    _require_arrays(model_name, source, found)
    return found


def create_pretrained(model_name: str, source: str, **settings: object) -> nn.Module:
    """Returns a network with weights, as timm creates it from ``settings``.

    Args:
        model_name: Of the network.
        source: Where the weights come from, for messages.
        **settings: For ``timm.create_model``.

    Raises:
        InputError: timm cannot load the weights.
    """
    try:
        return require_timm().create_model(model_name, pretrained=True, **settings)
    except Exception as error:  # The network, the hub's client and the unpickler raise nearly anything.
        raise InputError(
            f'{source}: timm cannot load weights of {model_name} ({first_line(error)}); fetch its file on '
            'another machine and name that, or correct the network.'
        ) from error


def classifier_layers(settings: Mapping) -> tuple[str, ...]:
    """Returns the names of the layers that tell classes apart, the main one first, by timm's settings of a network."""
    heads = settings.get('classifier') or ()
    return (heads,) if isinstance(heads, str) else tuple(heads)


def _require_arrays(model_name: str, source: str, found: dict[str, Tensor], uncounted: bool = False) -> dict:
    """Refuses arrays that do not make the network; returns them, with the counters that ``uncounted`` files lack."""
    whole = require_timm().create_model(model_name)
    heads = tuple(f'{head}.' for head in classifier_layers(whole.pretrained_cfg))
    wanted = {key: value.shape for key, value in whole.state_dict().items() if not key.startswith(heads)}
    if uncounted:
        found = {key: torch.tensor(0) for key in wanted if key.endswith('num_batches_tracked')} | found
    wrong = [key for key, shape in wanted.items() if getattr(found.get(key), 'shape', None) != shape]
    if wrong:
        raise InputError(
            f'{source}: {len(wrong)} of the {len(wanted)} arrays of {model_name} are missing or of another '
            f'shape, the first being {wrong[0]}; {_ANOTHER}'
        )
    return found


def _stages(out_indices: Sequence[int]) -> tuple[int, ...]:
    whole = isinstance(out_indices, Sequence) and all(type(index) is int for index in out_indices)
    if not whole or not out_indices:
        raise InputError(f'model.backbone.out_indices is {out_indices!r}; list the numbers of stages, such as [1,2,3].')
    return tuple(out_indices)


@functools.cache
def frozen_parameters(model_name: str, last: int) -> frozenset[str]:
    """Returns the names of the parameters on which the first stages of a network depend.

    They are found by running the network, because its modules do not say it: some belong to several stages.

    Args:
        model_name: Of the network.
        last: The last of the stages.

    Raises:
        InputError: The network does not run without numbers, as PyTorch's meta device runs it.
    """
    try:
        with torch.device('meta'), torch.enable_grad():
            network = require_timm().create_model(model_name, features_only=True, out_indices=tuple(range(last + 1)))
            maps = network.eval()(torch.zeros(1, *timm_settings(model_name).input_size))
    except (AssertionError, RuntimeError) as error:
        raise InputError(
            f'model.backbone.frozen_stages: {model_name} does not show what its first stages depend on '
            f'({first_line(error)}); set it to -1.'
        ) from error
    found, seen, waiting = set(), set(), [stage.grad_fn for stage in maps]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            found.add(getattr(node, 'variable', None))  # Of the nodes, those of parameters have it.
            waiting.extend(function for function, _ in node.next_functions)
    return frozenset(name for name, parameter in network.named_parameters() if parameter in found)


@MODELS.register_module()
class TimmBackbone(Backbone):
    """A network of timm, by its ``features_only`` interface.

    Args:
        model_name: timm's name, such as ``'inception_v4'``, or with a tag of its weights, ``'inception_v3.tf_in1k'``.
            Former names, such as ``'xception'``, stand for the present ones.
        out_indices: Which stages' outputs ``forward`` returns; negative ones count from the last.
        frozen_stages: Stages 0 to ``frozen_stages`` keep their weights and their batch-norm statistics; -1: none do.
        norm_eval: Batch norm uses, and keeps, its stored statistics in training too.
        arithmetic: ``'timm'``, or ``'keras'`` for Keras' weights of the three networks in
            :mod:`det_inception.weights.keras`; see :mod:`det_inception.models.backbones.keras_arithmetic`.
        init_cfg: ``dict(type='Pretrained', checkpoint=...)`` with a file of timm's weights for this network (``.pth``,
            ``.safetensors``; its classifier is left out), or of ``efficientnet_pytorch``'s for ``tf_efficientnet_...``;
            or ``'timm://'``: timm downloads them. None: random weights.

    Raises:
        InputError: timm is missing or does not know the network.
    """

    def __init__(
        self,
        model_name: str,
        out_indices: Sequence[int] = (-1,),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        arithmetic: str = 'timm',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        timm = require_timm()
        require_known(timm, model_name)
        model_name = current_name(model_name)
        self.model_name, self.frozen_stages, self.norm_eval = model_name, frozen_stages, norm_eval
        self._requested = _stages(out_indices)
        try:
            self.network = timm.create_model(model_name, features_only=True, out_indices=self._requested)
        except (AssertionError, IndexError, ValueError) as error:
            raise InputError(
                f'model.backbone: {model_name} cannot give the stages {self._requested} ({error}); choose others for '
                'out_indices.'
            ) from error
        self._set_arithmetic(arithmetic)
        self._channels_last = getattr(self.network, 'output_fmt', None) == 'NHWC'  # Some transformers' maps.
        stages = self.network.feature_info.info
        self.feature_info = tuple(
            dict(name=stage['module'], channels=stage['num_chs'], stride=stage['reduction'], first_center=None)
            for stage in stages
        )
        self.out_indices = tuple(index % len(stages) for index in self._requested)
        if list(self.out_indices) != sorted({*self.out_indices}):
            raise InputError(
                f'model.backbone.out_indices: {self._requested} are the stages {self.out_indices}; name each once, in '
                'ascending order, as timm returns them.'
            )
        if frozen_stages not in range(-1, max(self.out_indices) + 1):
            raise InputError(
                f'model.backbone.frozen_stages is {frozen_stages}; -1 (none) to {max(self.out_indices)} are possible '
                f'with the stages {self.out_indices}.'
            )
        self._timm_settings = timm_settings(model_name)
        self._finish()

    def _set_arithmetic(self, arithmetic: str) -> None:
        if arithmetic not in ('timm', 'keras'):
            raise InputError(f"model.backbone.arithmetic is {arithmetic!r}; choose 'timm' or 'keras'.")
        self.arithmetic = arithmetic
        if arithmetic == 'keras':
            _require_keras_network(self.model_name, 'model.backbone')
            use_keras_arithmetic(self.network, self.model_name)
            self.register_buffer(KERAS, torch.tensor(True))  # Tells checkpoints apart, whose arrays are alike.

    @property
    def description(self) -> str:
        """timm's name of the network."""
        return f'{self.model_name} of timm'

    @property
    def default_normalization(self) -> dict:
        """The normalization for random weights: that of timm's own."""
        return timm_normalization(self.model_name)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Returns the features (N, C, H / stride, W / stride) of the stages in ``out_indices``."""
        try:
            with quick_gradients(images):
                maps = self.network(images)
        except AssertionError as error:  # That is how timm's transformers refuse a size.
            height, width = images.shape[2:]
            raise InputError(
                f'model.backbone: {self.model_name} takes no image of {width} x {height} pixels ({first_line(error)}); '
                'give it other images (of R-CNN, model.region_warp.size), or take another network.'
            ) from error
        return tuple(stage.permute(0, 3, 1, 2) for stage in maps) if self._channels_last else tuple(maps)

    def init_random(self) -> None:
        """Does nothing: timm has drawn random weights."""

    def _example(self) -> Tensor:
        settings = self._timm_settings
        return torch.zeros(settings.input_size if settings.fixed_input_size else (3, 128, 128))[None]

    @classmethod
    def config_from_pretrained(cls, config: Mapping, source: str) -> WeightsConfig:
        """Returns what timm says about its weights of the network, or a checkpoint of this project about its own.

        That is the normalization, and of timm's the crop of a test.
        """
        name = config['model_name']
        own = read_own(source)
        if own is not None:
            return cls.config_from_checkpoint(config, dict(state_dict=own.tensors, meta=own.meta), source)
        if is_keras_file(source):
            _require_keras_network(current_name(name), source)
            return WeightsConfig(dict(arithmetic='keras'), copy.deepcopy(KERAS_NORMALIZATION))
        return WeightsConfig({}, timm_normalization(name), timm_testing(name))

    @classmethod
    def config_from_checkpoint(cls, config: Mapping, checkpoint: Mapping, path: str | Path) -> WeightsConfig:
        """Returns what the checkpoint says of its normalization, and how its network computes."""
        stated = super().config_from_checkpoint(config, checkpoint, path)
        found = 'keras' if f'backbone.{KERAS}' in checkpoint['state_dict'] else 'timm'
        return stated if config.get('arithmetic', 'timm') == found else stated._replace(settings=dict(arithmetic=found))

    def load_pretrained(self, source: str | Path) -> None:
        """Loads timm's weights of the network from a file or :data:`ADDRESS`, and notes their normalization.

        The file may also be a detector or classifier of this project with the network in it.
        """
        source = str(source)
        if (own := read_own(source)) is not None:
            self._load_own(own, source)
            return
        overlay, keras = {}, is_keras_file(source)
        if keras:
            overlay = dict(pretrained_cfg_overlay=dict(state_dict=self._read_keras(source)))
        elif source != ADDRESS:
            overlay = dict(pretrained_cfg_overlay=dict(state_dict=read_timm(self.model_name, source)))
        loaded = create_pretrained(self.model_name, source, features_only=True, out_indices=self._requested, **overlay)
        self.network.load_state_dict(loaded.state_dict())
        self.normalization = copy.deepcopy(KERAS_NORMALIZATION) if keras else timm_normalization(self.model_name)
        print_log(f'TimmBackbone: loaded the weights of {self.model_name} from {source}', logger='current')

    def _load_own(self, own: RawCheckpoint, source: str) -> None:
        given, wanted = without_backbone(own.tensors), self.state_dict()
        for key, value in wanted.items():
            if key not in given or given[key].shape != value.shape:
                raise CheckpointError(
                    f'{source}: holds another network than {self.model_name}, with {key} '
                    f'{"missing" if key not in given else "of another shape"}; correct model.backbone.model_name.'
                )
        self.load_state_dict({key: given[key] for key in wanted})
        self.normalization = stated_normalization(own.meta, own.tensors)
        print_log(f'TimmBackbone: loaded the backbone of {source}', logger='current')

    def _read_keras(self, source: str) -> dict[str, Tensor]:
        if self.arithmetic != 'keras':
            raise InputError(f"{source}: is of Keras, which computes otherwise; set model.backbone.arithmetic='keras'.")
        try:
            found = read_keras(source, self.model_name)
        except (OSError, KerasError) as error:
            raise InputError(
                f'{source}: holds no weights of Keras for {self.model_name} ({first_line(error)}); name another file.'
            ) from error
        return _require_arrays(self.model_name, source, found, uncounted=True)

    def _finish(self) -> None:
        super()._finish()
        for name in self._frozen:  # Those too of a module that is frozen in part, such as a position embedding.
            self.network.get_parameter(name).requires_grad_(False)

    @property
    def _frozen(self) -> frozenset[str]:
        return frozen_parameters(self.model_name, self.frozen_stages) if self.frozen_stages >= 0 else frozenset()

    def _frozen_modules(self) -> list[nn.Module]:
        """The modules that belong to the frozen stages as a whole, as few as hold them all."""
        names, frozen = self._frozen, []

        def collect(module: nn.Module, prefix: str) -> None:
            inside = [f'{prefix}{name}' for name, _ in module.named_parameters()]
            if inside and names.issuperset(inside):
                frozen.append(module)
            elif not names.isdisjoint(inside):
                for name, child in module.named_children():
                    collect(child, f'{prefix}{name}.')

        collect(self.network, '')
        return frozen
