"""Limits on what a file may hold, checked before it is taken apart.

A file of two megabytes can unpack to gigabytes, name a note that lasts for days, or nest elements
a million deep. Each limit is far above what music needs; a file that passes one is refused with a
sentence that names the limit.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from melodysim.errors import ReadError

MOST_BYTES = 192 << 20
"""Of one file of notes, unpacked: Live's sets reach a hundred megabytes."""
MOST_TAGS = 2_000_000
"""Opening and closing tags of XML: an orchestral movement has a million."""
MOST_NOTES = 500_000
"""In a file: a symphony has a hundred thousand."""
MAX_SECONDS = 24 * 3600.0
"""A file of notes that claims to last longer is damaged, and a recording that does is no track."""
MAX_QUARTERS = 500_000.0
"""Quarter notes in a file: more than a day at the speed of a march."""
_DEEPEST = 200
"""Elements inside one another. Scores and projects have some twenty."""

_LARGEST_NUMBER = 1e15
"""Ardour's fastest clock counts no further in a month."""

Element = ElementTree.Element


@contextmanager
def damage(path: Path, kind: str, remedy: str) -> Iterator[None]:
    """Turn the exceptions of taking a damaged file apart into a `ReadError` that names the file.

    Parameters
    ----------
    path : Path
        Named in the error.
    kind : str
        What the file should be, such as "DAWproject file".
    remedy : str
        What to do.
    """
    try:
        yield
    except ReadError as error:
        raise ReadError(error.reason, error.remedy or remedy, path) from error
    except ElementTree.ParseError as error:  # says in which line
        raise ReadError(f"damaged, or no {kind} ({error})", remedy, path) from error
    except (
        expat.ExpatError, zipfile.BadZipFile, zlib.error, EOFError, LookupError, OSError, ValueError,
        ArithmeticError, NotImplementedError, RuntimeError, TypeError,
    ) as error:  # fmt: skip
        raise ReadError(f"damaged, or no {kind}", remedy, path) from error


def gunzipped(content: bytes) -> bytes:
    """Unpack gzip; content that is not gzip is returned as it is.

    Raises
    ------
    ReadError
        If it holds more than `MOST_BYTES`.
    """
    if not content.startswith(b"\x1f\x8b"):
        return content
    unpacked = zlib.decompressobj(wbits=31).decompress(content, MOST_BYTES + 1)
    if len(unpacked) > MOST_BYTES:
        raise _too_large(len(unpacked))
    return unpacked


def _too_large(size: int) -> ReadError:
    return ReadError(
        f"unpacks to {size >> 20:,} MB or more; melodysim reads {MOST_BYTES >> 20} MB of notes at most"
    )


class Archive:
    """A zip whose members are read within the limits."""

    def __init__(self, content: bytes) -> None:
        self._zip = zipfile.ZipFile(io.BytesIO(content))
        self.names = self._zip.namelist()

    def read(self, name: str) -> bytes:
        """Unpack a member; raise a `ReadError` if it is too large, whatever its header says."""
        with self._zip.open(name) as member:
            content = member.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise _too_large(len(content))
        return content


def parse_xml(content: bytes) -> Element:
    """Parse XML of limited size and depth, without any entities of its own.

    Raises
    ------
    ReadError
        If a limit is passed, or a document type declares entities, which no file of music needs
        and which can name other files or grow without bound.
    ElementTree.ParseError
        If it is not well formed.
    """
    # UTF-16 has a zero beside each "<": counting single bytes counts those too.
    tags = content.count(b"<")
    if len(content) > MOST_BYTES or tags > MOST_TAGS:
        raise ReadError(f"holds {tags:,} tags of XML; melodysim reads {MOST_TAGS:,} at most")
    if b"<\0!\0E\0N\0T\0I\0T\0Y" in content or b"<!ENTITY" in content:
        raise ReadError("declares entities of XML, which no file of music needs")
    wide = b"\0" in content[:8]  # UTF-16, where a zero is half of a character
    root = _parsed(content if wide else content.strip(b"\0 \t\r\n"))
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            raise ReadError(f"nests elements of XML more than {_DEEPEST} deep")
        level = [child for element in level for child in element]
    return root


_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding=[\"\']([\w.-]{1,40})[\"\'][^>]{0,200}?>")


def _parsed(content: bytes) -> Element:
    """Parse XML, also in the encodings of more than one byte that the parser does not know."""
    try:
        return ElementTree.fromstring(content)
    except ValueError:
        declared = _DECLARED.match(content)
        if declared is None:
            raise
        return ElementTree.fromstring(content[declared.end() :].decode(declared[1].decode("ascii")))


def number_of(element: Element | None, name: str, default: float) -> float:
    """Read a number from an attribute, or the default if it is absent; refuse NaN and infinity."""
    said = None if element is None else element.get(name)
    return default if said is None else finite(said)


def finite(text: str) -> float:
    """Read a number; refuse NaN, infinity and what no file of music counts to."""
    if len(text) > 40 or not math.isfinite(number := float(text)) or abs(number) > _LARGEST_NUMBER:
        raise ReadError(f"holds the number {text[:20]}")
    return number
