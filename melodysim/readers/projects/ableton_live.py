"""Ableton Live sets: gzip of XML."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from melodysim.errors import ReadError
from melodysim.readers.bounds import Element, damage, finite, gunzipped, number_of, parse_xml
from melodysim.readers.parts.drums import moves_like_a_tune
from melodysim.readers.parts.score import Score
from melodysim.readers.projects.daw_clips import (
    AUDIO_UNHEARD,
    SAVE_AGAIN,
    ClipNote,
    project_score,
    unrolled,
)
from melodysim.readers.tempo import DEFAULT_TEMPO, TempoMap, plausible_tempo, sloping_tempi


def read_live_set(path: Path, content: bytes) -> Score:
    """Read an Ableton Live set.

    Parameters
    ----------
    path : Path
        Only named in errors.
    content : bytes
        The file's bytes.

    Returns
    -------
    Score
        A part for every track and for every session clip that has notes, and the length of a bar.
        Session clips have no place on the time line and begin at 0.

    Raises
    ------
    ReadError
        If it is damaged, or of another kind.
    """
    with damage(path, "Ableton Live set", SAVE_AGAIN):
        return _live_set(content)


def _live_set(content: bytes) -> Score:
    live = parse_xml(gunzipped(content)).find("LiveSet")
    if live is None:
        raise ReadError("no set in it")
    main = next((m for m in (live.find("MainTrack"), live.find("MasterTrack")) if m is not None), None)
    tracks: list[tuple[str, list[ClipNote]]] = []
    for track in live.iterfind("Tracks/MidiTrack"):
        name = _value(track.find("Name/EffectiveName"), "track")
        if track.find(".//DrumGroupDevice") is not None and not _plays_a_tune(track):
            continue
        arranged: list[ClipNote] = []
        for clip in track.iterfind(".//ArrangerAutomation/Events/MidiClip"):
            arranged += _arranged_clip(clip)
        tracks.append((name, arranged))
        for clip in track.iterfind(".//MainSequencer/ClipSlotList//MidiClip"):
            said = _value(clip.find("Name"), "")
            tracks.append((f"{name}: {said}" if said else f"{name}: session clip", _session_clip(clip)))
    signature = live.find(".//RemoteableTimeSignature")
    upper = finite(_value(signature.find("Numerator"), "4")) if signature is not None else 4.0
    lower = finite(_value(signature.find("Denominator"), "4")) if signature is not None else 4.0
    heard = live.find("Tracks/AudioTrack//AudioClip") is not None
    remarks = (AUDIO_UNHEARD,) if heard else ()
    return project_score(tracks, _live_tempo(main), 4 * upper / max(lower, 1.0), remarks=remarks)


def _plays_a_tune(track: Element) -> bool:
    """Say whether a track with a rack of drums moves like a tune all the same, as on tuned drums."""
    notes = sorted(note for clip in track.iterfind(".//MidiClip") for note in _clip_notes(clip))
    onset, _, pitch, _ = np.array(notes, np.float64).reshape(-1, 4).T
    return moves_like_a_tune(onset, pitch)


def _value(element: Element | None, default: str) -> str:
    return default if element is None else element.get("Value") or default


def _live_tempo(main: Element | None) -> TempoMap:
    tempo = None if main is None else main.find(".//Mixer/Tempo")
    if main is None or tempo is None:
        return sloping_tempi(np.zeros(1), np.array([DEFAULT_TEMPO]))
    start = plausible_tempo(finite(_value(tempo.find("Manual"), str(DEFAULT_TEMPO))))
    beats, tempi = [0.0], [start]
    target = tempo.find("AutomationTarget")
    for envelope in main.iterfind(".//AutomationEnvelope"):
        pointee = _value(envelope.find("EnvelopeTarget/PointeeId"), "")
        if target is None or pointee != target.get("Id"):
            continue
        events = envelope.findall("Automation/Events/FloatEvent")
        # An event before the set's beginning, where Live keeps the first one, is moved to 0.
        values = [plausible_tempo(number_of(event, "Value", start)) for event in events]
        places = [max(number_of(event, "Time", 0), 0.0) for event in events]
        if events:
            beats, tempi = places, values
    return sloping_tempi(np.array(beats), np.array(tempi))


def _arranged_clip(clip: Element) -> list[ClipNote]:
    """Read the notes of an arrangement clip at its place on the time line."""
    first, last, looped, play_from = _loop(clip)
    start, end = _place(clip, "CurrentStart"), _place(clip, "CurrentEnd")
    loop = (first, last) if looped else None
    return unrolled(_clip_notes(clip), start, end - start, play_from, loop)


def _session_clip(clip: Element) -> list[ClipNote]:
    """Read the notes of a session clip from 0 on, once."""
    _, last, _, play_from = _loop(clip)
    return unrolled(_clip_notes(clip), 0.0, max(last - play_from, 0.0), play_from, None)


def _loop(clip: Element) -> tuple[float, float, bool, float]:
    """Return begin and end of a clip's loop, whether it is on, and where the clip begins to play."""
    first, last = _place(clip, "Loop/LoopStart"), _place(clip, "Loop/LoopEnd")
    looped = _value(clip.find("Loop/LoopOn"), "false") == "true"
    return first, last, looped, first + (_place(clip, "Loop/StartRelative") if looped else 0)


def _place(clip: Element, where: str) -> float:
    return finite(_value(clip.find(where), "0"))


def _clip_notes(clip: Element) -> list[ClipNote]:
    """Read the notes of a clip in its own time; none if the clip is switched off."""
    if _value(clip.find("Disabled"), "false") == "true":
        return []
    return [
        ClipNote(
            number_of(note, "Time", 0),
            number_of(note, "Duration", 0),
            finite(_value(key.find("MidiKey"), "-1")),
        )
        for key in clip.iterfind("Notes/KeyTracks/KeyTrack")
        for note in key.iterfind("Notes/MidiNoteEvent")
        if note.get("IsEnabled") != "false"
    ]
