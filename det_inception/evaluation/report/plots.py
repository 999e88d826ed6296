"""The figures of a report as PNG with a transparent ground, for papers and slides; the page draws its own curves.

Shape legend: C classes, P points of a curve, M objects.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from numpy.typing import NDArray

from det_inception.evaluation.analysis.confidence import ConfidenceAnalysis
from det_inception.evaluation.analysis.results import EvalResults
from det_inception.evaluation.analysis.scoring import RECALLS, Score, sampled_envelope
from det_inception.evaluation.report.charts import PANELS_UP_TO, SHOWN_OF_MANY, ranked_classes
from det_inception.proposals.recall import recall_of
from det_inception.utils.fonts import font_for

# Those of the page, see ``templates/style.css``.
INK, GRID, COLORS = '#3d434b', '#e2dfd8', ('#2a6f97', '#c8553d', '#588157', '#8a5a9e', '#b8860b')


def plot_precision_recall(results: EvalResults, score: Score) -> bytes:
    """Draws the precision-recall curves.

    Up to twelve classes get a panel each. With more, it draws the mean curve and those of the best and worst classes.
    Classes without objects are left out.
    """
    ranks = ranked_classes(score)
    if len(ranks) <= PANELS_UP_TO:
        return _panels(results, score, ranks)
    figure, axes = _figure(1, 3, (10.4, 4.9))
    envelopes = np.array([sampled_envelope(*score.curves[label]) for label in ranks])
    mean, best, worst = axes[0]
    lower, upper = np.quantile(envelopes, [0.25, 0.75], axis=0)
    mean.fill_between(RECALLS, lower, upper, color=COLORS[0], alpha=0.18, linewidth=0, label='middle half')
    mean.plot(RECALLS, envelopes.mean(axis=0), color=COLORS[0], linewidth=2, label=f'mean of {len(ranks)} classes')
    _title(mean, 'All classes')
    _legend(mean)
    for panel, title, chosen in (
        (best, 'The best', range(SHOWN_OF_MANY)),
        (worst, 'The worst', range(len(ranks) - 1, len(ranks) - 1 - SHOWN_OF_MANY, -1)),
    ):
        for row, color in zip(chosen, COLORS):
            name = f'{score.ap[ranks[row]]:.2f}  {_short(results.class_names[ranks[row]])}'
            seen = envelopes[row] > 0  # there is no curve after the last recall
            panel.plot(RECALLS[seen], envelopes[row][seen], color=color, linewidth=1.6, label=name)
        _title(panel, title)
        _legend(panel)
    for panel in axes[0]:
        _unit_square(panel)
        panel.set_xlabel('recall')
    mean.set_ylabel('precision')
    return _png(figure)


def plot_proposal_recall(proposal_iou: NDArray) -> bytes:
    """Draws the recall of the proposals over IoU.

    Args:
        proposal_iou: float64 (M,), each object's best overlap with a proposal; M is at least 1.
    """
    figure, axes = _figure(1, 1, (5.4, 3.4))
    panel = axes[0, 0]
    thresholds = np.linspace(0.3, 1, 141)
    recalls = recall_of(proposal_iou[:, None], thresholds)[:, 0]
    panel.fill_between(thresholds, recalls, color=COLORS[0], alpha=0.14, linewidth=0)
    panel.plot(thresholds, recalls, color=COLORS[0], linewidth=2)
    for threshold in (0.5, 0.7):
        covered = recall_of(proposal_iou[:, None], [threshold])[0, 0]
        panel.plot([threshold], [covered], 'o', color=COLORS[0], markersize=6)
        # The curve falls, so its lower left is free, unless it runs along the bottom.
        low = covered < 0.15
        panel.annotate(
            f'{covered:.1%}',
            (threshold, covered),
            xytext=(5, 5) if low else (-5, -5),
            textcoords='offset points',
            ha='left' if low else 'right',
            va='bottom' if low else 'top',
            color=INK,
            fontweight='bold',
        )
    panel.set(xlim=(0.3, 1), ylim=(0, 1.02), xlabel='IoU with the best proposal, at least', ylabel='share of objects')
    return _png(figure)


def plot_confidence(analysis: ConfidenceAnalysis) -> bytes:
    """Draws precision, recall and F1 of all classes together against confidence."""
    figure, axes = _figure(1, 1, (5.4, 3.8))
    panel, curve = axes[0, 0], analysis.overall
    for name, style, color in (('precision', '-', COLORS[0]), ('recall', '--', COLORS[1]), ('F1', '-', COLORS[2])):
        values = getattr(curve, name.lower())
        panel.plot(analysis.grid, values, style, color=color, linewidth=2.4 if name == 'F1' else 1.6, label=name)
    if not np.isnan(curve.best.confidence):
        panel.plot([curve.best.confidence], [curve.best.f1], 'o', color=COLORS[2], markersize=6)
        _title(panel, f'F1 {curve.best.f1:.2f} at {curve.best.confidence:g}')
    panel.set(ylim=(0, 1.03), xlabel='confidence, at least', ylabel='share')
    panel.legend(frameon=False, fontsize=8.5, labelcolor=INK)
    return _png(figure)


def _panels(results: EvalResults, score: Score, ranks: Sequence[int]) -> bytes:
    columns = min(4, len(ranks))
    rows = -(-len(ranks) // columns)
    size = (5.4, 3.8) if len(ranks) == 1 else (2.6 * columns, 2.45 * rows + 0.3)
    figure, axes = _figure(rows, columns, size)
    for number, panel in enumerate(axes.flat):
        if number >= len(ranks):
            panel.set_visible(False)
            continue
        label = ranks[number]
        precision, recall = score.curves[label]
        envelope = sampled_envelope(precision, recall)
        panel.fill_between(RECALLS, envelope, color=COLORS[0], alpha=0.14, linewidth=0, step='pre')
        # Drawn to the last true detection: after it only precision changes, and no area.
        end = np.searchsorted(recall, recall[-1]) + 1 if len(recall) and recall[-1] > 0 else 0
        start = precision[:1] if end else []
        panel.plot(
            np.concatenate([[0] * len(start), recall[:end]]),
            np.concatenate([start, precision[:end]]),
            color=COLORS[0],
            linewidth=1.6,
        )
        _title(panel, f'{_short(results.class_names[label])}  {score.ap[label]:.2f}')
        _unit_square(panel)
        if number + columns >= len(ranks):
            panel.set_xlabel('recall')
            panel.tick_params(labelbottom=True)
        if number % columns == 0:
            panel.set_ylabel('precision')
    return _png(figure)


def _figure(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, NDArray]:
    figure = Figure(figsize=size, layout='constrained')
    FigureCanvasAgg(figure)  # without pyplot, which would look for a screen
    figure.patch.set_alpha(0)
    axes = figure.subplots(rows, columns, squeeze=False)
    for panel in axes.flat:
        panel.patch.set_alpha(0)
        panel.grid(color=GRID, linewidth=0.8)
        panel.set_axisbelow(True)
        panel.spines[['top', 'right']].set_visible(False)
        panel.spines[['left', 'bottom']].set_color(GRID)
        panel.tick_params(colors=INK, labelsize=8, length=0)
        panel.xaxis.label.set_color(INK)
        panel.yaxis.label.set_color(INK)
    return figure, axes


def _unit_square(panel: Axes) -> None:
    panel.set(xlim=(0, 1.01), ylim=(0, 1.03), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])


def _title(panel: Axes, text: str) -> None:
    panel.set_title(text, color=INK, fontsize=9.5, fontweight='bold', loc='left', parse_math=False)


def _legend(panel: Axes) -> None:
    """Below the panel, where no curve runs. Names come from users: they are no formulas."""
    legend = panel.legend(loc='upper left', bbox_to_anchor=(-0.02, -0.16), frameon=False, fontsize=8.5, labelcolor=INK)
    for text in legend.get_texts():
        text.set_parse_math(False)
        path, drawable = font_for(text.get_text())
        text.set_text(drawable)
        text.set_fontproperties(FontProperties(fname=path, size=8.5))


def _short(name: str, limit: int = 22) -> str:
    return name if len(name) <= limit else name[: limit - 1] + '…'


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='Glyph .* missing')  # names in scripts that the font lacks
        figure.savefig(buffer, format='png', dpi=150)
    return buffer.getvalue()
