"""Errors of this room, each with one sentence for the user. They stand alone: the room imports no other."""

from __future__ import annotations


class MissingOperatorError(NotImplementedError):
    """A model wants an operator of mmcv that nobody has compiled and this project does not stand in for."""

    explains_itself = True


class BrokenInstallationError(ImportError):
    """A package is there and cannot be used."""

    explains_itself = True
