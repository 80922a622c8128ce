"""Melodies and matches as files for other programs: MIDI, CSV and MusicXML."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import InvalidNotesError
from melodysim.intervals import semitones
from melodysim.judge.wording import odds
from melodysim.melody import Melody
from melodysim.report.notation.musicxml import notation_of
from melodysim.report.passage import Passage, passage_of
from melodysim.report.reports import Report
from melodysim.search.match import Match
from melodysim.util.plain_text import printable

_TICKS = 960
"""A quarter note."""
_USUAL_TEMPO = 120.0
"""Quarter notes a minute, where a source has no steady tempo: MIDI's default."""
_SLOWEST, _FASTEST = 4.0, 1000.0
"""Quarter notes a minute that a MIDI file can say (in three bytes of microseconds) and players play."""
_STEADY = 0.01
"""Quarter notes that an onset may be off a steady tempo."""
_SHORTEST = 0.01
"""Seconds that a note of evidence lasts at least."""
_PROGRAM = 73
"""General MIDI's flute: it makes a line easy to follow by ear."""
_NO_TIME = (1980, 1, 1, 0, 0, 0)
"""The same match gives the same bytes."""
_CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container><rootfiles><rootfile full-path="score.musicxml"/></rootfiles></container>
"""


_LATEST, _LONGEST = 86_400.0, 1e6
"""Seconds: of an onset that a MIDI file can begin with, and of the whole file."""


def midi_bytes(melodies: Sequence[Melody]) -> bytes:
    """Write melodies as a Standard MIDI file, one track each.

    Returns
    -------
    bytes
        At the tempo of the first melody whose beats are known and steady, so that its notes stand on
        the grid; else at 120 quarter notes a minute. Times are the melodies' own either way, from the
        first note on where it is before 0 or later than a day.
    """
    import symusic

    begin = min((float(m.onset[0]) for m in melodies if len(m)), default=0.0)
    if 0 <= begin <= _LATEST:  # a file cannot tell of times before it begins, or of years
        begin = 0.0
    if max((m.end for m in melodies), default=0.0) - begin > _LONGEST:
        raise InvalidNotesError("last too long for a MIDI file", "give onsets and durations in seconds")
    tempo = _tempo_of(melodies)
    ticks_per_second = tempo / 60 * _TICKS
    score: Any = symusic.Score(_TICKS)
    score.tempos.append(symusic.Tempo(0, qpm=tempo))
    for melody in melodies:
        track: Any = symusic.Track(melody.voice, _PROGRAM, False)
        key = semitones(melody.pitch)
        lasting = _until_struck_again(melody.onset, melody.duration, key)
        for onset, duration, pitch, sure in zip(
            melody.onset, lasting, key, melody.confidence, strict=True
        ):
            track.notes.append(
                symusic.Note(
                    round((onset - begin) * ticks_per_second),
                    max(1, round(duration * ticks_per_second)),
                    int(pitch),
                    int(40 + 80 * float(sure)),
                )
            )
        score.tracks.append(track)
    return bytes(score.dumps_midi())


def _until_struck_again(
    onset: NDArray[np.float64], duration: NDArray[np.float64], key: NDArray[np.int16]
) -> NDArray[np.float64]:
    """Cut notes off where their key is struck again: a file has no other way to end the first."""
    order = np.lexsort((onset, key))
    apart = np.diff(onset[order], append=np.inf)
    apart[:-1][np.diff(key[order]) != 0] = np.inf
    lasting = duration.copy()
    lasting[order] = np.minimum(duration[order], apart)
    return lasting


def _tempo_of(melodies: Sequence[Melody]) -> float:
    """Return the tempo of the first melody whose beats are steady, else the usual one."""
    return next((tempo for tempo in map(_steady_tempo, melodies) if tempo is not None), _USUAL_TEMPO)


def _steady_tempo(melody: Melody) -> float | None:
    """Quarter notes a minute of a melody whose beats are in proportion to its onsets."""
    if melody.beat is None or not len(melody) or melody.onset[-1] <= 0:
        return None
    per_second = float(melody.beat[-1] / melody.onset[-1])
    if per_second <= 0 or np.abs(melody.beat - melody.onset * per_second).max() > _STEADY:
        return None
    tempo = round(60 * per_second, 3)
    return tempo if _SLOWEST <= tempo <= _FASTEST else None


def csv_text(melody: Melody) -> str:
    """Write a melody as CSV: onset and duration in seconds, pitch as a MIDI note number.

    Where onsets are known in quarter notes too, they are in a column ``beat``. Numbers are written as
    exactly as a library keeps them, so that what is read again is the same.
    """
    columns = {"onset": melody.onset, "duration": melody.duration.astype(np.float32)}
    if melody.beat is not None:
        columns["beat"] = melody.beat
    columns["pitch"] = melody.pitch.astype(np.float32)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([np.format_float_positional(number, trim="-") for number in row])
    return out.getvalue()


def _from_beat(beat: NDArray[np.float64] | None, notes: slice) -> NDArray[np.float64] | None:
    """Beats of a passage, counted from its first note."""
    return None if beat is None else beat[notes] - beat[notes.start]


def passage_melodies(passage: Passage, match: Match) -> list[Melody]:
    """Cut out the two passages of a match, to be written beside each other.

    Parameters
    ----------
    passage : Passage
    match : Match

    Returns
    -------
    list of Melody
        The track's passage in its own time and pitch, from 0 s on, then the reference's: at its own
        pitch, each note where it is in the track, so that both go together though the tempo drifts.
    """
    track, reference = passage.track, passage.reference
    mine, theirs = slice(*match.query.notes), slice(*match.reference_span.notes)
    placed = passage.placed
    begin = min(match.query.seconds[0], float(placed[:, 0].min(initial=np.inf)))
    return [
        Melody.from_notes(
            np.maximum(track.onset[mine] - begin, 0),
            track.duration[mine],
            track.pitch[mine],
            voice="track",
            beat=_from_beat(track.beat, mine),
        ),
        Melody.from_overlapping(
            placed[:, 0] - begin,
            np.maximum(placed[:, 1] - placed[:, 0], _SHORTEST),
            reference.pitch[theirs],
            voice=match.reference.title,
        ),
    ]


@dataclass(frozen=True)
class EvidenceFiles:
    """Files of one match.

    Attributes
    ----------
    name : str
        For files, without a suffix: rank and title, of letters, digits, dots and dashes alone.
    midi : bytes
        Two tracks: the track's passage and the reference's.
    musicxml : bytes
        Both passages on two staves.
    """

    name: str
    midi: bytes
    musicxml: bytes


def evidence_of(rank: int, passage: Passage, match: Match) -> EvidenceFiles:
    """Make the files of one match.

    Parameters
    ----------
    rank : int
        From 1 on.
    passage : Passage
    match : Match
    """
    title = re.sub(r"[^A-Za-z0-9]+", "-", match.reference.title).strip("-")[:50]
    return EvidenceFiles(
        f"{rank:02d}-{title or 'match'}",
        midi_bytes(passage_melodies(passage, match)),
        notation_of(passage, match, None).musicxml.encode(),
    )


def compressed(evidence: EvidenceFiles) -> bytes:
    """Pack the MusicXML of a match as a compressed file (``.mxl``), which is a tenth of the size."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            ("META-INF/container.xml", _CONTAINER.encode()),
            ("score.musicxml", evidence.musicxml),
        ):
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def evidence_files(report: Report) -> list[EvidenceFiles]:
    """Make the files of all matches of a track, those with songs that were named last.

    None are made for a track that could not be read.
    """
    if report.piece is None:
        return []
    return [
        evidence_of(rank, passage_of(report.piece, match), match)
        for rank, match in enumerate((*report.matches, *report.named_matches), 1)
    ]


