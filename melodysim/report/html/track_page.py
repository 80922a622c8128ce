"""The page of one track, or of two works compared: the verdict, and its evidence to see and hear."""

from __future__ import annotations

import base64
from datetime import date
from pathlib import Path
from typing import Any

from melodysim.errors import MelodysimError
from melodysim.intervals import estimate_key, note_name, semitones
from melodysim.judge.advice import next_steps
from melodysim.judge.verdict import Rates, Verdict
from melodysim.judge.wording import (
    GRADE_WORDS,
    HEARD_ENOUGH,
    chance,
    clock,
    how_often,
    likeness_words,
    melody_share,
    rarity_words,
    recurrence_words,
    transposed,
)
from melodysim.library import finding_id
from melodysim.library.library import default_library_path
from melodysim.melody import Piece
from melodysim.report.html.svg import match_level, roll_of, strip_svg
from melodysim.report.html.template import file_name, rendered_page, require_pages
from melodysim.report.html.track_sound import Sound, sound_of
from melodysim.report.notation.engraving import engraved
from melodysim.report.notation.musicxml import notation_of
from melodysim.report.note_files import compressed, evidence_of
from melodysim.report.passage import Passage, columns, passage_of
from melodysim.report.reports import NamedSong, PairReport, Report
from melodysim.search.match import Match

_SIGNS = {
    "unchecked": "–",
    "clear": "✓",
    "accepted": "✓",
    "uncertain": "~",
    "review": "?",
    "likely": "!",
}
_MAX_TABLE = 400
_NAMED = "Songs you named"
_TELLING = "Passages that chance hardly explains"
_BY_CHANCE = "Also looked at: chance explains these"
SHOWN_OF_NAMED = {"uncertain", "review", "likely"}
"""Grades of comparisons with named songs whose passages are shown."""
_PRINTED = 3
"""Matches that are printed, unless all are asked for."""


def track_html(
    report: Report,
    when: date | None = None,
    recording: Path | None = None,
    every: bool = False,
    back: str = "",
) -> str:
    """Make the page of one track: HTML that opens from disk and loads nothing.

    Parameters
    ----------
    report : Report
        Of a track that could be read.
    when : date, optional
        Day of the check, to stand in the page.
    recording : Path, optional
        Where the sound is, if not at the track's source.
    every : bool, optional
        Whether to show every match of the report, and not only those worth a look.
    back : str, optional
        Link to the page over all tracks.

    Raises
    ------
    ValueError
        If the track could not be read.
    MissingDependencyError
        If jinja2 is not installed.
    """
    if report.piece is None or report.verdict is None:
        raise ValueError(f"{report.source}: has no report, because it could not be read")
    piece = report.piece
    library = report.holdings.name if report.holdings else ""
    return _page(
        piece,
        report.verdict,
        report.matches if every else report.telling,
        report.rates,
        named=report.named,
        leading=report.leading,
        library="" if library == default_library_path().name else library,
        accepted={work: settled.day for work, settled in report.accepted.items()},
        back=back,
        kind="Check of a track",
        followed="that a protected melody is followed",
        not_checked="Melodies that are not in this library.",
        heading=piece.title or file_name(piece.source),
        holdings=[
            *(report.holdings.sentences() if report.holdings else []),
            *([report.left_out] if report.left_out else []),
        ],
        when=when,
        unrelated="tracks",
        recording=recording,
    )


def pair_html(report: PairReport, when: date | None = None) -> str:
    """Make the page of two works compared; parameters as in `track_html`."""
    new, earlier = report.new, report.earlier
    names = [work.title or file_name(work.source) for work in (new, earlier)]
    return _page(
        new,
        report.verdict,
        () if report.match is None else (report.match,),
        report.rates,
        kind="Two works compared",
        followed="that the first work follows the second",
        not_checked="Other works: only these two were compared.",
        heading=f"{names[0]} beside {names[1]}",
        holdings=[
            f"“{names[0]}”, the work in question, was compared with “{names[1]}”, the earlier one, by "
            "pitch alone; a library says how alike unrelated works are.",
            f"Likeness {report.score:.1f}; unrelated works have about 0 to 5.",
        ],
        when=when,
        unrelated="pairs of works",
    )


