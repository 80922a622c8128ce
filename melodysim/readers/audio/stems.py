"""Stems: recordings of single parts of a track, in step with it, as generators and DAWs export them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import ReadError
from melodysim.readers.audio.decoding import SUFFIXES
from melodysim.readers.parts.part_names import ACCOMPANIES, sings


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
    if len(files) == 1 and files[0].is_file():
        return files
    named = [f for f in files if f.is_file() and sings(f.stem) and not ACCOMPANIES.search(f.stem)]
    if not named:
        raise ReadError(
            "no stem is named as a voice", "name the one that is sung: --stem vocals.wav", stems[0]
        )
    return named


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
