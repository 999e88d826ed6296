"""Arrays of a file, fitted to those of a network that is written out as a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from det_inception.weights.files import CheckpointError


def without_prefix(tensors: Mapping[str, Tensor], *firsts: str) -> tuple[str | None, dict[str, Tensor]]:
    """Takes off what a wrapper or a detector puts before the names of a network's arrays.

    Args:
        tensors: A file's.
        firsts: What different layouts call the network's first array.

    Returns:
        Which of ``firsts`` is there, once, and the arrays without what stands before it. None, and all arrays as they
        are, where none is.

    Example:
        >>> without_prefix({'module.conv1.weight': 1, 'module.fc.bias': 2}, 'first', 'conv1.weight')
        ('conv1.weight', {'conv1.weight': 1, 'fc.bias': 2})
    """
    for first in firsts:
        found = [key for key in tensors if key == first or key.endswith(f'.{first}')]
        if len(found) == 1:
            prefix = found[0].removesuffix(first)
            return first, {key.removeprefix(prefix): value for key, value in tensors.items()}
    return None, dict(tensors)


def fit_arrays(
    wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], source: object, refuse: Callable[[str], CheckpointError]
) -> dict[str, Tensor]:
    """Returns the arrays that a network wants, all of them, in its shapes.

    A count of batches, which older files do without, may be missing.

    Args:
        wanted: The network's ``state_dict``, or a part of it.
        given: A file's arrays, under the same names.
        source: The file, for messages.
        refuse: Makes an error of what is wrong, such as ``'conv1.weight: missing'``.

    Raises:
        CheckpointError: One is missing, of another shape, or not finite.
    """
    found = {}
    for key, like in wanted.items():
        array = given.get(key, like if key.endswith('num_batches_tracked') else None)
        if array is None:
            raise refuse(f'{key}: missing')
        if (fitted := reshaped(array, like)) is None:
            raise refuse(f'{key}: {_difference(array, like)}')
        if not fitted.isfinite().all():
            raise CheckpointError(f'{source}: holds values in {key} that are not finite; name another file.')
        found[key] = fitted
    return found


def reshaped(given: Tensor, wanted: Tensor) -> Tensor | None:
    """Returns an array in the shape of another, where it can only be meant so; None elsewhere.

    Caffe's old files have ones before the shape, as 1 x C, and a fully connected layer's matrix is a convolution of the
    size of its input.
    """
    shape = tuple(given.shape)
    while len(shape) > min(wanted.ndim, 2) and shape[0] == 1:
        shape = shape[1:]
    matrix = (wanted.shape[0], wanted[0].numel()) if wanted.ndim > 2 else None
    if tuple(given.shape) != tuple(wanted.shape) and shape != tuple(wanted.shape) and shape != matrix:
        return None
    return given.to(wanted.dtype).reshape(wanted.shape)


def _difference(given: Tensor, wanted: Tensor) -> str:
    shapes = ['x'.join(map(str, tensor.shape)) for tensor in (given, wanted)]
    if given.ndim == wanted.ndim == 4 and given.permute(3, 2, 0, 1).shape == wanted.shape:
        return f"{shapes[0]} is TensorFlow's order, height x width x inputs x outputs, instead of {shapes[1]}"
    return f'{shapes[0]} instead of {shapes[1]}'
