"""`data/mini`: a detection set that the project draws itself, in the folder layout of ILSVRC DET.

Twelve of the 200 classes of ILSVRC DET, drawn by code with varying shape, color, pose, light, scale and
occlusion before cluttered, textured backgrounds. `make_mini` writes the folder; `render` draws one picture.

What is guaranteed: with equal versions of OpenCV and NumPy on the same kind of machine, equal parameters give
equal files, whatever the number of workers and the order of the work, because each picture has a seed of its
own. Other versions or processors may round differently: single pixels, and seldom a side of a box by a pixel,
can then differ.

`det-inception mini` runs it. It needs NumPy, OpenCV and tqdm, no PyTorch.
"""

from det_inception.mini_set.cutouts import cut_objects
from det_inception.mini_set.folder import GENERATOR_VERSION, RECORD, MiniSetError, contact_sheet, make_mini
from det_inception.mini_set.scene import CLASSES, Scene, compose, render

__all__ = [
    'CLASSES',
    'GENERATOR_VERSION',
    'RECORD',
    'MiniSetError',
    'Scene',
    'compose',
    'contact_sheet',
    'cut_objects',
    'make_mini',
    'render',
]
