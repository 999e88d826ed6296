"""Whether a proposal store has what the images of a split need."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from det_inception.proposals import ProposalError, ProposalStore, StoreKeyError
from det_inception.validation.images import ImageFiles
from det_inception.validation.problems import ERROR, WARNING, Problems

_KIND = 'proposals'


class StoreCheck:
    """Looks images up in stores, as training would, and remembers which of the stored ones nobody asked for.

    Args:
        problems: Where to note what does not match.
    """

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._stores: dict[Path, ProposalStore | None] = {}
        self._wanted: dict[Path, set[str]] = {}

    def open(self, paths: Iterable[Path]) -> list[Path]:
        """Opens stores; returns those that can be used."""
        for path in paths:
            if path not in self._stores:
                self._wanted[path] = set()
                try:
                    self._stores[path] = ProposalStore(path)
                except ProposalError as error:
                    self._stores[path] = None
                    self._problems.add(_KIND, ERROR, '', path, str(error))
        return [path for path in paths if self._stores[path] is not None]

    def check(self, split: str, paths: list[Path], files: ImageFiles, index: int, annotated: tuple[int, int]) -> None:
        """Looks up one image that is used.

        Args:
            split: For the notes.
            paths: Stores from :meth:`open`; the first that has the image counts.
            files: The images.
            index: Which of them.
            annotated: Its height and width where it was not read.
        """
        image = files.paths[index]

        def note(severity: str, text: str) -> None:
            self._problems.add(_KIND, severity, split, image, f'{image}: {text}')

        key = path = store = None
        for path in paths:
            store = self._stores[path]
            try:
                key = store.find(image)
                break
            except StoreKeyError as error:
                missing = error
        if key is None:
            self._problems.add(_KIND, ERROR, split, image, str(missing))
            return
        self._wanted[path].add(key)
        height, width = files.sizes[index].tolist() if files.sizes[index].any() else annotated
        made_for = store.size(key)
        identity = files.identity(index)
        if height and width and made_for != (height, width):
            note(
                ERROR,
                f'the image is {width} x {height} and the proposals of {key!r} in {path} were made for '
                f'{made_for[1]} x {made_for[0]}; make them again with det-inception propose.',
            )
        elif identity is not None and identity != store.identity(key):
            note(
                ERROR,
                f'the file is not the one for which {path} has the proposals of {key!r} (its bytes differ); '
                'make them again with det-inception propose.',
            )
        if not store.count(key):
            note(
                WARNING,
                f'{path} has no proposal for it, so that the image as a whole will be the only one; a smaller '
                '--min-size when they are made may find some.',
            )

    def finish(self, whole: bool) -> None:
        """Notes the images that are in a store and, of a whole data set, in no split; closes the stores."""
        for path, store in self._stores.items():
            if store is None:
                continue
            for key in store if whole else ():
                if key not in self._wanted[path]:
                    self._problems.add(
                        _KIND, WARNING, '', path, f'{path}: has proposals for {key}, which no split uses; no harm.'
                    )
            store.close()
