"""An extension of Griffe, which reads the docstrings: it turns what Griffe and Markdown do not know."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r':\w+:`(~?)([\w.]+)`')


class Docstrings(griffe.Extension):
    """Lets doctests appear as code, and names of Sphinx, such as ``:func:`name```, without their roles."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Is called for every module, class, function and attribute."""
        if obj.docstring is not None:
            text = re.sub(r'(?m)^(\s*)Example:$', r'\1Examples:', obj.docstring.value)
            obj.docstring.value = _ROLE.sub(_name, text)


def _name(match: re.Match) -> str:
    """Returns a name as code; of one with a tilde the last part, as Sphinx shows it."""
    return f'`{match[2].rpartition(".")[2] if match[1] else match[2]}`'
