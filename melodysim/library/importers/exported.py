"""Folders that `library export` has written: every melody with the id, title and rights it had.

A folder holds a MIDI file and a table of notes for each melody, and `index.csv` over all. The tables
are read, which say more than MIDI can: onsets are on no grid, pitches may lie between semitones.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from melodysim.errors import ReadError
from melodysim.library.importers.jobs import Job, shown
from melodysim.library.store import Store
from melodysim.library.table import read_list
from melodysim.reading import file_bytes
from melodysim.rights import Rights
from melodysim.writing import csv_text

INDEX = "index.csv"


def is_export(index: Path) -> bool:
    """Tell the index of an exported library from other files."""
    if index.name != INDEX or not index.is_file():
        return False
    with index.open("rb") as file:
        return file.readline().startswith(b"file,id,title,creator")


def exported_jobs(index: Path, rights: Rights) -> list[Job]:
    """List the melodies of an exported library.

    Parameters
    ----------
    index : Path
        Its `index.csv`.
    rights : Rights
        Of the melodies, in so far as the index does not say.

    Returns
    -------
    list of Job

    Raises
    ------
    ReadError
        If the index is damaged or names a file that is not beside it.
    """
    jobs = []
    for row in read_list(index):
        name = row.beside.get("file") or ""
        if not name or Path(name).name != name:
            raise ReadError(f"{index}: {row.id}: {name!r} is no name of a file beside the index")
        table = index.parent / f"{name}.csv"
        jobs.append(
            Job(
                shown(table),
                "table",
                table,
                row.id,
                replace(rights, **row.rights),
                row.beside.get("title"),
                row.beside.get("creator"),
            )
        )
    return jobs


def is_there(job: Job, store: Store) -> bool:
    """Tell whether a library has a melody of an exported one already: the same id, the same notes."""
    if job.identity not in store.entries_by_id([job.identity]):
        return False
    try:
        return file_bytes(job.path) == csv_text(store.melody(job.identity)).encode()
    except ReadError:
        return False  # what cannot be read is told when it is imported
