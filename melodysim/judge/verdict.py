"""From matches to a verdict.

A level follows from the E-value of the best match with a work that is, or may be, protected, by two
rates that the user may change: how many unrelated tracks in a thousand may be called "likely", and
how many "review". Where nothing protected was compared, or too little was heard for a copy to be told
from chance, there is no verdict: "unchecked". A "clear" that rests on little, or has something near
the line, is not `firm`.

The probability is a logistic function of the same E-value, one for notes and one for recordings, each
fitted on copies and on what is unrelated (docs/research/calibration.md says how, and what came out).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal

import numpy as np

from melodysim.errors import RateError
from melodysim.judge.wording import (
    HEARD_ENOUGH,
    accepted_headline,
    describe,
    free_words,
    headline_of,
    melody_share,
    named_headline,
    nearest_words,
    notes_heard,
    place_words,
    reading_words,
    what_was_heard,
)
from melodysim.melody import Piece
from melodysim.search.match import Match
from melodysim.util.plain_text import counted

Level = Literal["unchecked", "clear", "review", "likely"]
LEVELS: tuple[Level, ...] = ("unchecked", "clear", "review", "likely")
"""In the order of their gravity."""
Grade = Literal["unchecked", "clear", "accepted", "uncertain", "review", "likely"]
GRADES: tuple[Grade, ...] = ("likely", "review", "uncertain", "accepted", "clear", "unchecked")
"""Levels as people are shown them, the gravest first: a "clear" that is not firm is "uncertain", one
where a person has settled what was found is "accepted"."""

LIKELY_RATE = 0.0001
REVIEW_RATE = 0.005
"""Share of unrelated tracks that may reach a level: its largest E-value."""
NEAR_RATE = 0.05
"""Share of unrelated tracks that may come so near a protected work that their "clear" is not firm."""
LOGISTIC = (-3.05, 2.1)
"""Intercept, and slope per decade of the E-value, of the probability that notes copy the work that they
follow best, if half of all tracks copy: fitted on songs as others transcribed them and on songs that
are not in the library (docs/research/calibration.md)."""
LOGISTIC_HEARD = (-1.93, 1.18)
"""The same for recordings, fitted on rendered and real ones (`benchmarks/recordings.py`). There
E-values of 1 and more all say the same: that nothing was heard is no proof that nothing is there."""
SUREST = 0.999
"""Largest probability; the smallest is a thousandth. Only hundreds of cases were measured."""
FEW_NOTES = 12
"""Of exact copies of 4 and 6 notes hardly any was below the rate of "review" among 178 protected songs,
nor among 7,516; of 8, 10 and 12 notes 0.28, 0.88 and 0.95 were, and 0.20, 0.60 and 0.78. A "clear" of
fewer notes than these is not firm."""
FEWEST_JUDGED = 8
"""Notes below which nothing can be said: of copies of so few, hardly any is told from chance. A passage
of fewer is at most "review", however seldom chance brings it: what is so short was not measured."""
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
        numbers = all(isinstance(rate, Real) for rate in (self.likely, self.review))
        if not numbers or not 0 <= self.likely <= self.review <= 1:
            raise RateError(
                f"rates of false alarms: likely {self.likely}, review {self.review}",
                "give shares from 0 to 1, of which likely is no larger than review",
            )


@dataclass(frozen=True)
class Verdict:
    """Verdict on a track: its level, probability and reasons, and what it rests on.

    Attributes
    ----------
    level : {"unchecked", "clear", "review", "likely"}
        Whether a mechanical licence is likely to be needed; "unchecked" if nothing can be said.
    probability : float or None
        That a passage follows a protected work and not chance, 0..1; None where nothing can be said.
    headline : str
        The level in words, in one line.
    reasons : tuple of str
        Sentences, the most important first.
    heard : float
        Share of the track in which a melody was heard, 0..1; 1 for notes.
    near : bool
        Whether the best match with a protected work is closer than chance brings one unrelated track in
        twenty.
    settled : bool
        Whether something was found that a person has accepted.
    few : bool
        Whether there are so few notes that many a copy of them would not be told from chance.
    partly : bool
        Whether parts that could be the tune were not compared.
    """

    level: Level
    probability: float | None
    headline: str
    reasons: tuple[str, ...]
    heard: float = 1.0
    near: bool = False
    settled: bool = False
    few: bool = False
    partly: bool = False

    @property
    def firm(self) -> bool:
        """Whether enough was compared for a "clear", and nothing is near; True for other levels."""
        little = self.few or self.partly or self.heard < HEARD_ENOUGH
        return self.level != "clear" or not (self.near or little)

    @property
    def grade(self) -> Grade:
        """The level as people are shown it; see `GRADES`."""
        if not self.firm:
            return "uncertain"
        return "accepted" if self.settled and self.level in {"clear", "unchecked"} else self.level


def judge(
    piece: Piece,
    matches: list[Match],
    references: int,
    rates: Rates,
    protected_works: int | None = None,
    accepted: Sequence[tuple[Match, str]] = (),
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
    accepted : sequence of (Match, str), optional
        Matches that a person has settled, which do not count, and why.
    """
    protected = [match for match in matches if match.reference.rights.protected]
    free = [match for match in matches if not match.reference.rights.protected]
    best = protected[0] if protected else None
    few = notes_heard(piece) < FEW_NOTES
    nothing = protected_works == 0
    levels = [_level(match, rates) for match in protected]
    level: Level = max(levels, key=LEVELS.index, default="clear")
    if notes_heard(piece) < FEWEST_JUDGED or (level == "clear" and nothing):
        level = "unchecked"
    held = counted(references, "melody", "melodies")
    reasons = []
    if level in {"review", "likely"}:
        named = [m for m in protected if m.e_value < rates.review]
        reasons += [
            describe(match) + place_words(match, piece) + _note_words(match)
            for match in named[:_WORDS_IN_TEXT]
        ]
        reasons += [
            f"A passage of {counted(match.notes, 'note')} is never more than “review”, however seldom "
            f"chance does so: that takes {FEWEST_JUDGED} notes."
            for match in named[:1]
            if _level(match, rates) != level_of(match.e_value, rates)
        ]
        reasons += [
            _borrowed_words(named[0], other)
            for other in [m for m in free if m.reference.rights.status == "public-domain"][:1]
            if _same_passage(named[0], other, rates)
        ]
    elif nothing:
        reasons.append(
            f"Of the {held} in the library none is protected, so this track was "
            "compared with nothing that somebody owns. Import the works that you are worried about "
            "(`melodysim library import`), or name one (`melodysim suspect add`)."
        )
    else:
        reasons += [_few_words(piece)] if few else []
        if best is None or best.e_value >= rates.review:
            reasons.append(_unfollowed_words(held, protected_works, bool(accepted)))
    near = best is not None and best.e_value < max(NEAR_RATE, rates.review)
    if best is not None and (level == "clear" or (level == "unchecked" and near)):
        reasons.append(nearest_words(best, near, rates.review))
    reasons += [
        describe(match) + f" It is {free_words(match)}, so this match does not count."
        f"{place_words(match, piece)}{_note_words(match)}"
        for match in free[:1]
        if match.e_value < rates.review
    ]
    settled = [f"{describe(match)} {why}" for match, why in accepted]
    reasons = [*settled, *reasons] if level in {"clear", "unchecked"} else [*reasons, *settled]
    reasons += [what_was_heard(piece), *reading_words(piece)]
    if matches and not matches[0].background.measured:
        reasons.append(
            f"The library holds only {held}, too few to measure chance on: typical values stand in."
        )
    heard = melody_share(piece) if piece.kind == "audio" else 1.0
    partly = len(piece.left_out)
    beside = best if near else None
    headline = headline_of(level, heard, beside, nothing=nothing, few=few, partly=partly)
    probability = None if level == "unchecked" else probability_of(best) if best else 0.0
    verdict = Verdict(
        level, probability, headline, tuple(reasons), heard, near, bool(accepted), few, partly > 0
    )
    if verdict.grade != "accepted":
        return verdict
    return replace(verdict, headline=accepted_headline([match for match, _ in accepted]))


