"""Reads pickles of plain data from strangers: nothing in them is run."""

import io
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from det_inception.proposals.errors import ProposalError
from det_inception.utils.errors import printable
from det_inception.utils.files import reason
from det_inception.utils.pickles import PickleError, scan_pickle


def load_plain_pickle(data: bytes, path: str | os.PathLike) -> Any:
    """Loads a pickle of numbers, text, lists, tuples, dicts, sets, NumPy arrays and MMEngine's ``InstanceData``.

    Not even NumPy's own functions are called on behalf of the pickle: arrays are put together from their bytes here.

    Returns:
        The content; arrays inside are ``PlainArray``, an ``InstanceData`` a ``PlainData``.

    Raises:
        ProposalError: The pickle is damaged or asks for anything else.
    """
    try:
        for _ in scan_pickle(io.BytesIO(data)):  # Python's own reader hashes and allocates whatever is said.
            pass
        return _PlainUnpickler(io.BytesIO(data)).load()
    except _RefusedError as error:
        raise ProposalError(f'{path} is refused: {error}') from error
    except PickleError as error:
        raise ProposalError(f'{path} is no pickle of proposals: {error}.') from error
    # A damaged pickle fails in any way it likes; it has run nothing by then.
    except Exception as error:
        raise ProposalError(f'{path} is no pickle of proposals, or is cut off ({reason(error)}).') from error


class _RefusedError(Exception):
    """What a pickle asks for and does not get."""


class _Fixed(type):
    """A class that a pickle cannot change: one instruction of the format sets attributes of any object."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise _RefusedError('it tries to change how it is read.')


class PlainArray(metaclass=_Fixed):
    """Stands for a NumPy array while a pickle is being read."""

    array: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran_order, data = state
        self.array = _array(data, dtype, shape, 'F' if fortran_order else 'C')


class PlainData(metaclass=_Fixed):
    """Stands for an ``InstanceData`` while a pickle is being read; holds its attributes in ``__dict__``."""


class _PlainType(metaclass=_Fixed):
    """Stands for a NumPy dtype while a pickle is being read."""

    def __init__(self, code: str, *_: object) -> None:
        if not isinstance(code, str) or code[:1] not in 'fiub' or not code[1:].isdigit() or int(code[1:]) > 8:
            raise _RefusedError(f'it has an array of the type {code!r}; only numbers are allowed.')
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        order = state[1]
        if order in ('<', '>'):
            self.dtype = self.dtype.newbyteorder(order)


def _array(data: bytes, dtype: _PlainType, shape: tuple[int, ...], order: str) -> np.ndarray:
    if not isinstance(dtype, _PlainType) or not isinstance(data, (bytes, bytearray)):
        raise _RefusedError('it has an array that is not made of numbers.')
    return np.frombuffer(data, dtype.dtype).reshape(shape, order=order).astype(dtype.dtype.newbyteorder('='))


def _reconstruct(*_: object) -> PlainArray:
    return PlainArray()


def _from_buffer(data: bytes, dtype: _PlainType, shape: tuple[int, ...], order: str) -> PlainArray:
    result = PlainArray()
    result.array = _array(data, dtype, shape, order)
    return result


def _scalar(dtype: _PlainType, data: bytes) -> Any:
    return _array(data, dtype, (), 'C').item()


def _encode(text: str, encoding: str) -> bytes:
    """How protocols before 3 write bytes."""
    if encoding != 'latin1':
        raise _RefusedError(f'it asks for the encoding {encoding!r}.')
    return text.encode('latin1')


def _no_bytes() -> bytes:
    """How protocols before 3 write empty bytes."""
    return b''


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ('numpy', 'ndarray'): PlainArray,
    ('numpy', 'dtype'): _PlainType,
    ('_codecs', 'encode'): _encode,
    ('__builtin__', 'bytes'): _no_bytes,
    ('collections', 'OrderedDict'): OrderedDict,
    ('builtins', 'set'): set,
    ('__builtin__', 'set'): set,
    ('mmengine.structures.instance_data', 'InstanceData'): PlainData,
    **{(f'numpy.{core}.multiarray', '_reconstruct'): _reconstruct for core in ('core', '_core')},
    **{(f'numpy.{core}.multiarray', 'scalar'): _scalar for core in ('core', '_core')},
    **{(f'numpy.{core}.numeric', '_frombuffer'): _from_buffer for core in ('core', '_core')},
}


class _PlainUnpickler(pickle.Unpickler):
    """Knows no function of any library by name: each that is allowed is one of this module's, and harmless."""

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            asked = printable(f'{module}.{name}')
            raise _RefusedError(
                f'it asks for {asked}, which a file of proposals has no use for and which could run code.'
            ) from None
