"""The page of a report: one HTML file that needs no other.

Everything that comes from users, names of classes above all, is escaped. Shape legend: C classes, M objects.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from det_inception.evaluation.analysis.errors import DUPLICATE, KINDS, ErrorAnalysis
from det_inception.evaluation.analysis.resampling import DRAWS, Estimate
from det_inception.evaluation.analysis.results import RULES, EvalResults
from det_inception.evaluation.analysis.scoring import Score
from det_inception.evaluation.analysis.sizes import SizeScore
from det_inception.evaluation.report.gallery import Galleries, Shot
from det_inception.evaluation.report.plots import PANELS_UP_TO
from det_inception.evaluation.report.style import STYLE
from det_inception.version import __version__

FEW = 15  # classes whose bars stand in one column
_FIGURE_SCALE = 100 / 150  # of the page's pixels to those of the figures, so that their letters are as large as its

_MEANINGS = {
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
        spread: How far its mean AP depends on which images were tested.
        errors: Its errors.
        coco_sizes: The score for COCO's three sizes.
        third_sizes: The score for the smallest, middle and largest third of the objects.
        precision_recall: The figure as PNG, by theme.
        coverage: Likewise, of the proposals; None where there are none at hand.
        galleries: The pictures; None where no image is at hand.
        no_galleries: Why there are none.
        title: What was tested.
        facts: Further lines under the title, such as the checkpoint: pairs of a word and its value.
    """

    results: EvalResults
    score: Score
    spread: Estimate
    errors: ErrorAnalysis
    coco_sizes: Sequence[SizeScore]
    third_sizes: Sequence[SizeScore]
    precision_recall: dict[str, bytes]
    coverage: dict[str, bytes] | None
    galleries: Galleries | None
    no_galleries: str
    title: str
    facts: Sequence[tuple[str, str]]


def make_page(report: Report) -> str:
    """Writes a report as HTML."""
    sections = [
        ('classes', 'Classes', _classes(report)),
        ('curves', 'Precision and recall', _curves(report)),
        ('errors', 'Errors', _errors(report)),
        ('sizes', 'Sizes', _sizes(report)),
        ('proposals', 'Proposals', _proposals(report)),
        ('pictures', 'Pictures', _pictures(report)),
        ('numbers', 'All numbers', _numbers(report)),
    ]
    links = ''.join(f'<a href="#{name}">{title}</a>' for name, title, _ in sections)
    bodies = ''.join(
        f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{title}</h2>{body}</section>'
        for name, title, body in sections
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(report.title)}: test report</title><style>{STYLE}</style></head>\n<body>'
        f'{_header(report)}<main><nav aria-label="Sections">{links}</nav>{bodies}</main>'
        f'<footer>Made by det_inception {__version__}. Overlap is intersection over union (IoU). The kinds of '
        'errors are those of TIDE (Bolya et al., ECCV 2020).</footer></body></html>\n'
    )


# ---------------------------------------------------------------------------------------------------------- summary


def _header(report: Report) -> str:
    results, score = report.results, report.score
    rules = RULES[results.rules]
    present = int((results.num_objects > 0).sum())
    classes = f'{present:,}' if present == len(score.ap) else f'{present:,} of {len(score.ap):,}'
    tiles = [
        ('images', f'{len(results.image_names):,}'),
        ('objects', f'{results.num_objects.sum():,}'),
        ('detections', f'{len(results.found):,}'),
        ('classes', classes),
    ]
    if results.proposals_per_image is not None:
        tiles.append(('proposals an image', f'{results.proposals_per_image:,.0f}'))
    listed = ''.join(f'<div><dt>{word}</dt><dd>{value}</dd></div>' for word, value in tiles)
    facts = ' · '.join(f'{escape(word)} {escape(value)}' for word, value in report.facts)
    return (
        f'<header><p class="kicker">Test report</p><h1>{escape(report.title)}</h1>'
        f'<p class="soft">{facts}</p>'
        f'<div class="summary"><div class="headline"><b>{_ap(score.mean_ap)}</b>mAP '
        f'<span class="soft">{escape(rules.name)}</span></div>'
        f'<dl class="tiles">{listed}</dl></div>'
        f'<ul class="findings">{"".join(f"<li>{line}</li>" for line in _findings(report))}</ul></header>'
    )


