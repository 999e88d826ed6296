"""The 1000 classes of ImageNet classification, and which of the 200 DET classes each of them belongs to.

A DET class is an inner node or a leaf of WordNet, and the 1000 are leaves: ``dog`` has 118 of them. So the probability
that a region shows a DET class is the sum over its leaves, and what belongs to no DET class is background.

Where the assignment comes from: ``meta_det.mat`` of the DET development kit lists 494 of the 1000 as equal to, or
descending from, one of the 200. For 252 of them it also holds the path; for the other 242, whose path leads over nodes
that the file leaves out, the DET class is written here after WordNet (breeds of dogs, species of birds, kinds of
boats). One is added: ``tiger cat``, WordNet's child of domestic cat, which the challenge left out; a classifier gives
it half of the probability of many a striped cat. Every DET class has at least one leaf, but some only special ones:
``person`` has ballplayer, groom and scuba diver.

The table is ``imagenet_classes.tsv`` beside this module: WordNet id, DET class id (0: none) and name, in the order of a
classifier's outputs.

Shape legend: C = 1000 classes of ImageNet.
"""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple

import numpy as np

from det_inception.formats.synsets import DET_CLASSES


class Leaf(NamedTuple):
    """One class of ImageNet classification.

    Attributes:
        wnid: WordNet id, for example ``'n02123045'``.
        det_id: Id of its DET class, 1 to 200; 0 if it belongs to none.
        name: Short English name, different for each of the 1000.
    """

    wnid: str
    det_id: int
    name: str


_ROWS = files(__package__).joinpath('imagenet_classes.tsv').read_text(encoding='utf-8').splitlines()[1:]

IMAGENET: tuple[Leaf, ...] = tuple(
    Leaf(wnid, int(det_id), name) for wnid, det_id, name in (row.split('\t') for row in _ROWS)
)
"""The 1000 classes in the order of a classifier's outputs, which is that of Caffe's and torchvision's weights."""

IMAGENET_CLASSES: tuple[str, ...] = tuple(leaf.name for leaf in IMAGENET)
"""Their names, the ``classes`` of a detector's meta information."""

IMAGENET_WNIDS: tuple[str, ...] = tuple(leaf.wnid for leaf in IMAGENET)
"""Their WordNet ids."""

DET_OF_LEAF: np.ndarray = np.array([leaf.det_id for leaf in IMAGENET]) - 1
"""int64 (C,): each class's DET label, 0 to 199; -1 for none."""
DET_OF_LEAF.setflags(write=False)

DET_OF_VOC: dict[str, tuple[str, ...]] = dict(
    aeroplane=('airplane',),
    bicycle=('bicycle',),
    bird=('bird',),
    boat=('watercraft',),
    bottle=('water_bottle', 'wine_bottle'),
    bus=('bus',),
    car=('car',),
    cat=('domestic_cat',),
    chair=('chair',),
    cow=('cattle',),
    diningtable=('table',),
    dog=('dog',),
    horse=('horse',),
    motorbike=('motorcycle',),
    person=('person',),
    pottedplant=('flower_pot',),
    sheep=('sheep',),
    sofa=('sofa',),
    train=('train',),
    tvmonitor=('tv_or_monitor',),
)
"""Pascal VOC's 20 classes, and the DET classes that each of them is."""

VOC_OF_LEAF: np.ndarray = np.full(len(IMAGENET), -1)
"""int64 (C,): each class's VOC label, 0 to 19; -1 for none."""
for _label, _names in enumerate(DET_OF_VOC.values()):
    VOC_OF_LEAF[np.isin(DET_OF_LEAF, [DET_CLASSES.index(name) for name in _names])] = _label
VOC_OF_LEAF.setflags(write=False)


def leaves_of(det_id: int) -> tuple[Leaf, ...]:
    """Returns the classes of ImageNet that belong to a DET class, by its id, 1 to 200.

    Example:
        >>> [leaf.name for leaf in leaves_of(70)]
        ['red fox', 'kit fox', 'Arctic fox', 'grey fox']
    """
    return tuple(leaf for leaf in IMAGENET if leaf.det_id == det_id)
