"""Text from files and from the network, made safe to show.

A title may hold what a terminal takes as a command (escape sequences) or what turns the text around it
(bidirectional controls, Unicode TR 36). Escaping for HTML is the templates' business.
"""

from __future__ import annotations

import re
import unicodedata

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
_SPACE = re.compile(r"[\t\n\u2028\u2029]+")


def printable(text: str) -> str:
    """Return a text with control characters removed, and line breaks and tabs as spaces.

    Examples
    --------
    >>> printable("a\\x1b[31mred\\nb")
    'a[31mred b'
    """
    return _UNPRINTABLE.sub("", _SPACE.sub(" ", text))


def printable_or_none(text: str | None) -> str | None:
    """Return `printable` of a text, stripped; None for no text, or where nothing is left."""
    return (printable(text).strip() or None) if text else None


def folded(text: str | None) -> str | None:
    """Return a text as searches compare it: whatever the case, and however accents are written.

    Examples
    --------
    >>> folded("\u00dcber") == folded("u\u0308ber")
    True
    """
    return None if text is None else unicodedata.normalize("NFC", text.casefold())


_FORMULA = "=+-@\t\r"


def cell(text: str | None) -> str | None:
    """Return a text with an apostrophe before it where a spreadsheet would take it for a formula.

    Examples
    --------
    >>> cell("=SUM(1)"), cell("song.mid")
    ("'=SUM(1)", 'song.mid')
    """
    return f"'{text}" if text and text[0] in _FORMULA else text


def shown_cell(text: str | None) -> str | None:
    """Return `cell` of a text without control characters: what a reader and a terminal may see."""
    return None if text is None else printable(cell(text) or "")


def uncell(text: str) -> str:
    """Return a cell's text without the apostrophe that `cell` put before it.

    Examples
    --------
    >>> uncell("'=SUM(1)"), uncell("'Tis")
    ('=SUM(1)', "'Tis")
    """
    return text[1:] if text[:1] == "'" and text[1:2] and text[1] in _FORMULA else text


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 note", "1,204 notes".

    Parameters
    ----------
    number : int
    one : str
        The noun for one.
    many : str, optional
        The noun for any other number; by default `one` with an s.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
