"""REAPER's projects (.rpp): text, in which every block begins with "<" and ends with ">".

Read are MIDI items, inline, pooled, or in files beside the project; their place, length, offset, rate
and loop; the selected take; and the tempo envelope, whose points are in seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from melodysim.errors import ReadError
from melodysim.readers.bounds import MAX_SECONDS, MOST_BYTES, MOST_NOTES, damage, finite
from melodysim.readers.midi.events import TrackEvents
from melodysim.readers.parts.score import Score
from melodysim.readers.projects.daw_clips import (
    AUDIO_UNHEARD,
    SAVE_AGAIN,
    ClipNote,
    project_score,
    unrolled,
)
from melodysim.readers.projects.midi_sources import missing_words, notes_of, notes_of_file
from melodysim.readers.tempo import DEFAULT_TEMPO, TempoMap, constant_tempi, plausible_tempo
from melodysim.readers.text_encoding import decode_text

_WORD = re.compile(r'"[^"]*"|\'[^\']*\'|`[^`]*`|\S+')
_DEEPEST = 100
_RAMP_STEPS = 32
"""Constant stretches that a tempo which slopes in time is cut into."""
_TICKS = 960
_UNCLOSED = "<"
"""Stands behind the words of a project that is not closed."""


@dataclass(eq=False)
class _Block:
    """A block: its words, its lines as words, the blocks in it, and both in order."""

    words: list[str]
    lines: list[list[str]] = field(default_factory=list)
    blocks: list[_Block] = field(default_factory=list)
    content: list[list[str] | _Block] = field(default_factory=list)

    def line(self, name: str) -> list[str]:
        """Return the words after a name, of the first line that begins with it."""
        return next((words[1:] for words in self.lines if words[0] == name), [])

    def number(self, name: str, default: float, place: int = 0) -> float:
        """Return a number of a line, or the default if it has none."""
        words = self.line(name)
        return finite(words[place]) if len(words) > place else default

    def named(self, name: str) -> Iterator[_Block]:
        """Yield the blocks of a name."""
        return (block for block in self.blocks if block.words[:1] == [name])


def read_reaper_project(path: Path, content: bytes) -> Score:
    """Read a REAPER project: a part for every track with notes, and the length of a bar.

    Parameters
    ----------
    path : Path
        Named in errors; files that the project refers to are looked for beside it.
    content : bytes
        The file's bytes.

    Raises
    ------
    ReadError
        If it is damaged, or of another kind.
    """
    with damage(path, "REAPER project", SAVE_AGAIN):
        if len(content) > MOST_BYTES:
            raise ReadError(f"holds {len(content) >> 20:,} MB")
        project = _blocks(decode_text(content))
        tempo, beats_a_bar = _tempo_map(project)
        sources = _Sources(path.parent, _pooled(project))
        tracks = [(_name(track), list(_track(track, tempo, sources))) for track in _tracks(project)]
        remarks = tuple(missing_words(name) for name in sources.missing)
        if sources.sounds:
            remarks += (AUDIO_UNHEARD,)
        if project.words[-1:] == [_UNCLOSED]:
            remarks += ("the project ends in the middle, and was read up to there",)
        return project_score(tracks, tempo, beats_a_bar, remarks=remarks)


def _blocks(text: str) -> _Block:
    """Read nested blocks; what is not closed at the end of the text is closed there."""
    root = _Block([])
    open_blocks = [root]
    for line in text.splitlines():
        words = [word.strip("\"'`") if len(word) > 1 else word for word in _WORD.findall(line[:4096])]
        if not words:
            continue
        if words[0] == ">":
            if len(open_blocks) > 1:
                open_blocks.pop()
        elif words[0].startswith("<"):
            block = _Block([words[0][1:], *words[1:]])
            open_blocks[-1].blocks.append(block)
            open_blocks[-1].content.append(block)
            open_blocks.append(block)
            if len(open_blocks) > _DEEPEST:
                raise ReadError(f"nests blocks more than {_DEEPEST} deep")
        else:
            open_blocks[-1].lines.append(words)
            open_blocks[-1].content.append(words)
    project = next(root.named("REAPER_PROJECT"), None)
    if project is None:
        raise ReadError("no REAPER project in it")
    if len(open_blocks) > 1:
        project.words.append(_UNCLOSED)
    return project


def _tracks(project: _Block) -> Iterator[_Block]:
    return project.named("TRACK")


def _name(track: _Block) -> str:
    return " ".join(track.line("NAME")) or "track"


def _tempo_map(project: _Block) -> tuple[TempoMap, float]:
    """Return the tempo map over quarter notes, and the quarter notes of a bar."""
    start = project.number("TEMPO", DEFAULT_TEMPO)
    upper, lower = project.number("TEMPO", 4, 1), project.number("TEMPO", 4, 2)
    points: list[tuple[float, float, bool]] = []
    for envelope in project.named("TEMPOENVEX"):
        for words in envelope.lines:
            if words[0] == "PT" and len(words) > 2:
                square = len(words) > 3 and words[3] == "1"
                points.append((finite(words[1]), finite(words[2]), square))
    points = sorted(p for p in points if 0 <= p[0] < MAX_SECONDS and 1 <= p[1] <= 2000)
    if not points or points[0][0] > 0:
        points.insert(0, (0.0, plausible_tempo(start), True))
    places, paces, now = [0.0], [60.0 / points[0][1]], 0.0
    for (begin, tempo, square), (end, next_tempo, _) in pairwise(points):
        steps = 1 if square or tempo == next_tempo else _RAMP_STEPS
        for k in range(steps):
            here = tempo if steps == 1 else tempo + (next_tempo - tempo) * (k + 0.5) / steps
            paces[-1] = 60.0 / here
            now += (end - begin) / steps * here / 60.0
            places.append(now)
            paces.append(60.0 / next_tempo)
    return constant_tempi(np.array(places), np.array(paces)), 4 * upper / max(lower, 1.0)


@dataclass(eq=False)
class _Sources:
    """Where the notes of items come from: the project's folder, and what several items share."""

    folder: Path
    pool: dict[str, _Block]
    missing: list[str] = field(default_factory=list)
    sounds: int = 0

    def notes(self, source: _Block) -> tuple[list[ClipNote], float]:
        """Return the notes of a source, and its length in quarter notes; 0 if that is not known."""
        named = source.line("FILE")
        if named:
            place = self.folder / named[0].replace("\\", "/")
            found = notes_of_file(place)
            if found is None:  # a path of another computer
                found = notes_of_file(self.folder / place.name)
            if found is None:
                self.missing += [place.name] if place.name not in self.missing else []
                return [], 0.0
            return found, 0.0
        shared = source.line("POOLEDEVTS")
        if not source.line("HASDATA") and shared:
            source = self.pool.get(shared[0], source)
        return _inline(source)