def _page(
    piece: Piece,
    verdict: Verdict,
    matches: tuple[Match, ...],
    rates: Rates,
    *,
    kind: str,
    followed: str,
    not_checked: str,
    heading: str,
    holdings: list[str],
    when: date | None,
    unrelated: str,
    recording: Path | None = None,
    named: tuple[NamedSong, ...] = (),
    leading: Match | None = None,
    library: str = "",
    accepted: dict[str, str] | None = None,
    back: str = "",
) -> str:
    require_pages()
    from markupsafe import Markup

    songs = [s for s in named if s.match is not None and s.verdict.grade in SHOWN_OF_NAMED]
    listed = [(_NAMED, song.match, "pairs of works") for song in songs if song.match is not None]
    for match in matches:
        told = match.e_value < rates.review
        listed.append((_TELLING if told else _BY_CHANCE, match, unrelated))
    spans = [match.query.seconds for _, match, _ in listed]
    sound = sound_of(piece, spans, recording or Path(piece.source))
    telling = tuple(match for part, match, _ in listed if part != _BY_CHANCE)
    shown = [
        _match(rank, piece, match, passage_of(piece, match), sound, rates, among)
        | {"part": part, "telling": part != _BY_CHANCE}
        | {"accepted": (accepted or {}).get(match.reference.id, "")}
        for rank, (part, match, among) in enumerate(listed, 1)
    ]
    recorded = piece.kind == "audio"
    share = melody_share(piece) if recorded else 1.0
    key = estimate_key(piece.melodies[0])
    facts = [file_name(piece.source), piece.kind, clock(piece.duration)]
    facts += [f"about {key}"] if key else []
    return rendered_page(
        "track.html.j2",
        "player.js",
        kind=kind,
        heading=heading,
        facts=facts,
        when=when.isoformat() if when else "",
        verdict=verdict,
        headline=_sentence(verdict.headline.split(": ", 1)[1]),
        sign=_SIGNS[verdict.grade],
        chance_words=_chance_words(verdict, followed),
        not_checked=not_checked,
        strip=Markup(strip_svg(piece, sound.loudness, telling, rates)),
        span_words=_span_words(telling, rates),
        recorded=recorded,
        playable=[stretch.begin for stretch in sound.stretches] == [0.0],
        missing=sound.missing,
        holdings=holdings,
        back=back,
        steps=[] if unrelated != "tracks" else _steps(piece, verdict, leading, library),
        named=[_named_row(song, accepted or {}) for song in named],
        partly=f"The {1 - share:.0%} of the track in which no melody was heard."
        if recorded and share < 1 - HEARD_ENOUGH / 2
        else "",
        matches=shown,
        provenance=f"Track: {piece.source}" + (f" (SHA-256 {piece.sha256})" if piece.sha256 else ""),
        page={
            "duration": piece.duration,
            "stretches": [vars(stretch) for stretch in sound.stretches],
            "melody": [] if recorded else _notes(piece.melodies[0], piece.melodies[0].pitch),
            "matches": [m.pop("script") for m in shown],
        },
    )


def _chance_words(verdict: Verdict, followed: str) -> str:
    """Return the level, and where something is followed, how probably."""
    level = verdict.headline.split(": ", 1)[0]
    if verdict.level not in {"review", "likely"}:
        return level
    return f"{level} · probability {followed}, where one in two does: {verdict.probability:.3f}"


def _steps(
    piece: Piece, verdict: Verdict, leading: Match | None, library: str
) -> list[list[tuple[bool, str]]]:
    """Return what to do next, each step as pieces of text that are commands or not."""
    finding = "" if leading is None else finding_id(piece, leading.reference.id)
    steps = next_steps(verdict.level, verdict.firm, leading, finding, library)
    return [[(bool(k % 2), part) for k, part in enumerate(step.split("`"))] for step in steps]


