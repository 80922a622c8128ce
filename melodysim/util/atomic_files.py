"""Atomic writing of files, and file names that are safe on every system."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from melodysim.errors import OutputError


def reason_of(error: OSError) -> str:
    """Say why something could not be written, in words that people use."""
    if error.errno == errno.ENOSPC:
        return "the disk is full; make room and run it again"
    return f"cannot be written ({error.strerror})"


@contextlib.contextmanager
def written_or_said(output: Path) -> Iterator[None]:
    """Turn an `OSError` while a file is written into an `OutputError` that says why."""
    try:
        yield
    except OSError as error:
        raise OutputError(reason_of(error), path=output) from error


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        full = error.errno == errno.ENOSPC
        why = reason_of(error) if full else f"cannot be made ({error.strerror})"
        raise OutputError(why, path=folder) from error


TORN = ".melodysim-part"
"""Ending of temporary names, by which a file is known that was never finished."""
_LONGEST_NAME = 190
"""Most bytes of a file's name that its temporary name repeats."""


@contextlib.contextmanager
def replaced(output: Path) -> Iterator[Path]:
    """Yield a temporary path beside `output`, and rename it to `output` once it is written."""
    short = output.name.encode()[:_LONGEST_NAME].decode(errors="ignore")
    temporary = output.with_name(f".{short}.{secrets.token_hex(4)}{TORN}")
    with written_or_said(output):
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())  # a name must not be there before its content is
            temporary.replace(output)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_whole(output: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it."""
    with replaced(output) as temporary:
        temporary.write_bytes(content)


def remove_torn(folder: Path) -> None:
    """Remove what was never finished in a folder by programs that were killed; nothing else."""
    for torn in folder.glob(f".*{TORN}"):
        with contextlib.suppress(OSError):
            torn.unlink()


def file_stem(source: str) -> str:
    """Return a track's file name with only letters, digits, underscores, dots and dashes."""
    return re.sub(r"[^\w.-]+", "-", Path(source).name).strip(".-") or "track"