def _pooled(project: _Block) -> dict[str, _Block]:
    """Return the sources that hold the notes of a pool, by its name."""
    found: dict[str, _Block] = {}
    for track in _tracks(project):
        for item in track.named("ITEM"):
            for source in item.named("SOURCE"):
                shared = source.line("POOLEDEVTS")
                if shared and source.line("HASDATA"):
                    found.setdefault(shared[0], source)
    return found


def _inline(source: _Block) -> tuple[list[ClipNote], float]:
    """Read the events of a source: each line has the ticks since the one before, and three bytes."""
    ticks = source.number("HASDATA", _TICKS, 1)
    if ticks < 1:
        raise ReadError(f"counts {ticks:.0f} ticks a quarter note")
    tick, rows = 0, []
    for line in source.content:
        words = line.words if isinstance(line, _Block) else line
        if isinstance(line, _Block) and words[0].upper() != "X":
            continue
        if (
            len(words) < 2
            or words[0][:1].upper() not in ("E", "X")
            or not words[1].lstrip("-").isdecimal()
        ):
            continue
        tick += max(int(words[1][:12]), 0)
        if (
            isinstance(line, _Block) or len(words) < 5 or "m" in words[0].lower()
        ):  # text, or a muted note
            continue
        status, pitch, velocity = (int(word[:2], 16) for word in words[2:5])
        if status & 0xE0 == 0x80:
            rows.append((tick, status & 15, pitch & 127, velocity & 127 if status & 0x10 else 0))
    if len(rows) > 2 * MOST_NOTES:
        raise ReadError(f"holds more than {MOST_NOTES:,} notes")
    table = np.array(rows, np.int64).reshape(-1, 4)
    return notes_of((TrackEvents(table, (), (), b"", ""),), ticks), tick / ticks


def _track(track: _Block, tempo: TempoMap, sources: _Sources) -> Iterator[ClipNote]:
    """Yield the notes of a track's items as they play."""
    for item in track.named("ITEM"):
        if item.number("MUTE", 0):
            continue
        take = _take(item)
        for source in take.named("SOURCE"):
            yield from _item(item, take, source, tempo, sources)


def _take(item: _Block) -> _Block:
    """Return the selected take of an item, as a block of its own."""
    takes = [_Block(["TAKE"])]
    chosen = takes[0]
    for line in item.content:
        if isinstance(line, _Block):
            takes[-1].blocks.append(line)
        elif line[0] == "TAKE":
            takes.append(_Block(["TAKE"]))
            chosen = takes[-1] if "SEL" in line else chosen
        else:
            takes[-1].lines.append(line)
    return chosen


def _item(
    item: _Block, take: _Block, source: _Block, tempo: TempoMap, sources: _Sources
) -> list[ClipNote]:
    """Lay the notes of an item's source on the time line."""
    offset, section = take.number("SOFFS", 0.0), 0.0
    if source.words[1:2] == ["SECTION"]:  # a part of a source, in seconds
        offset += source.number("STARTPOS", 0.0)
        section = source.number("LENGTH", 0.0)
        source = next(source.named("SOURCE"), source)
    if source.words[1:2] not in (["MIDI"], ["MIDIPOOL"]):
        sources.sounds += source.words[1:2] not in (["EMPTY"], ["CLICK"], ["LTC"], [])
        return []
    notes, source_length = sources.notes(source)
    position, length = item.number("POSITION", 0.0), item.number("LENGTH", 0.0)
    rate = min(max(take.number("PLAYRATE", 1.0), 0.01), 100.0)
    times = np.array([position, position + length, position + offset, position + section])
    start, end, after, part = tempo.places(times).tolist()
    own = source.number("IGNTEMPO", 0.0, 1) if source.number("IGNTEMPO", 0.0) else 0.0
    if own > 0:  # the source keeps its own tempo: a quarter of it is as many of the project's
        rate *= own / _tempo_at(tempo, start)
    raised = round(take.number("PLAYRATE", 0.0, 2))
    played = [
        note._replace(onset=note.onset / rate, duration=note.duration / rate, pitch=note.pitch + raised)
        for note in notes
    ]
    whole = (part - start) / rate if section else source_length / rate
    begin = (after - start) / rate
    loop = None
    if item.number("LOOP", 0) and whole:
        loop = (begin, begin + whole) if section else (0.0, whole)
    return unrolled(played, start, end - start, begin, loop)


def _tempo_at(tempo: TempoMap, place: float) -> float:
    """Return the quarter notes a minute at a place."""
    return 60.0 / float(np.diff(tempo.seconds(np.array([place, place + 1e-3])))[0]) * 1e-3
