"""What a pickle builds, known before it is loaded.

A loader that runs no code still builds what a pickle says, and 200 bytes can say a tuple of 2**60 numbers: pairs of
pairs that share their halves. Such a tuple takes no memory, but is never done with being hashed.
"""

from __future__ import annotations

import itertools
import pickletools
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MAX_REUSED = 10_000_000
"""Values that a pickle may say by naming earlier ones again, beside eight times its bytes."""
_SHAPES = {
    opcode.name: (
        pickletools.markobject in opcode.stack_before,
        len([*itertools.takewhile(lambda taken: taken is not pickletools.markobject, opcode.stack_before)]),
        bool(opcode.stack_after),
    )
    for opcode in pickletools.opcodes
}
"""Whether an instruction takes all down to the mark, how many values then or else, and whether it builds something."""


class PickleError(ValueError):
    """A pickle is damaged, or builds more than its size justifies; the message is the end of a sentence."""


class Item(NamedTuple):
    """Something that a pickle builds.

    Attributes:
        parts: How many values a tuple consists of, each counted as often as it occurs in it; else about 1.
        value: The number or text; the values of a tuple; of a ``BINPERSID``, what it names; else the instruction.
    """

    parts: int
    value: object


def scan_pickle(file: BinaryIO) -> Iterator[tuple[str, Item]]:
    """Goes through the instructions of a pickle, and runs none.

    Args:
        file: At the pickle's beginning; afterwards, behind its end.

    Yields:
        The name of each instruction that builds something, and what it builds.

    Raises:
        PickleError: The pickle is damaged, or builds more than ``MAX_REUSED`` admits.
    """
    stack: list[Item | None] = []  # None: a mark.
    memo: dict[int, Item] = {}
    reused, limit = 0, MAX_REUSED
    try:
        for count, (opcode, argument, position) in enumerate(pickletools.genops(file)):
            name = opcode.name
            if name in ('PUT', 'BINPUT', 'LONG_BINPUT', 'MEMOIZE'):
                place = len(memo) if argument is None else argument
                if place > count:  # Python makes room for all places before it.
                    raise PickleError('it is damaged')
                memo[place] = stack[-1]
                continue
            if name in ('GET', 'BINGET', 'LONG_BINGET', 'DUP'):
                stack.append(stack[-1] if name == 'DUP' else memo[argument])
                reused += stack[-1].parts
                if reused > limit + 8 * (position or 0):
                    raise PickleError('it builds a value without end')
                continue
            if name == 'MARK':
                stack.append(None)
                continue
            marked, number, builds = _SHAPES[name]
            taken: list[Item] = []
            if marked or (name == 'POP' and stack[-1] is None):
                while (item := stack.pop()) is not None:
                    taken.append(item)
                number = number if marked else 0
            for _ in range(number):
                taken.append(stack.pop())
            if builds:
                if name in ('TUPLE', 'TUPLE1', 'TUPLE2', 'TUPLE3', 'EMPTY_TUPLE'):
                    value = tuple(item.value for item in reversed(taken))
                elif name == 'BINPERSID':
                    value = taken[0].value
                else:
                    value = name if taken or argument is None else argument
                item = Item(1 + sum([item.parts for item in taken]) if taken else 1, value)
                stack.append(item)
                yield name, item
    except PickleError:
        raise
    except Exception as error:  # pickletools, and the stack of a damaged pickle, fail in any way.
        raise PickleError('it is damaged or cut off') from error
