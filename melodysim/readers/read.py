"""Reading of any file as a `Piece`.

The suffix decides the reader; the reader raises `ReadError` if the file is of another kind. Only this
module imports both the readers and the transcribers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import ReadError
from melodysim.melody import FEWEST_NOTES, Kind, Piece
from melodysim.readers import audio
from melodysim.readers.bounds import MAX_SECONDS, damage, gunzipped
from melodysim.readers.parts.melody_parts import candidate_melodies, left_out, track_melodies
from melodysim.readers.parts.score import Score, joined
from melodysim.readers.signatures import suffix_by_content
from melodysim.util.plain_text import counted

MIDI_SUFFIXES = {".mid", ".midi", ".kar", ".rmi", ".smf"}
ABC_SUFFIXES = {".abc"}
PROJECT_READERS = {
    ".dawproject": "projects.dawproject:read_dawproject",
    ".als": "projects.ableton_live:read_live_set",
    ".rpp": "projects.reaper_project:read_reaper_project",
    ".ardour": "projects.ardour_session:read_ardour_session",
}
SCORE_READERS = {
    ".musicxml": "scores.musicxml_score:read_musicxml",
    ".xml": "scores.musicxml_score:read_musicxml",
    ".mxl": "scores.musicxml_score:read_musicxml",
    ".krn": "scores.kern_score:read_kern",
}
"""Readers by suffix, as module of this package and function: each is loaded with the first file of its
kind, so that a check of one file does not wait for the readers of all."""
SUFFIXES = MIDI_SUFFIXES | set(PROJECT_READERS) | ABC_SUFFIXES | set(SCORE_READERS) | audio.SUFFIXES
"""File name suffixes that `read` knows."""

_PACKED = {".gz", ".zip", ".7z", ".rar", ".bz2", ".xz", ".zst"}
_OF_PROGRAMS = {
    ".mscx": "MuseScore", ".mscz": "MuseScore", ".mei": "MEI", ".ly": "LilyPond", ".sib": "Sibelius",
    ".musx": "Finale", ".dorico": "Dorico", ".gp": "Guitar Pro", ".gp5": "Guitar Pro",
    ".gpx": "Guitar Pro", ".flp": "FL Studio", ".cpr": "Cubase", ".ptx": "Pro Tools",
}  # fmt: skip
"""Files of notes that are not read, and what writes them."""
_MOST_NAMED = 12
"""Parts that were not compared, and are named."""
_SNIFFED = 4096
"""Bytes of which none is zero in a text."""
SHORTEST_AUDIO = 1.0
"""Seconds below which a recording cannot hold a melody."""
OTHER_LENGTH = 0.1
"""Share of a recording by which a stem is shorter or longer, so that it may belong to another one."""
SILENCE = 1e-4
"""Peak amplitude (-80 dBFS) below which a recording is silent: dither, not music."""
AUDIBLE_CONFIDENCE = 0.02
"""Mean confidence below which a line is no melody. Measured: noise of any colour gives no line at all,
a drum loop 0.012, the faintest of 28 real recordings (a near-unpitched chant) 0.033."""


def read(
    path: str | Path,
    threads: int = 0,
    tick: Callable[[str], None] | None = None,
    stems: Sequence[str | Path] = (),
) -> Piece:
    """Read a track or a score and find its candidate melodies.

    Parameters
    ----------
    path : str or Path
        MIDI, a score (MusicXML, ABC, kern), a project of a workstation, or a recording. Its content
        says which; its suffix, where that does not say.
    threads : int, optional
        Threads for transcribing a recording; 0 takes all cores.
    tick : callable, optional
        Called for each block of a recording; an exception that it raises stops the reading.
    stems : sequence of str or Path, optional
        Recordings of single parts of it, in step with it, or folders of them: the voice's is listened
        to instead of one that is separated from the mix. Of several, those whose names say so are the
        voice's.

    Returns
    -------
    Piece
        ``melodies`` is empty if no melody was heard (silence, noise, drums alone).

    Raises
    ------
    ReadError
        If the file is missing, empty, damaged, too short or of a kind that is not known.
    MissingDependencyError
        If an optional package is needed for this kind of file.
    """
    if not isinstance(path, str | Path) or not str(path).strip():
        raise ReadError(f"a file is named by its path, not by {path!r}")
    path = Path(path)
    content = file_bytes(path)
    suffix = suffix_by_content(content, path.suffix.lower())
    digest = hashlib.sha256(content).hexdigest()
    if suffix == ".gz":
        with damage(path, "file packed with gzip", "unpack it first"):
            content, suffix = gunzipped(content), Path(path.stem).suffix.lower()
    if suffix in audio.SUFFIXES:
        return _read_recording(path, digest, threads, tick, [Path(stem) for stem in stems])
    if stems:
        raise ReadError("is no recording, so it has no stems", "leave out --stem", path)
    return _piece(path, digest, *_read_symbolic(path, suffix, content))


def read_input(content: bytes, name: str = "standard input") -> Piece:
    """Read ABC or MIDI that came from elsewhere than a file, such as standard input.

    Parameters
    ----------
    content : bytes
    name : str, optional
        What errors and the report call it.

    Raises
    ------
    ReadError
        If it is empty or neither.
    """
    path = Path(name)
    if not content.strip():
        raise ReadError("nothing came", "give ABC or MIDI", path)
    suffix = suffix_by_content(content, ".abc")
    binary = suffix in ABC_SUFFIXES and b"\0" in content[:_SNIFFED]
    if binary or suffix not in MIDI_SUFFIXES | ABC_SUFFIXES:
        raise ReadError("neither ABC nor MIDI", "save it to a file and check that", path)
    digest = hashlib.sha256(content).hexdigest()
    return _piece(path, digest, *_read_symbolic(path, suffix, content))


def require_file(path: Path) -> None:
    """Raise `ReadError` if there is no file; standard input ("-") is one."""
    if str(path) != "-" and not path.exists():
        raise ReadError("no such file", path=path)


def file_bytes(path: Path) -> bytes:
    """Read a file's bytes; raise a `ReadError` with the reason if that fails."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ReadError("no such file", path=path) from error
    except IsADirectoryError as error:
        raise ReadError("is a folder", "`melodysim scan` checks the tracks in it", path) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ReadError(f"cannot be read ({reason})", path=path) from error
    if not content:
        raise ReadError("the file is empty", path=path)
    return content


