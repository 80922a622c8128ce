"""Stems: recordings of single parts of a track, in step with it, as generators and DAWs export them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import ReadError
from melodysim.readers.audio.decoding import SUFFIXES, audio_blocks
from melodysim.readers.audio.stem_place import DECIMATION, stem_place, thinned
from melodysim.readers.parts.part_names import ACCOMPANIES, sings

REMARKED_LAG = 0.1
"""Seconds that a stem may be off its mix without a word: lossy formats shift by less."""
MOST_GAIN = 10.0
"""What a stem is made louder at most (20 dB): one that is fainter is what bled into it from the mix."""


def voice_stems(stems: Sequence[Path]) -> list[Path]:
    """Choose the stems that are sung.

    Parameters
    ----------
    stems : sequence of Path
        Recordings, or folders of them. One file alone is taken for the voice; of several, those whose
        names say so.

    Raises
    ------
    ReadError
        If one is missing, or none is named as a voice.
    """
    files: list[Path] = []
    for stem in stems:
        if not stem.exists():
            raise ReadError("no such file or folder", "name a stem that is there: --stem FILE", stem)
        inside = (
            sorted(f for f in stem.glob("*") if f.suffix.lower() in SUFFIXES) if stem.is_dir() else []
        )
        files += inside or [stem]
    files = list({file.resolve(): file for file in files}.values())
    if len(files) == 1 and files[0].is_file():
        return files
    named = [f for f in files if f.is_file() and sings(f.stem) and not ACCOMPANIES.search(f.stem)]
    if not named:
        raise ReadError(
            "no stem is named as a voice", "name the one that is sung: --stem vocals.wav", stems[0]
        )
    return named


def stems_in(
    mix: Path, stems: Sequence[Path], rate: int
) -> tuple[list[Iterator[NDArray[np.float32]]], list[Path], list[str]]:
    """Open stems in step with their mix, as loud as they are in it; leave aside what is not in it.

    Parameters
    ----------
    mix : Path
    stems : sequence of Path
    rate : int
        Samples a second to read with.

    Returns
    -------
    streams : list of iterator of ndarray of float32
        Of the stems that are in the mix.
    used : list of Path
        Their files.
    remarks : list of str
        What was moved or left aside.
    """
    streams, used, remarks = [], [], []
    whole = thinned(audio_blocks(mix, rate), rate) if stems else np.zeros(0, np.float32)
    for stem in stems:
        alone = thinned(audio_blocks(stem, rate), rate)
        if not alone.any():
            remarks.append(f"nothing was heard in “{stem.name}”, so it was of no use")
            continue
        place = stem_place(whole, alone, rate / DECIMATION)
        if not place.found:
            remarks.append(
                f"what is in “{stem.name}” is not in the recording, so it was left aside: is it a stem "
                "of this one?"
            )
            continue
        if abs(place.lag) >= REMARKED_LAG:
            side = "after" if place.lag > 0 else "before"
            remarks.append(
                f"“{stem.name}” begins {abs(place.lag):.1f} s {side} the recording, and was moved"
            )
        gain = min(place.gain, MOST_GAIN)
        streams.append(_moved(audio_blocks(stem, rate), round(place.lag * rate), gain))
        used.append(stem)
    return streams, used, remarks


def _moved(
    blocks: Iterator[NDArray[np.float32]], later: int, gain: float
) -> Iterator[NDArray[np.float32]]:
    """Yield samples multiplied by a gain and moved by so many samples, or earlier if negative."""
    if later > 0:
        yield np.zeros(later, np.float32)
    left_out = max(-later, 0)
    for block in blocks:
        if len(block) > left_out:
            yield np.float32(gain) * block[left_out:]
        left_out = max(left_out - len(block), 0)


def mixed(streams: Iterable[Iterator[NDArray[np.float32]]]) -> Iterator[NDArray[np.float32]]:
    """Add streams of samples up; they begin together, and the shorter ones end in silence.

    Yields
    ------
    ndarray of float32, shape (samples,)
    """
    sources = list(streams)
    held = [np.zeros(0, np.float32) for _ in sources]
    running = [True] * len(sources)
    while any(running) or any(map(len, held)):
        for k, source in enumerate(sources):
            while running[k] and not len(held[k]):
                block = next(source, None)
                running[k] = block is not None
                held[k] = held[k] if block is None else block
        ready = [len(block) for block in held if len(block)]
        if not ready:
            return
        total = np.zeros(min(ready), np.float32)
        for k, block in enumerate(held):
            total[: len(block)] += block[: len(total)]
            held[k] = block[len(total) :]
        yield total
