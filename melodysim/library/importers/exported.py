"""Folders that `library export` has written: every melody with the id, title and rights it had.

A folder holds a MIDI file and a table of notes for each melody, and `index.csv` over all. The tables
are read, which say more than MIDI can: onsets are on no grid, pitches may lie between semitones.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from melodysim.errors import ReadError
from melodysim.library.importers.jobs import Job, shown
from melodysim.library.importers.rights_table import ListedMelody, read_list
from melodysim.library.rights import Rights
from melodysim.readers.read import file_bytes


def exported_jobs(index: Path, rights: Rights) -> list[Job]:
    """List the melodies of an exported library.

    Parameters
    ----------
    index : Path
        Its `index.csv`.
    rights : Rights
        Of the melodies, in so far as the index does not say.

    Raises
    ------
    ReadError
        If the index is damaged or names a file that is not beside it.
    """
    return [_job(index, row, rights) for row in read_list(index)]


def _job(index: Path, row: ListedMelody, rights: Rights) -> Job:
    name = row.beside.get("file") or ""
    if not name or Path(name).name != name:
        raise ReadError(f"{row.id}: {name!r} is no name of a file beside the index", path=index)
    table = index.parent / f"{name}.csv"
    said = {
        field: value
        for field, value in row.rights.items()
        if value is not None and (field, value) != ("status", "unknown")
    }
    about = {"name of record": row.id, "title": row.beside.get("title"), "notes": _digest(table)}
    mark = hashlib.sha256(repr(about).encode()).hexdigest()[:16]
    return Job(
        # Another library may be written to the same folder: its melodies are no new state of these.
        f"{shown(index)}@{mark}",
        "table",
        table,
        row.id,
        replace(rights, **said),
        row.beside.get("title"),
        row.beside.get("creator"),
        (about,),
    )


def _digest(table: Path) -> str:
    try:
        return hashlib.sha256(file_bytes(table)).hexdigest()
    except ReadError:
        return ""  # what cannot be read is told when it is imported
