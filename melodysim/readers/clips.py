"""Projects of digital audio workstations: the notes of every track, where they lie on the time line.

DAWproject (https://github.com/bitwig/dawproject, a zip of XML: Bitwig, Studio One, Cubase) and Ableton
Live sets (gzip of XML). Clips are unrolled as they play: from their start mark on, their loop as often
as it fits, cut off where the clip ends. Session clips of Live lie nowhere on the time line: they become
parts of their own, from 0 on.

Conventions: places are in quarter notes until a tempo map turns them into seconds.
"""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import ReadError
from melodysim.readers.midi import SHORTEST_NOTE
from melodysim.readers.parts import Part, Score

PROJECT_SUFFIXES = {".dawproject", ".als"}
LARGEST = 512 << 20
"""Bytes of XML: more is no project but a trap."""
MOST_NOTES = 2_000_000
DEFAULT_TEMPO, DEFAULT_BAR = 120.0, 4.0

Note = tuple[float, float, float]
"""Onset and duration in quarter notes, and pitch."""
Element = ElementTree.Element


@dataclass(frozen=True, eq=False)
class TempoMap:
    """Tempo over quarter notes: straight lines between points, constant before and after.

    Attributes
    ----------
    beat, tempo : ndarray of float64, shape (n,)
        Increasing; beats a minute from there on. n is at least 1.
    """

    beat: NDArray[np.float64]
    tempo: NDArray[np.float64]

    def seconds(self, beats: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the time of places: the integral of 60 / tempo, exact on each line."""
        at = np.concatenate([[min(0.0, self.beat[0])], self.beat])
        tempo = np.concatenate([[self.tempo[0]], self.tempo])
        length, rise = np.diff(at), np.diff(tempo)
        elapsed = np.concatenate([[0.0], np.cumsum(_spent(tempo[:-1], rise, length, length))])
        k = np.clip(np.searchsorted(at, beats, side="right") - 1, 0, len(at) - 1)
        inside = beats - at[k]
        slope = np.append(rise, 0.0)[k]
        whole = np.append(length, 1.0)[k]
        zero = float(np.interp(0.0, at, elapsed)) if at[0] < 0 else 0.0
        return elapsed[k] + _spent(tempo[k], slope, whole, inside) - zero


def _spent(
    tempo: NDArray[np.float64],
    rise: NDArray[np.float64],
    length: NDArray[np.float64],
    inside: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Seconds from the beginning of a line to a place on it."""
    per_beat = np.divide(rise, length, out=np.zeros_like(rise), where=length > 1e-6)
    there = np.maximum(tempo + per_beat * inside, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        curved = 60.0 / per_beat * np.log(there / tempo)
    return np.where(np.abs(per_beat) < 1e-9, 60.0 / tempo * inside, curved)


def unrolled(
    notes: list[Note],
    start: float,
    length: float,
    play_from: float,
    loop: tuple[float, float] | None,
) -> list[Note]:
    """Lay the notes of a clip on the time line as they play.

    Parameters
    ----------
    notes : list of (float, float, float)
        In the clip's own time.
    start, length : float
        Of the clip, on the time line.
    play_from : float
        Place in the clip at which it begins to play.
    loop : (float, float) or None
        First and last place of what is repeated, if anything is.

    Returns
    -------
    list of (float, float, float)
        In order of onset; cut off where the loop or the clip ends.

    Examples
    --------
    Two notes, looped every two quarter notes, in a clip of five that begins at 8:

    >>> unrolled([(0, 1, 60), (1, 3, 62)], 8, 5, 1, (0, 2))
    [(8, 1, 62), (9, 1, 60), (10, 1, 62), (11, 1, 60), (12, 1, 62)]
    """
    stretches = [(play_from, play_from + length, start)]
    if loop is not None and loop[1] - loop[0] > 1e-6:
        first, last = loop
        stretches = [(play_from, min(max(last, play_from), play_from + length), start)]
        at = start + stretches[0][1] - play_from
        while at < start + length - 1e-9:
            rest = min(last - first, start + length - at)
            stretches.append((first, first + rest, at))
            at += last - first
            if len(stretches) * max(len(notes), 1) > MOST_NOTES:
                raise ReadError("a clip repeats millions of notes")
    return sorted(
        (at + onset - first, min(duration, last - onset), pitch)
        for first, last, at in stretches
        for onset, duration, pitch in notes
        if first <= onset < last and duration > 0
    )


def read_project(path: Path, content: bytes) -> Score:
    """Read a project.

    Parameters
    ----------
    path : Path
        Its suffix says which kind it is; named in errors.
    content : bytes
        The file's bytes.

    Returns
    -------
    Score
        A part for every track that has notes, and how long a bar is.

    Raises
    ------
    ReadError
        If it is damaged, or of another kind.
    """
    reader = _dawproject if path.suffix.lower() == ".dawproject" else _live_set
    try:
        return reader(content)
    except ReadError as error:
        raise ReadError(error.reason, "save the project again", path) from error
    except (
        ElementTree.ParseError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, ValueError,
        NotImplementedError, RuntimeError, RecursionError,
    ) as error:  # fmt: skip
        kind = "DAWproject file" if reader is _dawproject else "Ableton Live set"
        raise ReadError(f"damaged, or no {kind} ({error})", "save the project again", path) from error


def _number(element: Element | None, name: str, default: float) -> float:
    """Read a number of an attribute; one that is none is as good as absent."""
    said = None if element is None else element.get(name)
    if said is None:
        return default
    number = float(said)
    if not math.isfinite(number):
        raise ReadError(f"{name} is {said}")
    return number


def _score(
    tracks: list[tuple[str, list[Note]]],
    tempo: TempoMap,
    bar: float,
    title: str | None,
    creator: str | None,
) -> Score:
    parts = []
    taken: dict[str, int] = {}
    for name, notes in tracks:
        if not notes:
            continue
        beat, length, pitch = np.array(sorted(notes), np.float64).T
        onset = tempo.seconds(beat)
        duration = np.maximum(tempo.seconds(beat + length) - onset, SHORTEST_NOTE)
        kept = (pitch >= 0) & (pitch <= 127) & (onset >= 0)
        taken[name] = taken.get(name, 0) + 1
        if taken[name] > 1:  # a match is named by its track
            name = f"{name} ({taken[name]})"
        parts.append(Part(name, onset[kept], duration[kept], pitch[kept], beat[kept]))
    return Score(tuple(part for part in parts if len(part)), title, creator, bar)


# DAWproject


def _dawproject(content: bytes) -> Score:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in ("project.xml", "metadata.xml"):
            if name in archive.namelist() and archive.getinfo(name).file_size > LARGEST:
                raise ReadError(f"{name} is larger than a project can be")
        project = ElementTree.fromstring(archive.read("project.xml"))
        about = (
            ElementTree.fromstring(archive.read("metadata.xml"))
            if "metadata.xml" in archive.namelist()
            else None
        )
    names = {track.get("id"): track.get("name") or "track" for track in project.iter("Track")}
    drums = {t.get("id") for t in project.iter("Track") if "drum" in (t.get("name") or "").lower()}
    tempo = _dawproject_tempo(project)
    found: dict[str | None, list[Note]] = {}
    arrangement = project.find("Arrangement")
    if arrangement is not None:
        for track, notes in _lanes(arrangement, None, tempo, "beats"):
            found.setdefault(track, []).extend(notes)
    tracks = [(names.get(key, "track"), notes) for key, notes in found.items() if key not in drums]
    signature = project.find("Transport/TimeSignature")
    bar = 4 * _number(signature, "numerator", 4) / max(_number(signature, "denominator", 4), 1)
    title = about.findtext("Title") if about is not None else None
    creator = about.findtext("Songwriter") or about.findtext("Artist") if about is not None else None
    return _score(tracks, tempo, bar, title or None, creator or None)


def _dawproject_tempo(project: Element) -> TempoMap:
    start = max(_number(project.find("Transport/Tempo"), "value", DEFAULT_TEMPO), 1.0)
    beats, tempi = [0.0], [start]
    for point in project.iterfind("Arrangement/TempoAutomation/RealPoint"):
        beat, value = _number(point, "time", 0), max(_number(point, "value", start), 1.0)
        if point.get("interpolation") != "linear":  # the tempo before holds until here
            beats.append(beat)
            tempi.append(tempi[-1])
        beats.append(beat)
        tempi.append(value)
    order = np.argsort(beats, kind="stable")
    return TempoMap(np.array(beats)[order], np.array(tempi)[order])


def _lanes(
    element: Element, track: str | None, tempo: TempoMap, unit: str
) -> Iterator[tuple[str | None, list[Note]]]:
    """Find clips and notes below lanes, which may say for which track they are."""
    track, unit = element.get("track") or track, element.get("timeUnit") or unit
    for child in element:
        if child.tag == "Lanes":
            yield from _lanes(child, track, tempo, unit)
        elif child.tag == "Clips":
            yield child.get("track") or track, _clips(child, tempo, child.get("timeUnit") or unit)
        elif child.tag == "Notes":
            yield child.get("track") or track, _notes(child)


def _clips(clips: Element, tempo: TempoMap, unit: str) -> list[Note]:
    """Lay the notes of clips, and of clips in clips, on their time line."""

    def beats(place: float) -> float:
        return place if unit != "seconds" else _beat_at(tempo, place)

    found: list[Note] = []
    for clip in clips.iterfind("Clip"):
        if clip.get("enable") == "false":
            continue
        inner: list[Note] = []
        for child in clip:
            if child.tag == "Notes":
                inner += _notes(child)
            elif child.tag == "Clips":
                inner += _clips(child, tempo, child.get("timeUnit") or "beats")
            elif child.tag == "Lanes":
                inner += [note for _, notes in _lanes(child, None, tempo, "beats") for note in notes]
        if not inner:
            continue
        start = beats(_number(clip, "time", 0))
        longest = max(onset + duration for onset, duration, _ in inner)
        end = beats(_number(clip, "time", 0) + _number(clip, "duration", longest))
        loop = None
        if clip.get("loopEnd") is not None:
            loop = (_number(clip, "loopStart", 0), _number(clip, "loopEnd", 0))
        found += unrolled(inner, start, end - start, _number(clip, "playStart", 0), loop)
    return found


def _beat_at(tempo: TempoMap, seconds: float) -> float:
    """Find the place of a time, by halving."""
    low, high = 0.0, 1.0
    while tempo.seconds(np.array([high]))[0] < seconds and high < 1e7:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if tempo.seconds(np.array([middle]))[0] < seconds else (low, middle)
    return high


def _notes(notes: Element) -> list[Note]:
    return [
        (_number(note, "time", 0), _number(note, "duration", 0), _number(note, "key", -1))
        for note in notes.iterfind("Note")
        if note.get("channel") != "9"
    ]


# Ableton Live


def _live_set(content: bytes) -> Score:
    unpacked = zlib.decompressobj(wbits=31).decompress(content, LARGEST)
    if len(unpacked) >= LARGEST:
        raise ReadError("the set is larger than a set can be")
    live = ElementTree.fromstring(unpacked).find("LiveSet")
    if live is None:
        raise ReadError("no set in it")
    main = next((m for m in (live.find("MainTrack"), live.find("MasterTrack")) if m is not None), None)
    tracks: list[tuple[str, list[Note]]] = []
    for track in live.iterfind("Tracks/MidiTrack"):
        name = _value(track.find("Name/EffectiveName"), "track")
        if "drum" in name.lower() or track.find(".//DrumGroupDevice") is not None:
            continue
        arranged: list[Note] = []
        for clip in track.iterfind(".//ArrangerAutomation/Events/MidiClip"):
            arranged += _live_clip(clip)
        tracks.append((name, arranged))
        for clip in track.iterfind(".//MainSequencer/ClipSlotList//MidiClip"):
            said = _value(clip.find("Name"), "")
            tracks.append(
                (f"{name}: {said}" if said else f"{name}: session clip", _live_clip(clip, True))
            )
    signature = live.find(".//RemoteableTimeSignature")
    upper = float(_value(signature.find("Numerator"), "4")) if signature is not None else 4.0
    lower = float(_value(signature.find("Denominator"), "4")) if signature is not None else 4.0
    return _score(tracks, _live_tempo(main), 4 * upper / max(lower, 1.0), None, None)


def _value(element: Element | None, default: str) -> str:
    return default if element is None else element.get("Value") or default


def _live_tempo(main: Element | None) -> TempoMap:
    tempo = None if main is None else main.find(".//Mixer/Tempo")
    if main is None or tempo is None:
        return TempoMap(np.zeros(1), np.array([DEFAULT_TEMPO]))
    start = max(float(_value(tempo.find("Manual"), str(DEFAULT_TEMPO))), 1.0)
    beats, tempi = [0.0], [start]
    target = tempo.find("AutomationTarget")
    for envelope in main.iterfind(".//AutomationEnvelope"):
        pointee = _value(envelope.find("EnvelopeTarget/PointeeId"), "")
        if target is None or pointee != target.get("Id"):
            continue
        events = envelope.findall("Automation/Events/FloatEvent")
        # The first stands for all that is before the set's beginning.
        values = [max(_number(event, "Value", start), 1.0) for event in events]
        places = [max(_number(event, "Time", 0), 0.0) for event in events]
        if events:
            beats, tempi = places, values
    order = np.argsort(beats, kind="stable")
    return TempoMap(np.array(beats)[order], np.array(tempi)[order])


def _live_clip(clip: Element, session: bool = False) -> list[Note]:
    """Read a clip: where the arrangement has it, or from 0 on."""
    if _value(clip.find("Disabled"), "false") == "true":
        return []
    number: Callable[[str, float], float] = lambda where, default: float(  # noqa: E731
        _value(clip.find(where), str(default))
    )
    notes = [
        (
            _number(note, "Time", 0),
            _number(note, "Duration", 0),
            float(_value(key.find("MidiKey"), "-1")),
        )
        for key in clip.iterfind("Notes/KeyTracks/KeyTrack")
        for note in key.iterfind("Notes/MidiNoteEvent")
        if note.get("IsEnabled") != "false"
    ]
    first, last = number("Loop/LoopStart", 0), number("Loop/LoopEnd", 0)
    looped = _value(clip.find("Loop/LoopOn"), "false") == "true"
    play_from = first + (number("Loop/StartRelative", 0) if looped else 0)
    start, end = number("CurrentStart", 0), number("CurrentEnd", 0)
    if session:
        return unrolled(notes, 0.0, max(last - play_from, 0.0), play_from, None)
    return unrolled(notes, start, end - start, play_from, (first, last) if looped else None)
