"""The parameters of a proposal method as a store keeps them: JSON that says what the boxes depend on."""

import json
from collections.abc import Mapping
from typing import Any


def as_json(parameters: Mapping[str, Any]) -> str:
    """Writes parameters, names and values that JSON has, as text; equal parameters give equal text.

    Raises:
        ValueError: A name is no string, or a number is not finite.
        TypeError: JSON has no such value.
    """
    if not all(isinstance(name, str) for name in parameters):
        raise ValueError(f'The names of parameters must be strings, not {list(parameters)}.')
    return json.dumps(dict(parameters), sort_keys=True, allow_nan=False, ensure_ascii=False)


def with_current_names(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Returns parameters under the names of this version; version 0.1 had a few others.

    Example:
        >>> with_current_names({'method': 'selective_search', 'colour_spaces': ['lab']})
        {'method': 'selective_search', 'color_spaces': ['lab']}
    """
    names = {'colour_spaces': 'color_spaces'}
    is_mix = parameters.get('method') == 'mix'
    if is_mix:
        names.update(multibox='first', selective_search='second')
    current = {
        names.get(name, name): with_current_names(value) if isinstance(value, Mapping) else value
        for name, value in parameters.items()
    }
    return current | {'method': 'mixed'} if is_mix else current
