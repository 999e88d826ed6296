"""Says what is in a data set and what is wrong with it, all at once, before anything is trained on it.

The data sets of :mod:`det_inception.datasets` stop at the first fault. Here their own readers go on after each, and
images, proposals and what training and test have in common are looked at as well. ``tools/validate_data.py`` is the
command.
"""

from det_inception.validation.check import Report, check_data
from det_inception.validation.find import find_splits
from det_inception.validation.problems import Problem, Problems
from det_inception.validation.splits import Split, select_splits

__all__ = ['Problem', 'Problems', 'Report', 'Split', 'check_data', 'find_splits', 'select_splits']
