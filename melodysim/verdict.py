"""From matches to a verdict, and from a verdict to sentences.

A level follows from the E-value of the best match with a work that is, or may be, protected, by two
rates that the user may change: how many unrelated tracks in a thousand may be called "likely", and
how many "review". The probability is a logistic function of the same E-value, fitted on passages
hidden in other tunes (docs/how-it-works.md says how, and what came out).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from melodysim.matching import Match
from melodysim.melody import Piece
from melodysim.significance import SMALLEST_BACKGROUND

Level = Literal["clear", "review", "likely"]
LEVELS: tuple[Level, ...] = ("clear", "review", "likely")

LIKELY_RATE = 0.001
REVIEW_RATE = 0.05
"""Share of unrelated tracks that may reach a level: its largest E-value."""
LOGISTIC = (-0.05, 0.93)
"""Intercept, and slope per decade of the E-value, of the probability of copying, as fitted by
`benchmarks/calibrate.py` where as many tunes copied as did not."""
SURE = 0.5
"""Confidence from which a transcribed note counts as heard."""
HEARD_ENOUGH = 0.4
"""Share of a recording below which the reader is warned: most of 28 real recordings have more."""
_WORDS_IN_TEXT = 3


@dataclass(frozen=True)
class Rates:
    """How many unrelated tracks may be called so by chance.

    Attributes
    ----------
    likely, review : float
        Shares of tracks, 0..1.
    """

    likely: float = LIKELY_RATE
    review: float = REVIEW_RATE


@dataclass(frozen=True)
class Verdict:
    """What is to be made of a track.

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


def judge(piece: Piece, matches: list[Match], references: int, rates: Rates) -> Verdict:
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

    Returns
    -------
    Verdict
    """
    protected = [match for match in matches if match.reference.rights.protected]
    free = [match for match in matches if not match.reference.rights.protected]
    level = level_of(protected[0].e_value, rates) if protected else "clear"
    reasons = []
    if level != "clear":
        named = [m for m in protected if m.e_value < rates.review]
        reasons += [describe(match) + _note_words(match) for match in named[:_WORDS_IN_TEXT]]
        reasons += [
            _borrowed_words(named[0], other) for other in free[:1] if _same_passage(named[0], other)
        ]
    else:
        reasons.append(
            f"Of the {references:,} melodies in the library, none that is protected is followed more "
            "closely than chance explains."
        )
    reasons += [
        describe(match) + f" It is {_free_words(match)}, so this match does not count."
        f"{_note_words(match)}"
        for match in free[:1]
        if match.e_value < rates.review
    ]
    reasons.append(what_was_heard(piece))
    if matches and not matches[0].background.measured:
        reasons.append(
            f"The library holds only {references:,} melodies, too few to measure chance on: typical "
            "values stand in."
        )
    probability = probability_of(protected[0].e_value) if protected else 0.0
    return Verdict(level, probability, tuple(reasons))


def _same_passage(match: Match, other: Match) -> bool:
    """Say whether two matches that chance does not explain lie on mostly the same stretch."""
    (a, b), (c, d) = match.query.seconds, other.query.seconds
    common = min(b, d) - max(a, c)
    return other.e_value < REVIEW_RATE and common > 0.5 * min(b - a, d - c)


def _borrowed_words(match: Match, free: Match) -> str:
    """Say that a protected work may itself have borrowed the passage."""
    return (
        f"The same passage also follows “{free.reference.title}”, which is {_free_words(free)}: "
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

    Returns
    -------
    Verdict
    """
    level = "clear" if match is None else level_of(match.e_value, rates)
    if match is None or level == "clear":
        reasons = ["No passage of the first work follows the second more closely than chance explains."]
        if match is not None:
            reasons.append(f"The closest: {describe(match, 'pairs of works')}")
    else:
        reasons = [describe(match, "pairs of works")]
    probability = 0.0 if match is None else probability_of(match.e_value)
    return Verdict(level, probability, (*reasons, what_was_heard(new)))


def level_of(e_value: float, rates: Rates) -> Level:
    """Give the level that an E-value against a protected work stands for."""
    if e_value < rates.likely:
        return "likely"
    return "review" if e_value < rates.review else "clear"


