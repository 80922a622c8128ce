"""Ardour's sessions (.ardour): XML, with MIDI in files in the session's folder; versions 3 to 8."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from melodysim.errors import ReadError
from melodysim.readers.bounds import Element, damage, finite, number_of, parse_xml
from melodysim.readers.parts.score import Score
from melodysim.readers.projects.daw_clips import (
    AUDIO_UNHEARD,
    SAVE_AGAIN,
    ClipNote,
    project_score,
    unrolled,
)
from melodysim.readers.projects.midi_sources import missing_words, notes_of_file
from melodysim.readers.tempo import DEFAULT_TEMPO, TempoMap, plausible_tempo, sloping_tempi

_SUPERCLOCKS = 282_240_000.0
"""Of a second, in which version 7 counts audio time."""
_TICKS = 1920.0
"""Of a quarter note, in which it counts musical time."""


def read_ardour_session(path: Path, content: bytes) -> Score:
    """Read an Ardour session: a part for every track with notes, and the length of a bar.

    Parameters
    ----------
    path : Path
        Named in errors; the session's MIDI files are looked for in its folder.
    content : bytes
        The file's bytes.

    Raises
    ------
    ReadError
        If it is damaged, or of another kind.
    """
    with damage(path, "Ardour session", SAVE_AGAIN):
        session = parse_xml(content)
        if session.tag != "Session":
            raise ReadError("no Ardour session in it")
        tempo = _tempo_map(session)
        rate = number_of(session, "sample-rate", 48_000.0)
        files = {
            s.get("id"): s.get("name") or "" for s in session.iterfind("Sources/Source[@type='midi']")
        }
        notes: dict[str, list[ClipNote] | None] = {}
        missing: list[str] = []
        tracks: list[tuple[str, list[ClipNote]]] = []
        for name, playlist in _playlists(session):
            laid: list[ClipNote] = []
            for region in playlist.iterfind("Region"):
                file = files.get(region.get("source-0"))
                if not file or region.get("muted") in ("1", "yes"):
                    continue
                if file not in notes:
                    notes[file] = _midi_file(path.parent, file)
                found = notes[file]
                if found is None:
                    missing += [file] if file not in missing else []
                    continue
                start, length, play_from = _place(region, tempo, max(rate, 1.0))
                laid += unrolled(found, start, length, play_from, None)
            tracks.append((name, laid))
        remarks = tuple(missing_words(name) for name in missing)
        if session.find("Playlists/Playlist[@type='audio']/Region") is not None:
            remarks += (AUDIO_UNHEARD,)
        return project_score(tracks, tempo, _bar(session), remarks=remarks)


def _playlists(session: Element) -> Iterator[tuple[str, Element]]:
    """Yield the MIDI playlists that tracks play, with the tracks' names; all if no track says."""
    lists = {p.get("id"): p for p in session.iterfind("Playlists/Playlist[@type='midi']")}
    played = [
        (r.get("name") or "track", r.get("midi-playlist")) for r in session.iterfind("Routes/Route")
    ]
    named = [(name, lists[which]) for name, which in played if which in lists]
    yield from named or ((p.get("name") or "track", p) for p in lists.values())


def _midi_file(folder: Path, name: str) -> list[ClipNote] | None:
    """Read a MIDI file of the session, wherever in its folder it is."""
    inside = Path(name).name
    for place in (folder / "interchange").glob(f"*/midifiles/{_literal(inside)}"):
        return notes_of_file(place)
    return notes_of_file(folder / inside)


def _literal(name: str) -> str:
    """Return a pattern that matches a file name to the letter."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _place(region: Element, tempo: TempoMap, rate: float) -> tuple[float, float, float]:
    """Return where a region begins, its length, and from where its source plays, in quarter notes."""
    span = region.get("length") or "0"
    if "@" in span:  # version 7: distance@position, each in superclocks (a) or ticks (b)
        distance, position = span.split("@", 1)
        start = _musical(position, tempo)
        if distance.startswith("a"):
            begin = float(tempo.seconds(np.array([start]))[0])
            length = (
                float(tempo.places(np.array([begin + finite(distance[1:]) / _SUPERCLOCKS]))[0]) - start
            )
        else:
            length = finite(distance[1:]) / _TICKS
        return start, length, _musical(region.get("start") or "b0", tempo)
    begin = number_of(region, "position", 0.0) / rate
    start = float(tempo.places(np.array([begin]))[0])
    end = float(tempo.places(np.array([begin + finite(span) / rate]))[0])
    play_from = float(tempo.places(np.array([number_of(region, "start", 0.0) / rate]))[0])
    return (
        start,
        number_of(region, "length-beats", end - start) or end - start,
        number_of(region, "start-beats", play_from),
    )


def _musical(position: str, tempo: TempoMap) -> float:
    """Return a position of version 7 in quarter notes."""
    if position.startswith("a"):
        return float(tempo.places(np.array([finite(position[1:]) / _SUPERCLOCKS]))[0])
    return finite(position.lstrip("b") or "0") / _TICKS


def _tempo_map(session: Element) -> TempoMap:
    """Read the tempo map; a ramp is taken as a straight line over quarter notes."""
    places: list[float] = []
    tempi: list[tuple[float, bool]] = []
    for tempo in session.iterfind("TempoMap//Tempo"):
        unit = 4.0 / max(number_of(tempo, "note-type", 4.0), 1.0)
        speed = number_of(tempo, "npm", number_of(tempo, "beats-per-minute", DEFAULT_TEMPO)) * unit
        if tempo.get("quarters"):
            whole, _, ticks = str(tempo.get("quarters")).partition(":")
            place = finite(whole) + finite(ticks or "0") / _TICKS
        else:
            place = 4.0 * number_of(tempo, "pulse", 0.0)
        constant = "onstant" in (tempo.get("type") or "Constant")
        if places and tempi[-1][1]:  # the tempo before holds until here
            places.append(place)
            tempi.append((tempi[-1][0], True))
        places.append(place)
        tempi.append((plausible_tempo(speed), constant))
    if not places:
        places, tempi = [0.0], [(DEFAULT_TEMPO, True)]
    return sloping_tempi(np.array(places), np.array([tempo for tempo, _ in tempi]))


def _bar(session: Element) -> float:
    """Return the quarter notes of the first bar."""
    meter = session.find("TempoMap//Meter")
    beats = number_of(meter, "divisions-per-bar", number_of(meter, "beats-per-bar", 4.0))
    return 4.0 * beats / max(number_of(meter, "note-value", number_of(meter, "note-type", 4.0)), 1.0)
