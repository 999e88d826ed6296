"""All numbers of a page as one tidy table: a line for each number, which says what it is of."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from det_inception.evaluation.analysis.confidence import OperatingPoint
from det_inception.evaluation.analysis.errors import KINDS
from det_inception.evaluation.analysis.scoring import RECALLS, sampled_envelope
from det_inception.evaluation.report.page import Report
from det_inception.proposals.recall import recall_of
from det_inception.utils.errors import printable

COLUMNS = ('part', 'class', 'item', 'measure', 'value')
_Row = tuple[str, str, str, str, Any]


def numbers_text(report: Report) -> str:
    """Writes the numbers of a report as CSV.

    The columns are ``part``, ``class`` (empty: all together), ``item`` (a place of a curve, a kind of error, a range of
    sizes, or a second class), ``measure`` and ``value`` (empty: there is none, such as the AP of a class without
    objects).
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(COLUMNS)
    for part, name, item, measure, value in _rows(report):
        writer.writerow([part, printable(name), printable(item), measure, _text(value)])
    return text.getvalue()


def _rows(report: Report) -> Iterator[_Row]:
    results, score, names = report.results, report.score, report.results.class_names
    annotations = results.annotations
    run = dict(
        images=len(results.image_names),
        objects=results.num_objects.sum(),
        ignored_objects=annotations.ignored.sum(),
        detections=len(results.predictions),
        mean_ap=score.mean_ap,
        mean_ap_margin=report.estimate.margin if len(results.image_names) > 1 else np.nan,
        official_mean_ap=score.official_mean,
        proposals_per_image=results.proposals_per_image,
    )
    yield from _measures('run', '', '', run)
    counts = results.class_counts._asdict()
    for label, name in enumerate(names):
        measures = {measure: values[label] for measure, values in counts.items()}
        measures |= dict(ap=score.ap[label], recall=score.final_recall[label])
        yield from _measures('class', name, '', measures)
    for label, (precision, recall) in enumerate(score.curves):
        if results.num_objects[label]:
            for place, value in zip(RECALLS, sampled_envelope(precision, recall)):
                yield 'precision_recall', names[label], f'{place:.2f}', 'precision', value
    yield from _confidence(report)
    for row, column in np.argwhere(report.confusion):
        classes = [names[label] if label < len(names) else '' for label in (row, column)]
        yield 'confusion', *classes, 'count', report.confusion[row, column]
    for kind, cost, count, costs in zip(KINDS, report.errors.costs, report.errors.counts, report.errors.class_costs):
        yield from _measures('error', '', kind, dict(ap_cost=cost, count=count))
        for name, of_class in zip(names, costs):
            yield 'error', name, kind, 'ap_cost', of_class
    yield 'error', '', 'all false positives', 'ap_cost', report.errors.false_positives
    yield 'error', '', 'all false negatives', 'ap_cost', report.errors.false_negatives
    for parts, sizes in (
        (('small', 'medium', 'large'), report.coco_sizes),
        (('smallest third', 'middle third', 'largest third'), report.third_sizes),
    ):
        for part, size in zip(parts, sizes):
            yield from _measures('size', '', part, vars(size))
    yield from _proposals(report)


def _confidence(report: Report) -> Iterator[_Row]:
    analysis = report.confidence
    curves = [('', analysis.overall), *zip(report.results.class_names, analysis.classes)]
    for name, curve in curves:
        for item, point in (('best', curve.best), ('chosen', curve.chosen)):
            yield from _measures('confidence', name, item, _point(point))
    yield from _measures('confidence', '', 'best of each class', _point(analysis.separate))
    for name, curve in curves:
        for number, place in enumerate(analysis.grid):
            measures = {measure: getattr(curve, measure)[number] for measure in ('precision', 'recall', 'f1')}
            yield from _measures('confidence_curve', name, f'{place:.4g}', measures)


def _proposals(report: Report) -> Iterator[_Row]:
    best = report.results.counted_proposal_iou
    if best is None:
        return
    labels = report.results.annotations.labels[~report.results.annotations.ignored]
    for threshold in np.arange(30, 101, 5) / 100:
        yield 'proposals', '', f'{threshold:.2f}', 'recall', recall_of(best[:, None], [threshold])[0, 0]
    for label in np.unique(labels):
        for threshold in (0.5, 0.7):
            share = (best[labels == label] >= threshold).mean()
            yield 'proposals', report.results.class_names[label], f'{threshold:.2f}', 'recall', share


def _point(point: OperatingPoint) -> dict[str, float]:
    measures = ('confidence', 'detections', 'true', 'objects', 'precision', 'recall', 'f1')
    return {measure: getattr(point, measure) for measure in measures}


def _measures(part: str, name: str, item: str, measures: Mapping[str, Any]) -> Iterator[_Row]:
    return ((part, name, item, measure, value) for measure, value in measures.items())


def _text(value: Any) -> str:
    if value is None or np.isnan(value):
        return ''
    return str(int(value)) if isinstance(value, (int, np.integer)) else f'{value:.6g}'
