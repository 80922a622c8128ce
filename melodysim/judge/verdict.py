"""From matches to a verdict.

A level follows from the E-value of the best match with a work that is, or may be, protected, by two
rates that the user may change: how many unrelated tracks in a thousand may be called "likely", and
how many "review". The probability is a logistic function of the same E-value, one for notes and one for
recordings, each fitted on copies and on what is unrelated (docs/calibration.md says how, and what came
out).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from melodysim.errors import RateError
from melodysim.judge.wording import describe, free_words, place_words, reading_words, what_was_heard
from melodysim.melody import Piece
from melodysim.search.match import Match

Level = Literal["clear", "review", "likely"]
LEVELS: tuple[Level, ...] = ("clear", "review", "likely")

LIKELY_RATE = 0.0001
REVIEW_RATE = 0.005
"""Share of unrelated tracks that may reach a level: its largest E-value."""
LOGISTIC = (-3.05, 2.1)
"""Intercept, and slope per decade of the E-value, of the probability that notes copy the work that they
follow best, if half of all tracks copy: fitted on songs as others transcribed them and on songs that
are not in the library (docs/calibration.md)."""
LOGISTIC_HEARD = (-1.93, 1.18)
"""The same for recordings, fitted on rendered and real ones (`benchmarks/recordings.py`). There
E-values of 1 and more all say the same: that nothing was heard is no proof that nothing is there."""
SUREST = 0.999
"""Largest probability; the smallest is a thousandth. Only hundreds of cases were measured."""
FEW_NOTES = 12
"""Of exact copies of 4 and 6 notes hardly any was below the rate of "review" among 178 protected songs,
nor among 7,516; of 8, 10 and 12 notes 0.28, 0.88 and 0.95 were, and 0.20, 0.60 and 0.78."""
_WORDS_IN_TEXT = 3


@dataclass(frozen=True)
class Rates:
    """Rates of false alarms: shares of unrelated tracks that may reach a level by chance.

    Attributes
    ----------
    likely, review : float
        Shares of tracks, 0..1.
    """

    likely: float = LIKELY_RATE
    review: float = REVIEW_RATE

    def __post_init__(self) -> None:
        """Raise `RateError` unless both are shares, of which `likely` is no larger than `review`."""
        if not 0 <= self.likely <= self.review <= 1:
            raise RateError(
                f"rates of false alarms: likely {self.likely:g}, review {self.review:g}",
                "give shares from 0 to 1, of which likely is no larger than review",
            )


@dataclass(frozen=True)
class Verdict:
    """Verdict on a track: its level, probability and reasons.

    Attributes
    ----------
    level : {"clear", "review", "likely"}
        Whether a mechanical licence is likely to be needed.
    probability : float
        That a passage follows a protected work and not chance, 0..1.
    reasons : tuple of str
        Sentences, the most important first.
    """

    level: Level
    probability: float
    reasons: tuple[str, ...]


def judge(
    piece: Piece,
    matches: list[Match],
    references: int,
    rates: Rates,
    protected_works: int | None = None,
) -> Verdict:
    """Draw a verdict from the matches of a track.

    Parameters
    ----------
    piece : Piece
        The track.
    matches : list of Match
        Best first; among them the best one with a work that is not known to be free.
    references : int
        Melodies in the library.
    rates : Rates
        Of false alarms.
    protected_works : int, optional
        Melodies in the library that are, or may be, protected.
    """
    protected = [match for match in matches if match.reference.rights.protected]
    free = [match for match in matches if not match.reference.rights.protected]
    level = level_of(protected[0].e_value, rates) if protected else "clear"
    reasons = []
    if level != "clear":
        named = [m for m in protected if m.e_value < rates.review]
        reasons += [
            describe(match) + place_words(match, piece.bar) + _note_words(match)
            for match in named[:_WORDS_IN_TEXT]
        ]
        reasons += [
            _borrowed_words(named[0], other)
            for other in [m for m in free if m.reference.rights.status == "public-domain"][:1]
            if _same_passage(named[0], other, rates)
        ]
    elif protected_works == 0:
        reasons.append(
            "The library holds no melody that is protected, so this says nothing: import the works "
            "that you are worried about, or say whose its melodies are (`melodysim library rights`)."
        )
    else:
        reasons.append(
            f"Of the {references:,} melodies in the library, none that is protected is followed more "
            "closely than chance explains."
        )
    reasons += [
        describe(match) + f" It is {free_words(match)}, so this match does not count."
        f"{place_words(match, piece.bar)}{_note_words(match)}"
        for match in free[:1]
        if match.e_value < rates.review
    ]
    reasons += [what_was_heard(piece), *reading_words(piece)]
    longest = max((len(melody) for melody in piece.melodies), default=0)
    if level == "clear" and longest < FEW_NOTES:
        reasons.append(
            f"It has only {longest} notes: a copy of so few is seldom told from chance, however exact, "
            "so this says little."
        )
    if matches and not matches[0].background.measured:
        reasons.append(
            f"The library holds only {references:,} melodies, too few to measure chance on: typical "
            "values stand in."
        )
    probability = probability_of(protected[0]) if protected else 0.0
    return Verdict(level, probability, tuple(reasons))


def _same_passage(match: Match, other: Match, rates: Rates) -> bool:
    """Say whether two matches that chance does not explain lie on mostly the same stretch."""
    (a, b), (c, d) = match.query.seconds, other.query.seconds
    common = min(b, d) - max(a, c)
    return other.e_value < rates.review and common > 0.5 * min(b - a, d - c)


def _borrowed_words(match: Match, free: Match) -> str:
    """Say that a protected work may itself have borrowed the passage."""
    return (
        f"The same passage also follows “{free.reference.title}”, which is {free_words(free)}: "
        f"“{match.reference.title}” may itself have borrowed it. Look at what is new in it."
    )


def judge_pair(new: Piece, match: Match | None, rates: Rates) -> Verdict:
    """Draw a verdict from the best passage that two works share.

    Parameters
    ----------
    new : Piece
        The work in question.
    match : Match or None
        Its E-value is that of one comparison.
    rates : Rates
        Of false alarms among unrelated pairs.
    """
    level = "clear" if match is None else level_of(match.e_value, rates)
    if match is None or level == "clear":
        reasons = ["No passage of the first work follows the second more closely than chance explains."]
        if match is not None:
            reasons.append(f"The closest: {describe(match, 'pairs of works', explained=True)}")
    else:
        reasons = [describe(match, "pairs of works")]
    reasons += [what_was_heard(new), *reading_words(new)]
    if match is not None and not match.background.measured:
        reasons.append(
            "The library holds too few melodies to measure chance on: typical values stand in."
        )
    probability = 0.0 if match is None else probability_of(match)
    return Verdict(level, probability, tuple(reasons))


def level_of(e_value: float, rates: Rates) -> Level:
    """Return the level of an E-value against a protected work."""
    if e_value < rates.likely:
        return "likely"
    return "review" if e_value < rates.review else "clear"


def probability_of(match: Match) -> float:
    """Return the probability that a passage follows the reference and not chance."""
    decades = -np.log10(max(match.e_value, 1e-300))
    if match.evidence == "notes":
        intercept, slope = LOGISTIC
    else:
        intercept, slope = LOGISTIC_HEARD
        decades = max(decades, 0.0)
    probability = 1.0 / (1.0 + np.exp(-(intercept + slope * decades)))
    return float(np.clip(probability, 1 - SUREST, SUREST))


def _note_words(match: Match) -> str:
    """Quote the note on the rights, such as why a work is free or a licence no longer counts."""
    note = match.reference.rights.note
    return f" (Rights: {note}.)" if note else ""
