"""Region measures and greedy grouping, against plain Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from det_inception.proposals.grouping import (
    HISTOGRAM_SUM,
    MAX_GRADIENT,
    SIMILARITIES,
    SIZE_DIVISOR,
    Regions,
    describe_regions,
    group_regions,
    texture_bins,
)
from det_inception.proposals.segmentation import build_graph, merge_pixels, smooth


def regions_of(seed: int, height: int, width: int, k: float = 20, levels: int = 256) -> tuple[Regions, np.ndarray]:
    rng = np.random.default_rng(seed)
    image = (rng.integers(0, levels, (height, width, 3)) * (255 // (levels - 1))).astype(np.uint8)
    smoothed = smooth(image)
    labels, count = merge_pixels(build_graph(smoothed), height, width, k, 5)
    return describe_regions(labels, count, image, texture_bins(smoothed)), labels


scenes = st.tuples(
    st.integers(0, 2**32 - 1),
    st.integers(1, 24),
    st.integers(1, 24),
    st.sampled_from([1, 20]),
    st.sampled_from([2, 256]),
)


@settings(max_examples=50, deadline=None)
@given(scenes)
def test_measures(scene: tuple) -> None:
    regions, labels = regions_of(*scene)
    height, width = labels.shape
    pairs = set()
    for y in range(height):
        for x in range(width):
            for y1, x1 in ((y + 1, x), (y, x + 1)):
                if y1 < height and x1 < width and labels[y, x] != labels[y1, x1]:
                    pairs.add(tuple(sorted((int(labels[y, x]), int(labels[y1, x1])))))
    assert [tuple(pair) for pair in regions.pairs.tolist()] == sorted(pairs)
    assert regions.image_size == height * width
    for label in range(labels.max() + 1):
        y, x = np.nonzero(labels == label)
        assert regions.sizes[label] == len(y)
        assert regions.boxes[label].tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
    for histograms, bins in ((regions.color, 75), (regions.texture, 240)):
        assert histograms.shape == (labels.max() + 1, bins) and histograms.min() >= 0
        assert (abs(histograms.sum(axis=1) - HISTOGRAM_SUM) <= bins).all()


def test_color_histogram_of_two_halves() -> None:
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, 4:] = (255, 128, 10)
    labels = np.repeat([[0, 0, 0, 0, 1, 1, 1, 1]], 4, axis=0).astype(np.int32)
    regions = describe_regions(labels, 2, image, np.full((4, 8, 12), 9, np.uint8))
    third = HISTOGRAM_SUM / 3
    for label, filled in ((0, [0, 25, 50]), (1, [24, 25 + 12, 50 + 1])):
        expected = np.zeros(75)
        expected[filled] = third
        np.testing.assert_allclose(regions.color[label], expected, atol=1)
    # no gradient anywhere: the first bin of each of 24 orientations
    assert np.flatnonzero(regions.texture[0]).tolist() == list(range(0, 240, 10))


def test_texture_bins_of_ramps() -> None:
    """A ramp has one gradient: along its own direction and the two beside it, against the opposite ones."""
    step = 12
    ramp = np.repeat(np.arange(12, dtype=np.float32)[None] * step, 12, axis=0)
    per_unit = 9 / (MAX_GRADIENT * 255)
    straight, diagonal = round(step * per_unit), round(step * per_unit * 0.5**0.5)
    along_x = texture_bins(ramp[None])[6, 6].astype(int) - 9
    along_y = texture_bins(ramp.T[None])[6, 6].astype(int) - 9
    against_x = texture_bins(-ramp[None])[6, 6].astype(int) - 9
    assert along_x.tolist() == [0, diagonal, straight, diagonal]
    assert along_y.tolist() == [straight, diagonal, 0, -diagonal]
    assert against_x.tolist() == [0, -diagonal, -straight, -diagonal]
    # gradients over the last bin stay in it
    assert texture_bins(ramp[None] * 20)[6, 6].tolist() == [9, 18, 18, 18]


def group_in_plain_python(regions: Regions, terms: tuple[str, ...]) -> tuple[list, list]:
    """The authors' procedure word for word: a list that is sorted after each merge, the last of equals taken."""
    sizes = regions.sizes.tolist()
    boxes = regions.boxes.tolist()
    color = list(regions.color)
    texture = list(regions.texture)

    def similarity(a: int, b: int) -> float:
        values = []
        if 'color' in terms:
            values.append(int(np.minimum(color[a], color[b]).sum()) / HISTOGRAM_SUM)
        if 'texture' in terms:
            values.append(int(np.minimum(texture[a], texture[b]).sum()) / HISTOGRAM_SUM)
        both = (sizes[a] + sizes[b]) / SIZE_DIVISOR
        if 'size' in terms:
            values.append((regions.image_size - both) / regions.image_size)
        if 'fill' in terms:
            x1, y1 = min(boxes[a][0], boxes[b][0]), min(boxes[a][1], boxes[b][1])
            x2, y2 = max(boxes[a][2], boxes[b][2]), max(boxes[a][3], boxes[b][3])
            values.append(1 - ((x2 - x1) * (y2 - y1) - both) / regions.image_size)
        return sum(values) / len(values)

    pairs = [(similarity(a, b), a, b) for a, b in regions.pairs.tolist()]
    merged = []
    while pairs:
        pairs.sort(key=lambda pair: pair[0])
        _, a, b = pairs.pop()
        c = len(sizes)
        merged.append({a, b})
        share_a, share_b = sizes[a] / (sizes[a] + sizes[b]), sizes[b] / (sizes[a] + sizes[b])
        color.append((color[a] * share_a + color[b] * share_b + 0.5).astype(np.int32))
        texture.append((texture[a] * share_a + texture[b] * share_b + 0.5).astype(np.int32))
        sizes.append(sizes[a] + sizes[b])
        boxes.append([min(boxes[a][i], boxes[b][i]) if i < 2 else max(boxes[a][i], boxes[b][i]) for i in range(4)])
        touching = [pair for pair in pairs if {a, b} & set(pair[1:])]
        pairs = [pair for pair in pairs if not {a, b} & set(pair[1:])]
        for neighbor in sorted({n for pair in touching for n in pair[1:]} - {a, b}):
            pairs.append((similarity(c, neighbor), c, neighbor))
    return boxes[len(regions.sizes) :], merged


