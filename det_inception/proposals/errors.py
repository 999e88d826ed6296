"""What is raised about proposals."""

from det_inception.utils.errors import InputError


class ProposalError(InputError):
    """What is wrong with proposals or their file, in one sentence that says what to do; a `ValueError`."""
