"""Tables for people and for Markdown alike."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(rows: Sequence[Sequence[str]], numbers_from: int | None = None) -> str:
    """Writes rows, the first of which is the header, as a Markdown table with aligned columns.

    Args:
        rows: All of the same length.
        numbers_from: This column and all after it are numbers, aligned on the right.

    Example:
        >>> print(markdown_table([['mode', 'crops/s'], ['eager', '27.1'], ['fused', '110.4']], numbers_from=1))
        | mode  | crops/s |
        | ----- | ------: |
        | eager |    27.1 |
        | fused |   110.4 |
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    words = len(widths) if numbers_from is None else numbers_from
    rule = ['-' * width if number < words else '-' * (width - 1) + ':' for number, width in enumerate(widths)]
    lines = [
        [
            cell.ljust(width) if number < words else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths))
        ]
        for row in (rows[0], rule, *rows[1:])
    ]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)
