"""Writing files so that none is ever torn, and names that are safe anywhere."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from melodysim.errors import MelodysimError


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MelodysimError(f"{folder}: cannot be made ({error.strerror})") from error


@contextlib.contextmanager
def replaced(output: Path) -> Iterator[Path]:
    """Give a temporary path beside `output`, and rename it once it is written."""
    try:
        handle, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(output)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise MelodysimError(f"{output}: cannot be written ({error.strerror})") from error


def write_whole(output: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it."""
    with replaced(output) as temporary:
        temporary.write_bytes(content)


def file_stem(source: str) -> str:
    """Name for files about a track: its own name, of letters, digits, dots and dashes alone."""
    return re.sub(r"[^\w.-]+", "-", Path(source).name).strip(".-") or "track"
