"""What a training leaves in its work directory beside checkpoints and logs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmdet.structures.bbox import get_box_tensor
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor

from det_inception.config.test_outputs import report_settings
from det_inception.evaluation.analysis.label_statistics import LabelStatistics, plot_labels
from det_inception.evaluation.analysis.results import EvalResults
from det_inception.evaluation.analysis.training_curves import plot_training, write_results
from det_inception.evaluation.metrics.report_metric import ReportMetric
from det_inception.utils.drawing import class_color, contact_sheet, draw_boxes
from det_inception.utils.errors import InputError
from det_inception.utils.files import write_image

LABELS, SHEET, RESULTS, CURVES, REPORT = 'labels.png', 'training_images.jpg', 'results.csv', 'curves.png', 'report'
SHEET_COLUMNS, SHEET_ROWS, SHEET_SIDE = 4, 4, 320


class WorkFolderHook(Hook):
    """Writes ``labels.png``, ``training_images.jpg``, ``results.csv``, ``curves.png`` and ``report/``.

    * The labels: how many objects of which class and size the training data have.
    * The first images as the network gets them, augmented, with their objects.
    * Losses and scores of each epoch, and their curves, from the JSON log.
    * The report of the validation with the best score, at the end.

    It is not in the registry: the commands add it to a runner. A file that cannot be made costs a warning, and no
    training.

    Args:
        data: What the training data are.
        report: Whether to write the report.
    """

    priority = 'LOWEST'  # Behind the hooks that write logs and checkpoints.

    def __init__(self, data: LabelStatistics, report: bool = True) -> None:
        self.data, self.wants_report = data, report
        self._tiles: list[np.ndarray] = []
        self._report: _KeptReport | None = None
        self._best: tuple[float, EvalResults, str] | None = None

    def before_train(self, runner: Runner) -> None:
        """Draws the labels, and lets the validations keep what a report needs."""
        if self.data.labels is not None and is_main_process():
            _try(plot_labels, self.data, Path(runner.work_dir) / LABELS)
        if self.wants_report and runner.val_loop is not None:
            evaluator = runner.val_loop.evaluator
            # Metrics of detections have scores of classes.
            if any(hasattr(metric, 'class_scores') for metric in evaluator.metrics):
                folder = Path(runner.work_dir) / REPORT
                self._report = _KeptReport(**report_settings(runner.cfg, runner.cfg.val_evaluator, folder))
                self._report.dataset_meta = evaluator.dataset_meta
                evaluator.metrics.append(self._report)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Draws the images of the first batches."""
        wanted = SHEET_COLUMNS * SHEET_ROWS
        inputs, samples = data_batch.get('inputs'), data_batch.get('data_samples')
        if len(self._tiles) < wanted and isinstance(samples, list) and is_main_process():
            for image, sample in zip(inputs, samples):
                self._tiles.append(_drawn(image, sample, self.data.classes))
            last = runner.iter + 1 == runner.max_iters
            if len(self._tiles) >= wanted or last or runner.iter % 10 == 0:
                sheet = contact_sheet(self._tiles[:wanted], SHEET_COLUMNS, SHEET_SIDE)
                _try(write_image, Path(runner.work_dir) / SHEET, sheet)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Keeps the best validation, and writes table and curves."""
        if is_main_process():
            if self._report is not None and self._report.run is not None and metrics:
                score, place = next(iter(metrics.values())), f'epoch {runner.epoch}, step {runner.iter}'
                if self._best is None or score > self._best[0]:
                    self._best = score, self._report.run, place
            self._write_log(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Writes the table."""
        if is_main_process():
            self._write_log(runner, curves=False)

    def after_train(self, runner: Runner) -> None:
        """Writes the curves of a training without validation, and the report."""
        if is_main_process() and runner.val_loop is None:
            self._write_log(runner)
        if self._best is not None:
            _, run, place = self._best
            self._report.facts = [*self._report.facts, ('validation', place)]
            _try(self._report.write, run)

    def _write_log(self, runner: Runner, curves: bool = True) -> None:
        folder = Path(runner.work_dir)
        if any(folder.glob('*/vis_data/scalars.json')):
            _try(write_results, folder, folder / RESULTS)
            if curves:
                _try(plot_training, [folder], folder / CURVES)


class _KeptReport(ReportMetric):
    """A report that is written when it is asked for, and whose faults end no training."""

    run: EvalResults | None = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Takes in a batch."""
        _try(super().process, data_batch, data_samples)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Keeps the validation."""
        self.run = _try(self.collect, results)
        return {}


def _drawn(image: Tensor, sample: Any, classes: Sequence[str]) -> np.ndarray:
    """Draws an input of the network, (3, H, W) BGR or (V, 3, H, W), with its objects; a label goes on the whole."""
    pixels = (image[0] if image.ndim == 4 else image).permute(1, 2, 0).clamp(0, 255).byte().cpu().numpy()
    if 'gt_instances' in sample:
        instances = sample.gt_instances
        boxes, labels = get_box_tensor(instances.bboxes).float().numpy(), instances.labels.tolist()
    else:
        labels = [int(sample.gt_label)] if 'gt_label' in sample else []
        boxes = np.tile([[0, 0, pixels.shape[1], pixels.shape[0]]], (len(labels), 1))
    captions = [classes[label] if label < len(classes) else str(label) for label in labels]
    return draw_boxes(np.ascontiguousarray(pixels), boxes, captions, [class_color(label) for label in labels])


def _try(write: Any, *arguments: Any) -> Any:
    """Calls a function; a fault of the data or the disk is a warning."""
    try:
        return write(*arguments)
    except (InputError, OSError, cv2.error) as error:
        print_log(f'{" ".join(str(error).split())} (the training goes on.)', 'current', logging.WARNING)
        return None
