"""Compares runs in a table."""

from __future__ import annotations

from collections.abc import Mapping

from det_inception.evaluation.analysis.resampling import BootstrapResult, Estimate, compare
from det_inception.evaluation.analysis.results import RULES
from det_inception.utils.tables import markdown_table


def comparison_text(runs: Mapping[str, BootstrapResult], classes: bool = False) -> str:
    """Writes the mean AP of runs and by how much each is better than the first.

    Args:
        runs: By their names, with equally many resamples.
        classes: Also write the differences of each class.

    Raises:
        InputError: The runs are of different images, objects or rules.
    """
    names, resampled = list(runs), list(runs.values())
    first = resampled[0].results
    compared = ['difference', '± (95 %)']
    rows = [['run', 'mAP', '± (95 %)', *(compared if len(resampled) > 1 else [])]]
    by_class = [['run', 'class', *compared]]
    for name, run in runs.items():
        own = run.estimate
        row = [name, f'{own.value:.3f}', f'{own.margin:.3f}']
        if name != names[0]:
            difference, of_classes = compare(resampled[0], run)
            row += _cells(difference)
            by_class += [
                [name, class_name, *_cells(of_class)]
                for class_name, of_class, count in zip(first.class_names, of_classes, first.num_objects)
                if count
            ]
        elif len(resampled) > 1:
            row += [''] * len(compared)
        rows.append(row)
    tables = [rows, by_class] if classes and len(resampled) > 1 else [rows]
    head = (
        f'{RULES[first.rules].name}: {len(first.image_names):,} images, {first.num_objects.sum():,} objects, '
        f'{len(resampled[0].ap):,} resamples'
    )
    return '\n\n'.join([head, *map(markdown_table, tables)])


def _cells(value: Estimate) -> list[str]:
    return [f'{value.value:+.3f}', f'{value.margin:.3f}']
