"""Exception classes.

Every error that a user can cause is a `MelodysimError`. It holds the reason, the remedy and the file,
and its text is one line; the command line prints that line and exits with status 2. Any other exception
that escapes is a bug.
"""

from __future__ import annotations

import os
from typing import Self


class MelodysimError(Exception):
    """Base of all errors that melodysim raises on purpose.

    Parameters
    ----------
    reason : str
        What is wrong.
    remedy : str, optional
        What to do about it.
    path : str or path-like, optional
        Which file, folder or address it is about.

    Attributes
    ----------
    reason, remedy : str
    path : str or None

    Examples
    --------
    >>> str(MelodysimError("the file is empty", "export it again", "song.mid"))
    'song.mid: the file is empty; export it again'
    """

    def __init__(
        self, reason: str, remedy: str = "", path: str | os.PathLike[str] | None = None
    ) -> None:
        self.reason, self.remedy = reason, remedy
        self.path = None if path is None else os.fspath(path)
        super().__init__(reason, remedy, self.path)  # pickle rebuilds the error from these

    @property
    def why(self) -> str:
        """Reason and remedy, without the path."""
        return f"{self.reason}; {self.remedy}" if self.remedy else self.reason

    def renamed(self, path: str | os.PathLike[str], name: str) -> Self:
        """Return the error with `name` in place of `path`, if it is about `path`."""
        return type(self)(self.reason, self.remedy, name) if self.path == os.fspath(path) else self

    def __eq__(self, other: object) -> bool:
        """Compare class and text, so that an error equals its copy from another process."""
        return type(self) is type(other) and str(self) == str(other)

    def __hash__(self) -> int:
        """Return the same number for errors that are equal."""
        return hash((type(self), str(self)))

    def __str__(self) -> str:
        """Return the one line that people read."""
        return self.why if self.path is None else f"{self.path}: {self.why}"


class ReadError(MelodysimError):
    """A track cannot be read: missing, empty, damaged, or not a format that is known."""


class OutputError(MelodysimError):
    """A result cannot be written: the disk is full, the folder is not ours."""


class MissingDependencyError(MelodysimError):
    """An optional package or a model file is needed and not installed."""


class LibraryError(MelodysimError):
    """The reference library cannot be opened, read or written."""


class InvalidNotesError(MelodysimError, ValueError):
    """Notes handed in as arrays break the conventions of `melodysim.melody.Melody`."""


class RightsError(MelodysimError, ValueError):
    """Rights handed in are invalid: an unknown status, an impossible year or date."""


class RateError(MelodysimError, ValueError):
    """False-alarm rates handed in are invalid."""


class CancelledError(MelodysimError):
    """A check that was cancelled by whoever asked for it."""