def _named_row(song: NamedSong, accepted: dict[str, str]) -> dict[str, str]:
    """Return the row of a song that is watched for."""
    match = song.match
    return {
        "title": song.title,
        "level": song.verdict.grade,
        "word": GRADE_WORDS.get(song.verdict.grade, song.verdict.grade),
        "accepted": accepted.get(song.id, ""),
        "where": "" if match is None else " to ".join(clock(second) for second in match.query.seconds),
        "often": "not followed" if match is None else how_often(match.e_value, "pairs of works"),
    }


def _span_words(matches: tuple[Match, ...], rates: Rates) -> list[tuple[str, str]]:
    """Explain the colours of the passages that the strip shows."""
    words = {
        "likely": "follows a protected work, hardly by chance",
        "review": "follows a protected work; listen",
        "clear": "like a protected work, as chance does",
        "free": "follows a free work",
    }
    used = {match_level(match, rates) for match in matches}
    return [
        ("alone" if level == "clear" else level, word) for level, word in words.items() if level in used
    ]


def _sentence(words: str) -> str:
    """Return words with the first letter in upper case."""
    return words[0].upper() + words[1:]


def _badge(match: Match, rates: Rates) -> str:
    """Return the colour class of a match: grey ("free") if it is free to use or explained by chance."""
    return "free" if match.e_value >= rates.review else match_level(match, rates)


def _notes(melody: Any, pitch: Any) -> list[list[float]]:
    """Return the onsets, durations and pitches of a melody for the page's script."""
    return [
        [round(float(a), 3), round(float(d), 3), round(float(p))]
        for a, d, p in zip(melody.onset, melody.duration, pitch, strict=True)
    ]


def _match(
    rank: int, piece: Piece, match: Match, passage: Passage, sound: Sound, rates: Rates, unrelated: str
) -> dict[str, Any]:
    """Return everything that the page shows of a match."""
    from markupsafe import Markup

    rights, prefix = match.reference.rights, f"m{rank}-"
    begin, end = match.query.seconds
    roll = roll_of(passage, match, piece.heard, prefix)
    notation = notation_of(passage, match)
    files = evidence_of(rank, passage, match)
    rows = _rows(passage, match)
    try:
        picture, caption = engraved(notation.musicxml, prefix), _notation_words(notation, match)
    except MelodysimError as error:
        picture, caption = "", f"There is no notation in this page: {error}."
    mine, theirs = passage.track, passage.reference
    span = slice(*match.reference_span.notes)
    return {
        "rank": rank,
        "title": match.reference.title,
        "creator": match.reference.creator,
        "level": _badge(match, rates),
        "status": rights.status,
        "meaning": _sentence(rights.meaning) + ".",
        "holder": rights.holder,
        "note": rights.note,
        "often_short": chance(match.e_value, unrelated),
        "words": f"A match this close turns up by chance {how_often(match.e_value, unrelated)}"
        + (f" against this library.{rarity_words(match)}" if unrelated == "tracks" else ".")
        + f"{likeness_words(match)}{recurrence_words(match)}",
        "facts": _facts(match),
        "playable": any(s.begin <= begin < s.end for s in sound.stretches),
        "notation": Markup(picture),
        "notation_words": caption,
        "roll": Markup(roll.svg),
        "legend": _legend(match, piece),
        "rows": rows[:_MAX_TABLE],
        "more_rows": max(0, len(rows) - _MAX_TABLE),
        "finding": finding_id(piece, match.reference.id),
        "printed": rank <= _PRINTED,
        "file": files.name,
        "midi": base64.b64encode(files.midi).decode(),
        "musicxml": base64.b64encode(compressed(files)).decode(),
        "script": {
            "id": prefix,
            "begin": round(begin, 3),
            "end": round(end, 3),
            "transposition": match.transposition,
            "track": _notes(mine[slice(*match.query.notes)], passage.pitch),
            "reference": [
                [*note, round(float(a), 3), round(float(b), 3)]
                for note, (a, b) in zip(
                    _notes(theirs, semitones(theirs.pitch))[span], passage.placed, strict=True
                )
            ],
            "width": roll.width,
            "trackSeconds": list(roll.track_seconds),
            "referenceSeconds": list(roll.reference_seconds),
        },
    }