def _read_by(name: str, path: Path, content: bytes) -> Score:
    """Read a file by the reader of a name, as `PROJECT_READERS` has them."""
    module, function = name.split(":")
    read_score: Callable[[Path, bytes], Score] = getattr(
        import_module(f"melodysim.readers.{module}"), function
    )
    return read_score(path, content)


def _read_symbolic(path: Path, suffix: str, content: bytes) -> tuple[Kind, Score]:
    """Read a MIDI file, a project or a score."""
    if suffix in MIDI_SUFFIXES:
        return "midi", _read_by("midi:read_midi", path, content)
    if suffix in PROJECT_READERS:
        return "midi", _read_by(PROJECT_READERS[suffix], path, content)
    if suffix in ABC_SUFFIXES:
        from melodysim.readers.abc import read_abc

        found = [score for _, score in read_abc(path, content) if score.parts]
        if len(found) > 1:
            raise ReadError(
                f"holds {len(found):,} tunes, and a track is one",
                "put each into a file of its own, or take them all into a library with "
                "`melodysim library import`",
                path,
            )
        return "score", found[0] if found else Score(())
    if suffix in SCORE_READERS:
        return "score", _read_by(SCORE_READERS[suffix], path, content)
    if suffix in _PACKED:
        raise ReadError(f"is packed ({suffix}), or a damaged set of melodies", "unpack it first", path)
    if suffix in _OF_PROGRAMS:
        program = _OF_PROGRAMS[suffix]
        raise ReadError(f"is a file of {program}, not read here", "export it as MusicXML or MIDI", path)
    known = " ".join(sorted(SUFFIXES))
    raise ReadError(f"unknown kind of file {suffix or '(no suffix)'}", f"known are {known}", path)


def _piece(path: Path, digest: str, kind: Kind, score: Score) -> Piece:
    """Make a piece of the candidate melodies of a symbolic file."""
    odd = "".join(f"; {remark}" for remark in score.remarks[:1])
    if not score.parts:
        only = "drums" if score.bar is None else "drums, muted clips or audio"
        raise ReadError(f"holds no notes, or only {only}{odd}", "there is no melody to check", path)
    if score.duration > MAX_SECONDS:
        raise ReadError("claims to last more than a day", "export it again", path)
    melodies = candidate_melodies(score) if score.bar is None else track_melodies(score)
    if not melodies:
        count = len(joined(score.parts, "all"))
        raise ReadError(
            f"holds {counted(count, 'note')}, too few for a melody that can be recognised{odd}",
            path=path,
        )
    missing = left_out(score, melodies)
    remarks = score.remarks + _unchecked_words(missing, len(melodies))
    return Piece(
        str(path),
        kind,
        melodies,
        score.duration,
        score.title,
        score.creator,
        digest,
        bar=score.bar,
        remarks=remarks,
        left_out=missing,
        measures=score.measures,
    )


