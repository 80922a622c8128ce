"""Verdicts and matches in words that a musician understands: the one place that words them."""

from __future__ import annotations

import numpy as np

from melodysim.melody import Piece
from melodysim.search.match import HALF, Match
from melodysim.util.plain_text import counted

_HEADLINES = {
    "clear": "CLEAR: no protected melody in the library is followed",
    "review": "REVIEW: listen to the passage below before you release",
    "likely": "LIKELY: a mechanical licence is likely to be needed",
}
_PAIR_HEADLINES = {
    "clear": "CLEAR: the first work follows the second no more closely than chance explains",
    "review": "REVIEW: the works share a passage; listen to it",
    "likely": "LIKELY: the first work follows the second; a mechanical licence is likely to be needed",
}
GRADE_WORDS = {"uncertain": "not cleared", "unchecked": "not checked"}
"""Grades that are shown under another name."""
SURE = 0.5
"""Confidence from which a transcribed note counts as heard."""
MOSTLY_DISTINCT = 0.7
"""Share of distinct notes up to which a reader is told how many there are."""
_PLACES_IN_TEXT = 4
_RAREST = 1e-9
"""E-value below which a number says nothing to a reader any more."""
HEARD_ENOUGH = 0.4
"""Share with a melody below which the reader is warned: most of 28 real recordings have more."""


def headline_of(
    level: str,
    heard: float,
    near: Match | None,
    *,
    nothing: bool = False,
    few: bool = False,
    partly: int = 0,
    pair: bool = False,
) -> str:
    """Return a verdict in one line.

    Parameters
    ----------
    level : str
        "unchecked", "clear", "review" or "likely".
    heard : float
        Share of the track in which a melody was heard, 0..1.
    near : Match or None
        The best match with a protected work, if it is near the line.
    nothing : bool, optional
        Whether there is no protected work to compare with.
    few : bool, optional
        Whether there are too few notes for a firm "clear".
    partly : int, optional
        Parts that were not compared.
    pair : bool, optional
        Whether two works are compared, and not a track with a library.
    """
    if level == "unchecked":
        why = "nothing to compare with, no work in the library is protected"
        return f"NOT CHECKED: {why if nothing else 'too little of a melody to tell a copy from chance'}"
    if level == "clear" and near is not None:
        begin, _ = near.query.seconds
        return f"NOT ALARMING, NOT CLEARED: listen to {clock(begin)}, beside “{near.reference.title}”"
    if level == "clear" and few:
        return "NOT ALARMING, NOT CLEARED: too few notes to tell most copies from chance"
    if level == "clear" and partly:
        said = f"{counted(partly, 'part')} {'was' if partly == 1 else 'were'} not compared"
        return f"NOT ALARMING, NOT CLEARED: {said}, for want of room"
    if level == "clear" and heard < HEARD_ENOUGH:
        return f"NOT ALARMING, NOT CLEARED: a melody was heard in only {heard:.0%} of the track"
    return (_PAIR_HEADLINES if pair else _HEADLINES)[level]


def named_headline(level: str, title: str, firm: bool) -> str:
    """Return a verdict in one line that rests on a song which was named."""
    if level == "clear":
        return (
            "CLEAR: none of the songs you named is followed"
            if firm
            else f"NOT ALARMING, NOT CLEARED: listen beside “{title}”, which you named"
        )
    return {
        "review": f"REVIEW: listen beside “{title}”, which you named, before you release",
        "likely": f"LIKELY: “{title}”, which you named, is followed; a mechanical licence is likely to "
        "be needed",
    }[level]


def accepted_words(day: str, note: str) -> str:
    """Say that a finding was accepted, when and why: a sentence."""
    why = f": “{note}”" if note else ""
    return f"It was accepted on {day}{why}, so it does not count."


def accepted_headline(matches: list[Match]) -> str:
    """Return a verdict in one line that is clear because what was found was accepted."""
    works = ", ".join(f"“{match.reference.title}”" for match in matches[:2])
    return f"ACCEPTED: {works} is followed, which was settled; nothing else protected is"


