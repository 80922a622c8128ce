"""Text of files that do not say how it is encoded: names of tracks in MIDI, old tune books.

A track's name is too short for detectors of encodings, which were tried (charset-normalizer 3.5 takes
the Chinese and the Japanese word for "melody" for others). So the encodings that sequencers have
written are tried in turn, and the one whose characters are the most usual is taken.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Sequence
from functools import cache

from melodysim.readers.parts.part_names import ACCOMPANIES, SINGS

_ENCODINGS = (
    "cp932",
    "gb18030",
    "big5",
    "euc_kr",
    "euc_jp",
    "cp1252",
    "cp1251",
    "mac_roman",
    "utf-16-le",
    "latin-1",
)
_USUAL_ROWS = {"gb2312": (0xB0, 0xD7), "euc_jp": (0xB0, 0xCF), "big5": (0xA4, 0xC6)}
"""First bytes of the characters that each standard calls frequently used (its "level 1")."""
_FEWEST_LETTERS = 0.3
"""Share of zero bytes that text in UTF-16 without a mark has at least, if it is mostly Latin."""
_SAMPLE = 400
"""Characters outside ASCII that are looked at."""
_KNOWN_WORD = 0.2
"""What a name that is known as one of a part adds."""


def decode_text(content: bytes) -> str:
    """Decode text that is UTF-8, UTF-16, or of the encodings that music software has written."""
    return decode_names([content])[0]


def decode_names(names: Sequence[bytes]) -> list[str]:
    """Decode texts of one file, which are taken to be in the same encoding.

    Parameters
    ----------
    names : sequence of bytes

    Examples
    --------
    >>> decode_names([b"\\x83\\x81\\x83\\x8d\\x83f\\x83B", b"Bass"])
    ['メロディ', 'Bass']
    """
    if all(name.isascii() and b"\0" not in name for name in names):
        return [name.decode("ascii") for name in names]
    if any(_utf16(name) for name in names):
        rest = [name for name in names if not _utf16(name)]
        others = iter(decode_names(rest) if rest else ())
        wide = [(name, _utf16(name)) for name in names]
        return [
            name.decode(kind, "replace").lstrip("\ufeff") if kind else next(others)
            for name, kind in wide
        ]
    try:
        return [name.decode("utf-8-sig") for name in names]
    except UnicodeDecodeError:
        foreign = [name for name in names if not name.isascii()]
        best = max(_ENCODINGS, key=lambda encoding: _likelihood(foreign, encoding))
        return [name.decode(best, "replace") for name in names]


def _utf16(content: bytes) -> str | None:
    """Return the kind of UTF-16 that a text is in, or None if it is not."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    size = max(len(content), 1)
    even, odd = content[::2].count(0) / size, content[1::2].count(0) / size
    if max(even, odd) < _FEWEST_LETTERS:
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _likelihood(names: Sequence[bytes], encoding: str) -> float:
    """Return how likely an encoding is by the characters that it gives; -1 if it is impossible."""
    try:
        text = " ".join(name.decode(encoding) for name in names)
    except UnicodeDecodeError:
        return -1.0
    foreign = [k for k, character in enumerate(text) if character > "\x7f"][:_SAMPLE]
    if not foreign:
        return 0.0
    # The mean over bytes, not characters: one rare ideograph is not better than two usual letters.
    sizes = [len(text[k].encode(encoding)) for k in foreign]
    usual = [_usual(text[k], _within_word(text, k)) for k in foreign]
    known = SINGS.search(text) or ACCOMPANIES.search(text)
    return (
        sum(u * s for u, s in zip(usual, sizes, strict=True)) / sum(sizes) + bool(known) * _KNOWN_WORD
    )


def _within_word(text: str, k: int) -> bool:
    return any(side.isascii() and side.isalpha() for side in (text[k - 1 : k], text[k + 1 : k + 2]))


@cache
def _usual(character: str, within_word: bool) -> float:
    """Return how usual a character is in names of music, 0 to 1."""
    name = unicodedata.name(character, "")
    if name.startswith(("HIRAGANA", "KATAKANA")):
        return 1.0
    if name.startswith("HANGUL SYLLABLE"):
        return 0.85
    if name.startswith("CJK UNIFIED"):
        return 0.9 if any(_in_rows(character, *rows) for rows in _USUAL_ROWS.items()) else 0.2
    if name.startswith("LATIN"):
        return 0.95 if within_word and character <= "ÿ" else 0.3
    if name.startswith("CYRILLIC"):
        return 0.3 if within_word else 0.85
    return 0.86 if name.startswith("HALFWIDTH KATAKANA") else 0.1


def _in_rows(character: str, standard: str, rows: tuple[int, int]) -> bool:
    try:
        return rows[0] <= character.encode(standard)[0] <= rows[1]
    except UnicodeEncodeError:
        return False
