"""Says what is in a data set and what is wrong with it, all at once, before anything is trained on it.

Training stops at the first fault. Here the same readers (:mod:`det_inception.formats`) go on after each. The check also
looks at images, at proposals, and at what training and test have in common. ``tools/validate_data.py`` is the command.
"""

from det_inception.validation.check import CheckResult, check_data
from det_inception.validation.splits import CheckedSplit, find_splits, missing_parts, select_splits

__all__ = ['CheckResult', 'CheckedSplit', 'check_data', 'find_splits', 'missing_parts', 'select_splits']
