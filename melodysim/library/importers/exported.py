"""Import of folders that `library export` wrote: every melody keeps its id, title and rights.

A folder holds a MIDI file and a table of notes for each melody, and `index.csv`. The tables are
read, since MIDI cannot hold onsets that are on no grid and pitches between semitones.
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
        Of the melodies, for the fields that the index leaves open.

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
        # Another library may be written to the same folder: its melodies must not replace these.
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
        return ""  # the import reports that it cannot be read
