"""Proposal methods as objects: what a method is, which ones there are, and how a config names one.

A config, ``tools/make_proposals.py`` and the demo all name a method by the same dict: its ``type`` and the arguments of
its class, as in ``dict(type='SelectiveSearch', mode='fast')``. The type is a name in :data:`PROPOSAL_METHODS`, or
``'package.module:Class'`` for a class of any other module. Modules are imported when a method is built, so that
selective search needs no torch.

To add a method, write a class that fulfils :class:`ProposalMethod` and add a line to :data:`PROPOSAL_METHODS`; outside
the project, decorate the class with :func:`register_method`, or name it as ``'package.module:Class'``.

Shape legend: N proposals of an image; H, W its height and width in pixels.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from det_inception.proposals.errors import ProposalError
from det_inception.utils.errors import InputError

DEFAULT_METHOD = dict(type='SelectiveSearch')


class ProposalMethod(Protocol):
    """A way to make proposals. It is sent to other processes, so it must be picklable.

    A method that is faster on several images at once also has ``batch_size``, their number, and ``batch(images)``,
    which returns a list of what ``__call__`` returns for each.
    """

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Proposes boxes.

        Args:
            image: uint8 (H, W, 3), BGR.

        Returns:
            Boxes (N, 4), x1 y1 x2 y2 in continuous pixel coordinates, best first; and their scores (N,), or None where
            the method only ranks.
        """

    @property
    def parameters(self) -> dict[str, Any]:
        """What the boxes depend on, in values that JSON has: two methods with equal parameters give equal boxes."""


PROPOSAL_METHODS: dict[str, str | type] = {
    'SelectiveSearch': 'det_inception.proposals.selective_search:SelectiveSearch',
    'MultiBox': 'det_inception.inference.multibox_proposals:MultiBoxProposer',
    'Mixed': 'det_inception.proposals.mixing:Mixed',
}
"""Class of each method, or where it is: ``'package.module:Class'``."""

Class = TypeVar('Class', bound=type)


def register_method(method: Class) -> Class:
    """Class decorator that adds a method to :data:`PROPOSAL_METHODS` under the name of its class.

    Raises:
        ProposalError: Another class has this name already.

    Example:
        >>> @register_method
        ... class WholeImage:
        ...     parameters = {'method': 'whole_image'}
        ...
        ...     def __call__(self, image):
        ...         return np.array([[0, 0, image.shape[1], image.shape[0]]]), None
        >>> build_method(dict(type='WholeImage'))(np.zeros((20, 30, 3), np.uint8))[0].tolist()
        [[0, 0, 30, 20]]
    """
    name = method.__name__
    known = PROPOSAL_METHODS.get(name, method)
    if (known if isinstance(known, str) else _place(known)) != _place(method):
        raise ProposalError(f'There is another proposal method {name}; give {_place(method)} another name.')
    PROPOSAL_METHODS[name] = method
    return method


def build_method(settings: Mapping[str, Any]) -> ProposalMethod:
    """Builds a method from its dict in a config; arguments that are such dicts themselves are built first.

    Args:
        settings: ``type`` and the arguments of the class.

    Raises:
        ProposalError: The type or an argument is unknown, an argument is missing or has a wrong value, or the class is
            no proposal method.

    Example:
        >>> build_method(dict(type='SelectiveSearch', mode='fast', width=300))
        SelectiveSearch(mode='fast', width=300, min_size=20)
    """
    if not isinstance(settings, Mapping) or not settings.get('type'):
        raise ProposalError(
            f"A proposal method is {settings!r}, not a dict that names its type, as in dict(type='SelectiveSearch')."
        )
    arguments = dict(settings)
    name = arguments.pop('type')
    method = method_class(name)
    parameters = inspect.signature(method).parameters
    known = arguments_of(method)
    for argument in arguments:
        if known is not None and argument not in known:
            raise ProposalError(f'{name} has no argument {argument!r}; {_nearest(argument, known)}')
    missing = [
        argument
        for argument, parameter in parameters.items()
        if argument in (known or ()) and parameter.default is parameter.empty and argument not in arguments
    ]
    if missing:
        raise ProposalError(f'{name} needs {" and ".join(missing)}; give it in the dict of the proposal method.')
    arguments = {key: build_method(value) if _is_method(value) else value for key, value in arguments.items()}
    try:
        return method(**arguments)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise ProposalError(f'{name}: {error}') from error