def nearest_words(match: Match, near: bool, review: float, named: bool = False) -> str:
    """Say which protected work, or named song, is closest, and how far that is from "review"."""
    begin, end = match.query.seconds
    by = f" by {match.reference.creator}" if match.reference.creator else ""
    often = how_often(match.e_value, "pairs of works" if named else "tracks")
    which = "A song you named is close," if named else "The closest protected work is"
    words = (
        f"{which} “{match.reference.title}”{by}, from {clock(begin)} to {clock(end)}: a likeness that "
        f"chance brings {often}"
    )
    words += f"; “review” begins at 1 in {_rounded(1 / review):,}."
    return words + " That is near: listen to both." if near else words


def notes_heard(piece: Piece) -> int:
    """Return the notes of the likeliest line of a recording, sure or not, or of the longest voice."""
    melodies = piece.melodies[:1] if piece.kind == "audio" else piece.melodies
    return max((len(melody) for melody in melodies), default=0)


def sure_notes(piece: Piece) -> int:
    """Return the notes of the likeliest line of a recording that were heard surely."""
    return int((piece.melodies[0].confidence >= SURE).sum())


def describe(match: Match, unrelated: str = "tracks", explained: bool = False) -> str:
    """Describe a match in words: the reference, the place, and how often chance does as much.

    Parameters
    ----------
    match : Match
    unrelated : str, optional
        What chance is counted among: "tracks" or "pairs of works".
    explained : bool, optional
        Whether chance explains the match: then it is not said to be a tune or a passage of one.
    """
    begin, end = match.query.seconds
    by = f" by {match.reference.creator}" if match.reference.creator else ""
    work = f"{'the recording ' if match.recorded else ''}“{match.reference.title}”"
    verb = "follow" if match.evidence == "notes" else "are heard as in"
    return (
        f"{match.notes} notes from {clock(begin)} to {clock(end)} {verb} {work}{by}"
        f", {transposed(match.transposition)}{'' if match.in_time else ', in another rhythm'}"
        f"; {chance(match.e_value, unrelated)}."
        f"{'' if explained else likeness_words(match)}{repetition_words(match)}"
        f"{rarity_words(match) if unrelated == 'tracks' else ''}{recurrence_words(match)}"
    )


def likeness_words(match: Match) -> str:
    """Say how much of which melody follows: a sentence; empty where chance explains the match."""
    if match.explained_by_chance:
        return ""
    if match.evidence == "notes":
        kind = "" if match.likeness == "tune" else "a passage, "
        return f" That is {kind}{match.share:.0%} of the shorter of the two melodies."
    if match.likeness == "passage":
        return " That is a passage."
    if match.notes >= HALF * len(match.reference_melody):
        return " That is most of the work's melody."
    return " It fills most of the track, or of a minute of it."


def repetition_words(match: Match) -> str:
    """Say on how many notes a match rests, where the rest repeats them; empty where it does not."""
    if match.distinct > MOSTLY_DISTINCT * match.notes:
        return ""
    return f" It rests on {counted(match.distinct, 'note')}: the others repeat what went before."


def recurrence_words(match: Match) -> str:
    """Say when else the passage occurs; empty where it occurs once."""
    others = [clock(begin) for begin, _ in match.places if begin != match.query.seconds[0]]
    if not others:
        return ""
    if len(others) > _PLACES_IN_TEXT:
        return f" It also comes {len(others)} more times, first at {others[0]}: a refrain."
    when = f"{', '.join(others[:-1])} and {others[-1]}" if others[1:] else others[0]
    return f" It also comes at {when}{': a refrain' if others[1:] else ''}."