def probability_of(e_value: float) -> float:
    """Probability that a passage with this E-value follows the reference and not chance."""
    intercept, slope = LOGISTIC
    decades = -np.log10(max(e_value, 1e-300))
    return float(1.0 / (1.0 + np.exp(-(intercept + slope * decades))))


def describe(match: Match, unrelated: str = "tracks") -> str:
    """Say in a sentence what follows what, where, and how surely."""
    begin, end = match.query.seconds
    by = f" by {match.reference.creator}" if match.reference.creator else ""
    verb = "follow" if match.evidence == "notes" else "are heard as in"
    return (
        f"{match.notes} notes from {clock(begin)} to {clock(end)} {verb} “{match.reference.title}”{by}"
        f", {transposed(match.transposition)}; {chance(match.e_value, unrelated)}."
        f"{_rarity_words(match) if unrelated == 'tracks' else ''}"
    )


def _note_words(match: Match) -> str:
    """Say what is noted of the rights, such as why a work is free or a licence no longer counts."""
    note = match.reference.rights.note
    return f" (Rights: {note}.)" if note else ""


def _rarity_words(match: Match) -> str:
    """Say how common the rarest turn of a passage is."""
    if match.turn is None or match.turn.references < SMALLEST_BACKGROUND:
        return ""
    turn = match.turn
    if turn.melodies <= 1:
        return f" Its rarest turn occurs in no other of {turn.references:,} melodies."
    return f" Its rarest turn occurs in {turn.melodies:,} of {turn.references:,} melodies."


def what_was_heard(piece: Piece) -> str:
    """Say how much of the track had a melody in it, and so what a verdict speaks of."""
    melody = piece.melodies[0]
    name = melody.voice or "melody"
    if piece.kind == "audio":
        share = melody_share(piece)
        if share < HEARD_ENOUGH:
            return (
                f"A melody was heard in only {share:.0%} of the track: what the rest holds was not "
                "checked, and is not said to be clear."
            )
        return f"A melody was heard in {share:.0%} of the track; only that was checked."
    if len(piece.melodies) == 1:
        return f"The melody checked is “{name}” ({len(melody)} notes)."
    return (
        f"{len(piece.melodies)} voices were checked as melodies, “{name}” ({len(melody)} notes) "
        "before the others."
    )


def melody_share(piece: Piece) -> float:
    """Share of a recording in which its likeliest line is more likely right than not, 0..1."""
    melody = piece.melodies[0]
    sure = melody.confidence >= SURE
    return min(1.0, float(melody.duration[sure].sum()) / max(piece.duration, 1e-9))


def _free_words(match: Match) -> str:
    status = match.reference.rights.status
    return {"public-domain": "in the public domain", "own": "your own"}.get(status, status)


def clock(seconds: float) -> str:
    """Time as minutes and seconds: ``1:05``.

    Examples
    --------
    >>> clock(65.4)
    '1:05'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def transposed(semitones: int) -> str:
    """Name a transposition.

    Examples
    --------
    >>> transposed(3), transposed(-12), transposed(0)
    ('3 semitones higher', 'an octave lower', 'at the same pitch')
    """
    if semitones == 0:
        return "at the same pitch"
    size, where = abs(semitones), "higher" if semitones > 0 else "lower"
    if size % 12 == 0:
        return f"{'an octave' if size == 12 else f'{size // 12} octaves'} {where}"
    return f"{size} semitone{'' if size == 1 else 's'} {where}"


def chance(e_value: float, unrelated: str = "tracks") -> str:
    """Say an E-value in words.

    Examples
    --------
    >>> chance(0.00025), chance(3.0)
    ('chance does so in 1 of 4,000 unrelated tracks', 'chance does so about 3 times in any track')
    """
    if e_value >= 0.5:
        times = round(e_value)
        count = "once" if times <= 1 else f"{times:,} times"
        return f"chance does so about {count} in any {unrelated.removesuffix('s')}"
    if e_value < 1e-9:
        return f"chance does so in fewer than 1 of a billion unrelated {unrelated}"
    return f"chance does so in 1 of {_rounded(1 / e_value):,} unrelated {unrelated}"


def _rounded(value: float) -> int:
    """Round to two digits."""
    digits = max(0, int(np.floor(np.log10(value))) - 1)
    return round(value / 10**digits) * 10**digits