def _findings(report: Report) -> Iterable[str]:
    """What one would say of the run in a few sentences."""
    results, score, errors = report.results, report.score, report.errors
    if not len(results.found):
        yield 'The run has <b>no detection at all</b>: every AP is 0, and every object is missed.'
    elif len(results.image_names) > 1 and not np.isnan(report.spread.error):
        yield (
            f'The choice of images makes the mAP sure to <b>±{_points(report.spread.margin)} points</b> '
            f'(95 %, by {DRAWS} draws from these).'
        )
    ignored = int(results.objects.ignored.sum())
    if ignored:
        yield (
            f'{_objects(ignored)} more {"does" if ignored == 1 else "do"} not count: difficult, a crowd or blacklisted.'
        )
    if np.isnan(score.official_mean):
        yield (
            'The official formula gives NaN here, because a class without objects was detected; the mean above is over '
            'the classes that have objects.'
        )
    elif round(score.official_mean, 4) != round(score.mean_ap, 4):
        yield (
            f'The official formula gives {_ap(score.official_mean)}, because it counts classes without objects as 0; '
            'the mean above is over the classes that have objects.'
        )
    ranks = _by_ap(score)
    if len(ranks) > 1 and len(results.found):
        best, worst = ranks[0], ranks[-1]
        yield (
            f'Best class: <b>{escape(results.class_names[best])}</b> ({_ap(score.ap[best])}); '
            f'worst: <b>{escape(results.class_names[worst])}</b> ({_ap(score.ap[worst])}).'
        )
    costly = int(np.argmax(errors.costs))
    if errors.costs[costly] > 0:
        yield f'Most is lost by <b>{_LOSSES[KINDS[costly]]}</b>: {_points(errors.costs[costly])} points of AP.'
    coverage = _coverage(results)
    if coverage is not None:
        yield (
            f'The proposals cover <b>{(coverage >= 0.5).mean():.1%}</b> of the objects at IoU 0.5; what they do not '
            'cover can hardly be found.'
        )


# --------------------------------------------------------------------------------------------------------- sections


def _classes(report: Report) -> str:
    results, score = report.results, report.score
    ranks = _by_ap(score)
    rows = ''.join(
        _bar(results.class_names[label], score.ap[label], _ap(score.ap[label]), _objects(results.num_objects[label]))
        for label in ranks
    )
    many = ' many' if len(ranks) > FEW else ''
    caption = (
        'Average precision of each class, best first: the area under its precision-recall curve. 1 means that every '
        'object is found and ranked above everything false.'
    )
    without = len(score.ap) - len(ranks)
    if without:
        caption += f' {without:,} {"class has" if without == 1 else "classes have"} no objects and so no AP.'
    rules = RULES[results.rules]
    return (
        f'<p><b>{escape(rules.name[0].upper() + rules.name[1:])}.</b> {escape(rules.sentence)}</p>'
        f'<figure><ol class="bars{many}">{rows}</ol><figcaption>{caption}</figcaption></figure>'
    )


def _curves(report: Report) -> str:
    present = int((report.results.num_objects > 0).sum())
    best = report.score.mean_ap
    figure = _themed(
        report.precision_recall, f'Precision-recall curves of {_count(present, "class", "classes")}; mean AP {best:.3f}'
    )
    caption = (
        'Walking down the ranked detections, recall is the share of the objects found so far and precision the share '
        'of true detections among those seen. '
    )
    if present <= PANELS_UP_TO:
        caption += (
            'A curve that starts low has confident false detections; one that ends early never finds the other '
            'objects. The filled area is the AP.'
        )
    else:
        caption += (
            'Left the mean of all classes, and the band in which the middle half of them lie; then the five best and '
            'the five worst classes, with their AP.'
        )
    return f'<figure>{figure}<figcaption>{caption}</figcaption></figure>'


