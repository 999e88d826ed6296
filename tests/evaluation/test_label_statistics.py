"""Objects per class and size of a data set, counted and drawn."""

import cv2
import numpy as np

from det_inception.evaluation.analysis.label_statistics import label_statistics, plot_labels


class Images:
    def __init__(self, entries, classes=('dog', 'a $ sign', '\u72ac')):
        self.entries, self.metainfo = entries, dict(classes=classes)

    def __len__(self):
        return len(self.entries)

    def get_data_info(self, number):
        return self.entries[number]


def image(*objects):
    instances = [dict(bbox=box, bbox_label=label, ignore_flag=ignored) for label, box, ignored in objects]
    return dict(width=200, height=100, instances=instances)


def test_it_counts_what_counts():
    data = Images([image((1, [0, 0, 50, 50], 0), (1, [10, 20, 210, 30], 0), (0, [0, 0, 9, 9], 1)), image()])
    found = label_statistics(data)
    assert found.images == 2 and found.labels.tolist() == [1, 1] and found.counts.tolist() == [0, 2, 0]
    assert found.sizes.tolist() == [[0.25, 0.5], [1.0, 0.1]] and found.per_image.tolist() == [2, 0]
    # Images with one label each, as a classifier has them.
    labeled = label_statistics(Images([dict(gt_label=1)] * 3))
    assert labeled.images == 3 and labeled.labels is None


def test_it_draws_any_names_and_any_number_of_classes(tmp_path):
    rng = np.random.default_rng(0)
    for number in (3, 60):
        classes = ('dog', 'a $ sign', '\u72ac')[:number] if number < 4 else tuple(f'class {n}' for n in range(number))
        entries = [image(*((int(rng.integers(number)), [0, 0, 20, 30], 0) for _ in range(5))) for _ in range(40)]
        plot_labels(label_statistics(Images(entries, classes)), tmp_path / 'labels.png')
        picture = cv2.imread(str(tmp_path / 'labels.png'))
        assert picture.shape == (440, 1430, 3) and (picture < 200).any(axis=2).mean() > 0.03
