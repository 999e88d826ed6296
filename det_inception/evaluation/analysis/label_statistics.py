"""How many objects of which class and size a data set has.

Shape legend: C classes, M objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from det_inception.evaluation.analysis.training_curves import save_curves
from det_inception.utils.fonts import font_for

SHOWN = 30


@dataclass(frozen=True)
class LabelStatistics:
    """What is in a data set.

    Attributes:
        classes: Their C names.
        images: Number of images.
        labels: int64 (M,), of the objects that count; None where an image has one label instead.
        sizes: float64 (M, 2): width and height as shares of the image's.
        per_image: int64, number of objects of each image.
    """

    classes: tuple[str, ...]
    images: int
    labels: np.ndarray | None
    sizes: np.ndarray
    per_image: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Objects of each class, int64 (C,)."""
        return np.bincount(self.labels, minlength=len(self.classes))


def label_statistics(dataset: Any) -> LabelStatistics:
    """Reads the annotations of a data set of MMDetection; its pipeline is not run.

    Args:
        dataset: Of ``dict(height, width, instances)`` an image; objects with an ``ignore_flag`` are left out. One of
            MMEngine's classification has no ``instances``.
    """
    classes = tuple(dataset.metainfo.get('classes') or ())
    labels, sizes, per_image = [], [], []
    for number in range(len(dataset)):
        entry = dataset.get_data_info(number)
        if 'instances' not in entry:
            return LabelStatistics(classes, len(dataset), None, np.zeros((0, 2)), np.zeros(0, int))
        counted = [instance for instance in entry['instances'] if not instance.get('ignore_flag')]
        labels += [instance['bbox_label'] for instance in counted]
        for x1, y1, x2, y2 in (instance['bbox'] for instance in counted):
            sizes.append(((x2 - x1) / entry['width'], (y2 - y1) / entry['height']))
        per_image.append(len(counted))
    shares = np.asarray(sizes, np.float64).reshape(-1, 2)
    return LabelStatistics(classes, len(dataset), np.asarray(labels, np.int64), shares, np.asarray(per_image, np.int64))


def plot_labels(statistics: LabelStatistics, out: str | Path) -> None:
    """Draws objects per class, their sizes and objects per image.

    Raises:
        InputError: The picture cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), dpi=110, layout='constrained')
    of_class, of_size, of_image = figure.subplots(1, 3)
    counts = statistics.counts
    order = np.argsort(-counts, kind='stable')[:SHOWN]
    of_class.bar(range(len(order)), counts[order], color='#2a6f97')
    named = [font_for(statistics.classes[label][:20])[1].replace('$', r'\$') for label in order]
    of_class.set_xticks(range(len(order)), named, rotation=60 if len(order) > 4 else 0, ha='right', fontsize=7)
    of_class.tick_params(axis='x', length=0)
    if len(order) <= 4:
        of_class.set_xticklabels(named, ha='center', fontsize=9)
    left_out = f', the {SHOWN} most frequent of {len(counts)}' if len(counts) > SHOWN else ''
    of_class.set(title=f'Objects per class{left_out}')
    of_size.scatter(
        *statistics.sizes.T[:, :20_000],
        s=4 if len(statistics.sizes) > 1000 else 16,
        alpha=0.4,
        color='#2a6f97',
        linewidths=0,
        rasterized=True,
    )
    of_size.set(title='Sizes', xlabel='width / image width', ylabel='height / image height', xlim=(0, 1), ylim=(0, 1))
    top = int(statistics.per_image.max(initial=0))
    of_image.hist(statistics.per_image, bins=np.arange(-0.5, min(top, 50) + 1), color='#2a6f97')
    of_image.set(title='Objects per image', xlabel='objects', ylabel='images')
    for axis in (of_class.yaxis, of_image.xaxis, of_image.yaxis):
        axis.get_major_locator().set_params(integer=True)
    save_curves(figure, out)
