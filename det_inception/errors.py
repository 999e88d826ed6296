"""The root of all errors that a user's input causes."""


class InputError(ValueError):
    """Something given by the user cannot be used.

    The message is one sentence that names the file or setting, what is wrong with it and what to do; the command-line
    tools print it and nothing else.
    """
