"""Files of weights as Keras writes them, without Keras."""

from __future__ import annotations

import re
import zipfile

import h5py
import numpy as np


def write_old(path, layers, top: str = '', end: str = ':0', first: int = 0) -> None:
    """As Keras 1.2 to 3 write ``.h5``; older ones number from 1."""
    with h5py.File(path, 'w') as file:
        file.attrs['backend'] = 'tensorflow'
        for name, arrays in layers.items():
            if first and (found := re.fullmatch(r'(conv2d|batch_normalization)(?:_(\d+))?', name)):
                name = f'{found[1]}_{int(found[2] or 0) + first}'
            group = file.create_group(f'{top}{name}')
            group.attrs['weight_names'] = np.array([f'{name}/{kind}{end}' for kind in arrays], 'S')
            for kind, array in arrays.items():
                group[f'{name}/{kind}{end}'] = array
        if top:
            file['optimizer_weights/iteration'] = np.int64(3)


def write_new(path, layers) -> None:
    """As Keras 3 writes ``.weights.h5``: numbers for names, and the names as attributes."""
    counts: dict[str, int] = {}
    with h5py.File(path, 'w') as file:
        for name, arrays in layers.items():
            kind = next(
                kind
                for kind, known in dict(
                    separable_conv2d='depthwise_kernel', batch_normalization='beta', dense='kernel', conv2d='kernel'
                ).items()
                if known in arrays and (kind != 'dense' or arrays[known].ndim == 2)
            )
            number = counts[kind] = counts.get(kind, -1) + 1
            group = file.create_group(f'layers/{kind}{f"_{number}" if number else ""}/vars')
            group.attrs['name'] = name
            for place, array in enumerate(arrays.values()):
                group[str(place)] = array
        file.create_group('vars')


def write_archive(path, inner, compression=zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, 'w', compression) as archive:
        archive.writestr('metadata.json', '{}')
        archive.writestr('config.json', '{"module": "os"}')
        archive.write(inner, 'model.weights.h5')