def _errors(report: Report) -> str:
    errors = report.errors
    largest = max(errors.costs.max(), errors.false_positives, errors.false_negatives, 1e-9)
    order = np.argsort(-errors.costs, kind='stable')
    rows = ''.join(
        f'<tr><th scope="row">{KINDS[kind].capitalize()}</th><td class="number">{_points(errors.costs[kind])}</td>'
        f'<td class="wide">{_track(errors.costs[kind] / largest, "bad")}</td>'
        f'<td class="number">{errors.counts[kind]:,}</td><td class="meaning">{_MEANINGS[KINDS[kind]]}</td></tr>'
        for kind in order
    )
    special = ''.join(
        f'<tr><th scope="row">{name}</th><td class="number">{_points(cost)}</td>'
        f'<td class="wide">{_track(cost / largest, "soft")}</td><td></td><td class="meaning">{meaning}</td></tr>'
        for name, cost, meaning in (
            ('All false positives', errors.false_positives, 'if everything false ranked below everything true'),
            ('All false negatives', errors.false_negatives, 'if what was not found need not be found'),
        )
    )
    return (
        f'<p>How many points the mean AP would gain if errors of one kind were mended and nothing else. It is '
        f'measured at IoU 0.5 for all objects and with COCO’s AP, which is {_ap(errors.mean_ap)} here.</p>'
        '<div class="scroll"><table><thead><tr><th scope="col">Kind</th><th class="number" scope="col">AP points</th>'
        '<td></td><th class="number" scope="col">Errors</th>'
        f'<th scope="col">Meaning</th></tr></thead><tbody>{rows}{special}</tbody></table></div>'
        '<p class="note" style="margin-top:12px">The costs do not add up to what is missing to 100: mending one kind '
        'hides or uncovers others. Many errors that cost little are of low confidence, where they hardly matter.</p>'
    )


def _sizes(report: Report) -> str:
    coco_names = _ranges(('Small', 'Medium', 'Large'), report.coco_sizes)
    third_names = _ranges(('Smallest', 'Middle', 'Largest'), report.third_sizes)
    return (
        '<p>AP and recall of the objects of one size alone. Detections that belong to objects of other sizes, and '
        'false ones of other sizes, are left aside.</p><div class="pair">'
        f'<div><h3>COCO’s sizes</h3>{_size_table(coco_names, report.coco_sizes)}</div>'
        f'<div><h3>Thirds of these objects</h3>{_size_table(third_names, report.third_sizes)}</div></div>'
        '<p class="note" style="margin-top:12px">Sizes are areas of boxes in pixels of the image: 32² is as large as '
        '32 × 32. A mean is over the classes that have objects of the size, so means of few classes are shaky.</p>'
    )


def _ranges(names: Sequence[str], scores: Sequence[SizeScore]) -> list[str]:
    """Names of sizes with their limits, as sides of squares."""
    low, high = (f'{score.largest**0.5:,.0f}²' for score in scores[:2])
    limits = (f'below {low}', f'{low} to {high}', f'from {high} on')
    return [f'{name}<br><small class="soft">{limit}</small>' for name, limit in zip(names, limits)]


def _size_table(names: Sequence[str], scores: Sequence[SizeScore]) -> str:
    rows = ''.join(
        f'<tr><th scope="row">{name}</th><td class="number">{score.objects:,}</td>'
        f'<td class="number">{score.classes:,}</td><td class="number">{_share(score.recall)}</td>'
        f'<td class="number">{_ap(score.ap)}</td><td class="wide">{_track(score.ap)}</td></tr>'
        for name, score in zip(names, scores)
    )
    return (
        '<div class="scroll"><table><thead><tr><th scope="col">Size</th><th class="number" scope="col">Objects</th>'
        '<th class="number" scope="col">Classes</th><th class="number" scope="col">Recall</th>'
        '<th class="number" scope="col">mAP</th><td></td></tr></thead>'
        f'<tbody>{rows}</tbody></table></div>'
    )


def _proposals(report: Report) -> str:
    results = report.results
    coverage = _coverage(results)
    if coverage is None or report.coverage is None:
        return (
            '<p>Left out: the run brings no proposals. A submission file holds detections only, and detectors other '
            'than R-CNN make proposals of their own or none.</p>'
        )
    labels = results.objects.labels[~results.objects.ignored]
    shares = {threshold: (coverage >= threshold).mean() for threshold in (0.5, 0.7)}
    present = [label for label in range(len(results.class_names)) if (labels == label).any()]
    worst = sorted(present, key=lambda label: (coverage[labels == label] >= 0.5).mean())[:6]
    rows = ''.join(
        _bar(results.class_names[label], share, _share(share), _objects((labels == label).sum()))
        for label in worst
        for share in [(coverage[labels == label] >= 0.5).mean()]
    )
    least = (
        f'<h3>{"Least covered classes" if len(present) > len(worst) else "Classes"}, IoU 0.5</h3>'
        f'<ol class="bars shares">{rows}</ol>'
    )
    mean = (
        ''
        if results.proposals_per_image is None
        else f'{results.proposals_per_image:,.0f} proposals an image, on average, '
    )
    return (
        f'<p>{mean}cover {shares[0.5]:.1%} of the objects at IoU 0.5 and {shares[0.7]:.1%} at 0.7. An object without a '
        'proposal of half its extent is lost before the classifier sees it, unless box regression saves it.</p>'
        f'<div class="side"><figure>{_themed(report.coverage, "Share of objects covered by proposals over IoU")}'
        '<figcaption>How many objects have a proposal that overlaps them by at least so much. A detector without box '
        f'regression cannot have a higher recall.</figcaption></figure><div>{least}</div></div>'
    )


