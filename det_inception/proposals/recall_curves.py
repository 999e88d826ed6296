"""The recall of proposal stores over a data set: measured, as a table, and drawn.

Shape legend: T ground-truth boxes of all images together, L limits on the number of proposals, K IoU thresholds.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from det_inception.proposals.errors import ProposalError, StoreKeyError
from det_inception.proposals.recall import average_recall, best_overlaps, recall_of
from det_inception.proposals.sources import GroundTruth
from det_inception.proposals.store import ProposalStore
from det_inception.utils.files import atomic_write
from det_inception.utils.tables import markdown_table

# What the recall over the number of proposals is drawn at.
PLOTTED_THRESHOLDS = (0.5, 0.7)


@dataclass(frozen=True)
class StoreRecall:
    """How much of the ground truth the proposals of one store find.

    Attributes:
        images: Number of images looked at, all of which have ground truth.
        missing: Number of images with ground truth that the store does not hold and that were left out.
        proposals: Mean number of proposals of an image.
        limits: L numbers of proposals, increasing; the last leaves none out.
        best: float64 (T, L), the overlap that each ground-truth box reaches.
    """

    images: int
    missing: int
    proposals: float
    limits: tuple[int, ...]
    best: np.ndarray


def measure_recall(
    store: ProposalStore, truth: GroundTruth, limits: Sequence[int] = (), *, only_stored: bool = False
) -> StoreRecall:
    """Measures one store.

    Args:
        store: The proposals.
        truth: The boxes to be found.
        limits: Numbers of proposals to look at; the greatest number that an image has is added.
        only_stored: Leaves out images that the store does not hold.

    Raises:
        ProposalError: The store lacks an image (any image, with ``only_stored``), or holds no proposal for any.
    """
    if any(limit < 1 for limit in limits):
        raise ProposalError(f'Limits must be at least 1, not {", ".join(map(str, limits))}.')
    keys, boxes, missing = [], [], []
    for path, image_boxes in truth.boxes.items():
        try:
            keys.append(store.find(path))
            boxes.append(image_boxes)
        except StoreKeyError:
            missing.append(path)
    if missing and (not only_stored or not keys):
        raise ProposalError(
            f'{store.path} has no proposals for {len(missing)} of {len(truth.boxes)} images with ground truth, such as '
            f'{missing[0]}; make them, or look at the others alone with --only-stored.'
        )
    counts = [store.count(key) for key in keys]
    if not any(counts):
        raise ProposalError(f'{store.path} has not a single proposal for these images.')
    most = max(counts)
    all_limits = (*sorted({limit for limit in limits if limit < most}), most)
    best = [
        best_overlaps([store[key].boxes], [image_boxes], all_limits)
        for key, image_boxes in zip(keys, boxes, strict=True)
    ]
    return StoreRecall(len(keys), len(missing), float(np.mean(counts)), all_limits, np.concatenate(best))


def recall_table(
    measured: Mapping[str, StoreRecall], limits: Sequence[int], iou_thresholds: Sequence[float] = (0.5, 0.7, 0.9)
) -> str:
    """Writes measurements as a Markdown table.

    Args:
        measured: Method's name and measurement.
        limits: The limits for which to give a line, where a method has more proposals; a line for all is added.
        iou_thresholds: The thresholds for which to give a column.

    Returns:
        Lines of text; AR is the recall averaged over IoU 0.5 to 1, MBO the mean best overlap.
    """
    rows = [['method', 'proposals', *(f'recall at {threshold:g}' for threshold in iou_thresholds), 'AR', 'MBO']]
    for name, found in measured.items():
        recalls = recall_of(found.best, iou_thresholds)
        average, mean = average_recall(found.best), found.best.mean(axis=0)
        for column, limit in enumerate(found.limits):
            is_last = column == len(found.limits) - 1
            if not is_last and limit not in limits:
                continue
            number = f'all, {found.proposals:.0f} an image' if is_last else f'first {limit}'
            values = [*recalls[:, column], average[column], mean[column]]
            rows.append([name, number, *(f'{value:.3f}' for value in values)])
    return markdown_table(rows)


def plot_recall(measured: Mapping[str, StoreRecall], out: str | os.PathLike, title: str = '') -> None:
    """Draws recall over IoU and over the number of proposals, all methods in one picture.

    Args:
        measured: Method's name and measurement; the finer its limits, the smoother its second curve.
        out: The picture: .png, .pdf or .svg.
        title: What to write above it.

    Raises:
        ProposalError: The name ends otherwise, or the file cannot be written.
    """
    if Path(out).suffix.lower() not in ('.png', '.pdf', '.svg'):
        raise ProposalError(f'{out} must end in .png, .pdf or .svg.')
    # Imported here, since the rest of the package does without; and drawn without pyplot, which would look for a
    # screen.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout='constrained')
    FigureCanvasAgg(figure)
    over_iou, over_number = figure.subplots(1, 2)
    thresholds = np.linspace(0.5, 1, 101)
    lines = ('-', '--', ':', '-.')
    for number, (name, found) in enumerate(measured.items()):
        color = f'C{number % 10}'
        label = f'{name} ({found.proposals:.0f} an image, AR {average_recall(found.best)[-1]:.3f})'
        over_iou.plot(thresholds, recall_of(found.best[:, -1:], thresholds), color=color, label=label)
        recalls = recall_of(found.best, PLOTTED_THRESHOLDS)
        for row, style in zip(recalls, lines, strict=False):
            over_number.plot(found.limits, row, style, color=color)
    over_iou.set(xlabel='IoU threshold', ylabel='recall', xlim=(0.5, 1), ylim=(0, 1), title='All proposals')
    # Where high recall is good news, the lower left is free.
    over_iou.legend(loc='lower left', fontsize='small')
    for threshold, style in zip(PLOTTED_THRESHOLDS, lines, strict=False):
        over_number.plot([], [], style, color='0.3', label=f'IoU {threshold:g}')
    over_number.set(
        xscale='log', xlabel='first proposals of an image', ylabel='recall', ylim=(0, 1), title='Best first'
    )
    over_number.xaxis.set_major_formatter('{x:g}')
    over_number.legend(loc='upper left', fontsize='small')
    for axes in (over_iou, over_number):
        axes.grid(color='0.9')
        axes.spines[['top', 'right']].set_visible(False)
    if title:
        figure.suptitle(title)
    with atomic_write(out, ProposalError) as temporary:
        figure.savefig(temporary, dpi=120)


def plot_limits(most: int) -> list[int]:
    """Returns up to 40 numbers of proposals, 1 to ``most``, that make a smooth curve on a logarithmic axis."""
    return sorted({round(10**exponent) for exponent in np.linspace(0, math.log10(max(most, 2)), 40)})
