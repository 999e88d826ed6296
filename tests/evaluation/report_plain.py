"""The rules of the report, box by box and as slow as they read; what the package is compared with."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

from det_inception.evaluation.report import KINDS, EvalResults

STEPS = {'coco': 100, 'voc2007': 10}
"""Between the recalls at which rules take the precision."""


def iou(box, other) -> float:
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (area(box) + area(other) - width * height)


def share_inside(box, region) -> float:
    width = min(box[2], region[2]) - max(box[0], region[0])
    height = min(box[3], region[3]) - max(box[1], region[1])
    return width * height / area(box) if width > 0 and height > 0 else 0.0


def area(box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def plain_ap(flags: list[bool], count: int, rules: str) -> float:
    """AP of ranked detections by the rules of this name."""
    return sampled_ap(flags, count, STEPS[rules]) if rules in STEPS else full_ap(flags, count)


def sampled_ap(flags: list[bool], count: int, steps: int = 100) -> float:
    """COCO's AP of ranked detections: at each of 101 recalls the best precision reached from there on."""
    points, true = [], 0
    for rank, flag in enumerate(flags, start=1):
        true += flag
        points.append((true / rank, true / count))
    total = 0.0
    for step in range(steps + 1):
        total += max((p for p, r in points if r >= step * (1 / steps)), default=0.0)
    return total / (steps + 1)


def full_ap(flags: list[bool], count: int) -> float:
    """Area under the precision envelope."""
    points, true = [], 0
    for rank, flag in enumerate(flags, start=1):
        true += flag
        points.append((true / rank, true / count))
    total, last = 0.0, 0.0
    for position, (_, recall) in enumerate(points):
        total += (recall - last) * max(p for p, _ in points[position:])
        last = recall
    return total


def plain_match(run: EvalResults, retries: bool, crowds: bool) -> dict[int, int | None]:
    """For each detection the object that it took; None: false; detections that do not count are absent."""
    found, objects = run.predictions, run.annotations
    taken, matches = set(), {}
    for d in sorted(range(len(found)), key=lambda d: -found.scores[d]):
        mine = [
            m
            for m in range(len(objects))
            if objects.images[m] == found.images[d] and objects.labels[m] == found.labels[d]
        ]
        real = [m for m in mine if not objects.ignored[m] and not (retries and m in taken)]
        best = max(real, key=lambda m: iou(found.boxes[d], objects.boxes[m]), default=None)
        overlap = 0 if best is None else iou(found.boxes[d], objects.boxes[best])
        measure = share_inside if crowds else iou
        void = max((measure(found.boxes[d], objects.boxes[m]) for m in mine if objects.ignored[m]), default=0)
        if not retries and void > overlap:
            overlap = 0
        if overlap >= 0.5:
            matches[d] = None if best in taken else best
            taken.add(best)
        elif void < 0.5:
            matches[d] = None
    return matches


def plain_errors(run: EvalResults) -> tuple[float, dict[str, float], dict[str, int], float, float]:
    """Mean AP, cost and number of each kind of error, cost of all false positives and of all false negatives."""
    found, objects = run.predictions, run.annotations
    matches = plain_match(run, retries=True, crowds=run.rules == 'coco')
    used = {m for m in matches.values() if m is not None}
    real = [m for m in range(len(objects)) if not objects.ignored[m]]
    kinds, target = {}, {}
    for d, match in matches.items():
        if match is not None:
            continue
        here = [m for m in real if objects.images[m] == found.images[d]]
        overlap = {m: iou(found.boxes[d], objects.boxes[m]) for m in here}
        own = [m for m in here if objects.labels[m] == found.labels[d]]
        other = [m for m in here if objects.labels[m] != found.labels[d]]
        best_own = max(own, key=overlap.get, default=None)
        best_other = max(other, key=overlap.get, default=None)
        if best_own is not None and 0.1 <= overlap[best_own] <= 0.5:
            kinds[d], target[d] = 'localization', best_own
        elif best_other is not None and overlap[best_other] >= 0.5:
            kinds[d], target[d] = 'classification', best_other
        elif any(overlap[m] >= 0.5 for m in own if m in used):
            kinds[d] = 'duplicate'
        elif all(value <= 0.1 for value in overlap.values()):
            kinds[d] = 'background'
        else:
            kinds[d] = 'both'
    mender = {}
    for d in sorted(target, key=lambda d: -found.scores[d]):
        if target[d] not in used:
            mender.setdefault(target[d], d)
    missed = [m for m in real if m not in used and m not in mender]
    scored = {int(objects.labels[m]) for m in real}

    def mean_ap(mend: str | None, lost: list[int] = (), perfect: bool = False) -> float:
        aps = []
        for label in scored:
            ranking = []
            for d, match in matches.items():
                flag, said, score = match is not None, int(found.labels[d]), found.scores[d]
                if kinds.get(d) == mend and mend is not None:
                    if mender.get(target.get(d)) != d:
                        continue
                    flag, said = True, int(objects.labels[target[d]])
                if perfect:
                    score = float(flag)
                if said == label:
                    ranking.append((-score, flag))
            flags = [flag for _, flag in sorted(ranking, key=lambda item: item[0])]
            count = sum(objects.labels[m] == label for m in real if m not in lost)
            if count:
                aps.append(sampled_ap(flags, count))
            elif flags:
                aps.append(0.0)
        return sum(aps) / len(aps) if aps else 0.0

    base = mean_ap(None)
    costs = {kind: max(mean_ap(kind) - base, 0) for kind in KINDS[:-1]}
    costs['missed'] = max(mean_ap(None, missed) - base, 0)
    counts = {kind: list(kinds.values()).count(kind) for kind in KINDS[:-1]} | {'missed': len(missed)}
    not_found = [m for m in real if m not in used]
    return base, costs, counts, mean_ap(None, perfect=True) - base, mean_ap(None, not_found) - base


