"""Proposals in other programs' files: MMDetection's pickles and R-CNN's .mat files.

Shape legend: N proposals of an image, I images.

MMDetection (``DumpProposals`` writes it, ``proposal_file`` of a data set reads it): a pickled dict. Its keys are the
last folder and the name of a file, its values an ``InstanceData`` or a dict with ``bboxes`` (N, 4), x1 y1 x2 y2
continuous, and ``scores`` (N,). Version 2 pickled a list of (N, 4) or (N, 5) arrays in the order of the annotations.

R-CNN (the selective search data of its authors): cell arrays ``images``, names without extension, and ``boxes``, each
(N, 4), y1 x1 y2 x2 counted from 1 and inclusive.
"""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from det_inception.proposals.errors import ProposalError
from det_inception.proposals.plain_pickle import PlainArray, PlainData, load_plain_pickle
from det_inception.proposals.records import Proposals, identify, rank_scores
from det_inception.proposals.sources import Images, read_image
from det_inception.proposals.store import ProposalStore
from det_inception.proposals.writer import ProposalWriter
from det_inception.utils.files import atomic_write, reason
from det_inception.utils.mat_files import MatError, read_mat


def import_mmdet(path: str | os.PathLike, images: Images, out: str | os.PathLike) -> None:
    """Makes a store of an MMDetection proposal file. Nothing in the pickle is run.

    Args:
        path: The .pkl file.
        images: The images that it is for, all of which it must have; for a list of arrays, in the list's order.
        out: The store to be.

    Raises:
        ProposalError: The pickle contains anything but numbers, arrays, text and containers, does not fit the images,
            or a file cannot be read or written.
    """
    data = _read(path)
    content = load_plain_pickle(data, path)
    if isinstance(content, dict):
        # MMDetection's keys have the last folder's name; so may ours, or the root's folder is it.
        by_key = {key: _mmdet_entry(content, images.root / key, path) for key in images.keys}
    elif isinstance(content, (list, tuple)):
        if len(content) != len(images.keys):
            raise ProposalError(f'{path} has proposals of {len(content)} images, not of {len(images.keys)}.')
        by_key = dict(zip(images.keys, content, strict=True))
    else:
        raise ProposalError(f'{path} is no MMDetection proposal file: it holds a {type(content).__name__}.')
    _import({key: _mmdet_boxes(entry, key, path) for key, entry in by_key.items()}, images, out, path, data, 'mmdet')


def import_rcnn(path: str | os.PathLike, images: Images, out: str | os.PathLike) -> None:
    """Makes a store of a .mat file of R-CNN's authors.

    Args:
        path: The .mat file, of MATLAB's version 7 or earlier.
        images: The images that it is for, all of which it must have.
        out: The store to be.

    Raises:
        ProposalError: The file is no such file, does not fit the images, or a file cannot be read or written.
    """
    data = _read(path)
    try:
        content = read_mat(data, ('images', 'boxes'))
        names, boxes = (list(_cells(content, name)) for name in ('images', 'boxes'))
        if not all(isinstance(name, str) for name in names) or any(_is_no_array(cell) for cell in boxes):
            raise MatError('it has an image without a name or boxes that are no numbers')
    except MatError as error:
        raise ProposalError(f"{path} is no selective search file of R-CNN's: {error}.") from error
    if len(names) != len(boxes):
        raise ProposalError(f'{path} names {len(names)} images but has boxes of {len(boxes)}.')
    by_name = dict(zip(names, boxes, strict=True))
    found = {}
    for key in images.keys:
        name = _first_found(by_name, os.path.splitext(key)[0], path)
        image_boxes = by_name[name].astype(np.float64)
        if image_boxes.size == 0:
            image_boxes = image_boxes.reshape(-1, 4)
        if image_boxes.ndim != 2 or image_boxes.shape[1] != 4:
            raise ProposalError(f'{path} has boxes of the shape {image_boxes.shape} for {name}, not (N, 4).')
        # From y1 x1 y2 x2, counted from 1 and inclusive, to continuous: the last pixel ends where the next begins.
        image_boxes = image_boxes[:, [1, 0, 3, 2]] - [1, 1, 0, 0]
        found[key] = (image_boxes, rank_scores(len(image_boxes)))
    _import(found, images, out, path, data, 'rcnn')


def export_mmdet(store: ProposalStore, image_root: str | os.PathLike, out: str | os.PathLike) -> None:
    """Writes a store as MMDetection's ``proposal_file``.

    Args:
        store: The proposals.
        image_root: The folder from which the keys start, as the data set will know it; its last name may become part of
            the file's keys. It need not exist.
        out: The .pkl file.

    Raises:
        ProposalError: Two images have the same folder and name, or the file cannot be written.
    """
    content: dict[str, dict[str, np.ndarray]] = {}
    for key in store:
        name = _mmdet_name(Path(image_root).absolute() / key)
        if name in content:
            raise ProposalError(f'{store.path} has two images that MMDetection would both call {name}; export neither.')
        proposals = store[key]
        content[name] = {'bboxes': proposals.boxes, 'scores': proposals.scores}
    with atomic_write(out, ProposalError) as temporary, open(temporary, 'wb') as file:
        pickle.dump(content, file, protocol=4)


