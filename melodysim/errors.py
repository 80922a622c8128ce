"""What can go wrong, as exception classes.

Every error that a user can cause is a `MelodysimError`. Its text is one line that names the file (or
the option), says what is wrong with it and what to do next; the command line prints it as it is and
exits with status 2. Anything else that escapes is a bug.
"""


class MelodysimError(Exception):
    """Base of all errors that melodysim raises on purpose."""


class ReadError(MelodysimError):
    """A track cannot be read: missing, empty, damaged, or not a format that is known."""


class MissingDependencyError(MelodysimError):
    """An optional package or a model file is needed for this and is not installed."""


class LibraryError(MelodysimError):
    """The reference library cannot be opened, read or written."""


class InvalidNotesError(MelodysimError, ValueError):
    """Notes handed in as arrays break the conventions of `melodysim.melody.Melody`."""


class RightsError(MelodysimError, ValueError):
    """Rights handed in make no sense: an unknown status, a year or a date that is none."""


class RateError(MelodysimError, ValueError):
    """Rates of false alarms handed in make no sense."""


class CancelledError(MelodysimError):
    """A check that was cancelled by whoever asked for it."""
