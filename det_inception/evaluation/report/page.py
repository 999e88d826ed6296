"""The page of a report: one HTML file that needs no other.

``templates/page.html`` says how it looks, this module which values it shows. The template escapes every value, so names
of classes and files are only text. Shape legend: C classes, M objects.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import jinja2
import numpy as np
from numpy.typing import NDArray

from det_inception.evaluation.analysis.confidence import ConfidenceAnalysis, OperatingPoint
from det_inception.evaluation.analysis.confusion import confusions
from det_inception.evaluation.analysis.errors import DUPLICATE, KINDS, ErrorAnalysis
from det_inception.evaluation.analysis.resampling import RESAMPLES, Estimate
from det_inception.evaluation.analysis.results import RULES, EvalResults
from det_inception.evaluation.analysis.scoring import Score
from det_inception.evaluation.analysis.sizes import SizeScore
from det_inception.evaluation.report.charts import (
    HEIGHT,
    LEFT,
    PANELS_UP_TO,
    TOP,
    WIDTH,
    confidence_charts,
    precision_recall_charts,
    precision_recall_overview,
    proposal_chart,
    ranked_classes,
)
from det_inception.evaluation.report.gallery import Galleries, Shot
from det_inception.version import __version__

NUMBERS_FILE = 'numbers.csv'
"""All numbers of the page, beside it."""
FEW = 15  # classes whose bars are in one column
WORST = 6  # classes whose objects the proposals miss most
MATRIX_UP_TO = 24  # classes of a confusion matrix
PAIRS = 10  # of classes that are confused most

MEANINGS = {
    'classification': 'right place, wrong class: overlaps an object of another class by 0.5 or more',
    'localization': 'right class, wrong place: overlaps an object of its class by 0.1 to 0.5',
    'both': 'overlaps an object of another class by 0.1 to 0.5: wrong in class and place',
    'duplicate': 'right, but a more confident detection has found the object already',
    'background': 'overlaps no object by more than 0.1',
    'missed': 'objects that no detection finds, not even one of the wrong class or in the wrong place',
}
_LOSSES = {
    'classification': 'wrong classes',
    'localization': 'inexact boxes',
    'both': 'detections wrong in class and place',
    'duplicate': 'duplicates',
    'background': 'detections on background',
    'missed': 'missed objects',
}


@dataclass(frozen=True, eq=False)
class Report:
    """Everything that a page shows.

    Attributes:
        results: The run.
        score: Its score.
        estimate: How far its mean AP depends on which images were tested.
        errors: Its errors.
        coco_sizes: The score for COCO's three sizes.
        third_sizes: The score for the smallest, middle and largest third of the objects.
        confidence: Precision, recall and F1 against confidence.
        confusion: int64 (C + 1, C + 1), objects by class against detections, at the chosen confidence.
        galleries: The example images; None where no image is at hand.
        no_galleries: Why there are none.
        title: What was tested.
        facts: Further lines under the title, such as the checkpoint: pairs of a word and its value.
    """

    results: EvalResults
    score: Score
    estimate: Estimate
    errors: ErrorAnalysis
    coco_sizes: Sequence[SizeScore]
    third_sizes: Sequence[SizeScore]
    confidence: ConfidenceAnalysis
    confusion: NDArray
    galleries: Galleries | None
    no_galleries: str
    title: str
    facts: Sequence[tuple[str, str]]


class _Bar(NamedTuple):
    name: str
    share: float
    value: str
    objects: int


def make_page(report: Report) -> str:
    """Writes a report as HTML."""
    results, score, errors = report.results, report.score, report.errors
    num_objects, num_images = results.num_objects, len(results.image_names)
    ranks = ranked_classes(score)
    present = int((num_objects > 0).sum())
    tiles = [
        ('images', _number(num_images)),
        ('objects', _number(num_objects.sum())),
        ('detections', _number(len(results.predictions))),
        ('classes', _number(present) + (f' of {len(score.ap):,}' if present < len(score.ap) else '')),
    ]
    if results.proposals_per_image is not None:
        tiles.append(('proposals per image', _number(results.proposals_per_image)))
    official_differs = not round(score.official_mean, 4) == round(score.mean_ap, 4)  # NaN differs from all
    knows_margin = num_images > 1 and not np.isnan(report.estimate.error)
    html = (
        _environment()
        .get_template('page.html')
        .render(
            vars(report),
            version=__version__,
            few=FEW,
            numbers_file=NUMBERS_FILE,
            plot=dict(left=LEFT, top=TOP, right=LEFT + WIDTH, bottom=TOP + HEIGHT),
            precision_recall=precision_recall_charts(results, score),
            overview=precision_recall_overview(results, score) if present > PANELS_UP_TO else None,
            confidence_charts=confidence_charts(results, score, report.confidence),
            thresholds=_thresholds(report),
            matrix=_matrix(report),
            confused=_confused(report),
            resamples=RESAMPLES,
            meanings=MEANINGS,
            rules=RULES[results.rules],
            tiles=tiles,
            margin=report.estimate.margin if knows_margin else None,
            official=_ap(score.official_mean).replace('–', 'NaN') if official_differs else None,
            num_images=num_images,
            num_objects=num_objects.sum(),
            num_predictions=len(results.predictions),
            num_ignored=int(results.annotations.ignored.sum()),
            class_bars=[
                _Bar(results.class_names[label], score.ap[label], _ap(score.ap[label]), num_objects[label])
                for label in ranks
            ],
            num_without_objects=len(score.ap) - len(ranks),
            largest_cost=max(errors.costs.max(), errors.false_positives, errors.false_negatives, 1e-9),
            error_rows=[
                dict(name=KINDS[kind], loss=_LOSSES[KINDS[kind]], cost=errors.costs[kind], count=errors.counts[kind])
                for kind in np.argsort(-errors.costs, kind='stable')
            ],
            proposals=_proposals(report),
            shot=lambda shot: _shot(results, shot),
            table=_table(report),
        )
    )
    # Names of files in another encoding, such as a checkpoint's, are not all text.
    return html.encode('utf-8', errors='backslashreplace').decode('utf-8')


def _proposals(report: Report) -> dict | None:
    """What the section on proposals shows; None where there are none."""
    results, best = report.results, report.results.counted_proposal_iou
    if best is None:
        return None
    labels = results.annotations.labels[~results.annotations.ignored]
    recalls = {label: (best[labels == label] >= 0.5).mean() for label in np.unique(labels)}
    worst = sorted(recalls, key=recalls.get)[:WORST]
    return dict(
        chart=proposal_chart(best),
        recall50=(best >= 0.5).mean(),
        recall70=(best >= 0.7).mean(),
        all_classes=len(worst) == len(recalls),
        worst=[
            _Bar(results.class_names[label], recalls[label], _share(recalls[label]), (labels == label).sum())
            for label in worst
        ],
    )


def _shot(results: EvalResults, shot: Shot) -> dict:
    """The texts of a picture: its title, a word on the verdict, further lines and an alternative text."""
    predictions, annotations, names = results.predictions, results.annotations, results.class_names
    target = names[annotations.labels[shot.target]] if shot.target >= 0 else ''
    detection = ''
    if shot.detection >= 0:
        detection = f'{names[predictions.labels[shot.detection]]} {predictions.scores[shot.detection]:.2f}'
    lines = []
    if shot.kind == 'missed':
        title, chip, alt = target, 'not found', f'{target} that was not found'
        lines.append(
            f'nearest: {detection}, IoU {shot.overlap:.2f}' if detection else 'no detection overlaps it by 0.1'
        )
        if annotations.proposal_iou is not None:
            lines.append(f'best proposal: IoU {annotations.proposal_iou[shot.target]:.2f}')
    else:
        chip = shot.kind or 'true'
        title, alt = detection, f'{chip} detection {detection}'
        if shot.target >= 0:
            lines.append(f'IoU {shot.overlap:.2f} with {target}')
        elif shot.kind == KINDS[DUPLICATE - 1]:
            lines.append('the object is taken')
    name = results.image_names[shot.image]
    return dict(title=title, chip=chip, lines=[*lines, name], alt=f'{alt}, in {name}')


def _table(report: Report) -> list[dict]:
    """The numbers of each class, as texts."""
    results, score, best = report.results, report.score, report.results.counted_proposal_iou
    labels = results.annotations.labels[~results.annotations.ignored]
    counts, recall = results.class_counts, score.final_recall
    rows = []
    for label, name in enumerate(results.class_names):
        numbers = (counts.images, counts.objects, counts.detections)
        cells = [*(_number(of_class[label]) for of_class in numbers), _ap(score.ap[label]), _share(recall[label])]
        if best is not None:
            own = best[labels == label]
            cells += [_share((own >= threshold).mean() if len(own) else np.nan) for threshold in (0.5, 0.7)]
        rows.append(dict(name=name, cells=cells, costliest=_costliest(report.errors.class_costs[:, label])))
    return rows


def _thresholds(report: Report) -> list[dict]:
    """The best confidence of each class, and of all together, with what it gives, as texts."""
    analysis = report.confidence

    def row(name: str, best: OperatingPoint, chosen: OperatingPoint | None) -> dict:
        confidence = '–' if np.isnan(best.confidence) else f'{best.confidence:g}'
        f1 = _ap(chosen.f1) if chosen else ''
        cells = [confidence, _share(best.precision), _share(best.recall), _ap(best.f1), f1]
        return dict(name=name, cells=cells)

    overall = analysis.overall
    rows = [row('All classes', overall.best, overall.chosen)]
    if len(analysis.classes) > 1:
        rows.append(row('Each from its best', analysis.separate, None))
    names = report.results.class_names
    return rows + [row(name, curve.best, curve.chosen) for name, curve in zip(names, analysis.classes)]


def _matrix(report: Report) -> dict:
    """The confusion matrix, or that of the classes that are confused most: names and rows of cells."""
    counts, names = report.confusion, report.results.class_names
    shown = np.arange(len(names))
    if len(names) > MATRIX_UP_TO:
        between = counts[:-1, :-1] - np.diag(np.diag(counts[:-1, :-1]))
        involved = between.sum(axis=0) + between.sum(axis=1)
        shown = np.sort(np.argsort(-involved, kind='stable')[:MATRIX_UP_TO])
    nothing = len(names)
    objects, detections = counts.sum(axis=1), counts.sum(axis=0)
    rows = []
    for row in (*shown, nothing):
        cells = []
        for column in (*shown, nothing):
            if row == nothing:
                what, whole = f'{(*names, "")[column]} where nothing is', detections[column]
            else:
                found = 'not found' if column == nothing else f'found as {names[column]}'
                what, whole = f'{names[row]} {found}', objects[row]
            cells.append(
                dict(
                    count=counts[row, column],
                    share=counts[row, column] / whole if whole else 0.0,
                    right=row == column,
                    title=f'{what}: {counts[row, column]:,} of {whole:,}',
                    empty=row == column == nothing,
                )
            )
        rows.append(dict(name='nothing there' if row == nothing else names[row], cells=cells))
    columns = [names[label] for label in shown]
    return dict(columns=[*columns, 'not found'], rows=rows, complete=len(shown) == len(names))


def _confused(report: Report) -> list[_Bar]:
    """The pairs of classes that are confused most, each with its share of the objects."""
    names, objects = report.results.class_names, report.confusion.sum(axis=1)
    return [
        _Bar(f'{names[row]} as {names[column]}', count / objects[row], f'{count} of {objects[row]}', int(objects[row]))
        for row, column, count in confusions(report.confusion)[:PAIRS]
    ]


def _costliest(costs: NDArray) -> str:
    if np.isnan(costs).all() or np.nanmax(costs) <= 0:
        return '–'
    worst = int(np.nanargmax(costs))
    return f'{KINDS[worst]}, {_points(costs[worst])}'


# --------------------------------------------------------------------------------------------------------- template


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader('det_inception.evaluation.report'),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(zip=zip)
    environment.filters.update(
        ap=_ap, counted=_counted, data_uri=_data_uri, number=_number, points=_points, share=_share
    )
    return environment


def _ap(value: float) -> str:
    return '–' if np.isnan(value) else f'{value:.3f}'


def _share(value: float) -> str:
    return '–' if np.isnan(value) else f'{value:.1%}'


def _points(value: float) -> str:
    return f'{100 * value:.1f}'


def _number(value: float) -> str:
    return f'{value:,.0f}'


def _counted(count: int, one: str, more: str | None = None) -> str:
    """``2 objects`` for 2 and ``object``."""
    return f'{count:,} {one if count == 1 else more or one + "s"}'


def _data_uri(content: bytes, kind: str) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'
