"""Splits of ILSVRC DET: the training lists of both generations, val1 and val2, train_N, and balanced splits."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from det_inception.formats.ilsvrc_lists import is_training_image
from det_inception.ilsvrc import (
    balanced_split,
    imbalance,
    limit_objects,
    rcnn_val_split,
    read_blacklist,
    read_image_list,
    read_train_lists,
)
from det_inception.utils.errors import InputError

# ------------------------------------------------------------------------------------------------ training lists


def as_shipped(folder):
    (folder / 'train_1.txt').write_text('b/two 1\na/one -1\n\n')
    (folder / 'train_2.txt').write_text('a/one 1\nILSVRC2013_train/n02672831/n02672831_7 0\n')


def as_in_2014(folder):
    for kind, class_id, lines in (
        ('pos', 1, 'b/two\n'),
        ('part', 1, ''),
        ('neg', 1, 'a/one\n'),
        ('pos', 2, 'a/one\n'),
        ('part', 2, 'n02672831/n02672831_7\n'),
        ('neg', 2, ''),
    ):
        (folder / f'train_{kind}_{class_id}.txt').write_text(lines)


@pytest.mark.parametrize('write', [as_shipped, as_in_2014])
def test_both_kinds_of_training_lists_say_the_same(tmp_path, write):
    write(tmp_path)
    lists = read_train_lists(tmp_path, num_classes=2)

    def named(kind, class_id):
        return [lists.images[position] for position in lists.labels[kind][class_id]]

    assert named('positive', 1) == ['b/two'] and named('negative', 1) == ['a/one'] and named('partial', 1) == []
    assert named('positive', 2) == ['a/one']
    assert named('partial', 2) == ['ILSVRC2013_train/n02672831/n02672831_7']
    assert [lists.images[position] for position in lists.having(['positive'])] == ['b/two', 'a/one']
    assert len(lists.having(['positive', 'partial'])) == 3


def test_lists_that_are_not_asked_for_may_be_missing(tmp_path):
    as_in_2014(tmp_path)
    (tmp_path / 'train_neg_2.txt').unlink()
    assert len(read_train_lists(tmp_path, ['positive'], 2).images) == 2
    with pytest.raises(InputError, match=r'no training list of class 2: neither train_2.txt nor train_neg_2.txt'):
        read_train_lists(tmp_path, num_classes=2)


@pytest.mark.parametrize(
    'line, said',
    [
        ('a/one', 'line 3 is not "<image name> 1"'),  # without a label
        ('a/one 2', 'line 3 is not "<image name> 1"'),  # a label that there is not
        ('a one 1', 'line 3 is not "<image name> 1"'),  # too many words
    ],
)
def test_malformed_training_lists(tmp_path, line, said):
    as_shipped(tmp_path)
    (tmp_path / 'train_1.txt').write_text(f'b/two 1\n\n{line}\n')
    with pytest.raises(InputError, match=said):
        read_train_lists(tmp_path, num_classes=2)


def test_empty_training_lists_and_unknown_kinds(tmp_path):
    (tmp_path / 'train_1.txt').write_text('')
    with pytest.raises(InputError, match='name no image'):
        read_train_lists(tmp_path, num_classes=1)
    for kinds in (['positiv'], []):
        with pytest.raises(InputError, match='training lists are positive, partial, negative, not'):
            read_train_lists(tmp_path, kinds, 1)


def test_real_training_lists(shared_data):
    folder = shared_data / 'ilsvrc_devkit' / 'det_lists'
    lists = read_train_lists(folder, ['positive'], 3)
    assert [len(lists.labels['positive'][class_id]) for class_id in (1, 2, 3)] == [792, 1569, 550]
    assert all(is_training_image(name) for name in lists.images)
    with pytest.raises(InputError, match='no training list of class 4'):
        read_train_lists(folder, ['positive'])


@pytest.mark.parametrize(
    'name, training',
    [
        ('ILSVRC2014_train_0000/ILSVRC2014_train_00002439', True),
        ('ILSVRC2013_train/n02672831/n02672831_10086', True),
        ('ILSVRC2013_train_extra0/ILSVRC2013_train_00000001', True),
        ('ILSVRC2013_DET_train_extra0/ILSVRC2013_train_00000001', True),
        ('n02672831/n02672831_10086', True),  # as the lists of 2014 have it
        ('ILSVRC2012_val_00000001', False),
        ('ILSVRC2013_val_00000910', False),
        ('mini_train_000001', False),
    ],
)
def test_training_images_are_known_by_name(name, training):
    assert is_training_image(name) == training


# --------------------------------------------------------------------------------------------------- val1, val2


def test_rcnns_halves(shared_data):
    kit = shared_data / 'ilsvrc_devkit'
    val = read_image_list(kit / 'det_lists' / 'val.txt')
    val2 = read_image_list(kit / 'det_lists' / 'ilsvrc13_val2.txt')
    blacklist = read_blacklist(kit / 'ILSVRC2014_det_validation_blacklist.txt')
    first, second = rcnn_val_split(val, val2, blacklist)
    # The numbers that R-CNN's report gives.
    assert (len(first), len(second)) == (9887, 9917)
    assert not first.keys() & second.keys() and second.keys() == val2.keys()
    assert all(val[name] == index for half in (first, second) for name, index in half.items())


def test_val2_of_other_images():
    with pytest.raises(InputError, match=r'1 images of val2 are not in val \(c the first\)'):
        rcnn_val_split({'a': 1, 'b': 2}, ['b', 'c'], np.zeros((0, 2), int))


# ------------------------------------------------------------------------------------------------------- train_N


@given(st.lists(st.integers(1, 5), max_size=60), st.integers(1, 8), st.integers(0, 3))
def test_at_most_n_objects_of_a_class(class_ids, limit, seed):
    class_ids = np.array(class_ids, int)
    chosen = limit_objects(class_ids, limit, seed)
    for class_id in range(1, 6):
        assert chosen[class_ids == class_id].sum() == min(limit, (class_ids == class_id).sum())
    # More of them contain the fewer, and another class has no influence.
    assert not (chosen & ~limit_objects(class_ids, limit + 1, seed)).any()
    others = class_ids != 3
    assert (limit_objects(class_ids[others], limit, seed) == chosen[others]).all()


def test_another_seed_chooses_others():
    class_ids = np.ones(1000, int)
    assert (limit_objects(class_ids, 500) != limit_objects(class_ids, 500, seed=1)).sum() > 300


# ------------------------------------------------------------------------------------------------ balanced split


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 40).flatmap(
        lambda images: st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=images, max_size=images)
    ),
    st.sampled_from([(1, 1), (0.8, 0.2), (3, 2, 1)]),
)
def test_parts_have_their_share_of_the_images(counts, shares):
    counts = np.array(counts)
    if len(counts) < len(shares):
        return
    parts = balanced_split(counts, shares, tries=2)
    sizes = np.bincount(parts, minlength=len(shares))
    wanted = np.array(shares) / sum(shares) * len(counts)
    assert sizes.sum() == len(counts) and (sizes >= 1).all()
    assert (np.abs(sizes - wanted) < 1).all() or (sizes == 1).any()
    assert (parts == balanced_split(counts, shares, tries=2)).all()


def test_the_best_split_of_all_is_found():
    random = np.random.default_rng(0)
    for _ in range(10):
        counts = random.poisson(0.7, (10, 3))
        due = np.maximum(counts.sum(axis=0), 1) / 2

        def cost(parts, counts=counts, due=due):
            return ((counts[parts == 0].sum(axis=0) / due - 1) ** 2).sum()

        every = (np.isin(range(10), chosen) for chosen in itertools.combinations(range(10), 5))
        best = min(cost(parts.astype(int)) for parts in every)
        assert cost(balanced_split(counts, (1, 1))) <= best + 0.1


def test_a_split_is_far_better_balanced_than_chance():
    random = np.random.default_rng(1)
    # 60 classes, some with ten objects, some with a thousand, which come in groups: as in ILSVRC.
    rate = np.geomspace(0.01, 1, 60)
    counts = random.poisson(rate * 3, (800, 60)) * (random.random((800, 60)) < 0.3)
    counts = counts[:, counts.sum(axis=0) > 3]
    parts = balanced_split(counts, (1, 1), tries=3)
    by_chance = np.mean([imbalance(counts, random.permutation(800) % 2, (1, 1)).mean() for _ in range(20)])
    assert imbalance(counts, parts, (1, 1)).mean() < 0.2 * by_chance


def test_imbalance():
    counts = np.array([[1, 0, 4], [1, 0, 0], [0, 0, 0], [0, 0, 4]])
    assert imbalance(counts, np.array([0, 1, 0, 1]), (1, 1)).tolist() == [0, 0, 0]
    assert imbalance(counts, np.array([0, 0, 1, 1]), (1, 1)).tolist() == [1, 0, 0]


@pytest.mark.parametrize('shares', [(1,), (1, 0), (1, -1), (1, float('nan'))])
def test_wrong_shares(shares):
    with pytest.raises(InputError, match='two or more positive numbers'):
        balanced_split(np.ones((5, 1)), shares)


def test_fewer_images_than_parts():
    with pytest.raises(InputError, match='1 images cannot be split into 2 parts'):
        balanced_split(np.ones((1, 1)), (1, 1))
