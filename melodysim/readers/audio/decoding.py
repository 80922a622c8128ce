"""Samples from recordings, block by block, mono and at the rate that the model wants.

libsndfile (through soundfile) decodes wav, aiff, flac, ogg, opus and mp3; PyAV, where it is
installed, decodes m4a, aac, webm, the rest, and what libsndfile cannot. What a file is decoded as is
decided by its content, not by its name. Resampling is soxr's, streaming, so that a recording of any
length needs the memory of one block.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import MissingDependencyError, ReadError
from melodysim.readers.audio.streams import (
    is_cut_off,
    kind_of_sound,
    mended_wav,
    mp3_streams,
    ogg_streams,
)
from melodysim.readers.bounds import MAX_SECONDS
from melodysim.util.quiet_stderr import quiet_stderr

SNDFILE_SUFFIXES = {".wav", ".aif", ".aiff", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".au", ".w64"}
AV_SUFFIXES = {".m4a", ".aac", ".mp4", ".webm", ".mka", ".wma"}
SUFFIXES = SNDFILE_SUFFIXES | AV_SUFFIXES
"""File name suffixes of recordings."""

BLOCK_SECONDS = 10.0
"""Length of the blocks in which a file is decoded."""
_PLAUSIBLE_RATES = (4_000, 400_000)
"""Samples a second: half of a telephone's, and twice the fastest converters'."""
_OFFSET = 0.02
"""Mean of the samples from which on it is taken off. That of a second of music is a tenth of this."""
_LOUDEST = 1e4
"""Amplitude beyond which a sample is damage: full scale is 1."""
_MISSING, _UNKNOWN = 0.5, 1 << 62
"""Seconds that a file may lack of what it announces; the frames of one that announces nothing."""
_CONVERT = "convert it to wav or flac"
_LISTEN = f"if it plays elsewhere, {_CONVERT}"
_NO_SOUND = "it holds no sound that could be found"


@dataclass
class ChannelLevels:
    """Energies of a recording's first two channels, gathered while it is decoded.

    Attributes
    ----------
    side : list of float
        Of the left and of the right.
    mean, difference : float
        Of half of their sum, and of half of their difference.
    cut_off : bool
        Whether the file ends before its sound does, or parts of it are missing.
    """

    side: list[float] = field(default_factory=lambda: [0.0, 0.0])
    mean: float = 0.0
    difference: float = 0.0
    cut_off: bool = False

    def add(self, block: NDArray[np.float32]) -> None:
        """Add a block of samples, shape (samples, channels)."""
        if block.shape[1] != 2:
            return
        left, right = block[:, 0].astype(np.float64), block[:, 1].astype(np.float64)
        self.side[0] += float(left @ left)
        self.side[1] += float(right @ right)
        common = float(left @ right)
        self.mean += (float(left @ left) + float(right @ right) + 2 * common) / 4
        self.difference += (float(left @ left) + float(right @ right) - 2 * common) / 4

    @property
    def cancelling(self) -> bool:
        """Whether more is lost than is left where the sides are averaged."""
        return self.difference > self.mean

    @property
    def louder(self) -> int:
        """The louder side: 0 for the left, 1 for the right."""
        return int(self.side[1] > self.side[0])


def audio_blocks(
    path: Path, rate: int, side: int | None = None, levels: ChannelLevels | None = None
) -> Iterator[NDArray[np.float32]]:
    """Decode a recording.

    Parameters
    ----------
    path : Path
        The file.
    rate : int
        Samples per second to resample to.
    side : int, optional
        Channel to decode alone; by default channels are averaged.
    levels : ChannelLevels, optional
        Gathers what the channels hold.

    Yields
    ------
    ndarray of float32, shape (samples,)
        Consecutive stretches; values that are not finite are set to 0.

    Raises
    ------
    ReadError
        If the file cannot be decoded.
    MissingDependencyError
        If the package that decodes it is not installed.
    """
    try:
        import soxr
    except ImportError as error:
        raise MissingDependencyError(
            "reading audio needs soundfile and soxr: run `pip install 'melodysim[audio]'`"
        ) from error
    resampler, current, seconds = None, 0, 0.0
    total, count = 0.0, 0
    levels = ChannelLevels() if levels is None else levels
    for block, found in _decoded(path, levels):
        if not _PLAUSIBLE_RATES[0] <= found <= _PLAUSIBLE_RATES[1]:
            raise ReadError(
                f"claims {found:,} samples a second, which no recording has", _CONVERT, path
            )
        if found != current:  # the first block, or a stream of another rate
            if resampler is not None:
                yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
            resampler, current = soxr.ResampleStream(found, rate, 1, dtype="float32"), found
        seconds += len(block) / found
        if seconds > MAX_SECONDS:
            raise ReadError("lasts longer than a day", "cut it up", path)
        usable = np.isfinite(block) & (np.abs(block) < _LOUDEST)
        sound = block if usable.all() else np.where(usable, block, np.float32(0))
        levels.add(sound)
        mono = sound.mean(axis=1) if side is None else np.ascontiguousarray(sound[:, side])
        total, count = total + float(mono.sum(dtype=np.float64)), count + len(mono)
        if count >= found and abs(total) > _OFFSET * count:  # a fault of a converter, no sound
            mono = mono - np.float32(total / count)
        assert resampler is not None
        yield resampler.resample_chunk(mono)
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _decoded(path: Path, levels: ChannelLevels) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Yield blocks of samples, shape (samples, channels), and their rate."""
    try:
        with path.open("rb") as file:
            kind = kind_of_sound(file.read(64))
    except OSError as error:
        raise ReadError(f"cannot be read ({error.strerror})", path=path) from error
    if kind == "av" or (not kind and path.suffix.lower() in AV_SUFFIXES):
        yield from _by_av(path)
        return
    began = False
    try:
        for source in _sources(path, kind, levels):
            for block in _by_sndfile(source, levels):
                began = True
                yield block
    except ReadError as error:
        if not began and _has_av():
            yield from _by_av(path)
            return
        remedy = _LISTEN
        if kind:
            remedy = _CONVERT if _has_av() else f"{_CONVERT}, or `pip install 'melodysim[m4a]'`"
        raise ReadError(error.reason, remedy, path) from error