def _unchecked_words(names: tuple[str, ...], compared: int) -> tuple[str, ...]:
    """Say which parts were not compared, for want of room; nothing if all were."""
    if not names:
        return ()
    named = ", ".join(f"“{name}”" for name in names[:_MOST_NAMED])
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    parts = f"of {compared + len(names):,} parts the {compared} likeliest to be the tune were compared"
    return (f"{parts}; {named}{more} were not",)


class _Metered:
    """Blocks of sound that are measured as they pass.

    Attributes
    ----------
    samples : int
        That have passed.
    peak : float
        Highest amplitude among them.
    """

    def __init__(
        self, blocks: Iterable[NDArray[np.float32]], tick: Callable[[str], None] | None = None
    ) -> None:
        self._blocks, self._tick = iter(blocks), tick
        self.samples, self.peak = 0, 0.0

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Yield the blocks that are left."""
        for block in self._blocks:
            if self._tick is not None:
                self._tick("hearing")
            self.samples += len(block)
            self.peak = max(self.peak, float(abs(block).max(initial=0.0)))
            yield block

    def total(self) -> int:
        """Return how many samples there are, those that nobody has asked for too."""
        for _ in self:
            pass
        return self.samples


def _stem_remarks(sung: list[Path], lasts: float, recording: float, heard: bool) -> tuple[str, ...]:
    """Say which stems were read, and where they may belong to another recording.

    `lasts` and `recording` are lengths in seconds; `heard` says whether anything is sung in the stems.
    """
    named = ", ".join(f"“{s.name}”" for s in sung)
    remarks: tuple[str, ...] = (f"the voice was read from {named}",)
    if not heard:
        remarks = (f"nothing was heard in {named}, so it was of no use",)
    if abs(lasts - recording) > OTHER_LENGTH * recording:
        remarks += (
            f"the stem lasts {lasts:.0f} s, the recording {recording:.0f} s: is it the right one?",
        )
    return remarks


def _read_recording(
    path: Path,
    digest: str,
    threads: int,
    tick: Callable[[str], None] | None,
    stems: list[Path],
) -> Piece:
    """Transcribe a recording and keep the lines that are likely to be melodies."""
    # Imported here: the transcriber takes longer to import than a file of notes takes to check.
    from melodysim.transcribe import accelerators
    from melodysim.transcribe.salience import SAMPLE_RATE
    from melodysim.transcribe.transcription import transcribe_recording, with_lines_of

    levels = audio.ChannelLevels()
    mix = _Metered(audio.audio_blocks(path, SAMPLE_RATE, None, levels), tick)
    streams, sung, misplaced = audio.stems_in(
        path, audio.voice_stems(stems) if stems else [], SAMPLE_RATE
    )
    alone = _Metered(audio.mixed(streams)) if sung else None
    melodies, heard = transcribe_recording(mix, threads, alone)
    peak, duration = mix.peak, mix.samples / SAMPLE_RATE
    remarks: tuple[str, ...] = ()
    if alone is not None:
        remarks = _stem_remarks(sung, alone.total() / SAMPLE_RATE, duration, bool(heard.separated))
    remarks += tuple(misplaced)
    if accelerators.chosen() != accelerators.PROCESSOR:
        remarks += (f"the networks that hear ran on {accelerators.chosen()}",)
    if levels.cut_off:
        remarks += ("the recording ends before its sound does, or parts of it are missing",)
    if levels.cancelling and not sung:
        side = _Metered(audio.audio_blocks(path, SAMPLE_RATE, levels.louder), tick)
        melodies, heard = with_lines_of(transcribe_recording(side, threads), (melodies, heard))
        peak = max(peak, side.peak)
        remarks += (
            "its two sides cancel each other where they are mixed, so the "
            f"{('left', 'right')[levels.louder]} side was listened to; lines were looked for in both",
        )
    if duration < SHORTEST_AUDIO:
        raise ReadError(
            f"only {duration:.1f} s of sound, too short to hold a melody",
            f"give at least {SHORTEST_AUDIO:.0f} s",
            path,
        )
    audible = tuple(
        line
        for line in melodies
        if peak > SILENCE
        and len(line) >= FEWEST_NOTES
        and float(line.confidence.mean()) >= AUDIBLE_CONFIDENCE
    )
    found = heard if audible else None
    return Piece(str(path), "audio", audible, duration, sha256=digest, heard=found, remarks=remarks)
