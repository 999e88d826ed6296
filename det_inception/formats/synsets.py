"""The 200 object classes of the ILSVRC detection (DET) challenge in their official order.

The order is that of ``ILSVRC2014_DET_ID`` (1 to 200): submission files, the development kit and the official
evaluator name a class by this number. It did not change between 2013 and 2017. The table itself is
``ilsvrc_det_synsets.tsv`` beside this module.

Conventions of the whole project:

* a **class id** is the official number, 1 to 200: submission files, ground truth, blacklist;
* a **label** is the position in :data:`DET_CLASSES`, 0 to 199: what a network predicts. ``label = id - 1``.
"""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple


class Synset(NamedTuple):
    """One object class of the DET challenge.

    Attributes:
        id: ``ILSVRC2014_DET_ID``, 1 to 200.
        wnid: WordNet id, for example ``'n02672831'``; the ``<name>`` of an object in the annotations.
        name: Short English name with underscores for blanks, for example ``'water_bottle'``.
    """

    id: int
    wnid: str
    name: str


_ROWS = files(__package__).joinpath('ilsvrc_det_synsets.tsv').read_text(encoding='utf-8').splitlines()[1:]

DET_SYNSETS: tuple[Synset, ...] = tuple(
    Synset(int(number), wnid, name) for number, wnid, name in (row.split('\t') for row in _ROWS)
)
"""The 200 synsets; ``DET_SYNSETS[i].id == i + 1``."""

DET_WNIDS: tuple[str, ...] = tuple(synset.wnid for synset in DET_SYNSETS)
"""WordNet ids in the official order."""

DET_CLASSES: tuple[str, ...] = tuple(synset.name for synset in DET_SYNSETS)
"""Class names in the official order, the ``classes`` of a data set's meta information."""