def _pictures(report: Report) -> str:
    galleries = report.galleries
    if galleries is None:
        return f'<p>{escape(report.no_galleries)}</p>'
    results = report.results
    parts = []
    if galleries.readable < len(results.image_names):
        parts.append(f'<p>From the {galleries.readable:,} of {len(results.image_names):,} images that are at hand.</p>')
    if galleries.unreadable:
        more = f', and {len(galleries.unreadable) - 1} more' if len(galleries.unreadable) > 1 else ''
        parts.append(f'<p>Left out: {escape(galleries.unreadable[0])}{more}</p>')
    parts.append(
        '<p class="note"><span class="key" style="color:var(--good)"></span>true detection '
        '<span class="key" style="color:var(--bad)"></span>false detection '
        '<span class="key dashed"></span>annotated object, in white or, if not found, in amber</p>'
    )
    parts.append(
        _gallery(
            report,
            'Most confident true detections',
            'What the detector is surest of, and right. Of a class and image, one detection is shown.',
            galleries.true,
            'No detection is true.',
        )
    )
    parts.append(
        _gallery(
            report,
            'Most confident false detections',
            'Each with its kind of error. These cost most; often they show objects that the annotations lack.',
            galleries.false,
            'No detection is false.',
        )
    )
    for kind, shots in galleries.by_kind.items():
        parts.append(
            f'<details><summary>{kind.capitalize()}: {len(shots)} more</summary>'
            f'<p class="note">{_MEANINGS[kind].capitalize()}.</p>{_shots(report, shots)}</details>'
        )
    parts.append(
        _gallery(
            report,
            'Largest objects not found',
            f'{galleries.num_missed:,} of {results.num_objects.sum():,} objects have no detection of their class, of '
            'any confidence, that overlaps them by half. The detection drawn is the one that comes nearest.',
            galleries.missed,
            'Every object is reached by some detection.' if not galleries.num_missed else 'None in these images.',
        )
    )
    return ''.join(parts)


def _gallery(report: Report, title: str, caption: str, shots: Sequence[Shot], otherwise: str) -> str:
    body = _shots(report, shots) if shots else f'<p>{otherwise}</p>'
    return f'<h3>{title}</h3><p class="note">{caption}</p>{body}'


def _shots(report: Report, shots: Sequence[Shot]) -> str:
    return f'<div class="shots">{"".join(_shot(report, shot) for shot in shots)}</div>'


def _shot(report: Report, shot: Shot) -> str:
    results = report.results
    found, objects, names = results.found, results.objects, results.class_names
    target = names[objects.labels[shot.target]] if shot.target >= 0 else ''
    said = f'{names[found.labels[shot.detection]]} {found.scores[shot.detection]:.2f}' if shot.detection >= 0 else ''
    lines = []
    if shot.kind == 'missed':
        title = f'<b>{escape(target)}</b> <span class="chip">not found</span>'
        alt = f'{target} that was not found'
        lines.append(f'nearest: {escape(said)}, IoU {shot.overlap:.2f}' if said else 'no detection overlaps it by 0.1')
        if objects.coverage is not None:
            lines.append(f'best proposal: IoU {objects.coverage[shot.target]:.2f}')
    else:
        chip = f'<span class="chip">{shot.kind}</span>' if shot.kind else '<span class="chip good">true</span>'
        title = f'<b>{escape(said)}</b> {chip}'
        alt = f'{shot.kind or "true"} detection {said}'
        if target:
            lines.append(f'IoU {shot.overlap:.2f} with {escape(target)}')
        elif shot.kind == KINDS[DUPLICATE - 1]:
            lines.append('the object is taken')
    name = results.image_names[shot.image]
    lines.append(escape(name))
    uri = f'data:image/jpeg;base64,{base64.b64encode(shot.jpeg).decode()}'
    return (
        f'<figure><div class="frame"><img src="{uri}" alt="{escape(f"{alt}, in {name}")}" width="{shot.size[0]}" '
        f'height="{shot.size[1]}" loading="lazy"></div>'
        f'<figcaption>{title}<br>{"<br>".join(lines)}</figcaption></figure>'
    )


