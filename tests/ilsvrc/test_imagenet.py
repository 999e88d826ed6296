"""The 1000 classes of ImageNet and the 200 of DET that they belong to."""

import numpy as np
import pytest
import scipy.io

from det_inception.ilsvrc import DET_CLASSES, DET_SYNSETS
from det_inception.ilsvrc.imagenet import (
    DET_OF_LEAF,
    DET_OF_VOC,
    IMAGENET,
    IMAGENET_CLASSES,
    IMAGENET_WNIDS,
    VOC_OF_LEAF,
    leaves_of,
)

ADDED = {'n02123159'}  # tiger cat, see the module's docstring


def test_the_thousand():
    assert len(IMAGENET) == len(set(IMAGENET_WNIDS)) == len({name.casefold() for name in IMAGENET_CLASSES}) == 1000
    assert {leaf.det_id for leaf in IMAGENET} == set(range(201))  # every DET class has a leaf
    # Where a class is itself one of the 200, it is its own leaf.
    own = {synset.wnid: synset.id for synset in DET_SYNSETS}
    assert sum(leaf.wnid in own for leaf in IMAGENET) > 100
    assert all(leaf.det_id == own[leaf.wnid] for leaf in IMAGENET if leaf.wnid in own)
    assert [leaf.name for leaf in leaves_of(DET_CLASSES.index('person') + 1)] == ['ballplayer', 'groom', 'scuba diver']


def test_order_is_that_of_the_weights(shared_data):
    lines = (shared_data / 'weights/imagenet_synset_words.txt').read_text().splitlines()
    assert [line.split(' ', 1)[0] for line in lines] == list(IMAGENET_WNIDS)
    words = [line.split(' ', 1)[1] for line in lines]
    same = sum(name == text.split(',')[0] for name, text in zip(IMAGENET_CLASSES, words))
    assert same == 996  # two cranes, the corgi Cardigan and the tank suit would have another's name


def test_order_is_that_of_timm():
    info = pytest.importorskip('timm.data', reason='timm is not installed').ImageNetInfo()
    assert [info.index_to_label_name(index) for index in range(1000)] == list(IMAGENET_WNIDS)


def test_assignment_is_that_of_the_development_kit(shared_data):
    synsets = scipy.io.loadmat(shared_data / 'ilsvrc_devkit/meta_det.mat', squeeze_me=True)['synsets']
    wnid = {int(row[0]): row[1] for row in synsets}
    children = {int(row[0]): [int(child) for child in np.atleast_1d(row[4])] for row in synsets}
    assigned = {leaf.wnid: leaf.det_id for leaf in IMAGENET if leaf.det_id}
    # The kit's list of descendants, and with it which of the 1000 count at all.
    assert set(assigned) - ADDED == set(wnid.values()) & set(IMAGENET_WNIDS)

    def below(node):
        return {wnid[node]}.union(*(below(child) for child in children[node]))

    # What the kit has a path to.
    with_path = {name: det_id for det_id in range(1, 201) for name in below(det_id) if name in assigned}
    assert len(with_path) == 252 and all(assigned[name] == det_id for name, det_id in with_path.items())
    # The others, whose paths the kit does not hold.
    without = {name: det_id for name, det_id in assigned.items() if name not in with_path}
    assert len(without) == 243
    assert {DET_CLASSES[det_id - 1] for det_id in without.values()} == {
        *('apple', 'bird', 'butterfly', 'chair', 'dog', 'domestic_cat', 'frog', 'lizard', 'lobster', 'monkey'),
        *('motorcycle', 'person', 'seal', 'snake', 'sofa', 'squirrel', 'train', 'turtle', 'watercraft', 'whale'),
    }


def test_pascal_vocs_classes():
    from mmdet.datasets import VOCDataset

    assert tuple(DET_OF_VOC) == VOCDataset.METAINFO['classes']
    names = np.array(IMAGENET_CLASSES)
    for voc, some in (('cat', 'tabby'), ('dog', 'beagle'), ('boat', 'speedboat'), ('bottle', 'wine bottle')):
        assert some in names[list(DET_OF_VOC).index(voc) == VOC_OF_LEAF]
    # Every class has leaves, and no leaf of DET that is none of VOC's has a label.
    assert set(range(20)) == set(VOC_OF_LEAF[VOC_OF_LEAF >= 0])
    assert VOC_OF_LEAF[names == 'toaster'] == -1 and (DET_OF_LEAF[VOC_OF_LEAF >= 0] >= 0).all()
