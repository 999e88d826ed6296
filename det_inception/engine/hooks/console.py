"""The state of a training or a test, for :class:`det_inception.engine.console.Console`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from det_inception.engine.console import Console, duration
from det_inception.engine.hooks.work_folder import CURVES, LABELS, REPORT, RESULTS, SHEET
from det_inception.engine.summary import batch_size, describe_training, short_path
from det_inception.evaluation.analysis.label_statistics import LabelStatistics
from det_inception.evaluation.analysis.training_curves import training_rows
from det_inception.evaluation.metrics.samples import ClassScore
from det_inception.utils.tables import markdown_table

AVERAGED = 20
"""Steps over which loss and rate are averaged, as in the log."""

CLASSES_SHOWN = 20
VALIDATIONS_SHOWN = 6
SCORES_SHOWN = 4


class ConsoleHook(Hook):
    """Says what is trained, and shows loss, score, rate and remaining time.

    It is not in the registry: the commands add it to a runner, so that a config in a checkpoint has none.

    Args:
        console: Where to print.
        data: What the training data are; None: nothing is trained.
    """

    priority = 'LOWEST'

    def __init__(self, console: Console, data: LabelStatistics | None = None) -> None:
        self.console, self.data = console, data
        self.score = ''
        self._train_rate = ''

    def before_train(self, runner: Runner) -> None:
        """Says what is trained."""
        for line in describe_training(runner, self.data):
            self.console.say(line)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Shows loss, rate and the time that is left."""
        loader = runner.train_loop.dataloader
        self._train_rate = f'{batch_size(runner) / max(1e-9, _mean(runner, "train/time")):.1f} images/s'
        left = runner.message_hub.get_info('eta')
        place = f'step {batch_idx + 1}/{len(loader)}' if _by_epoch(runner) else ''
        parts = [_where(runner, 1), place, *self._losses(runner), self._train_rate, f'{duration(left)} left']
        self.console.state(', '.join(filter(None, parts)), runner.iter + 1, runner.max_iters, left)

    def after_train_epoch(self, runner: Runner) -> None:
        """Says how an epoch ended that no validation follows."""
        if _by_epoch(runner) and not _validates(runner):
            self._milestone(runner, 1)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence | None = None
    ) -> None:
        """Shows how far a validation is."""
        total = len(runner.val_loop.dataloader)
        text = f'{_where(runner)}, validation {batch_idx + 1}/{total}{self.score and f", {self.score}"}'
        self.console.state(text, batch_idx + 1, total, runner.message_hub.get_info('eta'))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Says what a validation has found."""
        if metrics:
            name, value = next(iter(metrics.items()))
            self.score = f'{name.rpartition("/")[2]} {value:.3f}'
        self._milestone(runner)

    def after_train(self, runner: Runner) -> None:
        """Prints the scores of the validations, and where the results are."""
        self.console.close()
        if is_main_process():
            rows = training_rows(runner.work_dir) if any(Path(runner.work_dir).glob('*/vis_data/scalars.json')) else []
            if table := validation_table(rows):
                self.console.say(table)
            for hook in runner.hooks:
                if isinstance(hook, CheckpointHook) and getattr(hook, 'best_ckpt_path', None):
                    self.console.say(f'best        {short_path(hook.best_ckpt_path)}')
            found = [
                name for name in (RESULTS, CURVES, LABELS, SHEET, f'{REPORT}/index.html') if self._wrote(runner, name)
            ]
            self.console.say(f'results     {short_path(runner.work_dir)}: {", ".join(found)}')

    def _wrote(self, runner: Runner, name: str) -> bool:
        return (Path(runner.work_dir) / name).is_file()

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence | None = None
    ) -> None:
        """Shows how far a test is."""
        total, left = len(runner.test_loop.dataloader), runner.message_hub.get_info('eta')
        rate = len(outputs or ()) * get_world_size() / max(1e-9, _mean(runner, 'test/time'))
        text = f'test {batch_idx + 1}/{total}, {rate:.1f} images/s, {duration(left)} left'
        self.console.state(text, batch_idx + 1, total, left)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Prints the score of each class."""
        self.console.close()
        for metric in runner.test_loop.evaluator.metrics:
            if scores := getattr(metric, 'class_scores', None):
                self.console.say(class_table(scores))

    def _milestone(self, runner: Runner, ahead: int = 0) -> None:
        parts = [_where(runner, ahead), *self._losses(runner), self._train_rate]
        self.console.milestone(', '.join(filter(None, parts)))

    def _losses(self, runner: Runner) -> list[str]:
        known = 'train/loss' in runner.message_hub.log_scalars
        return [*([f'loss {_mean(runner, "train/loss"):.3f}'] if known else []), self.score]


def class_table(scores: Sequence[ClassScore]) -> str:
    """Returns the average precision of each class as a table; of many classes, that of the best and the worst."""
    ranked = sorted(scores, key=lambda score: -score.ap)
    left_out = len(ranked) - CLASSES_SHOWN
    if left_out > 0:
        half = CLASSES_SHOWN // 2
        ranked = [*ranked[:half], *ranked[-half:]]
    rows = [(score.name, f'{score.objects:,}', f'{score.ap:.3f}') for score in ranked]
    table = markdown_table([('class', 'objects', 'AP'), *rows], numbers_from=1)
    return table + (f'\n{left_out} classes between these are in the log.' if left_out > 0 else '')


def validation_table(rows: Sequence[Mapping[str, float]]) -> str:
    """Returns loss and scores of the last validations as a table; nothing without any.

    Args:
        rows: As from :func:`det_inception.evaluation.analysis.training_curves.training_rows`.
    """
    scores = list(dict.fromkeys(name for row in rows for name in row if '/' in name))[:SCORES_SHOWN]
    validated = [row for row in rows if any(name in row for name in scores)][-VALIDATIONS_SHOWN:]
    if not validated:
        return ''
    place = 'epoch' if 'epoch' in validated[-1] else 'step'
    header = [place, 'loss', *(name.rpartition('/')[2] for name in scores)]
    cells = [
        [f'{row[place]}', f'{row["loss"]:.3f}', *(f'{row[name]:.3f}' if name in row else '' for name in scores)]
        for row in validated
    ]
    return markdown_table([header, *cells], numbers_from=0)


def _where(runner: Runner, ahead: int = 0) -> str:
    """The place in a training; MMEngine counts an epoch or step when it is over, so one that runs is 1 ahead."""
    if _by_epoch(runner):
        return f'epoch {runner.epoch + ahead}/{runner.max_epochs}'
    return f'step {runner.iter + ahead}/{runner.max_iters}'


def _by_epoch(runner: Runner) -> bool:
    return isinstance(runner.train_loop, EpochBasedTrainLoop)


def _validates(runner: Runner) -> bool:
    """Whether a validation follows the epoch that ends."""
    loop = runner.train_loop
    if runner.val_loop is None or runner.epoch + 1 < loop.val_begin:
        return False
    return (runner.epoch + 1) % loop.val_interval == 0 or runner.epoch + 1 == loop.max_epochs


def _mean(runner: Runner, name: str) -> float:
    scalars: Mapping = runner.message_hub.log_scalars
    return float(scalars[name].mean(AVERAGED)) if name in scalars else 0.0