def _sources(path: Path, kind: str, levels: ChannelLevels) -> Iterator[Path | io.BytesIO]:
    """Yield what libsndfile is to decode, one after another."""
    if kind == "wav":
        content = path.read_bytes()
        levels.cut_off |= is_cut_off(kind, content)
        mended = mended_wav(content)
        yield path if mended is content else io.BytesIO(mended)
    elif kind in ("ogg", "mp3"):
        content = path.read_bytes()
        levels.cut_off |= is_cut_off(kind, content)
        streams = (ogg_streams if kind == "ogg" else mp3_streams)(content)
        whole = len(streams) == 1 and streams[0] == content
        yield from [path] if whole and path.suffix.lower() in SUFFIXES else map(io.BytesIO, streams)
    else:
        levels.cut_off |= is_cut_off(kind, path.read_bytes())
        yield path


def _by_sndfile(
    source: Path | io.BytesIO, levels: ChannelLevels
) -> Iterator[tuple[NDArray[np.float32], int]]:
    try:
        import soundfile
    except ImportError as error:
        raise MissingDependencyError(
            "reading audio needs soundfile and soxr: run `pip install 'melodysim[audio]'`"
        ) from error
    try:
        with quiet_stderr():
            file = soundfile.SoundFile(source)
        with file:
            frames = max(1, min(int(BLOCK_SECONDS * file.samplerate), 1 << 22))
            left = file.frames
            while True:
                with quiet_stderr():
                    block = file.read(frames, dtype="float32", always_2d=True)
                if len(block):
                    yield block, file.samplerate
                left -= len(block)
                if len(block) < frames:
                    levels.cut_off |= _MISSING * file.samplerate < left < _UNKNOWN
                    return
    except (soundfile.SoundFileError, ValueError, OverflowError, MemoryError, OSError) as error:
        name = f"{str(source)!r}" if isinstance(source, Path) else ""
        reason = str(error).strip().rstrip(".").removeprefix(f"Error opening {name}: ")
        # What libsndfile says of files that are no sound.
        if reason.startswith(("File does not exist", "Error opening", "Format not")):
            reason = _NO_SOUND
        elif reason.startswith("Unspecified"):
            reason = "it is damaged"
        raise ReadError(f"cannot be decoded as audio ({reason})") from error


def _has_av() -> bool:
    return importlib.util.find_spec("av") is not None


def _by_av(path: Path) -> Iterator[tuple[NDArray[np.float32], int]]:
    if not _has_av():
        raise MissingDependencyError(
            "reading this kind of sound (m4a, aac, webm and the like) needs PyAV: run "
            "`pip install 'melodysim[m4a]'`, or convert the file to mp3, flac or wav",
            path=path,
        )
    import av

    try:
        with quiet_stderr():
            container = av.open(str(path))
        with container:
            if not container.streams.audio:
                raise ReadError("holds no sound", path=path)
            rate = container.streams.audio[0].rate
            resampler = av.AudioResampler(format="fltp", rate=rate)
            for frame in container.decode(audio=0):
                yield from ((_samples(out), rate) for out in resampler.resample(frame))
            yield from ((_samples(out), rate) for out in resampler.resample(None))
    except (av.error.FFmpegError, ValueError, MemoryError, OSError) as error:
        raise ReadError(f"cannot be decoded as audio ({error})", _CONVERT, path) from error


def _samples(frame: Any) -> NDArray[np.float32]:
    """Return the samples of a decoded frame, shape (samples, channels)."""
    return np.asarray(frame.to_ndarray(), dtype=np.float32).T