def _few_words(piece: Piece) -> str:
    """Say that a piece has too few notes for a verdict."""
    heard = f"It has only {counted(notes_heard(piece), 'note')}"
    if piece.kind == "audio":
        heard = f"Only {counted(notes_heard(piece), 'note')} of its melody were heard"
    return (
        f"{heard}: a copy of so few is seldom told from chance, however exact. Give {FEW_NOTES} "
        "notes or more."
    )


def _unfollowed_words(held: str, protected_works: int | None, accepted: bool) -> str:
    """Say that no protected work of a library is followed; `accepted` if a person has settled one."""
    some = "no other is" if accepted else "none of them is" if protected_works != 1 else "it is not"
    of_them = "none that is protected is" if protected_works is None else some
    count = "" if protected_works is None else f", {protected_works:,} of them protected"
    return f"The library holds {held}{count}: {of_them} followed more closely than chance explains."


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


def with_named(
    verdict: Verdict, named: Sequence[tuple[str, Verdict, Match | None]], rates: Rates
) -> Verdict:
    """Return the verdict on a track that was compared with a library and with songs by name.

    Parameters
    ----------
    verdict : Verdict
        Against the library; "unchecked" where nothing protected is in it.
    named : sequence of (str, Verdict, Match or None)
        Title of each song, the verdict of its comparison, and the passage that follows it best.
    rates : Rates
        Of false alarms.

    Returns
    -------
    Verdict
        The gravest; what there is to say of the songs that are followed stands first. Its probability
        is the largest of all.
    """
    if not named:
        return verdict
    by_gravity = sorted(named, key=lambda song: -_gravity(song[1]))
    title, worst, _ = by_gravity[0]
    reasons = []
    for song, one, match in by_gravity:
        if match is not None and one.grade in {"review", "likely"}:
            reasons.append(f"A song you named, “{song}”: {one.reasons[0]}")
        elif match is not None and one.near:
            reasons.append(nearest_words(match, near=True, review=rates.review, named=True))
    quiet = [song for song, one, match in named if match is None or not one.near]
    others = []
    if quiet:
        which, than = f"The song you named, “{quiet[0]}”, is", "no more"
        if len(named) > 1:
            which = f"Of the {len(named)} songs you named, {len(quiet)} {_are(len(quiet))}"
        if 1 < len(named) == len(quiet):
            which, than = f"None of the {len(named)} songs you named is", "more"
        others.append(f"{which} followed {than} closely than chance explains.")
    graver = worst if _gravity(worst) > _gravity(verdict) else verdict
    headline = graver.headline if graver is verdict else named_headline(worst.level, title, worst.firm)
    told = [
        p for p in (verdict.probability, *(one.probability for _, one, _ in named)) if p is not None
    ]
    return replace(
        graver,
        headline=headline,
        probability=max(told, default=None) if graver.level != "unchecked" else None,
        reasons=(*reasons, *verdict.reasons, *others),
        settled=verdict.settled,
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _gravity(verdict: Verdict) -> int:
    return -GRADES.index(verdict.grade)


def judge_pair(new: Piece, earlier: Piece, match: Match | None, rates: Rates) -> Verdict:
    """Draw a verdict from the best passage that two works share.

    Parameters
    ----------
    new, earlier : Piece
        The work in question, and the one that it may follow.
    match : Match or None
        Its E-value is that of one comparison.
    rates : Rates
        Of false alarms among unrelated pairs.
    """
    level: Level = "clear" if match is None else _level(match, rates)
    few = [piece for piece in (new, earlier) if notes_heard(piece) < FEW_NOTES]
    near = match is not None and match.e_value < max(NEAR_RATE, rates.review)
    if match is None or level not in {"review", "likely"}:
        reasons = [_few_words(piece) for piece in few[:1]]
        reasons.append(
            "No passage of the first work follows the second more closely than chance explains."
        )
        if match is not None:
            reasons.append(f"The closest: {describe(match, 'pairs of works', explained=True)}")
    else:
        reasons = [describe(match, "pairs of works"), *(_few_words(piece) for piece in few[:1])]
    reasons += [what_was_heard(new), *reading_words(new)]
    if match is not None and not match.background.measured:
        reasons.append(
            "The library holds too few melodies to measure chance on: typical values stand in."
        )
    heard = melody_share(new) if new.kind == "audio" else 1.0
    headline = headline_of(level, heard, match if near else None, few=bool(few), pair=True)
    probability = 0.0 if match is None else probability_of(match)
    return Verdict(level, probability, headline, tuple(reasons), heard, near, few=bool(few))


def level_of(e_value: float, rates: Rates) -> Level:
    """Return the level of an E-value against a protected work."""
    if e_value < rates.likely:
        return "likely"
    return "review" if e_value < rates.review else "clear"


def _level(match: Match, rates: Rates) -> Level:
    """Return the level of a match with a protected work; few notes alone are never "likely"."""
    level = level_of(match.e_value, rates)
    return "review" if level == "likely" and match.notes < FEWEST_JUDGED else level


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