def method_class(name: str | type) -> type:
    """Returns a method's class by its name in :data:`PROPOSAL_METHODS` or by ``'package.module:Class'``.

    Raises:
        ProposalError: There is none, it cannot be imported, or it is no proposal method.
    """
    found = PROPOSAL_METHODS.get(name, name)
    if isinstance(found, str):
        module, colon, attribute = found.partition(':')
        if not colon:
            raise ProposalError(f'There is no proposal method {name!r}; {_nearest(name, PROPOSAL_METHODS)}')
        try:
            found = getattr(importlib.import_module(module), attribute)
        except (ImportError, ValueError, AttributeError) as error:
            raise ProposalError(
                f'The proposal method {name} cannot be imported ({error}); correct its name, or add its folder to '
                'PYTHONPATH.'
            ) from error
    bases = getattr(found, '__mro__', ())
    lacking = [
        part
        for part in ('__call__', 'parameters')
        if not any(part in vars(base) or part in inspect.get_annotations(base) for base in bases)
    ]
    if lacking:
        raise ProposalError(
            f'{name} is no proposal method: it has no {" and no ".join(lacking)}; see ProposalMethod in '
            'det_inception/proposals/methods.py.'
        )
    return found


def with_options(settings: Mapping[str, Any] | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a method's dict with some settings changed, as the command line gives them.

    Args:
        settings: The dict; None stands for :data:`DEFAULT_METHOD`.
        options: By name: an argument of the method, or else of those of its parts that have it; ``first.width`` is
            ``width`` of the part ``first``. ``type`` names another method, which starts without arguments.

    Raises:
        ProposalError: Neither the method nor a part has such an argument.

    Example:
        >>> mixed = dict(type='Mixed', first=dict(type='MultiBox'), second=dict(type='SelectiveSearch', mode='fast'))
        >>> with_options(mixed, {'width': 300})['second']
        {'type': 'SelectiveSearch', 'mode': 'fast', 'width': 300}
    """
    changed = _copied(DEFAULT_METHOD if settings is None else settings)
    # A new type comes first: the other options are its arguments.
    for name in sorted(options, key=lambda name: name.rpartition('.')[2] != 'type'):
        if not _set(changed, name, options[name]):
            known = arguments_of(method_class(changed['type'])) or ()
            raise ProposalError(
                f'The proposal method {changed["type"]} has no argument {name!r}; {_nearest(name, known)}'
            )
    return changed


def propose_batch(method: ProposalMethod, images: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """Returns boxes and scores of several images, uint8 (H, W, 3) BGR, made at once where the method can."""
    return method.batch(images) if hasattr(method, 'batch') else [method(image) for image in images]


def arguments_of(method: Callable) -> tuple[str, ...] | None:
    """Returns the names of a class's arguments; None if it takes any."""
    parameters = inspect.signature(method).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return tuple(parameter.name for parameter in parameters)


def _is_method(value: object) -> bool:
    return isinstance(value, Mapping) and 'type' in value


def _copied(settings: Mapping[str, Any]) -> dict[str, Any]:
    # Unlike copy.deepcopy, this takes a part that occurs twice apart.
    return {key: _copied(value) if isinstance(value, Mapping) else value for key, value in settings.items()}


def _set(settings: dict[str, Any], name: str, value: Any) -> bool:
    """Sets an argument where it belongs; returns whether it belongs anywhere."""
    part, dot, rest = name.partition('.')
    if dot:
        return _is_method(settings.get(part)) and _set(settings[part], rest, value)
    if name == 'type':
        settings.clear()
        settings['type'] = value
        return True
    known = arguments_of(method_class(settings['type']))
    if known is None or name in known:
        settings[name] = value
        return True
    return any([_set(part, name, value) for part in settings.values() if _is_method(part)])


def _nearest(name: str, known: Iterable[str]) -> str:
    """Says which known name is meant, or which there are."""
    by_lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
    if close:
        return f'did you mean {by_lower[close[0]]!r}?'
    return f'choose from {", ".join(by_lower.values())}.' if by_lower else 'it has none.'


def _place(method: type) -> str:
    return f'{method.__module__}:{method.__qualname__}'
