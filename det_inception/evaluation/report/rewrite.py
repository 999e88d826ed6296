"""A report once more, from the numbers that another one keeps: with other images, or by a newer version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from det_inception.evaluation.analysis.results import EvalResults
from det_inception.evaluation.analysis.run_file import read_report
from det_inception.evaluation.report.write import PICTURES, image_files, write_report
from det_inception.formats.folders import walk
from det_inception.utils.errors import InputError


def rewrite_report(
    source: str | Path,
    folder: str | Path,
    title: str | None = None,
    images: str | Path | None = None,
    pictures: int = PICTURES,
    confidence: float | None = None,
) -> Path:
    """Writes the report of a test run from its file.

    Args:
        source: The folder of a report, or the run file itself.
        folder: Where the new report goes, see :func:`write_report`; not ``source``, whose images would be lost.
        title: What was tested; None: the name of ``source``.
        images: Folder of the images, or of some of them; None: the report has no galleries.
        pictures: Images per gallery, at most.
        confidence: From which on detections are in the confusion matrix; None: where F1 is highest.

    Returns:
        The page.

    Raises:
        InputError: There is no run, ``images`` holds none of its images, no detection has that confidence, or the
            folder cannot be written to.
    """
    source, folder = Path(source), Path(folder)
    home = source if source.is_dir() else source.parent
    if folder.resolve() == home.resolve():
        raise InputError(f'{folder}: holds the report that is read; choose another folder for the new one.')
    results = read_report(source)
    if images is not None:
        results = replace(results, image_paths=_image_paths(results, images))
    return write_report(
        results,
        folder,
        title=title or home.resolve().name,
        pictures=pictures,
        no_pictures='Left out: the run names no image files; --images FOLDER says where they are.',
        confidence=confidence,
    )


def _image_paths(results: EvalResults, images: str | Path) -> tuple[Path | None, ...]:
    """Finds the images of a run in a folder, by their path in it, else by their name; a name never leads out of it."""
    by_path = {name: Path(images, name) for name in walk(images)}
    by_stem = image_files(images)
    paths = tuple(by_path.get(name) or by_stem.get(Path(name).stem) for name in results.image_names)
    if not any(paths):
        raise InputError(
            f'{images}: holds none of the {len(paths)} tested images, such as {results.image_names[0]}; name the '
            'folder of these images.'
        )
    return paths
