"""Puts proposal stores together into one."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from det_inception.proposals.errors import ProposalError, StoreMismatchError
from det_inception.proposals.records import ImageIdentity, Proposals
from det_inception.proposals.store import ProposalStore
from det_inception.proposals.store_file import Sink, write_store
from det_inception.utils.files import atomic_write


def merge_stores(paths: Sequence[str | os.PathLike], out: str | os.PathLike) -> None:
    """Puts stores that were made with equal parameters together into one, sorted by key.

    Args:
        paths: The stores. Where they are shards, all of them. An image may be in several if it is the same there.
        out: The store to be; may be one of ``paths``.

    Raises:
        StoreMismatchError: Parameters differ, a shard is missing, or a key stands for different images or proposals.
        ProposalError: A store cannot be read, there is none, or the disk refuses.
    """
    if not paths:
        raise ProposalError('There is nothing to merge; name at least one proposal store.')
    parameters: dict[str, Any] | None = None
    shards: dict[tuple[int, int], Path] = {}
    for path in paths:
        with ProposalStore(path) as store:
            if parameters is None:
                parameters = store.parameters
            elif parameters != store.parameters:
                raise StoreMismatchError(
                    f'{store.path} was made with {json.dumps(store.parameters)} and {Path(paths[0]).absolute()} with '
                    f'{json.dumps(parameters)}; only stores with equal parameters can be merged.'
                )
            if store.shard:
                shards[store.shard] = store.path
    numbers = {total for _, total in shards}
    if len(numbers) > 1:
        raise StoreMismatchError(f'These are shards of different divisions ({sorted(numbers)}); merge those of one.')
    for total in numbers:
        missing = [str(number) for number in range(1, total + 1) if (number, total) not in shards]
        if missing:
            raise StoreMismatchError(
                f'Of {total} shards, {len(missing)} are missing: {", ".join(missing[:20])}; '
                f'run det-inception propose --shard for them first.'
            )
    consolidate([Path(path) for path in paths], Path(out).absolute(), parameters, None)


def consolidate(
    sources: Sequence[Path], out: Path, parameters: Mapping[str, Any], shard: tuple[int, int] | None
) -> None:
    """Writes the images of several stores into one, sorted by key; opens at most 64 of them at a time.

    Raises:
        StoreMismatchError: A key stands for different images or proposals.
        ProposalError: The disk refuses.
    """
    with contextlib.ExitStack() as stack:
        stores = [stack.enter_context(ProposalStore(source)) for source in sources]
        for store in stores:
            store.release()
        holders: dict[str, int] = {}
        for number, store in enumerate(stores):
            for key in store:
                if holders.setdefault(key, number) != number:
                    _require_equal(key, stores[holders[key]], store)
        whole_numbers = all(store.whole_numbers for store in stores)
        has_scores = any(store.has_scores for store in stores)

        def entries() -> Iterator[tuple[str, Proposals, ImageIdentity]]:
            opened: dict[int, None] = {}
            for key in sorted(holders):
                number = holders[key]
                store = stores[number]
                yield key, store[key], store.identity(key)
                # Neighboring keys lie in a few parts; a run may have more parts than a process may have open files.
                opened.pop(number, None)
                opened[number] = None
                if len(opened) > 64:
                    longest_unused = next(iter(opened))
                    del opened[longest_unused]
                    stores[longest_unused].release()

        with atomic_write(out, ProposalError, make_folder=True) as temporary, Sink(temporary, 'w+b') as sink:
            with h5py.File(sink, 'w') as file:
                write_store(file, parameters, shard, sink.watched(entries()), whole_numbers, has_scores)
            sink.raise_error()


def _require_equal(key: str, one: ProposalStore, other: ProposalStore) -> None:
    if one.identity(key) != other.identity(key):
        raise StoreMismatchError(f'{key} is another image in {one.path} than in {other.path}; merge neither or one.')
    if not np.array_equal(one[key].boxes, other[key].boxes):
        raise StoreMismatchError(f'{key} has other proposals in {one.path} than in {other.path}; merge neither or one.')
    one.release()
    other.release()
