"""Tables for people and for Markdown alike."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Writes rows, the first of which is the header, as a Markdown table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = [[cell.ljust(width) for cell, width in zip(row, widths)] for row in rows]
    lines = [f'| {" | ".join(row)} |' for row in aligned]
    return '\n'.join([lines[0], f'| {" | ".join("-" * width for width in widths)} |', *lines[1:]])