def _facts(match: Match) -> list[tuple[str, str]]:
    """List the figures of a match with their names."""
    begin, end = match.query.seconds
    a, b = match.reference_span.seconds
    notes = match.reference_span.notes[1] - match.reference_span.notes[0]
    ratio = match.tempo_ratio
    tempo = "the same" if 0.97 < ratio < 1.03 else f"{ratio:.2f} times the reference's"
    facts = [
        ("In the track", f"{clock(begin)} to {clock(end)}"),
        ("In the reference", f"{clock(a)} to {clock(b)}, {notes} notes"),
        ("Pitch", transposed(match.transposition)),
        ("Tempo", tempo),
    ]
    if match.recorded:
        facts.append(("Compared", "with the whole recording, not its line alone"))
    if match.evidence == "salience":
        facts += [
            ("Heard in the recording", f"{match.notes} notes of the reference"),
            ("Share of its notes heard", f"{match.identity:.0%}"),
        ]
    else:
        facts += [
            ("Notes aligned", str(match.notes)),
            ("Of these with the same pitch", f"{match.identity:.0%}"),
            ("Share of the shorter melody", f"{match.share:.0%}"),
        ]
    if match.rhythm is not None:
        facts.append(("Steps in the same rhythm", f"{match.rhythm:.0%}"))
    voice = ("Voice of the track", match.voice or "melody")
    return [*facts, voice, ("Evidence", f"{match.score:.0f} bits")]


def _notation_words(notation: Any, match: Match) -> str:
    """Explain the notation of a match: its pitch, signs and length."""
    cut = (
        f" The first {notation.written} of {notation.bars} bars; the MusicXML holds all."
        if notation.written < notation.bars
        else ""
    )
    heard = (
        " Of a recording, what was transcribed is written; repetitions within a note of the reference "
        "are written as one."
        if match.evidence == "salience"
        else ""
    )
    return (
        f"At the track's pitch, the reference {transposed(match.transposition)} than it stands; key "
        "and bar lines estimated. Marks: ≠ another pitch, + only in the track, - not in the track, "
        f"8 another octave.{heard}{cut}"
    ).replace("at the same pitch than it stands", "as it stands")


def _legend(match: Match, piece: Piece) -> list[tuple[str, str]]:
    """Explain the piano roll's colours."""
    if match.evidence == "salience" and match.listening is not None and piece.heard is not None:
        return [
            (
                "background:linear-gradient(90deg,transparent,currentColor)",
                "what sounds in the recording",
            ),
            ("background:var(--same);opacity:.55", "as it was transcribed"),
            ("border:2px solid var(--differs)", "the reference where it was heard"),
            ("border:2px dashed var(--alone)", "not heard"),
        ]
    return [
        ("background:var(--same)", "same pitch"),
        ("background:var(--octave)", "same, another octave"),
        ("background:var(--differs)", "another pitch"),
        ("border:1.5px dashed var(--alone)", "in one of the two only"),
    ]


def _rows(passage: Passage, match: Match) -> list[tuple[str, str, str, str, str, str]]:
    """Return the alignment as rows of a table, for screen readers and for exact reading."""
    rows = []
    for i, j in columns(passage):
        mine = theirs = stands = ""
        words = "only in the track"
        relation = "alone"
        if i is not None:
            time, relation = float(passage.track.onset[passage.mine[i]]), passage.relation[i]
            mine = note_name(int(passage.pitch[i]))
        if j is not None:
            moved = int(passage.reference_pitch[j])
            theirs, stands = note_name(moved), note_name(moved - match.transposition)
            words = "not in the track"
            if i is None:
                time = float(passage.placed[j, 0])
                if passage.heard[j]:
                    words, relation = "heard, not transcribed", "same"
        if i is not None and j is not None:
            words = {"octave": "another octave", "differs": "another pitch"}.get(relation, "")
        shown = round(time, 2)
        rows.append((f"{int(shown // 60)}:{shown % 60:05.2f}", mine, theirs, stands, words, relation))
    return rows
