"""A detector as a page of Gradio, for whoever wants to put it into one of their own: ``det-inception serve --gradio``.

It needs ``pip install 'det_inception[serve]'``. :mod:`det_inception.inference.server` has a page without that.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from det_inception.inference.detector import Detector, require_score
from det_inception.inference.server import MAX_UPLOAD, MAX_WAITING, Refusal, detect_upload, require_port
from det_inception.utils.errors import InputError

if TYPE_CHECKING:
    import gradio

os.environ.setdefault('GRADIO_ANALYTICS_ENABLED', 'False')  # Read when Gradio is imported.


def require_gradio() -> None:
    """Raises an InputError if Gradio is not installed."""
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"Gradio cannot be imported ({error}); pip install 'det_inception[serve]', or leave out --gradio."
        ) from error


def gradio_page(detector: Detector, score: float = 0.5) -> gradio.Blocks:
    """Returns the page: a photo in; the photo with its boxes, and the detections as JSON, out.

    Args:
        detector: Asked for one image at a time.
        score: The threshold that the page begins with.

    Raises:
        InputError: Gradio is not installed, or the score is none.
    """
    require_score(score)
    require_gradio()
    import gradio

    def detect(photo: str | None, threshold: float) -> tuple:
        if photo is None:
            return None, []
        try:
            image, found = detect_upload(detector, Path(photo).read_bytes())
        except Refusal as refusal:
            raise gradio.Error(str(refusal), print_exception=False) from refusal
        found = found.above(threshold)
        return found.draw(image)[:, :, ::-1], found.as_dicts()

    with gradio.Blocks(title='Objects in photos') as page:
        gradio.Markdown(f'Finds {len(detector.classes)} classes: {", ".join(detector.classes)}.')
        with gradio.Row():
            # Gradio's own images are read before they come here, with other limits, and turned otherwise.
            photo = gradio.File(label='Photo: drop it here', file_types=['image'], type='filepath')
            drawn = gradio.Image(label='Found', format='jpeg', interactive=False)
        threshold = gradio.Slider(0, 1, score, step=0.01, label='Least score')
        rows = gradio.JSON(label='Detections: boxes are x1, y1, x2, y2 in pixels')
        for changed in (photo.change, threshold.release):
            changed(detect, [photo, threshold], [drawn, rows], api_name='detect', concurrency_id='one at a time')
    return page.queue(max_size=MAX_WAITING, default_concurrency_limit=1)


def serve_gradio(detector: Detector, host: str, port: int, score: float) -> gradio.Blocks:
    """Starts the page and returns it; ``local_url`` says where it is, and ``close()`` ends it.

    Raises:
        InputError: As of :func:`gradio_page`; or there is no such port, or it is in use.
    """
    require_port(port)
    page = gradio_page(detector, score)
    try:
        page.launch(
            server_name=host,
            server_port=port or None,
            max_file_size=MAX_UPLOAD,
            share=False,
            prevent_thread_lock=True,
            quiet=True,
        )
    except OSError as error:
        raise InputError(f'{host}, port {port}: cannot be used; choose another --port.') from error
    return page
