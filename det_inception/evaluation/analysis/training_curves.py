"""Loss and score of training runs over time, as curves and as a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from det_inception.utils.errors import InputError
from det_inception.utils.files import write_bytes, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def read_scalars(work_dir: str | Path) -> list[dict]:
    """Returns the entries of a run's logs, one dict a line, in order; a resumed run has several logs.

    Raises:
        InputError: The folder holds no log.
    """
    logs = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    lines = [line for log in logs for line in log.read_text().splitlines() if line.strip()]
    if not lines:
        raise InputError(f'{work_dir}: holds no log of a training run; name a work directory of det-inception train.')
    return [json.loads(line) for line in lines]


_NOT_IN_TABLE = ('epoch', 'iter', 'step', 'time', 'data_time', 'memory', 'base_lr')


def training_rows(work_dir: str | Path) -> list[dict[str, float]]:
    """Returns a row for each epoch and each validation of a run: ``epoch``, ``step``, losses, rate and score.

    The losses are those that were logged last, means of some 20 steps. Of an epoch that was trained again after an
    interruption, the last time counts.

    Args:
        work_dir: Of the run, or of one that was resumed several times.

    Raises:
        InputError: The folder holds no log.
    """
    rows: dict[tuple[str, int], dict[str, float]] = {}
    last: dict[str, float] = {}
    for entry in read_scalars(work_dir):
        values = {name: value for name, value in entry.items() if name not in _NOT_IN_TABLE}
        if 'loss' in entry:
            step = entry.get('iter', entry.get('step'))
            last = {**({'epoch': entry['epoch']} if 'epoch' in entry else {}), 'step': step, **values}
            if 'epoch' in entry:
                rows[('epoch', entry['epoch'])] = last
        elif last:
            key = ('epoch', last['epoch']) if 'epoch' in last else ('step', last['step'])
            rows[key] = {**last, **values}
    return list(rows.values())


def write_results(work_dir: str | Path, out: str | Path) -> None:
    """Writes :func:`training_rows` as CSV.

    Raises:
        InputError: The folder holds no log, or the file cannot be written.
    """
    rows = training_rows(work_dir)
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator='\n')
    writer.writeheader()
    writer.writerows({name: f'{value:.6g}' for name, value in row.items()} for row in rows)
    write_text(out, text.getvalue())


def plot_training(work_dirs: Sequence[str | Path], out: str | Path, labels: Sequence[str] | None = None) -> None:
    """Draws the loss of every logged step and the mAP of every validation.

    Args:
        work_dirs: One work directory a run.
        out: Picture to write; its suffix chooses the format.
        labels: Names of the runs.

    Raises:
        InputError: A folder holds no log, or there are not as many labels as runs.
    """
    from matplotlib.figure import Figure

    labels = labels or [Path(work_dir).name for work_dir in work_dirs]
    if len(labels) != len(work_dirs):
        raise InputError(f'{len(labels)} labels for {len(work_dirs)} runs; give one each.')
    figure = Figure(figsize=(11, 4), dpi=110, layout='constrained')
    losses, scores = figure.subplots(1, 2)
    for work_dir, label in zip(work_dirs, labels):
        steps = epochs = 0
        loss_points, score_points = [], []
        for entry in read_scalars(work_dir):
            if 'loss' in entry:
                steps, epochs = entry.get('iter', entry.get('step')), entry.get('epoch', epochs)
                loss_points.append((steps, entry['loss']))
            score = next((value for name, value in entry.items() if name.endswith(('/mAP', '/bbox_mAP_50'))), None)
            if score is not None:
                score_points.append((epochs or steps, score))
        losses.plot(*zip(*loss_points), label=label, linewidth=1.2)
        if score_points:
            scores.plot(*zip(*score_points), marker='o', label=f'{label} ({score_points[-1][1]:.3f})')
    losses.set(xlabel='step', ylabel='loss (mean of the last 20 steps)', title='Training loss', ylim=(0, None))
    scores.set(xlabel='epoch', ylabel='mAP', title='Validation', ylim=(0, 1))
    save_curves(figure, out)


def save_curves(figure: Figure, out: str | Path) -> None:
    """Gives every plot of a figure a grid and, where curves have names, a legend; writes it as its suffix says.

    A plot that has a legend keeps it.
    """
    for axes in figure.axes:
        axes.grid(alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
        if axes.get_legend() is None and axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=Path(out).suffix.lstrip('.') or 'png')
    write_bytes(out, buffer.getvalue())
