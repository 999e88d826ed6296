"""What is raised about proposals."""

from det_inception.utils.errors import InputError


class ProposalError(InputError):
    """What is wrong with proposals or their file, in one sentence that says what to do; a ``ValueError``."""


class StoreKeyError(ProposalError, KeyError):
    """An image that a store does not hold, or more than one that could be meant."""

    # KeyError would show the sentence in quotation marks.
    __str__ = Exception.__str__


class StoreMismatchError(ProposalError):
    """A store that was made with other parameters or for other images."""