def _numbers(report: Report) -> str:
    results, score, errors = report.results, report.score, report.errors
    coverage = _coverage(results)
    labels = results.objects.labels[~results.objects.ignored]
    detections = np.bincount(results.found.labels, minlength=len(score.ap))
    recall = score.final_recall
    covered = '<th class="number" scope="col">Covered 0.5</th><th class="number" scope="col">0.7</th>'
    rows = []
    for label, name in enumerate(results.class_names):
        costs = errors.class_costs[:, label]
        worst = '–' if np.isnan(costs).all() or np.nanmax(costs) <= 0 else _worst(costs)
        cells = [
            f'{results.num_objects[label]:,}',
            f'{detections[label]:,}',
            _ap(score.ap[label]),
            _share(recall[label]),
        ]
        if coverage is not None:
            own = coverage[labels == label]
            cells += [_share((own >= threshold).mean() if len(own) else np.nan) for threshold in (0.5, 0.7)]
        numbers = ''.join(f'<td class="number">{cell}</td>' for cell in cells)
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{numbers}<td>{worst}</td></tr>')
    table = (
        '<div class="scroll"><table><thead><tr><th scope="col">Class</th><th class="number" scope="col">Objects</th>'
        '<th class="number" scope="col">Detections</th><th class="number" scope="col">AP</th>'
        f'<th class="number" scope="col">Recall</th>{covered if coverage is not None else ""}'
        f'<th scope="col">Costliest error, AP points</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )
    opened = ' open' if len(rows) <= FEW else ''
    return f'<details{opened}><summary>Table of {_count(len(rows), "class", "classes")}</summary>{table}</details>'


def _worst(costs: NDArray) -> str:
    worst = int(np.nanargmax(costs))
    return f'{KINDS[worst]}, {_points(costs[worst])}'


# ----------------------------------------------------------------------------------------------------------- pieces


def _coverage(results: EvalResults) -> NDArray | None:
    """The best overlaps with a proposal of the objects that count."""
    coverage = results.objects.coverage
    return None if coverage is None else coverage[~results.objects.ignored]


def _by_ap(score: Score) -> NDArray:
    """The labels of the classes that have objects, best first."""
    order = np.argsort(-score.ap, kind='stable')
    return order[~np.isnan(score.ap[order])]


def _bar(name: str, share: float, value: str, title: str) -> str:
    return (
        f'<li title="{escape(f"{name}: {value}, {title}")}"><span class="name">{escape(name)}</span>{_track(share)}'
        f'<span class="value">{value}</span></li>'
    )


def _track(share: float, kind: str = '') -> str:
    width = 0.0 if np.isnan(share) else min(max(float(share), 0.0), 1.0)
    return f'<span class="track" aria-hidden="true"><i class="{kind}" style="width:{width:.1%}"></i></span>'


def _themed(pictures: dict[str, bytes], alt: str) -> str:
    light, dark = (f'data:image/png;base64,{base64.b64encode(pictures[name]).decode()}' for name in ('light', 'dark'))
    width, height = (round(side * _FIGURE_SCALE) for side in struct.unpack('>II', pictures['light'][16:24]))
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}"><img src="{light}" '
        f'alt="{escape(alt)}" width="{width}" height="{height}"></picture>'
    )


def _ap(value: float) -> str:
    return '–' if np.isnan(value) else f'{value:.3f}'


def _share(value: float) -> str:
    return '–' if np.isnan(value) else f'{value:.1%}'


def _points(value: float) -> str:
    return f'{100 * value:.1f}'


def _objects(count: int) -> str:
    return _count(count, 'object', 'objects')


def _count(count: int, one: str, more: str) -> str:
    return f'{count:,} {one if count == 1 else more}'
