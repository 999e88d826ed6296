"""Makes proposals of many images on all cores, so that nothing that was written is lost when the run is killed.

Shapes: N proposals of an image; H, W height and width of an image.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from det_inception.proposals.errors import ProposalError
from det_inception.proposals.methods import ProposalMethod, propose_batch
from det_inception.proposals.sources import Images, read_image
from det_inception.proposals.store import ImageIdentity, Proposals, is_valid_key, rank_scores, validated
from det_inception.proposals.writer import ProposalWriter
from det_inception.utils.cores import available_cores, limit_cores
from det_inception.utils.errors import InputError
from det_inception.utils.files import atomic_write, reason


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

    Images that cannot be read, or that the method refuses, are skipped and listed in `<out>.unreadable.txt`.

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
        ProposalError: No image could be read, none got a proposal, an image has changed since its proposals
            were made, the store was begun with other parameters, or the disk refuses.
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
        with bar, contextlib.closing(_results(images.root, to_do, method, max_boxes, workers)) as results:
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


_Result = tuple[Proposals, ImageIdentity] | str


def _results(root: Path, keys: list[str], method: ProposalMethod, max_boxes: int | None, workers: int | None):
    """Yields key and result of each image, as they come."""
    if not keys:
        return
    # Once here, so that a method that cannot work at all says so at once, and that what it compiles is
    # compiled once.
    method(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    batch_size = getattr(method, 'batch_size', 1)
    workers = min(workers or available_cores(), -(-len(keys) // batch_size))
    kind = 'forkserver' if 'forkserver' in multiprocessing.get_all_start_methods() else 'spawn'
    context = multiprocessing.get_context(kind)
    if kind == 'forkserver':
        # What is imported here is imported once for all workers.
        context.set_forkserver_preload([__name__])
    executor = ProcessPoolExecutor(workers, context, _start_worker, (method, max_boxes))
    try:
        waiting: dict[Future, list[str]] = {}
        batches = (keys[start : start + batch_size] for start in range(0, len(keys), batch_size))
        while True:
            # A few ahead, so that no worker waits, but not all: half a million tasks would fill the memory.
            for batch in batches:
                waiting[executor.submit(_propose, [str(root / key) for key in batch])] = batch
                if len(waiting) >= 4 * workers:
                    break
            if not waiting:
                break
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield from zip(waiting.pop(future), future.result())
    except BrokenProcessPool as error:
        raise ProposalError(
            'A worker process was ended from outside, perhaps for lack of memory; what was written is kept: run the '
            'same command again, perhaps with fewer --workers.'
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


_method: ProposalMethod
_max_boxes: int | None


def _start_worker(method: ProposalMethod, max_boxes: int | None) -> None:
    global _method, _max_boxes
    _method, _max_boxes = method, max_boxes
    # The parent decides when to stop; a terminal sends Ctrl-C to the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # One thread: the other cores have images of their own.
    cv2.setNumThreads(1)
    limit_cores(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # Without this, workers would wait for tasks for ever when the parent is killed.
    multiprocessing.parent_process().join()
    os._exit(1)


def _propose(paths: list[str]) -> list[_Result]:
    """Reads images and makes their proposals; says in words what is wrong with one."""
    results: list[_Result] = []
    read: list[tuple[int, np.ndarray, ImageIdentity]] = []
    for place, path in enumerate(paths):
        try:
            read.append((place, *read_image(path)))
            results.append('')
        except InputError as error:
            results.append(str(error).rstrip('.'))
    images = [image for _, image, _ in read]
    try:
        proposed = propose_batch(_method, images) if len(images) > 1 else [None] * len(images)
    except Exception:  # One of them is strange; alone, each says what is wrong with it.
        proposed = [None] * len(images)
    for (place, image, identity), found in zip(read, proposed):
        results[place] = _result(paths[place], image, identity, found)
    return results


def _result(path: str, image: np.ndarray, identity: ImageIdentity, found: tuple | None) -> _Result:
    height, width = image.shape[:2]
    # One strange image among half a million must not end the run.
    try:
        boxes, scores = _method(image) if found is None else found
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        boxes = boxes[:_max_boxes]
        scores = rank_scores(len(boxes)) if scores is None else scores[:_max_boxes]
        return validated(path, Proposals(boxes, scores, height, width)), identity
    except Exception as error:
        return f'{path} ({width} x {height}): {type(error).__name__}: {reason(error)}'
