"""The curves of a page, as paths of SVG: sharp at any width, and in the colors of the page, light or dark.

``templates/page.html`` draws the axes and labels around them. Names stay outside of the drawing: the browser has fonts
for them, and puts them where there is room.

Shape legend: C classes, P points of a curve, M objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from det_inception.evaluation.analysis.confidence import ConfidenceAnalysis, ConfidenceCurve
from det_inception.evaluation.analysis.results import EvalResults
from det_inception.evaluation.analysis.scoring import RECALLS, Score, sampled_envelope
from det_inception.proposals.recall import recall_of

PANELS_UP_TO = 12  # classes that get a chart of their own at once; of more there is an overview
SHOWN_OF_MANY = 5  # best and worst classes that share a chart
LEFT, TOP, WIDTH, HEIGHT = 42, 8, 208, 150  # the plot in the drawing of 260 x 200
_MOST_POINTS = 200


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        path: Commands of an SVG path.
        style: Its class in ``style.css``: ``c0`` to ``c4`` are colors.
        name: For the legend below the chart; '': not in it.
    """

    path: str
    style: str
    name: str = ''


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        title: Its class.
        value: What is written after the title.
        x_label: Of the horizontal axis.
        y_label: Of the vertical axis, which runs from 0 to 1.
        lines: The curves.
        area: Path of what is filled.
        ticks: Places of the horizontal axis in the drawing, with their labels.
        marks: Points that are marked, in the drawing.
        upright: Place of a line from bottom to top.
    """

    title: str
    value: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    area: str = ''
    ticks: Sequence[tuple[float, str]] = ((LEFT, '0'), (LEFT + WIDTH / 2, '0.5'), (LEFT + WIDTH, '1'))
    marks: Sequence[tuple[float, float]] = field(default=())
    upright: float | None = None


def ranked_classes(score: Score) -> NDArray:
    """Labels of the classes that have objects, the best first."""
    return np.argsort(-score.ap, kind='stable')[: int((~np.isnan(score.ap)).sum())]


def precision_recall_charts(results: EvalResults, score: Score) -> list[Chart]:
    """The precision-recall curve of each class that has objects, the best first, above the area that is its AP."""
    charts = []
    for label in ranked_classes(score):
        precision, recall = score.curves[label]
        envelope = sampled_envelope(precision, recall)
        # From one true detection to the next; after the last one only precision changes, and no area.
        true = np.flatnonzero(np.diff(recall, prepend=0) > 0)
        if len(true) > _MOST_POINTS:
            true = true[np.unique(np.linspace(0, len(true) - 1, _MOST_POINTS).round().astype(int))]
        x, y = recall[true], precision[true]
        if len(true):
            x, y = np.append(0, x), np.append(precision[0], y)
        line = Line(_path(x, y), 'c0')
        charts.append(
            Chart(
                results.class_names[label],
                f'{score.ap[label]:.2f}',
                'recall',
                'precision',
                [line],
                _filled(RECALLS, envelope, 0 * envelope),
            )
        )
    return charts


def precision_recall_overview(results: EvalResults, score: Score) -> list[Chart]:
    """The mean of many classes with the band of their middle half, and the curves of the best and of the worst."""
    ranks = ranked_classes(score)
    envelopes = np.array([sampled_envelope(*score.curves[label]) for label in ranks])
    lower, upper = np.quantile(envelopes, [0.25, 0.75], axis=0)
    axes = dict(x_label='recall', y_label='precision')
    mean = [Line(_path(RECALLS, envelopes.mean(axis=0)), 'c0')]
    charts = [
        Chart('Mean of all classes', f'{score.mean_ap:.2f}', **axes, lines=mean, area=_filled(RECALLS, upper, lower))
    ]
    for title, chosen in (
        ('The best', range(SHOWN_OF_MANY)),
        ('The worst', range(len(ranks) - 1, len(ranks) - 1 - SHOWN_OF_MANY, -1)),
    ):
        lines = []
        for number, row in enumerate(chosen):
            seen = envelopes[row] > 0  # there is no curve after the last recall
            name = f'{results.class_names[ranks[row]]} {score.ap[ranks[row]]:.2f}'
            lines.append(Line(_path(RECALLS[seen], envelopes[row][seen]), f'c{number}', name))
        charts.append(Chart(title, '', **axes, lines=lines))
    return charts


def confidence_charts(results: EvalResults, score: Score, confidence: ConfidenceAnalysis) -> list[Chart]:
    """Precision, recall and F1 against confidence: of all classes together, then of each that has objects."""
    curves = [('All classes', confidence.overall)]
    curves += [(results.class_names[label], confidence.classes[label]) for label in ranked_classes(score)]
    return [_confidence_chart(name, curve, confidence.grid) for name, curve in curves]


def proposal_chart(proposal_iou: NDArray) -> Chart:
    """The recall of the proposals over IoU; float64 (M,), each object's best overlap with a proposal, M at least 1."""
    thresholds = np.linspace(0.3, 1, 141)
    recalls = recall_of(proposal_iou[:, None], thresholds)[:, 0]
    x = (thresholds - 0.3) / 0.7
    marked = [
        ((threshold - 0.3) / 0.7, recall_of(proposal_iou[:, None], [threshold])[0, 0]) for threshold in (0.5, 0.7)
    ]
    return Chart(
        'Objects covered',
        '',
        'IoU with the best proposal, at least',
        'share of objects',
        [Line(_path(x, recalls), 'c0')],
        _filled(x, recalls, 0 * recalls),
        [(LEFT + WIDTH * (value - 0.3) / 0.7, f'{value:g}') for value in (0.3, 0.5, 0.7, 1)],
        [_place(*point) for point in marked],
    )


def _confidence_chart(name: str, curve: ConfidenceCurve, grid: NDArray) -> Chart:
    low, high = grid[0], grid[-1]
    x = (grid - low) / ((high - low) or 1)
    best = curve.best
    known = not np.isnan(best.confidence)
    at = np.clip((best.confidence - low) / ((high - low) or 1), 0, 1)
    return Chart(
        name,
        f'F1 {best.f1:.2f} at {best.confidence:g}' if known else 'none is true',
        'confidence, at least',
        'share',
        [
            Line(_path(x, values), style)
            for values, style in ((curve.precision, 'c0'), (curve.recall, 'c1 dashed'), (curve.f1, 'c2 strong'))
        ],
        ticks=[(LEFT + WIDTH * share, f'{low + share * (high - low):.3g}') for share in (0, 0.5, 1)],
        marks=[_place(at, best.f1)] if known else [],
        upright=_place(at, 0)[0] if known else None,
    )


def _place(x: float, y: float) -> tuple[float, float]:
    """A point of the unit square in the drawing."""
    return round(LEFT + WIDTH * float(x), 1), round(TOP + HEIGHT * (1 - float(y)), 1)


def _path(x: NDArray, y: NDArray) -> str:
    """Lines through points of the unit square; where y is NaN there is none."""
    points = [_place(*point) for point in zip(x, y) if not np.isnan(point[1])]
    # Of points in a row on a level, as on a curve that does not change, the first and the last are enough.
    kept = [
        point
        for number, point in enumerate(points)
        if number in (0, len(points) - 1) or not points[number - 1][1] == point[1] == points[number + 1][1]
    ]
    return 'M' + ' '.join(f'{x:g},{y:g}' for x, y in kept) if kept else ''


def _filled(x: NDArray, upper: NDArray, lower: NDArray) -> str:
    outline = _path(np.concatenate([x, x[::-1]]), np.concatenate([upper, lower[::-1]]))
    return f'{outline}Z' if outline else ''