def export_rcnn(store: ProposalStore, out: str | os.PathLike) -> None:
    """Writes a store as the .mat file that R-CNN's code reads, images in the order of the keys.

    Raises:
        ProposalError: Two images have the same name, or the file cannot be written.
    """
    keys = list(store)
    names = [os.path.splitext(os.path.basename(key))[0] for key in keys]
    if len(set(names)) != len(names):
        names = [os.path.splitext(key)[0] for key in keys]
    if len(set(names)) != len(names):
        raise ProposalError(
            f'{store.path} has images that differ only in their extension; R-CNN cannot tell them apart.'
        )
    images = np.empty((len(keys), 1), object)
    boxes = np.empty((1, len(keys)), object)
    for row, (key, name) in enumerate(zip(keys, names, strict=True)):
        images[row, 0] = name
        boxes[0, row] = (store[key].boxes.astype(np.float64) + [1, 1, 0, 0])[:, [1, 0, 3, 2]]
    import scipy.io  # Half a second, for the one format that needs it.

    with atomic_write(out, ProposalError) as temporary:
        try:
            scipy.io.savemat(temporary, {'images': images, 'boxes': boxes}, appendmat=False, do_compression=True)
        except scipy.io.matlab.MatWriteError as error:
            raise ProposalError(f'{out} would be too large for a .mat file; export it in parts.') from error


def _read(path: str | os.PathLike) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ProposalError(f'{path} cannot be read: {reason(error)}.') from error


def _cells(content: dict[str, Any], name: str) -> np.ndarray:
    cells = content.get(name)
    if not isinstance(cells, np.ndarray) or cells.dtype != object:
        raise MatError(f'it has no cells {name}')
    return cells.ravel()


def _is_no_array(value: Any) -> bool:
    return not isinstance(value, np.ndarray) or value.dtype == object


def _mmdet_name(image_path: Path) -> str:
    return '/'.join(image_path.parts[-2:])


def _mmdet_entry(content: dict, image_path: Path, path: str | os.PathLike) -> Any:
    for name in (_mmdet_name(image_path), image_path.name, str(image_path)):
        if name in content:
            return content[name]
    raise ProposalError(f'{path} has no proposals for {_mmdet_name(image_path)}; import it for the images it is for.')


def _mmdet_boxes(entry: Any, key: str, path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(entry, PlainData):
        entry = {str(name).lstrip('_'): value for name, value in vars(entry).items()}
    if not isinstance(entry, dict):
        entry = {'bboxes': entry}
    boxes, scores = entry.get('bboxes'), entry.get('scores')
    if not isinstance(boxes, PlainArray) or boxes.array is None:
        raise ProposalError(f'{path} has no boxes in an array for {key}.')
    boxes = boxes.array.astype(np.float64)
    if boxes.ndim != 2 or boxes.shape[1] not in (4, 5):
        raise ProposalError(f'{path} has boxes of the shape {boxes.shape} for {key}, not (N, 4).')
    if isinstance(scores, PlainArray) and scores.array is not None:
        return boxes[:, :4], scores.array
    return boxes[:, :4], boxes[:, 4] if boxes.shape[1] == 5 else rank_scores(len(boxes))


def _first_found(names: dict[str, Any], stem: str, path: str | os.PathLike) -> str:
    parts = stem.split('/')
    for start in range(len(parts)):
        name = '/'.join(parts[start:])
        if name in names:
            return name
    raise ProposalError(f'{path} has no boxes for {stem}; import it for the images it is for.')


def _import(
    found: dict[str, tuple[np.ndarray, np.ndarray]],
    images: Images,
    out: str | os.PathLike,
    path: str | os.PathLike,
    data: bytes,
    file_format: str,
) -> None:
    parameters = {
        'method': 'imported',
        'format': file_format,
        'file': Path(path).name,
        'fingerprint': identify(data).fingerprint.hex(),
    }
    with ProposalWriter(out, parameters) as writer:
        for key, (boxes, scores) in found.items():
            if key in writer:
                continue
            image, identity = read_image(images.root / key)
            try:
                writer.add(key, Proposals(boxes, scores, *image.shape[:2]), identity)
            except ValueError as error:
                raise ProposalError(f'{path} does not fit its images: {error}') from error


def export_by_suffix(store: ProposalStore, image_root: str | os.PathLike | None, out: str | os.PathLike) -> None:
    """Exports a store with ``export_mmdet`` or ``export_rcnn``, as the new file's name ends in .pkl or .mat.

    Raises:
        ProposalError: The name ends otherwise, or see these functions.
    """
    if _is_mmdet(out):
        if image_root is None:
            raise ProposalError("MMDetection's keys contain the name of the image folder; give --image-root.")
        export_mmdet(store, image_root, out)
    else:
        export_rcnn(store, out)


def import_by_suffix(path: str | os.PathLike, images: Images, out: str | os.PathLike) -> None:
    """Imports a file with ``import_mmdet`` or ``import_rcnn``, as its name ends in .pkl or .mat.

    Raises:
        ProposalError: The name ends otherwise, or see these functions.
    """
    (import_mmdet if _is_mmdet(path) else import_rcnn)(path, images, out)


def _is_mmdet(path: str | os.PathLike) -> bool:
    suffix = Path(path).suffix.lower()
    if suffix not in ('.pkl', '.pickle', '.mat'):
        raise ProposalError(f'{path} must end in .pkl (MMDetection) or .mat (R-CNN).')
    return suffix != '.mat'
