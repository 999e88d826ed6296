"""Reads arrays of strangers in NumPy's format, which may hold objects that run code, and shapes without numbers."""

from __future__ import annotations

import io
import math

import numpy as np


def read_npy(content: bytes) -> np.ndarray:
    """Returns the array of a ``.npy`` file.

    Raises:
        ValueError: It is damaged, of another version than 1 and 2, holds objects, or is of another size than it says.
    """
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f'it is of version {version} of the format')
    is_first = version == (1, 0)
    read_header = np.lib.format.read_array_header_1_0 if is_first else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError('it holds objects, which could run code')
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError(f'it says an array of the shape {shape} and has {len(content)} bytes')
    return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape, order='F' if fortran_order else 'C')
