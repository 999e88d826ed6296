"""Proposals of many images from worker processes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import cv2
import numpy as np

from det_inception.proposals.errors import ProposalError
from det_inception.proposals.methods import ProposalMethod, propose_batch
from det_inception.proposals.records import ImageIdentity, Proposals, rank_scores, validated
from det_inception.proposals.sources import read_image
from det_inception.utils.cores import available_cores, limit_cores
from det_inception.utils.errors import InputError
from det_inception.utils.files import reason

Result = tuple[Proposals, ImageIdentity] | str


def propose_all(
    root: Path, keys: list[str], method: ProposalMethod, max_boxes: int | None, workers: int | None
) -> Iterator[tuple[str, Result]]:
    """Proposes boxes in many images with many processes.

    Args:
        root: The folder that the keys of the images start from.
        keys: The keys.
        method: The method.
        max_boxes: Keeps the best so many of each image.
        workers: Number of processes; None: one for each core that this process may use.

    Yields:
        Key and result of each image, as they come. A result is proposals and the image's identity, or what is wrong
        with the image.

    Raises:
        ProposalError: A process was ended from outside.
    """
    if not keys:
        return
    # Once here, so that a method that cannot work at all says so at once, and that what it compiles is compiled once.
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
    except (BrokenProcessPool, EOFError, ConnectionError) as error:  # The latter where the forkserver was ended.
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


def _propose(paths: list[str]) -> list[Result]:
    """Reads images and makes their proposals; says in words what is wrong with one."""
    results: list[Result] = []
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


def _result(path: str, image: np.ndarray, identity: ImageIdentity, found: tuple | None) -> Result:
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
