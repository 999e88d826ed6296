"""How inputs are made: damage to bytes, and odd values in the places of sound ones. Everything follows from a seed."""

import json

import numpy as np

ODD_NUMBERS = [0, 1, -1, 2, 7, 127, 128, 255, 256, 65535, 2**31 - 1, -(2**31), 2**32 - 1, 2**53, 2**63 - 1, -(2**63)]
ODD_FLOATS = [0.0, -0.0, 0.5, 1e-320, 1e308, -1e308, float('inf'), float('-inf'), float('nan')]
ODD_TEXTS = ['', ' ', 'a', 'a/b', '..', '\0', '\n', 'é', '\u202e', '\U0001f600', 'n02084071', '1', 'nan', 'x' * 5000]


def pick(random: np.random.Generator, values):
    """One of a sequence, of whatever types."""
    return values[int(random.integers(len(values)))]


def damaged(random: np.random.Generator, seeds: list[bytes]) -> bytes:
    """Bytes of a sound file with one to eight faults; half of them near its beginning, where headers are."""
    content = bytearray(pick(random, seeds))
    for _ in range(int(random.integers(1, 9))):
        size = len(content)
        if not size:
            break
        place = int(random.integers(min(size, 256) if random.random() < 0.5 else size))
        kind = int(random.integers(8))
        if kind == 0:
            content[place] ^= 1 << int(random.integers(8))
        elif kind == 1:
            content[place] = int(random.integers(256))
        elif kind in (2, 3):  # Numbers are most often what sizes and addresses are made of.
            width = pick(random, [1, 2, 4, 8])
            number = pick(random, [*ODD_NUMBERS, size, place, int(random.integers(1000))]) % 256**width
            content[place : place + width] = number.to_bytes(width, pick(random, ['little', 'big']))
        elif kind == 4:
            del content[place : place + int(random.integers(1, 64))]
        elif kind == 5:
            content[place:place] = content[place : place + int(random.integers(1, 64))]
        elif kind == 6:
            other = pick(random, seeds)
            start = int(random.integers(len(other) + 1))
            content[place : place + 64] = other[start : start + 64]
        elif random.random() < 0.2:
            del content[place:]
    return bytes(content)


def odd_json(random: np.random.Generator, depth: int = 0):
    """Any value that JSON has, seldom a plain one."""
    kind = int(random.integers(8 if depth < 3 else 6))
    if kind == 0:
        return pick(random, [None, True, False])
    if kind in (1, 2):
        return pick(random, ODD_NUMBERS)
    if kind == 3:
        return pick(random, ODD_FLOATS)
    if kind in (4, 5):
        return pick(random, ODD_TEXTS)
    values = [odd_json(random, depth + 1) for _ in range(int(random.integers(4)))]
    return values if kind == 6 else {pick(random, ODD_TEXTS): value for value in values}


def odd_text(random: np.random.Generator, sound) -> str:
    """JSON in which few or many values of a sound one are odd, or that is nested without end."""
    if random.random() < 0.02:
        return '[' * 50_000
    return json.dumps(replaced(random, sound, pick(random, [0.02, 0.1])))


def replaced(random: np.random.Generator, value, share: float):
    """The same value with this share of its parts odd, and as many missing."""
    if random.random() < share:
        return odd_json(random)
    if isinstance(value, dict):
        kept = {key: replaced(random, each, share) for key, each in value.items() if random.random() > share}
        return kept if random.random() > share else kept | {pick(random, ODD_TEXTS): odd_json(random)}
    if isinstance(value, list):
        return [replaced(random, each, share) for each in value if random.random() > share]
    return value


def odd_array(random: np.random.Generator, sound: np.ndarray | None = None) -> np.ndarray:
    """An array of another type, shape or content than a sound one."""
    kind = int(random.integers(6))
    if sound is not None and sound.size and sound.dtype.kind in 'biuf' and kind < 3:
        array = np.array(sound)
        if kind == 0:
            place = tuple(int(random.integers(side)) for side in array.shape)
            with np.errstate(all='ignore'):
                odd = np.array(pick(random, ODD_FLOATS if array.dtype.kind == 'f' else ODD_NUMBERS))
                array[place] = odd.astype(array.dtype)
            return array
        if kind == 1:
            return array[: int(random.integers(len(array) + 1))] if array.ndim else array
        with np.errstate(all='ignore'):
            return array.astype(pick(random, ['u1', 'i2', '<i8', '>i8', 'f2', 'f4', '>f8', 'bool', 'U4', 'c16']))
    shape = tuple(int(random.integers(5)) for _ in range(int(random.integers(4))))
    if kind == 3:
        return np.full(shape, pick(random, ODD_FLOATS))
    if kind == 4:
        return np.full(shape, pick(random, ODD_TEXTS))
    return np.full(shape, pick(random, ODD_NUMBERS))
