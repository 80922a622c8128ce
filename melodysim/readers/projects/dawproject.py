"""DAWproject files (https://github.com/bitwig/dawproject): a zip of XML; Bitwig, Studio One, Cubase."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from melodysim.errors import ReadError
from melodysim.readers.bounds import MOST_NOTES, Archive, Element, damage, number_of, parse_xml
from melodysim.readers.parts.score import Score
from melodysim.readers.projects.daw_clips import (
    AUDIO_UNHEARD,
    SAVE_AGAIN,
    ClipNote,
    project_score,
    unrolled,
)
from melodysim.readers.tempo import DEFAULT_TEMPO, TempoMap, plausible_tempo, sloping_tempi
from melodysim.util.plain_text import counted

_DEEPEST = 24
"""Clips inside clips; a clip that refers to what it stands in would never end."""


def read_dawproject(path: Path, content: bytes) -> Score:
    """Read a DAWproject file: a part for every track and launcher clip with notes; the length of a bar.

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
    with damage(path, "DAWproject file", SAVE_AGAIN):
        return _project(Archive(content))


def _project(archive: Archive) -> Score:
    project = parse_xml(archive.read("project.xml"))
    about = parse_xml(archive.read("metadata.xml")) if "metadata.xml" in archive.names else None
    tempo = _tempo_map(project)
    timeline = _Timeline(tempo, {e.get("id") or "": e for e in project.iter() if e.get("id")})
    names = {track.get("id"): track.get("name") or "track" for track in project.iter("Track")}
    found: dict[str | None, list[ClipNote]] = {}
    arrangement = project.find("Arrangement")
    if arrangement is not None:
        for track, notes in timeline.lanes(arrangement, None, "beats", 0.0, 0):
            found.setdefault(track, []).extend(notes)
    tracks = [(names.get(key, "track"), notes) for key, notes in found.items()]
    for slot in project.iterfind("Scenes//ClipSlot"):
        for clip in slot.iterfind("Clip"):
            track = names.get(slot.get("track"), "track")
            said = clip.get("name") or "launcher clip"
            tracks.append((f"{track}: {said}", timeline.clip(clip, "beats", 0.0, 0)))
    signature = project.find("Transport/TimeSignature")
    bar = 4 * number_of(signature, "numerator", 4) / max(number_of(signature, "denominator", 4), 1)
    title = about.findtext("Title") if about is not None else None
    creator = about.findtext("Songwriter") or about.findtext("Artist") if about is not None else None
    remarks: tuple[str, ...] = ()
    if next(project.iter("Audio"), None) is not None:
        remarks = (AUDIO_UNHEARD,)
    if timeline.lost:
        remarks += (f"{counted(timeline.lost, 'clip')} without the notes that it refers to",)
    return project_score(tracks, tempo, bar, title or None, creator or None, remarks)


def _tempo_map(project: Element) -> TempoMap:
    start = plausible_tempo(number_of(project.find("Transport/Tempo"), "value", DEFAULT_TEMPO))
    beats, tempi = [0.0], [start]
    sloping = False  # how the tempo goes on after a point is said at that point
    for point in project.iterfind("Arrangement/TempoAutomation/RealPoint"):
        beat, value = number_of(point, "time", 0), plausible_tempo(number_of(point, "value", start))
        if not sloping:  # the tempo before holds until here
            beats.append(beat)
            tempi.append(tempi[-1])
        sloping = point.get("interpolation") == "linear"
        beats.append(beat)
        tempi.append(value)
    return sloping_tempi(np.array(beats), np.array(tempi))


@dataclass(eq=False)
class _Timeline:
    """What clips are laid on: the tempo, and what clips may refer to by its id."""

    tempo: TempoMap
    shared: dict[str, Element]
    count: int = 0
    visits: int = 0
    lost: int = 0

    def beats(self, place: float, unit: str, origin: float) -> float:
        """Return a place in quarter notes after `origin`; seconds are counted from there on."""
        if unit != "seconds":
            return place
        begin = self.tempo.seconds(np.array([origin]))
        return float(self.tempo.places(begin + place)[0]) - origin

    def lanes(
        self, element: Element, track: str | None, unit: str, origin: float, depth: int
    ) -> Iterator[tuple[str | None, list[ClipNote]]]:
        """Yield the track id and the notes of all clips and notes nested in an element."""
        if depth > _DEEPEST:
            raise ReadError(f"nests clips more than {_DEEPEST} deep")
        track, unit = element.get("track") or track, element.get("timeUnit") or unit
        for child in element:
            mine, its_unit = child.get("track") or track, child.get("timeUnit") or unit
            if child.tag == "Lanes":
                yield from self.lanes(child, track, unit, origin, depth + 1)
            elif child.tag == "Clips":
                for clip in child.iterfind("Clip"):
                    yield mine, self.clip(clip, its_unit, origin, depth + 1)
            elif child.tag == "Notes":
                yield mine, self.notes(child, its_unit, origin)

    def clip(self, clip: Element, unit: str, origin: float, depth: int) -> list[ClipNote]:
        """Lay the notes of a clip, and of clips in it, on the time line that it stands on."""
        self.visits += 1
        if self.visits > MOST_NOTES:
            raise ReadError(f"holds more than {MOST_NOTES:,} clips")
        if clip.get("enable") == "false":
            return []
        start = self.beats(number_of(clip, "time", 0), unit, origin)
        inside = clip.get("contentTimeUnit") or ("beats" if clip.get("timeUnit") is None else unit)
        content = list(clip)
        refers = self.shared.get(clip.get("reference") or "")
        self.lost += clip.get("reference") is not None and refers is None
        if refers is not None:  # an alias of what another clip holds
            content += list(refers) if refers.tag == "Clip" else [refers]
        holder = Element(clip.tag)
        holder.extend(content)
        inner = [
            n for _, notes in self.lanes(holder, None, inside, origin + start, depth + 1) for n in notes
        ]
        if not inner:
            return []

        def within(name: str, default: float) -> float:
            said = clip.get(name)
            return (
                default
                if said is None
                else self.beats(number_of(clip, name, 0), inside, origin + start)
            )

        play_from = within("playStart", 0.0)
        longest = max(note.onset + note.duration for note in inner)
        end = self.beats(
            number_of(clip, "time", 0) + number_of(clip, "duration", longest), unit, origin
        )
        length = min(end - start, within("playStop", np.inf) - play_from)
        loop = None
        if clip.get("loopEnd") is not None:
            loop = (within("loopStart", 0.0), within("loopEnd", 0.0))
            length = end - start
        laid = unrolled(inner, start, length, play_from, loop)
        self.count += len(laid)
        if self.count > MOST_NOTES:
            raise ReadError(f"holds more than {MOST_NOTES:,} notes")
        return laid

    def notes(self, notes: Element, unit: str, origin: float) -> list[ClipNote]:
        """Read notes, from the beginning of what they stand in."""
        found = []
        for note in notes.iterfind("Note"):
            begin, length = number_of(note, "time", 0), number_of(note, "duration", 0)
            onset = self.beats(begin, unit, origin)
            long = length if unit != "seconds" else self.beats(begin + length, unit, origin) - onset
            channel = int(number_of(note, "channel", 0))
            found.append(ClipNote(onset, long, number_of(note, "key", -1), channel))
        return found
