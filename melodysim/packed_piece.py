"""A piece as bytes, with what was heard of it: for caches, and for songs that a library keeps whole.

A compressed NumPy archive (``.npz``). Salience is stored as float16, of whose steps it is made, so that
what is read back is what was written, to the bit.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import InvalidNotesError, ReadError
from melodysim.melody import Melody, Piece, SemitoneSalience

_PARTS = ("onset", "duration", "pitch", "confidence")


def pack_piece(piece: Piece) -> bytes:
    """Return a piece as bytes.

    Parameters
    ----------
    piece : Piece
        Its beats and bars are left out.
    """
    about = {
        "source": piece.source, "kind": piece.kind, "duration": piece.duration, "title": piece.title,
        "creator": piece.creator, "sha256": piece.sha256, "remarks": piece.remarks,
        "left_out": piece.left_out,
        "voices": [melody.voice for melody in piece.melodies],
    }  # fmt: skip
    arrays: dict[str, NDArray[Any]] = {}
    for k, melody in enumerate(piece.melodies):
        arrays |= {f"{k}.{name}": getattr(melody, name) for name in _PARTS}
    if piece.heard is not None:
        heard = piece.heard
        arrays |= {
            "strength": heard.strength.astype(np.float16),
            "onset": heard.onset.astype(np.float16),
        }
        about |= {"frame": heard.frame, "separated": heard.separated}
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()


def unpack_piece(content: bytes) -> Piece:
    """Return the piece that `pack_piece` wrote.

    Raises
    ------
    ReadError
        If it is damaged, or was written otherwise.
    """
    try:
        with np.load(io.BytesIO(content)) as stored:
            return _piece(stored)
    except (
        OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, InvalidNotesError
    ) as error:  # fmt: skip
        raise ReadError(f"not a packed piece ({type(error).__name__})") from error


def _piece(stored: np.lib.npyio.NpzFile) -> Piece:
    """Put a piece together from its arrays."""
    about = json.loads(stored["about"].tobytes())
    melodies = tuple(
        Melody.from_notes(**{name: stored[f"{k}.{name}"] for name in _PARTS}, voice=voice)
        for k, voice in enumerate(about["voices"])
    )
    heard = None
    if "strength" in stored:
        strength, onset = (stored[name].astype(np.float32) for name in ("strength", "onset"))
        strength.flags.writeable = onset.flags.writeable = False
        heard = SemitoneSalience(strength, onset, about["frame"], about["separated"])
    return Piece(
        about["source"],
        about["kind"],
        melodies,
        about["duration"],
        about["title"],
        about["creator"],
        about["sha256"],
        heard,
        remarks=tuple(about["remarks"]),
        left_out=tuple(about.get("left_out", ())),
    )
