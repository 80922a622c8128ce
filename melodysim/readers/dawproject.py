"""DAWproject files (https://github.com/bitwig/dawproject): a zip of XML; Bitwig, Studio One, Cubase."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from melodysim.errors import ReadError
from melodysim.readers.daw_clips import (
    LARGEST,
    Element,
    Note,
    number_of,
    project_errors,
    project_score,
    unrolled,
)
from melodysim.readers.score import Score
from melodysim.readers.tempo import DEFAULT_TEMPO, TempoMap, sloping_tempi


def read_dawproject(path: Path, content: bytes) -> Score:
    """Read a DAWproject file: a part for every track with notes, and the length of a bar.

    Parameters
    ----------
    path : Path
        Only named in errors.
    content : bytes
        The file's bytes.

    Raises
    ------
    ReadError
        If it is damaged, or of another kind.
    """
    with project_errors(path, "DAWproject file"):
        return _project(content)


def _project(content: bytes) -> Score:
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
    tempo = _tempo_map(project)
    found: dict[str | None, list[Note]] = {}
    arrangement = project.find("Arrangement")
    if arrangement is not None:
        for track, notes in _lanes(arrangement, None, tempo, "beats"):
            found.setdefault(track, []).extend(notes)
    tracks = [(names.get(key, "track"), notes) for key, notes in found.items() if key not in drums]
    signature = project.find("Transport/TimeSignature")
    bar = 4 * number_of(signature, "numerator", 4) / max(number_of(signature, "denominator", 4), 1)
    title = about.findtext("Title") if about is not None else None
    creator = about.findtext("Songwriter") or about.findtext("Artist") if about is not None else None
    return project_score(tracks, tempo, bar, title or None, creator or None)


def _tempo_map(project: Element) -> TempoMap:
    start = max(number_of(project.find("Transport/Tempo"), "value", DEFAULT_TEMPO), 1.0)
    beats, tempi = [0.0], [start]
    for point in project.iterfind("Arrangement/TempoAutomation/RealPoint"):
        beat, value = number_of(point, "time", 0), max(number_of(point, "value", start), 1.0)
        if point.get("interpolation") != "linear":  # the tempo before holds until here
            beats.append(beat)
            tempi.append(tempi[-1])
        beats.append(beat)
        tempi.append(value)
    return sloping_tempi(np.array(beats), np.array(tempi))


def _lanes(
    element: Element, track: str | None, tempo: TempoMap, unit: str
) -> Iterator[tuple[str | None, list[Note]]]:
    """Yield the track id and the notes of all clips and notes nested in an element."""
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
        return place if unit != "seconds" else float(tempo.places(np.array([place]))[0])

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
        start = beats(number_of(clip, "time", 0))
        longest = max(onset + duration for onset, duration, _ in inner)
        end = beats(number_of(clip, "time", 0) + number_of(clip, "duration", longest))
        loop = None
        if clip.get("loopEnd") is not None:
            loop = (number_of(clip, "loopStart", 0), number_of(clip, "loopEnd", 0))
        found += unrolled(inner, start, end - start, number_of(clip, "playStart", 0), loop)
    return found


def _notes(notes: Element) -> list[Note]:
    return [
        (number_of(note, "time", 0), number_of(note, "duration", 0), number_of(note, "key", -1))
        for note in notes.iterfind("Note")
        if note.get("channel") != "9"
    ]
