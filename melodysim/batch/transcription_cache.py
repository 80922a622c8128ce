"""Transcriptions on disk, so that a scan against another library need not transcribe again.

One compressed file for each recording, named by its checksum and the version of the transcription;
written under a temporary name and renamed, so that processes may share the folder. The least recently
used files are deleted when the folder has grown too large. An unreadable file counts as missing.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

from melodysim.errors import MelodysimError
from melodysim.melody import Piece
from melodysim.packed_piece import pack_piece, unpack_piece
from melodysim.transcribe import TRANSCRIPTION_VERSION
from melodysim.util.atomic_files import write_whole

DEFAULT_BYTES = 4_000_000_000
"""About 8,000 tracks of 3 minutes."""
_SWEPT_TO = 0.9


class Cache:
    """A folder of transcriptions.

    Parameters
    ----------
    folder : Path
        Is made when something is put in.
    limit : int
        Bytes that it may hold; 0 for no cache.
    """

    def __init__(self, folder: Path, limit: int = DEFAULT_BYTES) -> None:
        self.folder, self.limit = folder, limit

    def _place(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / f"{sha256}-{TRANSCRIPTION_VERSION}.npz"

    def get(self, sha256: str, source: str) -> Piece | None:
        """Return the piece with this checksum, as if read from `source`; None if it is not stored."""
        if not self.limit:
            return None
        place = self._place(sha256)
        try:
            piece = unpack_piece(place.read_bytes())
            os.utime(place)
        except (OSError, MelodysimError):
            return None
        return replace(piece, source=source)

    def put(self, piece: Piece) -> None:
        """Store a recording's transcription, if the folder can be written to."""
        if not self.limit or piece.kind != "audio" or not piece.sha256:
            return
        place = self._place(piece.sha256)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, pack_piece(piece))
        except (OSError, MelodysimError):
            return  # a full disk or a read-only folder costs time, not results

    def sweep(self) -> None:
        """Delete the least recently used transcriptions if the folder exceeds its limit."""
        if not self.limit:
            return  # a scan without a cache must not delete the files of other scans
        try:
            files = [(f.stat().st_mtime, f.stat().st_size, f) for f in self.folder.glob("*/*.npz")]
        except OSError:
            return
        total = sum(size for _, size, _ in files)
        if total <= self.limit:
            return
        for _, size, file in sorted(files, key=lambda entry: entry[0]):
            if total <= self.limit * _SWEPT_TO:
                return
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)
            total -= size


def default_cache_folder() -> Path:
    """Return the folder of the user's transcriptions."""
    from platformdirs import user_cache_path

    return user_cache_path("melodysim", appauthor=False) / "transcriptions"
