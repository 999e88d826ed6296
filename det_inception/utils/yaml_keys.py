"""YAML's rule that the keys of a mapping differ, which PyYAML does not check: it takes the last one without a word."""

from __future__ import annotations

import yaml


def require_different_keys(node: yaml.Node | None) -> None:
    """Makes sure that no mapping of a document says two things of one key.

    Args:
        node: The document, as ``get_single_node`` of a loader gives it; None: an empty one.

    Raises:
        yaml.MarkedYAMLError: One does.
    """
    waiting, seen = [node] if node is not None else [], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.ScalarNode) or id(node) in seen:  # An alias stands for a node that is there already.
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in keys:
                        raise yaml.MarkedYAMLError(None, None, f'{key.value!r} is there twice', key.start_mark)
                    keys.add(key.value)
                waiting += [key, value]
        else:
            waiting += node.value
