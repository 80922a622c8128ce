"""Tokens of a line of ABC music (ABC standard 2.1, section 4), found in linear time.

No alternative of the pattern looks further than to the next character of its own kind before it gives
up, so that a line of any length takes time in proportion to it.
"""

from __future__ import annotations

import re
from fractions import Fraction

_ACCIDENTAL = r"\^\^|__|=|[\^_](?:\d{0,2}/\d{0,2}(?=[A-Ga-g]))?"
_LENGTH = r"\d*/*\d*"
_NOTE = rf"(?:{_ACCIDENTAL})?[A-Ga-g][,']*{_LENGTH}"

TOKEN = re.compile(
    rf"""
    (?P<note>(?P<acc>{_ACCIDENTAL})?(?P<letter>[A-Ga-g])(?P<oct>[,']*)(?P<len>{_LENGTH}))
  | (?P<bar>\.?(?:\[\||[|:])[|:\]]*(?:\d[\d,.-]*)?)
  | (?P<rest>[zx](?P<restlen>{_LENGTH}))
  | (?P<text>"[^"]*")
  | (?P<plus>\+(?P<oldchord>(?:{_NOTE}){{2,16}})\+)            # a chord, up to version 1.5
  | (?P<mark>![^!\s|:\[\]]{{1,40}}!|\+[A-Za-z0-9.()<>]{{1,40}}\+  # decorations
      |!(?:D\.\ ?[CS]\.|da\ ?capo|dal\ ?segno|to\ coda)[^!|\[\]:]{{0,30}}!)
  | (?P<grace>\{{[^{{}}]*\}})
  | (?P<field>\[[A-Za-z]:[^\]\[]*\])
  | (?P<volta>\[\d[\d,.-]*)
  | (?P<chord>\[(?P<inside>(?:"[^"]*"|[^\]\[|"])*)\](?P<chordlen>{_LENGTH}))
  | (?P<tuplet>\((?P<p>[2-9]|1\d(?=:[1-9]))(?::(?P<q>\d{{0,2}}))?(?::(?P<r>\d{{0,3}}))?)
  | (?P<barrest>[ZX](?P<bars>\d*))
  | (?P<tie>-)
  | (?P<broken>[<>]+)
  | (?P<space>y{_LENGTH})
  | (?P<overlay>&+)
    """,
    re.VERBOSE,
)
"""Everything else in a line (spaces, slurs, letters that stand for decorations) sounds nothing."""

CHORD_NOTE = re.compile(rf"({_ACCIDENTAL})?([A-Ga-gzx])([,']*)({_LENGTH})(-?)")
NOT_IN_CHORD = re.compile(r'"[^"]*"|![^!]*!|\+[A-Za-z0-9.()<>]*\+|\{[^{}]*\}')
"""Decorations and texts, which may stand before any note of a chord."""
_LENGTH_PARTS = re.compile(r"(\d*)(/*)(\d*)")
_MOST_TIMES, _FINEST = 4096, 1024
_TUPLET_TIME = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # the standard's default q for (p; else 2, or 3 in 6/8


def length(text: str) -> Fraction:
    """Return the multiplier of the unit note in a length such as ``3``, ``/``, ``3/2`` or ``//``.

    Numbers that no score holds are limited, so that sums of lengths stay small fractions.
    """
    if not text:
        return Fraction(1)
    top, slashes, bottom = _LENGTH_PARTS.fullmatch(text).groups()  # type: ignore[union-attr]
    numerator = min(int(top[:5]), _MOST_TIMES) if top else 1
    if not slashes:
        return Fraction(numerator)
    denominator = int(bottom[:5]) if bottom else 2 ** min(len(slashes), 10)
    return Fraction(numerator, min(denominator, _FINEST) or 1)


def tuplet(p: str, q: str | None, r: str | None, compound: bool) -> tuple[Fraction, int]:
    """Return the factor and the number of notes of a tuplet ``(p:q:r``."""
    notes = int(p)
    time = int(q) if q else _TUPLET_TIME.get(notes, 3 if compound else 2)
    return Fraction(time or 1, notes), int(r) if r and int(r) else notes
