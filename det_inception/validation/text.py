"""Writes what a check found: as text for people, as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from det_inception.utils.errors import printable
from det_inception.validation.check import CheckResult
from det_inception.validation.problems import ERROR, HEADINGS, WARNING
from det_inception.validation.scan import Scan


def summary(result: CheckResult, passed_over: Mapping[str, str]) -> str:
    """Returns what is in the data set; ``passed_over``: files that were not checked, each with the reason."""
    lines = []
    for number, scan in enumerate(result.scans):
        readable = None if result.readable is None else result.readable[number]
        lines += [*_split_lines(scan, readable), '']
    if table := list(_class_table(result.scans)):
        lines += [*table, '']
    lines += [f'Not checked: {name} ({reason}).' for name, reason in passed_over.items()]
    return '\n'.join(map(printable, lines)).rstrip('\n')


def problem_list(result: CheckResult, max_shown: int) -> str:
    """Returns what is wrong with it, at most ``max_shown`` lines of each kind."""
    lines = []
    for (severity, kind), group in groupby(result.problems, lambda problem: (problem.severity, problem.kind)):
        problems = list(group)
        lines.append(f'{severity}: {HEADINGS[kind]} ({len(problems)})')
        lines += [f'  {problem.message}' for problem in problems[:max_shown]]
        if len(problems) > max_shown:
            lines.append(f'  ... and {len(problems) - max_shown} more (--max-shown, --json)')
    errors, warnings = result.problems.count(ERROR), result.problems.count(WARNING)
    verdict = 'Training or testing would stop' if errors else 'Nothing that would stop training or testing'
    lines.append(f'{verdict}: {_counted(errors, "error")}, {_counted(warnings, "warning")}.')
    return '\n'.join(map(printable, lines))


def as_json(result: CheckResult, passed_over: Mapping[str, str]) -> dict[str, Any]:
    """Returns all of it as JSON knows it; the names are those of :class:`Statistics` and :class:`Problem`."""
    splits = []
    for number, scan in enumerate(result.scans):
        statistics = scan.statistics
        splits.append(
            {
                'name': scan.split.name,
                'format': scan.split.files.format,
                'lists': [str(path) for path in scan.split.files.lists],
                'image_folder': str(scan.folder),
                'images': statistics.images,
                'readable': None if result.readable is None else result.readable[number],
                'used': sum(scan.used),
                'without_objects': statistics.empty,
                'widths': statistics.widths,
                'heights': statistics.heights,
                **{what: statistics.total(what) for what in ('boxes', 'ignored', 'dropped')},
                'max_boxes_per_image': statistics.most,
                'classes': {
                    name: {
                        **{what: getattr(entry, what) for what in ('images', 'boxes', 'ignored', 'dropped')},
                        'typical_size': entry.typical_size(),
                    }
                    for name, entry in sorted(statistics.classes.items())
                },
            }
        )
    problems = [
        {name: getattr(problem, name) for name in ('severity', 'kind', 'split', 'file', 'message')}
        for problem in result.problems
    ]
    return {
        'errors': result.problems.count(ERROR),
        'warnings': result.problems.count(WARNING),
        'splits': splits,
        'not_checked': dict(passed_over),
        'problems': problems,
    }


def _split_lines(scan: Scan, readable: int | None) -> Iterator[str]:
    split, statistics = scan.split, scan.statistics
    lists = split.files.lists
    source = f'{len(lists)} lists of one class' if len(lists) > 1 else str(split.files.source)
    yield f'{split.name}: {split.format.title}, {source}'
    images = [_counted(statistics.images, 'image')]
    if readable is not None:
        images.append(f'{readable} readable')
    if statistics.widths:
        images.append(f'{_range(statistics.widths)} wide, {_range(statistics.heights)} high')
    yield f'  {", ".join(images)}'
    if not split.test_mode and statistics.images:
        yield f'  {sum(scan.used)} used for training, {statistics.empty} without an object'
    elif statistics.empty:
        yield f'  {statistics.empty} without an object'
    boxes = statistics.total('boxes')
    present = sum(bool(entry.boxes) for entry in statistics.classes.values())
    parts = [_counted(boxes, 'box', 'boxes'), _counted(present, 'class', 'classes')]
    if statistics.images:
        parts.append(f'{boxes / statistics.images:.1f} boxes per image, at most {statistics.most}')
    for what in ('ignored', 'dropped'):
        if count := statistics.total(what):
            parts.append(f'{count} more {what}')
    yield f'  {", ".join(parts)}'


def _class_table(scans: list[Scan]) -> Iterator[str]:
    names = list(dict.fromkeys(name for scan in scans for name in scan.classes if name in scan.statistics.classes))
    if not names:
        return
    rows = [['class', *(f'{scan.split.name} {what}' for scan in scans for what in ('images', 'boxes')), 'typical size']]
    for name in names:
        found = [scan.statistics.classes.get(name) for scan in scans]
        counts = [str(number) for entry in found for number in ((entry.images, entry.boxes) if entry else (0, 0))]
        size = next((size for entry in found if entry and (size := entry.typical_size())), None)
        rows.append([printable(name), *counts, f'{size[0]} x {size[1]}' if size else '-'])
    widths = [max(map(len, column)) for column in zip(*rows)]
    for first, *numbers in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(numbers, widths[1:]))]
        yield '  '.join(cells)


def _range(limits: tuple[int, int]) -> str:
    return str(limits[0]) if limits[0] == limits[1] else f'{limits[0]} to {limits[1]}'


def _counted(count: int, singular: str, plural: str | None = None) -> str:
    return f'{count} {singular if count == 1 else plural or singular + "s"}'
