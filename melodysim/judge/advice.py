"""What a person may do about a verdict, and how far what was heard of a song can be trusted."""

from __future__ import annotations

from melodysim.judge.wording import clock, notes_heard, sure_notes
from melodysim.melody import Piece
from melodysim.readers.parts.part_names import TRANSCRIBED
from melodysim.search.match import Match
from melodysim.util.plain_text import counted

_FEW_TO_TRUST = 20
"""Notes heard surely below which a song can hardly be found again."""
_ALONE = 0.8
"""Share of the power in the voice above which a recording is a voice by itself."""


def next_steps(
    level: str, firm: bool, match: Match | None, finding: str = "", library: str = ""
) -> list[str]:
    """Return what a person may do about a verdict, in the order to do it in: sentences.

    Parameters
    ----------
    level : str
    firm : bool
    match : Match or None
        What the verdict rests on.
    finding : str, optional
        Its id.
    library : str, optional
        File name of the library, where it is not the user's own.
    """
    accept = f"melodysim scan accept {finding}{f' --library {library}' if library else ''} --note …"
    if level == "unchecked":
        return [
            "Add the works that you are worried about: `melodysim library import FOLDER --rights "
            "in-copyright`; `melodysim library sources` names public sets.",
            "Or name the one song that you are afraid of: `melodysim suspect add SONG`.",
            "If too little was heard, give the voice as a stem, a score, or a longer take.",
        ]
    if level == "clear" and match is not None and not firm:
        begin, _ = match.query.seconds
        return [
            f"Listen to {clock(begin)} beside “{match.reference.title}”. If you hear the same tune, it "
            "is a finding.",
            "Give the voice as a stem (`--stem vocals.wav`) or a score: more is heard then.",
        ]
    if level not in {"review", "likely"} or match is None:
        return []
    first, last = (clock(second) for second in match.query.seconds)
    title, rights = match.reference.title, match.reference.rights
    whom = rights.holder or f"the publisher of “{title}”; your collecting society finds it by the title"
    steps = [
        f"Listen to both passages below, from {first} to {last}. Do you hear the same tune?",
        f"To keep it, ask before you release: {whom}. A cover needs a mechanical licence; a new song "
        "with this passage in it needs consent, which may be refused.",
        f"To do without, change the melody from {first} to {last}: other intervals, another contour. "
        "Another key, tempo, sound or text leaves it the same melody.",
        "Check the new version again.",
        f"You hold a licence, or know better? `{accept}` settles this finding." if finding else "",
        "What a mechanical licence is, and when a work is free, stands in melodysim's documentation "
        "under “Rights” (docs/rights.md).",
    ]  # fmt: skip
    return list(filter(None, steps))


def trust_words(piece: Piece) -> str:
    """Say how far the melody of a song can be trusted that tracks are compared with: sentences."""
    melody = piece.melodies[0]
    if piece.kind != "audio" and all(line.voice in TRANSCRIBED for line in piece.melodies):
        return (
            f"Its lines are a transcript ({notes_heard(piece)} notes in the longest), as they were "
            "heard or as you have corrected them; tracks are compared with each of them."
        )
    if piece.kind != "audio":
        return (
            f"Its notes are written ({notes_heard(piece)} in the longest part), so nothing is guessed."
        )
    heard = f"{sure_notes(piece)} of {counted(len(melody), 'note')} were heard surely"
    share = None if piece.heard is None else piece.heard.separated
    if sure_notes(piece) < _FEW_TO_TRUST:
        if len(melody) < _FEW_TO_TRUST:
            heard = f"{counted(len(melody), 'note')} were heard"
        return (
            f"Poor: only {heard}. Give more of it, a score, or a hum of the tune, or correct its notes."
        )
    if share is not None and share > _ALONE:
        return f"Good: one voice nearly by itself; {heard}."
    if share:
        return (
            f"Fair: a voice was heard apart from its accompaniment; {heard}. A score or a hum is surer."
        )
    return (
        f"Uncertain: no voice was heard apart, so the tune was looked for in the mix; {heard}. A score "
        "or a hum is surer: listen to what was heard, and correct it."
    )