@dataclass(frozen=True)
class Label:
    """A stretch of a track with words about it, for editors of sound and workstations.

    Attributes
    ----------
    begin, end : float
        Seconds.
    words : str
    """

    begin: float
    end: float
    words: str


def labels_of(report: Report) -> list[Label]:
    """Return the passages of a report that are worth a look, in the order of the track.

    Every place of a refrain has a label of its own.
    """
    labels = []
    for match in [*report.named_matches, *report.telling]:
        chance = odds(match.e_value)
        words = f"{match.reference.title} ({match.reference.rights.status}, {chance} by chance)"
        for begin, end in match.places or (match.query.seconds,):
            labels.append(Label(begin, end, printable(words)))
    return sorted(labels, key=lambda label: (label.begin, label.end))


def labels_bytes(labels: Sequence[Label], form: str, melodies: Sequence[Melody] = ()) -> bytes:
    """Write labels as a file.

    Parameters
    ----------
    labels : sequence of Label
    form : {"txt", "csv", "mid"}
        Audacity's label track (tab-separated: begin, end, text); regions for Sonic Visualiser
        (comma-separated: begin, duration, text); markers in a MIDI file, for workstations.
    melodies : sequence of Melody, optional
        Of the track: markers are written at its tempo if that is steady, so that they stand at the
        right bar of a project too.
    """
    if form == "mid":
        return _marker_bytes(labels, _tempo_of(melodies))
    out = io.StringIO()
    if form == "csv":
        writer = csv.writer(out, lineterminator="\n")
        for label in labels:
            writer.writerow([f"{label.begin:.6f}", f"{label.end - label.begin:.6f}", label.words])
    else:
        for label in labels:
            out.write(f"{label.begin:.6f}\t{label.end:.6f}\t{label.words}\n")
    return out.getvalue().encode()


def _marker_bytes(labels: Sequence[Label], tempo: float) -> bytes:
    """Write a marker at the beginning and end of each label, at a tempo in quarter notes a minute."""
    import symusic

    score: Any = symusic.Score(_TICKS)
    score.tempos.append(symusic.Tempo(0, qpm=tempo))
    per_second = tempo / 60 * _TICKS
    for label in labels:
        score.markers.append(symusic.TextMeta(round(label.begin * per_second), label.words))
        score.markers.append(symusic.TextMeta(round(label.end * per_second), f"end of {label.words}"))
    return bytes(score.dumps_midi())
