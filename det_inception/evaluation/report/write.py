"""Puts a report together and writes it: index.html, complete in itself, with its images and numbers next to it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from det_inception.evaluation.analysis.confidence import analyze_confidence
from det_inception.evaluation.analysis.confusion import confusion_matrix
from det_inception.evaluation.analysis.errors import KINDS, analyze_errors
from det_inception.evaluation.analysis.resampling import bootstrap
from det_inception.evaluation.analysis.results import EvalResults
from det_inception.evaluation.analysis.run_file import RUN_FILE, write_run
from det_inception.evaluation.analysis.scoring import score_run
from det_inception.evaluation.analysis.sizes import COCO_AREAS, score_by_size, thirds
from det_inception.evaluation.report.gallery import Galleries, make_galleries
from det_inception.evaluation.report.numbers import numbers_text
from det_inception.evaluation.report.page import NUMBERS_FILE, Report, make_page
from det_inception.evaluation.report.plots import plot_confidence, plot_precision_recall, plot_proposal_recall
from det_inception.formats.folders import walk
from det_inception.utils.errors import InputError
from det_inception.utils.files import require_writable as require_writable_folder
from det_inception.utils.files import write_bytes, write_text
from det_inception.utils.images import IMAGE_SUFFIXES

PICTURES = 12  # of a gallery


def write_report(
    results: EvalResults,
    folder: str | Path,
    title: str,
    facts: Sequence[tuple[str, str]] = (),
    pictures: int = PICTURES,
    no_pictures: str = 'Left out: no image files are at hand.',
    confidence: float | None = None,
) -> Path:
    """Writes the report of a test run.

    Args:
        results: The run.
        folder: Where ``index.html`` goes; its numbers, its figures and the run itself (:data:`RUN_FILE`) go next to it,
            its galleries into ``pictures/``. Made if need be; an older report in it is overwritten.
        title: What was tested, such as the config's name.
        facts: Lines under the title, pairs of a word and its value.
        pictures: Images per gallery, at most; 0: no galleries.
        no_pictures: The sentence in place of the galleries where no image is at hand.
        confidence: From which on detections are in the confusion matrix; None: where F1 is highest.

    Returns:
        The page.

    Raises:
        InputError: The folder cannot be written to, or no detection has that confidence.
    """
    folder = Path(folder)
    score, errors = score_run(results), analyze_errors(results)
    analysis = analyze_confidence(results, score, confidence)
    at_hand = any(path is not None for path in results.image_paths)
    report = Report(
        results=results,
        score=score,
        estimate=bootstrap(results, score).estimate,
        errors=errors,
        coco_sizes=score_by_size(results, score, COCO_AREAS),
        third_sizes=score_by_size(results, score, thirds(results)),
        confidence=analysis,
        confusion=confusion_matrix(results, score, analysis.chosen),
        galleries=make_galleries(results, score, errors, pictures) if at_hand and pictures > 0 else None,
        no_galleries=no_pictures if pictures > 0 else 'Left out, as none were asked for.',
        title=title,
        facts=facts,
    )
    files = {
        'precision_recall.png': plot_precision_recall(results, score),
        'confidence.png': plot_confidence(analysis),
    }
    if results.counted_proposal_iou is not None:
        files['proposal_recall.png'] = plot_proposal_recall(results.counted_proposal_iou)
    if report.galleries is not None:
        files |= _gallery_files(report.galleries)
    for name, content in files.items():
        write_bytes(folder / name, content)
    _remove_stale(folder, set(files))
    write_run(results, folder / RUN_FILE)
    write_text(folder / NUMBERS_FILE, numbers_text(report))
    page = folder / 'index.html'
    write_text(page, make_page(report))  # last: a page is complete
    return page


def require_writable(folder: str | Path) -> None:
    """Makes sure, before hours of testing, that a report can be written.

    Raises:
        InputError: The folder cannot be made or written to.
    """
    require_writable_folder(folder, 'the report cannot be written there', 'choose another folder')


def image_files(folder: str | Path) -> dict[str, Path]:
    """Returns the image files below a folder by their names without suffix; none of those that share one.

    Raises:
        InputError: The folder is none, or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f'{folder}: no such folder of images; correct it, or leave it away for a report without them.')
    files = [folder / name for name in walk(folder)]
    if not files:
        raise InputError(f'{folder}: holds no image ({", ".join(IMAGE_SUFFIXES)}); name the folder of the images.')
    count = Counter(path.stem for path in files)
    return {path.stem: path for path in files if count[path.stem] == 1}


def _gallery_files(galleries: Galleries) -> dict[str, bytes]:
    sets = {'true': galleries.true, 'false': galleries.false, **galleries.by_kind, 'missed': galleries.missed}
    return {
        f'pictures/{name}_{number:02}.jpg': shot.jpeg
        for name, shots in sets.items()
        for number, shot in enumerate(shots, start=1)
    }


def _remove_stale(folder: Path, written: set[str]) -> None:
    """Removes what only an older report had, and nothing else: its images would pass for those of this one."""
    names = [f'pictures/{name}_[0-9][0-9].jpg' for name in ('true', 'false', *KINDS)]
    figures = ('proposal_recall.png', 'precision_recall_dark.png', 'proposal_recall_dark.png')  # dark: up to 0.2
    for pattern in (*figures, 'coverage.png', 'coverage_dark.png', *names):
        for path in folder.glob(pattern):
            if path.relative_to(folder).as_posix() not in written:
                with contextlib.suppress(OSError):
                    path.unlink()
