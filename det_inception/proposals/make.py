"""Makes the proposal store of a data set on all cores, so that nothing that was written is lost when it is killed."""

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from det_inception.proposals.errors import ProposalError
from det_inception.proposals.methods import ProposalMethod
from det_inception.proposals.records import is_valid_key
from det_inception.proposals.sources import Images
from det_inception.proposals.workers import propose_all
from det_inception.proposals.writer import ProposalWriter
from det_inception.utils.files import atomic_write


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes:
        made: Number of images whose proposals were made.
        known: Number of images whose proposals the store had already.
        unreadable: Key of each image that was skipped, and why.
        proposals: Number of proposals made.
        unreadable_list: The file that lists the skipped images, if there are any.
    """

    made: int
    known: int
    unreadable: dict[str, str]
    proposals: int
    unreadable_list: Path | None


def make_proposals(
    images: Images,
    out: str | os.PathLike,
    method: ProposalMethod,
    *,
    max_boxes: int | None = None,
    workers: int | None = None,
    shard: tuple[int, int] | None = None,
    progress: bool = True,
    flush_seconds: float = 30.0,
) -> Summary:
    """Makes a proposal store, or goes on with one.

    Images that cannot be read, or that the method refuses, are skipped and listed in ``<out>.unreadable.txt``.

    Args:
        images: The images.
        out: The store to be. What it or an interrupted run has already is not made again.
        method: What makes the proposals.
        max_boxes: Keeps the best so many of each image.
        workers: Number of processes; by default one for each core that this process may use.
        shard: (i, n), counted from 1: only the i-th of n equal parts of the images.
        progress: Whether to show a progress bar on stderr.
        flush_seconds: After how long results go to the disk; a killed run loses no more than that.

    Returns:
        What was done.

    Raises:
        ProposalError: No image could be read, none got a proposal, an image has changed since its proposals were made,
            the store was begun with other parameters, or the disk refuses.
    """
    keys = _shard_of(sorted(images.keys), shard)
    if max_boxes is not None and max_boxes < 1:
        raise ProposalError(f'--max-boxes is {max_boxes}; give at least 1.')
    if workers is not None and workers < 1:
        raise ProposalError(f'--workers is {workers}; give at least 1.')
    parameters = {**method.parameters, 'max_boxes': max_boxes}
    unreadable: dict[str, str] = {}
    proposals = made = 0
    list_file = Path(f'{os.fspath(out)}.unreadable.txt').absolute()
    with ProposalWriter(out, parameters, shard=shard, flush_seconds=flush_seconds) as writer:
        for part in writer.dropped_parts:
            print(f'{part} was damaged; its images are made again.', file=sys.stderr)
        known = [key for key in keys if key in writer]
        _require_unchanged(images.root, known, writer)
        to_do = []
        for key in keys:
            if not is_valid_key(key):
                unreadable[key] = 'the name is no printable UTF-8 text, or leaves the image root'
            elif key not in writer:
                to_do.append(key)
        bar = tqdm(
            total=len(keys),
            initial=len(keys) - len(to_do),
            unit='image',
            disable=not progress,
            # A log file of a cluster job is not to fill up with bars.
            mininterval=0.5 if sys.stderr.isatty() else 30,
            dynamic_ncols=True,
        )
        with bar, contextlib.closing(propose_all(images.root, to_do, method, max_boxes, workers)) as results:
            for key, result in results:
                bar.update()
                if isinstance(result, str):
                    unreadable[key] = result
                    bar.set_postfix(unreadable=len(unreadable))
                    continue
                made += 1
                proposals += len(result[0])
                writer.add(key, *result)
        # Workers finish in any order; what is said of a run is to be the same in every run.
        unreadable = dict(sorted(unreadable.items()))
        if not len(writer) and shard is None:
            key, why = next(iter(unreadable.items()))
            raise ProposalError(f'None of the {len(keys)} images could be read; the first is {key}: {why}.')
        if made and not proposals:
            raise ProposalError(
                f'None of {made} images got a single proposal; a smaller --min-size or another --width may help.'
            )
    if unreadable:
        with atomic_write(list_file, ProposalError) as temporary:
            lines = (f'{key!r}\t{why}' if not key.isprintable() else f'{key}\t{why}' for key, why in unreadable.items())
            temporary.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8', errors='backslashreplace')
    else:
        list_file.unlink(missing_ok=True)
    return Summary(made, len(known), unreadable, proposals, list_file if unreadable else None)


def _shard_of(keys: list[str], shard: tuple[int, int] | None) -> list[str]:
    if shard is None:
        return keys
    number, total = shard
    if not 1 <= number <= total:
        raise ProposalError(f'There is no shard {number}/{total}; shards count from 1/{total} to {total}/{total}.')
    if total > len(keys):
        raise ProposalError(f'{len(keys)} images cannot be divided into {total} shards; take fewer shards.')
    # Neighbors stay together, so that merging reads each shard from its beginning to its end.
    return keys[len(keys) * (number - 1) // total : len(keys) * number // total]


def _require_unchanged(root: Path, known: list[str], writer: ProposalWriter) -> None:
    for key in known:
        with contextlib.suppress(OSError):
            size = (root / key).stat().st_size
            if size != writer.identity(key).file_size:
                raise ProposalError(
                    f'{root / key} is not the image that {writer.path} has proposals for (its size differs); '
                    f'give another --out.'
                )