@settings(max_examples=40, deadline=None)
@given(scenes, st.sampled_from(sorted(SIMILARITIES)))
def test_grouping_matches_plain_python(scene: tuple, similarity: str) -> None:
    regions, _ = regions_of(*scene)
    before = [array.copy() for array in regions[:5]]
    boxes, merged = group_regions(regions, similarity)
    expected_boxes, expected_merged = group_in_plain_python(regions, SIMILARITIES[similarity])
    assert [set(pair) for pair in merged.tolist()] == expected_merged
    assert boxes.tolist() == expected_boxes
    # its input is as it was
    assert all(np.array_equal(a, b) for a, b in zip(before, regions[:5]))


def test_ties_go_to_the_newest_pair() -> None:
    """Where all pairs are equally similar, the authors' list gives its last one away first."""
    count = 5
    regions = Regions(
        sizes=np.ones(count, np.int64),
        boxes=np.array([[x, 0, x + 1, 1] for x in range(count)], np.int32),
        color=np.full((count, 75), 100, np.int32),
        texture=np.full((count, 240), 100, np.int32),
        pairs=np.array([[x, x + 1] for x in range(count - 1)], np.int32),
        image_size=count,
    )
    # Size: every first pair is equal, so the last of the list, (3, 4), goes first; what it makes is less similar.
    assert [set(pair) for pair in group_regions(regions, 'S')[1].tolist()] == [{3, 4}, {1, 2}, {6, 0}, {7, 5}]


def test_a_hierarchy_ends_with_the_image() -> None:
    regions, labels = regions_of(7, 40, 60)
    assert len(regions.sizes) > 10
    for similarity in SIMILARITIES:
        boxes, merged = group_regions(regions, similarity)
        assert len(boxes) == len(regions.sizes) - 1
        assert boxes[-1].tolist() == [0, 0, *labels.shape[::-1]]
        # every region but the last is merged exactly once
        assert sorted(merged.ravel().tolist()) == list(range(2 * len(regions.sizes) - 2))


def test_one_superpixel_has_no_merges() -> None:
    regions, _ = regions_of(0, 1, 1)
    boxes, merged = group_regions(regions)
    assert boxes.shape == (0, 4) and merged.shape == (0, 2)


def test_unknown_similarity() -> None:
    with pytest.raises(ValueError, match='choose one of'):
        group_regions(regions_of(0, 3, 3)[0], 'C')
