"""An extension of Griffe, which reads the docstrings: "Example:" is the section that it knows as "Examples:"."""

from __future__ import annotations

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Lets doctests appear as code."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Is called for every module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r'(?m)^(\s*)Example:$', r'\1Examples:', obj.docstring.value)