def place_words(match: Match, piece: Piece) -> str:
    """Say in which track and bars of a project or a score a passage lies; empty for other files."""
    if match.query.beats is None:
        return ""
    if piece.bar is not None:
        first, last = (str(int(beat // piece.bar) + 1) for beat in match.query.beats)
        kind = "track"
    elif piece.measures is not None:
        first, last = piece.measures.bars(match.query.beats)
        kind = "part"
    else:
        return ""
    bars = f"bar {first}" if first == last else f"bars {first} to {last}"
    return f" It lies in {kind} “{match.voice}”, {bars}."


def rarity_words(match: Match) -> str:
    """Say how common the rarest turn of a passage is; empty where that is not known."""
    if match.turn is None or not match.turn.telling:
        return ""
    turn = match.turn
    if turn.melodies <= 1:
        return f" Its rarest turn occurs in no other of {turn.references:,} melodies."
    return f" Its rarest turn occurs in {turn.melodies:,} of {turn.references:,} melodies."


def reading_words(piece: Piece) -> list[str]:
    """Return what was odd about the source as sentences."""
    return [
        f"{remark[:1].upper()}{remark[1:]}{'' if remark.endswith('?') else '.'}"
        for remark in piece.remarks
    ]


def what_was_heard(piece: Piece) -> str:
    """Say how much of the track has a melody, and so what was checked."""
    melody = piece.melodies[0]
    name = melody.voice or "melody"
    if piece.kind == "audio":
        share = melody_share(piece)
        if share < HEARD_ENOUGH:
            return (
                f"A melody was heard in only {share:.0%} of the track: what the rest holds was not "
                "checked, and is not said to be clear." + separation_words(piece)
            )
        return (
            f"A melody was heard in {share:.0%} of the track; only that was checked."
            + separation_words(piece)
        )
    if len(piece.melodies) == 1:
        return f"The melody checked is “{name}” ({len(melody)} notes)."
    return (
        f"{len(piece.melodies)} voices were checked as melodies, “{name}” ({len(melody)} notes) "
        "before the others."
    )


def separation_words(piece: Piece) -> str:
    """Say whether a voice was listened to apart from the mix: a sentence, with a space before it."""
    if piece.heard is None or piece.heard.separated is None:
        return ""
    if piece.heard.separated == 0:
        return " Nobody was heard singing, so the mix alone was listened to."
    return " The voice was listened to apart from the mix."


def melody_share(piece: Piece) -> float:
    """Return the share of a recording, 0..1, that sure notes of its likeliest line cover."""
    melody = piece.melodies[0]
    sure = melody.confidence >= SURE
    return min(1.0, float(melody.duration[sure].sum()) / max(piece.duration, 1e-9))


def free_words(match: Match) -> str:
    """Say why a work is free to use."""
    status = match.reference.rights.status
    return {"public-domain": "in the public domain", "own": "your own"}.get(status, status)


def clock(seconds: float) -> str:
    """Write a time as minutes and seconds: ``1:05``.

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
    """Return a clause that says how often chance reaches an E-value.

    Examples
    --------
    >>> chance(0.00025), chance(3.0)
    ('chance does so in about 1 of 4,000 unrelated tracks', 'chance does so about 3 times in any track')
    """
    return f"chance does so {how_often(e_value, unrelated)}"


def how_often(e_value: float, unrelated: str = "tracks") -> str:
    """Say how often chance reaches an E-value.

    Examples
    --------
    >>> how_often(0.00025), how_often(3.0)
    ('in about 1 of 4,000 unrelated tracks', 'about 3 times in any track')
    >>> how_often(4e-8)
    'in about 1 of 25 million unrelated tracks'
    >>> how_often(0.7, "pairs of works")  # one comparison each: no more than all of them
    'in most unrelated pairs of works'
    """
    if e_value >= 0.5 and unrelated != "tracks":
        return f"in most unrelated {unrelated}"
    if e_value >= 0.5:
        times = round(e_value)
        count = "once" if times <= 1 else f"{times:,} times"
        return f"about {count} in any track"
    if e_value < _RAREST:
        return f"in fewer than 1 of a billion unrelated {unrelated}"
    return f"in about 1 of {_in_words(1 / e_value)} unrelated {unrelated}"


def _in_words(value: float) -> str:
    """Write a large number, rounded to two digits, as it is said.

    Examples
    --------
    >>> _in_words(4321.0), _in_words(2.54e7)
    ('4,300', '25 million')
    """
    rounded = _rounded(value)
    if rounded >= 1_000_000:
        return f"{rounded / 1e6:,.3g} million"
    return f"{rounded:,}"


def _rounded(value: float) -> int:
    """Round to two digits."""
    digits = max(0, int(np.floor(np.log10(value))) - 1)
    return round(value / 10**digits) * 10**digits


def odds(e_value: float, unrelated: str = "tracks") -> str:
    """Write an E-value short enough for a table cell."""
    if e_value >= 0.5 and unrelated != "tracks":
        return "most pairs"
    if e_value >= 1000:
        return "every track"
    if e_value >= 0.5:
        times = round(e_value)
        return "once a track" if times <= 1 else f"{times:,} a track"
    if e_value < _RAREST:
        return "1 in billions"
    return f"1 in {_in_words(1 / e_value)}"
