"""Samples from recordings, block by block, mono and at the rate that the model wants.

libsndfile (through soundfile) decodes wav, aiff, flac, ogg, opus and mp3; PyAV, where it is
installed, decodes m4a, aac, webm and the rest. Resampling is soxr's, streaming, so that a recording
of any length needs the memory of one block.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import MissingDependencyError, ReadError

SNDFILE_SUFFIXES = {".wav", ".aif", ".aiff", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".au", ".w64"}
AV_SUFFIXES = {".m4a", ".aac", ".mp4", ".webm", ".mka", ".wma"}
SUFFIXES = SNDFILE_SUFFIXES | AV_SUFFIXES
"""File name suffixes of recordings."""

BLOCK_SECONDS = 10.0
"""Length of the blocks in which a file is decoded."""


def audio_blocks(path: Path, rate: int) -> Iterator[NDArray[np.float32]]:
    """Decode a recording.

    Parameters
    ----------
    path : Path
        The file.
    rate : int
        Samples per second to resample to.

    Yields
    ------
    ndarray of float32, shape (samples,)
        Consecutive stretches, channels averaged, values that are not finite set to 0.

    Raises
    ------
    ReadError
        If the file cannot be decoded.
    MissingDependencyError
        If the package that decodes it is not installed.
    """
    if path.suffix.lower() in AV_SUFFIXES:
        yield from _av_blocks(path, rate)
    else:
        yield from _sndfile_blocks(path, rate)


def _sndfile_blocks(path: Path, rate: int) -> Iterator[NDArray[np.float32]]:
    try:
        import soundfile
        import soxr
    except ImportError as error:
        raise MissingDependencyError(
            "reading audio needs soundfile and soxr: run `pip install 'melodysim[audio]'`", path=path
        ) from error
    try:
        with soundfile.SoundFile(path) as file:
            resampler = soxr.ResampleStream(file.samplerate, rate, 1, dtype="float32")
            frames = max(1, int(BLOCK_SECONDS * file.samplerate))
            while True:
                block = file.read(frames, dtype="float32", always_2d=True)
                last = len(block) < frames
                mono = np.nan_to_num(block.mean(axis=1), nan=0.0, posinf=0.0, neginf=0.0)
                yield resampler.resample_chunk(mono, last=last)
                if last:
                    return
    except (soundfile.SoundFileError, ValueError, OverflowError) as error:
        reason = str(error).strip().rstrip(".").removeprefix(f"Error opening {str(path)!r}: ")
        if reason.startswith("File does not exist"):  # libsndfile's message for a file that is no MP3
            reason = "it holds no sound that could be found"
        raise ReadError(
            f"cannot be decoded as audio ({reason})", "convert it to wav or flac", path
        ) from error


def _av_blocks(path: Path, rate: int) -> Iterator[NDArray[np.float32]]:
    if importlib.util.find_spec("av") is None:
        raise MissingDependencyError(
            f"reading {path.suffix} needs PyAV: run `pip install 'melodysim[m4a]'`, or convert "
            "the file to mp3, flac or wav",
            path=path,
        )
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise ReadError("holds no sound", path=path)
            resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
            for frame in container.decode(audio=0):
                yield from (_samples(out) for out in resampler.resample(frame))
            yield from (_samples(out) for out in resampler.resample(None))
    except (av.error.FFmpegError, ValueError) as error:
        raise ReadError(
            f"cannot be decoded as audio ({error})", "convert it to wav or flac", path
        ) from error


def _samples(frame: Any) -> NDArray[np.float32]:
    """Return the samples of a decoded mono frame; NaN becomes 0."""
    return np.nan_to_num(np.asarray(frame.to_ndarray(), dtype=np.float32).reshape(-1))
