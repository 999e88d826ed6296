"""How much a pickle builds, known before it is loaded.

A loader that runs no code still builds what a pickle says, and 200 bytes can say a tuple of 2**60 numbers: pairs of
pairs that share their halves. Such a tuple takes no memory, and forever to be hashed, compared or printed.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MAX_PARTS = 50_000_000
"""Numbers, texts and so on that a value may consist of, counted as often as they occur in it."""
_MARK, _SLICE = pickletools.markobject, pickletools.stackslice


class PickleError(ValueError):
    """A pickle is damaged, or builds more than its size justifies; the message is the end of a sentence."""


class Item(NamedTuple):
    """Something that a pickle builds.

    Attributes:
        parts: How many values it consists of.
        value: The number or text, the items of a tuple, or else the name of the instruction that makes it.
    """

    parts: int
    value: object


def scan_pickle(file: BinaryIO) -> Iterator[tuple[str, Item]]:
    """Goes through the instructions of a pickle, without running them.

    Args:
        file: At the pickle's beginning; afterwards, behind its end.

    Yields:
        The name of each instruction, and what it leaves on the top of the stack.

    Raises:
        PickleError: The pickle is damaged, or one of its values has more than ``MAX_PARTS`` parts.
    """
    stack: list[Item | None] = []  # None: a mark.
    memo: dict[int, Item] = {}
    try:
        for opcode, argument, _ in pickletools.genops(file):
            name, before = opcode.name, opcode.stack_before
            if name in ('PUT', 'BINPUT', 'LONG_BINPUT', 'MEMOIZE'):
                memo[len(memo) if argument is None else argument] = stack[-1]
                continue
            taken: list[Item] = []
            if _MARK in before or (name == 'POP' and stack[-1] is None):
                while (item := stack.pop()) is not None:
                    taken.append(item)
                before = before[: before.index(_MARK)] if _MARK in before else []
            for _ in before:
                taken.append(stack.pop())
            if name in ('GET', 'BINGET', 'LONG_BINGET'):
                stack.append(memo[argument])
            elif name == 'DUP':
                stack += [taken[0], taken[0]]
            elif name == 'MARK':
                stack.append(None)
            elif opcode.stack_after:
                parts = 1 + sum(item.parts for item in taken)
                if parts > MAX_PARTS:
                    raise PickleError('it builds a value of endless size')
                if name.startswith(('TUPLE', 'EMPTY_TUPLE')):
                    value = tuple(item.value for item in reversed(taken))
                elif not taken and argument is not None:
                    value = argument
                else:
                    value = name
                stack.append(Item(parts, value))
            if stack and stack[-1] is not None:
                yield name, stack[-1]
    except PickleError:
        raise
    except Exception as error:  # pickletools, and the stack of a damaged pickle, fail in any way.
        raise PickleError('it is damaged or cut off') from error
