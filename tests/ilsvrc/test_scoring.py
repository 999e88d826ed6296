"""The official score: against the development kit's printed numbers, a plain evaluator, and case by case."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from det_inception.ilsvrc import (
    AnnotationTable,
    DetectionScore,
    DetectionTable,
    evaluate,
    format_table,
    object_thresholds,
    read_blacklist,
    read_detections,
    read_ground_truth,
)
from det_inception.utils.errors import InputError

# What the readme of the development kit prints for its demo submission.
OFFICIAL = {
    'accordion': '0.564',
    'airplane': '0.528',
    'ant': '0.548',
    'antelope': '0.626',
    'apple': '0.506',
    'water_bottle': '0.521',
    'watercraft': '0.646',
    'whale': '0.548',
    'wine_bottle': '0.610',
    'zebra': '0.772',
}


@pytest.fixture(scope='module')
def demo(shared_data: Path) -> tuple[DetectionTable, AnnotationTable, np.ndarray]:
    kit = shared_data / 'ilsvrc_devkit'
    return (
        read_detections(kit / 'demo.val.pred.det.txt.xz'),
        read_ground_truth(kit / 'ILSVRC2015_det_validation_ground_truth.mat'),
        read_blacklist(kit / 'ILSVRC2014_det_validation_blacklist.txt'),
    )


def test_the_demo_submission_scores_what_the_readme_prints(demo):
    score = evaluate(*demo)
    assert {name: f'{score.ap[score.class_names.index(name)]:.3f}' for name in OFFICIAL} == OFFICIAL
    assert f'{score.mean_ap:.3f} {score.median_ap:.3f}' == '0.590 0.601'
    assert score.ap.shape == (200,)
    assert score.mean_ap == score.mean_ap_with_objects
    assert 'Mean AP:                0.590' in format_table(score)
    assert 'water bottle           0.521' in format_table(score)


def test_the_blacklist_matters_on_the_demo_submission(demo):
    detections, ground_truth, blacklist = demo
    with_it, without = evaluate(detections, ground_truth, blacklist), evaluate(detections, ground_truth)
    assert without.num_objects.sum() == 55502 > with_it.num_objects.sum()
    assert not np.array_equal(without.ap, with_it.ap)


def test_the_demo_submission_equals_the_plain_evaluator(demo):
    """On the first 1,000 images."""
    detections, ground_truth, blacklist = demo
    chosen = detections.image_ids <= 1000
    part = DetectionTable(
        detections.image_ids[chosen],
        detections.class_ids[chosen],
        detections.scores[chosen],
        detections.boxes[chosen],
    )
    there = ground_truth.object_image_ids <= 1000
    objects = AnnotationTable(
        np.arange(1, 1001),
        ground_truth.object_image_ids[there],
        ground_truth.class_ids[there],
        ground_truth.boxes[there],
    )
    assert_equal(evaluate(part, objects, blacklist), plain_evaluate(part, objects, blacklist))


# ------------------------------------------------------------------------------------------- plain evaluator


def plain_evaluate(detections: DetectionTable, truth: AnnotationTable, blacklist: np.ndarray) -> list[tuple]:
    """The rules in the order in which the official evaluator applies them: image by image, box by box.

    Returns:
        For each class AP, precisions and recalls.
    """
    blacklisted = {tuple(pair) for pair in np.asarray(blacklist).tolist()}
    verdicts = []  # (score, class, is it true) in the order of images, then of confidence
    positives = dict.fromkeys(range(1, len(truth.class_names) + 1), 0)
    seen = set()
    all_objects = list(zip(truth.object_image_ids.tolist(), truth.class_ids.tolist(), truth.boxes.tolist()))
    for image in sorted(truth.image_ids.tolist()):
        objects = [(class_id, box) for owner, class_id, box in all_objects if owner == image]
        for class_id, _ in objects:
            positives[class_id] += (image, class_id) not in blacklisted
        taken = set()
        rows = np.flatnonzero(detections.image_ids == image).tolist()
        for row in sorted(rows, key=lambda row: -detections.scores[row]):  # sorted() is stable
            class_id = int(detections.class_ids[row])
            seen.add(class_id)
            if (image, class_id) in blacklisted:
                continue
            candidates = []
            for number, (object_class, box) in enumerate(objects):
                if object_class == class_id and number not in taken:
                    overlap = plain_overlap(detections.boxes[row].tolist(), box)
                    width, height = box[2] - box[0] + 1, box[3] - box[1] + 1
                    if overlap >= min(0.5, width * height / ((width + 10) * (height + 10))):
                        candidates.append((-overlap, number))
            if candidates:
                taken.add(min(candidates)[1])
            verdicts.append((detections.scores[row], class_id, bool(candidates)))
    verdicts.sort(key=lambda verdict: -verdict[0])

    results = []
    for class_id, count in positives.items():
        precisions, recalls, true = [], [], 0
        for _, _, is_true in (verdict for verdict in verdicts if verdict[1] == class_id):
            true += is_true
            precisions.append(true / (len(precisions) + 1))
            recalls.append(true / count if count else math.nan)
        if count:
            ap, last = 0.0, 0.0
            for position, recall in enumerate(recalls):
                ap += (recall - last) * max(precisions[position:]) if recall != last else 0
                last = recall
        else:
            ap = math.nan if class_id in seen else 0.0
        results.append((ap, precisions, recalls))
    return results


def plain_overlap(box: list[float], other: list[float]) -> float:
    width = min(box[2], other[2]) - max(box[0], other[0]) + 1
    height = min(box[3], other[3]) - max(box[1], other[1]) + 1
    if width <= 0 or height <= 0:
        return -1.0
    areas = [(b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (box, other)]
    return width * height / (areas[0] + areas[1] - width * height)


def assert_equal(score: DetectionScore, plain: list[tuple]) -> None:
    for label, (ap, precisions, recalls) in enumerate(plain):
        assert score.precision[label].tolist() == precisions
        assert np.array_equal(score.recall[label], recalls, equal_nan=True)
        assert score.ap[label] == pytest.approx(ap, abs=1e-12, nan_ok=True)  # sums in another order


@st.composite
def entries(draw) -> tuple[DetectionTable, AnnotationTable, np.ndarray]:
    """Few images, classes, places and confidences, so that ties, duplicates and near misses abound."""
    images, classes = st.integers(1, 4), st.integers(1, 3)
    corner, extent = st.integers(0, 8), st.integers(-3, 30)
    size = st.sampled_from([1, 5, 9, 10, 24, 25, 60])

    def box(width: int, height: int, dx: int, dy: int) -> list[float]:
        return [dx, dy, dx + width - 1, dy + height - 1]

    objects = draw(st.lists(st.tuples(images, classes, st.builds(box, size, size, corner, corner)), min_size=1))
    free = st.builds(box, extent, extent, corner, corner)
    near = st.sampled_from([entry[2] for entry in objects]).flatmap(
        lambda chosen: st.tuples(
            *[st.sampled_from([-2, 0, 0, 0.5, 3]).map(lambda shift, c=c: c + shift) for c in chosen]
        ).map(list)
    )
    found = draw(
        st.lists(
            st.tuples(images, classes, st.sampled_from([-1.5, 0, 0.25, 0.5, 2]), st.one_of(free, near)), max_size=40
        )
    )
    blacklist = draw(st.lists(st.tuples(st.integers(1, 6), classes), max_size=3))
    detections = DetectionTable(
        [row[0] for row in found], [row[1] for row in found], [row[2] for row in found], [row[3] for row in found]
    )
    truth = AnnotationTable(
        draw(st.permutations([1, 2, 3, 4])),
        [row[0] for row in objects],
        [row[1] for row in objects],
        [row[2] for row in objects],
        class_names=('a', 'b', 'c'),
    )
    return detections, truth, np.array(blacklist, dtype=np.int64).reshape(-1, 2)


@settings(max_examples=300, deadline=None)
@given(entries())
def test_equals_the_plain_evaluator_on_random_input(entry):
    assert_equal(evaluate(*entry), plain_evaluate(*entry))


@settings(max_examples=50, deadline=None)
@given(entries(), st.randoms(use_true_random=False))
def test_does_not_depend_on_the_order_of_classes_or_images_in_the_file(entry, random):
    """Only the order within an (image, class) pair can matter, and only for equal confidences."""
    detections, truth, blacklist = entry
    pairs = list(zip(detections.image_ids.tolist(), detections.class_ids.tolist()))
    position = {pair: random.random() for pair in sorted(set(pairs))}
    order = sorted(range(len(pairs)), key=lambda row: position[pairs[row]])
    shuffled = DetectionTable(
        *(getattr(detections, name)[order] for name in ('image_ids', 'class_ids', 'scores', 'boxes'))
    )
    np.testing.assert_array_equal(evaluate(detections, truth, blacklist).ap, evaluate(shuffled, truth, blacklist).ap)


# ----------------------------------------------------------------------------------------------- single rules

BOX = [0, 0, 99, 99]
FAR = [500, 500, 599, 599]


def score_of(found: list[tuple], objects: list[tuple], images=(1, 2, 3), classes=('a', 'b'), blacklist=None):
    """Scores rows (image, class, confidence, box) against rows (image, class, box)."""
    columns = list(zip(*found)) or [[], [], [], []]
    detections = DetectionTable(*(list(column) for column in columns))
    truth = AnnotationTable(images, *(list(column) for column in zip(*objects)), class_names=classes)
    return evaluate(detections, truth, blacklist)


# fmt: off
AP_CASES = {
    # the object is found
    'hit': ([(1, 1, 0.5, BOX)], [(1, 1, BOX)], 1.0),
    # the same box twice: the second is false, but comes after full recall
    'duplicate after': ([(1, 1, 0.9, BOX), (1, 1, 0.5, BOX)], [(1, 1, BOX)], 1.0),
    # a duplicate before the second object is found costs precision there: 1/2 * 1 + 1/2 * 2/3
    'duplicate between': ([(1, 1, 0.9, BOX), (1, 1, 0.8, BOX), (1, 1, 0.7, FAR)], [(1, 1, BOX), (1, 1, FAR)], 5 / 6),
    # a detection in an image without objects is false
    'image without objects': ([(2, 1, 0.9, BOX), (1, 1, 0.5, BOX)], [(1, 1, BOX)], 0.5),
    # an object of another class is no object
    'other class': ([(1, 1, 0.9, FAR), (1, 1, 0.5, BOX)], [(1, 1, BOX), (1, 2, FAR)], 0.5),
    # equal confidence, one image: the order of the file decides
    'tie within an image, true first': ([(1, 1, 0.5, BOX), (1, 1, 0.5, FAR)], [(1, 1, BOX)], 1.0),
    'tie within an image, false first': ([(1, 1, 0.5, FAR), (1, 1, 0.5, BOX)], [(1, 1, BOX)], 0.5),
    # equal confidence, two images: the lower index decides, not the order of the file
    'tie between images, true first': ([(3, 1, 0.5, BOX), (2, 1, 0.5, BOX)], [(2, 1, BOX)], 1.0),
    'tie between images, false first': ([(2, 1, 0.5, BOX), (1, 1, 0.5, FAR)], [(2, 1, BOX)], 0.5),
    # reversed boxes overlap nothing
    'reversed': ([(1, 1, 0.5, [99, 0, 0, 99])], [(1, 1, BOX)], 0.0),
    # nothing detected at all
    'nothing': ([], [(1, 1, BOX)], 0.0),
    # 20 x 20 around 10 x 10: overlap 0.25 is exactly the threshold of 10 x 10
    'small object, exactly enough': ([(1, 1, 0.5, [0, 0, 19, 19])], [(1, 1, [5, 5, 14, 14])], 1.0),
    'small object, a pixel too wide': ([(1, 1, 0.5, [0, 0, 20, 19])], [(1, 1, [5, 5, 14, 14])], 0.0),
    # exactly half of a large object
    'half': ([(1, 1, 0.5, [0, 0, 99, 49])], [(1, 1, BOX)], 1.0),
    'less than half': ([(1, 1, 0.5, [0, 0, 99, 48])], [(1, 1, BOX)], 0.0),
    # boxes may touch one pixel only; inclusive ends make that an overlap of 1/1
    'one pixel': ([(1, 1, 0.5, [7, 7, 7, 7])], [(1, 1, [7, 7, 7, 7])], 1.0),
}
# fmt: on


@pytest.mark.parametrize(('found', 'objects', 'ap'), AP_CASES.values(), ids=AP_CASES)
def test_average_precision(found, objects, ap):
    assert score_of(found, objects).ap[0] == pytest.approx(ap)


def test_a_second_detection_takes_the_second_best_object():
    """Pascal VOC would call it a duplicate, because its best object is taken."""
    close, near = [0, 0, 99, 99], [0, 20, 99, 119]
    score = score_of([(1, 1, 0.9, close), (1, 1, 0.8, [0, 2, 99, 101])], [(1, 1, close), (1, 1, near)])
    assert score.precision[0].tolist() == [1, 1]


def test_of_equal_overlaps_the_first_object_is_taken():
    """The box lies in the middle of both; who gets it decides whether the second detection finds one."""
    left, right, middle = [0, 0, 99, 99], [20, 0, 119, 99], [10, 0, 109, 99]
    only_right = [60, 0, 139, 99]  # overlaps right enough, left too little
    assert score_of([(1, 1, 0.9, middle), (1, 1, 0.8, only_right)], [(1, 1, left), (1, 1, right)]).ap[0] == 1
    assert score_of([(1, 1, 0.9, middle), (1, 1, 0.8, only_right)], [(1, 1, right), (1, 1, left)]).ap[0] == 0.5


def test_greatest_overlap_is_sought_only_among_objects_whose_own_threshold_is_reached():
    large, small = [0, 0, 39, 39], [14, 14, 23, 23]
    found = [0, 0, 19, 39]  # 0.5 of the large one, 0.07 of the small one
    assert score_of([(1, 1, 0.9, found)], [(1, 1, small), (1, 1, large)]).ap[0] == 0.5


def test_blacklisted_pairs_count_as_neither():
    found = [(1, 1, 0.9, FAR), (1, 1, 0.8, BOX), (2, 1, 0.7, BOX), (1, 2, 0.6, BOX)]
    objects = [(1, 1, BOX), (2, 1, BOX), (1, 2, BOX)]
    score = score_of(found, objects, blacklist=[(1, 1), (77, 1)])
    assert score.ap.tolist() == [1, 1]
    assert score.num_objects.tolist() == [1, 1]
    assert score.num_detections.tolist() == [3, 1]
    assert score.precision[0].tolist() == [1]  # blacklisted detections are no points of the curve


def test_classes_without_objects_as_the_official_formula_has_them():
    """0 / 0 with detections, 0 without; classes after the last one that has objects are not part of the mean."""
    score = score_of([(1, 2, 0.5, BOX), (1, 3, 0.5, BOX)], [(1, 3, BOX)], classes=('a', 'b', 'c', 'd'))
    assert np.array_equal(score.ap, [0, np.nan, 1, 0], equal_nan=True)
    assert math.isnan(score.mean_ap)
    assert math.isnan(score.median_ap)
    assert score.mean_ap_with_objects == 1
    assert '1 of 4 classes have objects; mean AP over these: 1.000' in format_table(score)
    assert 'NaN' in format_table(score)

    quiet = score_of([(1, 2, 0.5, BOX), (1, 4, 0.5, BOX)], [(1, 2, BOX)], classes=('a', 'b', 'c', 'd'))
    assert quiet.mean_ap == 0.5  # of classes a and b
    assert math.isnan(quiet.ap[3])


def test_a_class_whose_objects_are_all_blacklisted_has_none():
    score = score_of([(1, 1, 0.5, BOX), (1, 2, 0.5, BOX)], [(1, 1, BOX), (1, 2, BOX)], blacklist=[(1, 1)])
    assert math.isnan(score.ap[0])
    assert score.num_objects.tolist() == [0, 1]


def test_thresholds():
    boxes = [[0, 0, 9, 9], [0, 0, 99, 99], [0, 0, 0, 0], [3, 4, 26, 27]]
    expected = [100 / 400, 0.5, 1 / 121, 0.5 if 24 * 24 / 34**2 > 0.5 else 24 * 24 / 34**2]
    assert object_thresholds(boxes).tolist() == expected


def test_curves_and_confidences_belong_together():
    score = score_of([(1, 1, 0.2, BOX), (2, 1, 0.9, BOX), (3, 1, 0.4, BOX)], [(1, 1, BOX), (2, 1, BOX)])
    assert score.confidence[0].tolist() == [0.9, 0.4, 0.2]
    assert score.precision[0].tolist() == [1, 1 / 2, 2 / 3]
    assert score.recall[0].tolist() == [1 / 2, 1 / 2, 1]


def test_one_image_and_one_class():
    assert score_of([(5, 1, 0.5, BOX)], [(5, 1, BOX)], images=[5], classes=['a']).ap.tolist() == [1]


# fmt: off
BAD_CASES = {
    'no image': (([], [], [], []), ([], [], [], []), 'no images'),
    'no object': (([], [], [], []), ([1], [], [], []), 'no object'),
    'strange image': (([9], [1], [0.5], [BOX]), ([1], [1], [1], [BOX]), 'not among the 1'),
    'class 0': (([1], [0], [0.5], [BOX]), ([1], [1], [1], [BOX]), 'Class id 0 in the detections'),
    'class 3': (([1], [3], [0.5], [BOX]), ([1], [1], [1], [BOX]), 'Class id 3 in the detections'),
    'class 3 in the truth': (([1], [1], [0.5], [BOX]), ([1], [1], [3], [BOX]), 'Class id 3 in the ground truth'),
    'NaN confidence': (([4], [1], [math.nan], [BOX]), ([4], [4], [1], [BOX]), 'image 4'),
    'infinite box': (([4], [1], [0.5], [[0, 0, math.inf, 1]]), ([4], [4], [1], [BOX]), 'image 4'),
    'reversed object': (([1], [1], [0.5], [BOX]), ([1], [1], [1], [[9, 0, 5, 5]]), 'reversed'),
    'image twice': (([1], [1], [0.5], [BOX]), ([1, 1], [1], [1], [BOX]), 'more than once'),
    'object elsewhere': (([1], [1], [0.5], [BOX]), ([1], [2], [1], [BOX]), 'Objects of image 2'),
    'lengths': (([1, 1], [1], [0.5], [BOX]), ([1], [1], [1], [BOX]), 'length 2'),
    'fractional id': (([1.5], [1], [0.5], [BOX]), ([1], [1], [1], [BOX]), 'integers'),
    'three coordinates': (([1], [1], [0.5], [[1, 2, 3]]), ([1], [1], [1], [BOX]), 'shape'),
}
# fmt: on


@pytest.mark.parametrize(('found', 'truth', 'message'), BAD_CASES.values(), ids=BAD_CASES)
def test_bad_input_is_explained(found, truth, message):
    with pytest.raises(InputError, match=message):
        evaluate(DetectionTable(*found), AnnotationTable(*truth, class_names=('a', 'b')))


@pytest.mark.parametrize('blacklist', [[(1, 3)], [(1, 1, 1)], [(1.5, 1.0)]])
def test_a_bad_blacklist_is_explained(blacklist):
    with pytest.raises(InputError, match='blacklist'):
        score_of([(1, 1, 0.5, BOX)], [(1, 1, BOX)], blacklist=blacklist)