def plain_size_ap(run: EvalResults, matches: dict[int, int | None], low: float, high: float) -> float:
    """Mean AP of the objects whose area is from ``low`` to below ``high``."""
    found, objects = run.predictions, run.annotations
    inside = [m for m in range(len(objects)) if not objects.ignored[m] and low <= area(objects.boxes[m]) < high]
    aps = []
    for label in {int(objects.labels[m]) for m in inside}:
        flags = []
        for d in sorted(matches, key=lambda d: -found.scores[d]):
            if found.labels[d] != label:
                continue
            size = area(found.boxes[d] if matches[d] is None else objects.boxes[matches[d]])
            if matches[d] is None and (found.boxes[d][2:] < found.boxes[d][:2]).any():
                size = 0
            if low <= size < high:
                flags.append(matches[d] is not None)
        count = sum(objects.labels[m] == label for m in inside)
        aps.append(plain_ap(flags, count, run.rules))
    return sum(aps) / len(aps) if aps else math.nan


def plain_best(run: EvalResults, matches: dict[int, int | None], labels: set[int]) -> tuple[float, int, int] | None:
    """Score, true detections and kept detections at the highest F1 of some classes, by trying every score; of equal F1
    the highest score. None: no detection is true."""
    found, objects = run.predictions, run.annotations
    mine = [d for d in matches if found.labels[d] in labels]
    count = sum(objects.labels[m] in labels and not objects.ignored[m] for m in range(len(objects)))
    best = None
    for threshold in sorted({float(found.scores[d]) for d in mine}, reverse=True):
        kept = [d for d in mine if found.scores[d] >= threshold]
        true = sum(matches[d] is not None for d in kept)
        if not true:
            continue
        precision, recall = Fraction(true, len(kept)), Fraction(true, count)
        f1 = 2 * precision * recall / (precision + recall)
        if best is None or f1 > best[0]:
            best = f1, threshold, true, len(kept)
    return best and best[1:]


def plain_confusion(run: EvalResults, matches: dict[int, int | None], confidence: float) -> dict[tuple, int]:
    """Number of pairs of classes, of an object and of the detection matched to it; -1: there is none of the two."""
    found, objects = run.predictions, run.annotations
    partner = {d: m for d, m in matches.items() if m is not None and found.scores[d] >= confidence}
    false = [d for d, m in matches.items() if m is None and found.scores[d] >= confidence]
    lost = [m for m in range(len(objects)) if not objects.ignored[m] and m not in partner.values()]
    pairs = [
        (iou(found.boxes[d], objects.boxes[m]), d, m)
        for d in false
        for m in lost
        if found.images[d] == objects.images[m] and found.labels[d] != objects.labels[m]
    ]
    for overlap, d, m in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if overlap >= 0.5 and d not in partner and m not in partner.values():
            partner[d] = m
    counts = Counter((int(objects.labels[m]), int(found.labels[d])) for d, m in partner.items())
    counts += Counter((-1, int(found.labels[d])) for d in false if d not in partner)
    return dict(counts + Counter((int(objects.labels[m]), -1) for m in lost if m not in partner.values()))
