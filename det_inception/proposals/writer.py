"""Writes a proposal store image by image, safe against being killed."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py

from det_inception.proposals.errors import ProposalError, StoreKeyError, StoreMismatchError
from det_inception.proposals.merging import consolidate
from det_inception.proposals.parameters import as_json, with_current_names
from det_inception.proposals.records import ImageIdentity, Proposals, is_valid_key, validated
from det_inception.proposals.store import ProposalStore
from det_inception.proposals.store_file import FORMAT, VERSION, narrowest, write_store
from det_inception.utils.files import atomic_write, reason
from det_inception.utils.locks import lock_folder, unlock


class ProposalWriter:
    """Writes a proposal store, so that a killed process loses only what it had not flushed yet.

    What is added is kept in memory and goes to the disk in numbered parts, each a small store of its own, written
    beside and renamed, in the folder ``<path>.parts``. ``finish`` puts the parts together, sorted by key, and removes
    them. A writer that finds parts, or a finished store, goes on from there. In a ``with`` block, ``finish`` is called
    at the end of the block, or after an exception only ``flush``.

    Args:
        path: The store to be.
        parameters: What makes the proposals; goes into the store and must be equal when a run is taken up again.
        shard: (i, n), counted from 1, where the store is to be one of n that are merged later.
        flush_images: Number of images after which a part is written.
        flush_seconds: Time after which a part is written.

    Raises:
        StoreMismatchError: ``path`` was begun with other parameters or as another shard.
        ProposalError: Another process is writing it, or the disk refuses.

    Example:
        >>> with ProposalWriter('mine.h5', {'method': 'edges'}) as writer:  # doctest: +SKIP
        ...     writer.add('a/1.jpg', Proposals(boxes, scores, height, width), identify(data))
    """

    def __init__(
        self,
        path: str | os.PathLike,
        parameters: Mapping[str, Any],
        *,
        shard: tuple[int, int] | None = None,
        flush_images: int = 1024,
        flush_seconds: float = 30.0,
    ) -> None:
        self.path = Path(path).absolute()
        self.parts_folder = self.path.with_name(f'{self.path.name}.parts')
        self.parameters: dict[str, Any] = with_current_names(json.loads(as_json(parameters)))
        self.shard = shard
        self.flush_images = flush_images
        self.flush_seconds = flush_seconds
        self.dropped_parts: list[Path] = []
        self._pending: dict[str, tuple[Proposals, ImageIdentity]] = {}
        self._last_flush = time.monotonic()
        self._identities: dict[str, ImageIdentity] = {}
        self._lock: int | None = None
        if self.path.is_dir():
            raise ProposalError(f'{self.path} is a folder; give the name of a file.')
        try:
            self.parts_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProposalError(f'{self.parts_folder} cannot be made: {reason(error)}.') from error
        self._take_lock()
        try:
            self._begin_or_go_on()
        except BaseException:
            self._release_lock()
            # Do not leave an empty folder where nothing was begun.
            with contextlib.suppress(OSError):
                self.parts_folder.rmdir()
            raise

    def _take_lock(self) -> None:
        try:
            self._lock = lock_folder(self.parts_folder)
        except BlockingIOError as error:
            raise ProposalError(f'{self.path} is being written by another process; wait for it or stop it.') from error

    def _release_lock(self) -> None:
        unlock(self._lock)
        self._lock = None

    def _begin_or_go_on(self) -> None:
        run = {'format': FORMAT, 'version': VERSION, 'parameters': self.parameters, 'shard': self.shard}
        run_file = self.parts_folder / 'run.json'
        if self.path.exists():
            with ProposalStore(self.path) as store:
                self._require_same(store.parameters, store.shard)
                self._identities.update((key, store.identity(key)) for key in store)
        if run_file.exists():
            try:
                begun = json.loads(run_file.read_text(encoding='utf-8'))
                version, parameters, shard = begun['version'], with_current_names(begun['parameters']), begun['shard']
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise ProposalError(f'{run_file} is damaged; remove {self.parts_folder} and start again.') from error
            if version != VERSION:
                raise ProposalError(
                    f'{self.parts_folder} was begun by a program that writes version {version} of the format; '
                    f'finish it with that program, or remove the folder and start again.'
                )
            self._require_same(parameters, tuple(shard) if shard else None)
        else:
            with atomic_write(run_file, ProposalError) as temporary:
                temporary.write_text(json.dumps(run, indent=2) + '\n', encoding='utf-8')
        for part in self._parts():
            try:
                with ProposalStore(part) as store:
                    self._identities.update((key, store.identity(key)) for key in store)
            except ProposalError:
                # Only a failing disk leaves such a part; its images are simply done again.
                part.unlink()
                self.dropped_parts.append(part)

    def _require_same(self, parameters: dict[str, Any], shard: tuple[int, int] | None) -> None:
        if parameters != self.parameters:
            names = sorted(parameters.keys() | self.parameters.keys())
            differing = ', '.join(
                f'{name} {json.dumps(parameters.get(name))} instead of {json.dumps(self.parameters.get(name))}'
                for name in names
                if parameters.get(name) != self.parameters.get(name)
            )
            raise StoreMismatchError(
                f'{self.path} was begun with {differing}; run with those, or give another --out, or remove it and '
                f'{self.parts_folder.name}.'
            )
        if shard != self.shard:
            before, now = (f'shard {s[0]}/{s[1]}' if s else 'a whole' for s in (shard, self.shard))
            raise StoreMismatchError(f'{self.path} was begun as {before}, not as {now}; give each shard its own --out.')

    def _parts(self) -> list[Path]:
        return sorted(self.parts_folder.glob('part-*.h5'))

    def __contains__(self, key: object) -> bool:
        return key in self._identities

    def __len__(self) -> int:
        return len(self._identities)

    def identity(self, key: str) -> ImageIdentity:
        """Returns size and fingerprint of the file of an image that was added.

        Raises:
            StoreKeyError: The image was not added.
        """
        if key not in self._identities:
            raise StoreKeyError(f'{self.path} has no proposals for {key} yet.')
        return self._identities[key]

    def add(self, key: str, proposals: Proposals, identity: ImageIdentity) -> None:
        """Adds an image; the proposals are sorted by score, equal scores keep their order.

        Args:
            key: The image's POSIX path relative to the image root, with extension.
            proposals: Its proposals.
            identity: What ``identify`` says of the image's file.

        Raises:
            ValueError: Key, boxes or scores are not what a store holds, or the image was added before.
            ProposalError: The disk refuses; what was written before is kept, and so is what is pending.
        """
        if not is_valid_key(key):
            raise ValueError(f'{key!r} is no key: it must be a relative POSIX path of printable characters.')
        if key in self._identities:
            raise ValueError(f'{key} was added before.')
        self._pending[key] = (validated(key, proposals), identity)
        self._identities[key] = identity
        overdue = time.monotonic() - self._last_flush >= self.flush_seconds
        if len(self._pending) >= self.flush_images or overdue:
            self.flush()

    def flush(self) -> None:
        """Writes what is pending to the disk.

        Raises:
            ProposalError: The disk refuses; what was written before is kept, and so is what is pending.
        """
        self._last_flush = time.monotonic()
        if not self._pending:
            return
        parts = self._parts()
        number = int(parts[-1].stem.rpartition('-')[2]) + 1 if parts else 0
        # Built in memory, so that the disk sees nothing but one plain write.
        with h5py.File('part', 'w', driver='core', backing_store=False) as file:
            entries = [(key, *self._pending[key]) for key in sorted(self._pending)]
            write_store(file, self.parameters, self.shard, entries, *narrowest(entry[1] for entry in entries))
            file.flush()
            image = file.id.get_file_image()
        with atomic_write(self.parts_folder / f'part-{number:06d}.h5', ProposalError) as temporary:
            temporary.write_bytes(image)
        self._pending.clear()

    def finish(self) -> None:
        """Flushes, puts the store together under its name and removes the parts.

        Raises:
            ProposalError: The disk refuses; the parts are kept, and ``finish`` may be called again.
        """
        self.flush()
        parts = self._parts()
        if parts or not self.path.exists():
            sources = [self.path, *parts] if self.path.exists() else parts
            consolidate(sources, self.path, self.parameters, self.shard)
        self._release_lock()
        shutil.rmtree(self.parts_folder, ignore_errors=True)

    def close(self) -> None:
        """Flushes and leaves the parts for a later run.

        Raises:
            ProposalError: The disk refuses.
        """
        try:
            self.flush()
        finally:
            if not self._parts():
                shutil.rmtree(self.parts_folder, ignore_errors=True)
            self._release_lock()

    def __enter__(self) -> 'ProposalWriter':
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if kind is None:
            try:
                self.finish()
            finally:
                self._release_lock()
        else:
            # The exception on its way says more than a second complaint of the same disk.
            with contextlib.suppress(ProposalError):
                self.close()
