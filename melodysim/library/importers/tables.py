"""Melodies as plain tables: CSV with one row a note, JSON with one object a melody.

CSV has the columns ``onset``, ``duration`` and ``pitch`` (seconds, seconds, MIDI note number), as
`library export` writes them, and ``beat`` where onsets are known in quarter notes too; with a column
``id`` one file holds many melodies, and ``title`` and ``creator`` say what they are. JSON is a list of
objects ``{"id", "title", "creator", "notes"}``, or one such object a line, whose notes are
``[onset, duration, pitch]``. Both may say the rights of a melody: ``status``, ``holder``, ``iswc``,
``published``, ``died``, ``expires``, ``note``. Cells are separated by commas, semicolons or tabs, as
spreadsheets save them; where not by commas, numbers may have a decimal comma.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from melodysim.errors import MelodysimError, ReadError
from melodysim.library.importers.jobs import ROW_SUFFIXES, Job, Made, reference
from melodysim.library.importers.rights_table import (
    COLUMNS,
    LONGEST_CELL,
    checked_fields,
    separator_of,
)
from melodysim.library.rights import Rights
from melodysim.melody import FEWEST_NOTES, Melody
from melodysim.readers.read import file_bytes
from melodysim.readers.text_encoding import decode_text

_COLUMNS = ("onset", "duration", "pitch")
Said = tuple[dict[str, Any], list[tuple[float, ...]]]
"""Fields of a melody in a table (id, title, creator, beat; wrong, if something is), and its notes."""


def read_table(job: Job) -> Iterator[Made]:
    """Read the melodies of a table of notes.

    Raises
    ------
    ReadError
        If it is no table of notes.
    """
    text = decode_text(file_bytes(job.path)).removeprefix("\ufeff")
    found = _csv(job, text) if job.path.suffix.lower() in ROW_SUFFIXES else _json(job, text)
    seen: dict[str, int] = {}
    for position, (said, notes) in enumerate(found, 1):
        name = str(said.get("id") or "")
        seen[name] = seen.get(name, 0) + 1
        identity = f"{job.identity}#{name or position}" if name or position > 1 else job.identity
        if name:
            identity += "'" * (seen[name] - 1)
        try:
            if said.get("wrong"):
                raise ReadError(said["wrong"])
            melody, rights = _melody(notes, said.get("beat")), _rights(job.rights, said)
        except (MelodysimError, OverflowError) as error:
            why = ReadError(f"melody {name or position}: {error}", path=job.path)
            yield f"{job.source}#{name or position}", why
            continue
        title = str(said.get("title") or name or job.path.stem)
        yield reference(job, melody, identity, title, said.get("creator") or None, rights)
    if not seen:
        raise ReadError("holds no melody", "see `melodysim library import --help`", job.path)


def _rights(otherwise: Rights, said: dict[str, Any]) -> Rights:
    """Return the rights that a table says, and for the fields that it leaves open those of the job."""
    given = {name: said.get(name) for name in COLUMNS[1:]}
    fields = {
        name: value.strip() if isinstance(value, str) else value
        for name, value in given.items()
        if value not in (None, "") and (name, value) != ("status", "unknown")
    }
    return replace(otherwise, **checked_fields(fields))


def _melody(notes: list[tuple[float, ...]], beat: list[Any] | None = None) -> Melody:
    """Make a melody, sorted by onset, of rows that begin with onset, duration and pitch.

    Of notes that begin together the highest is the melody's.
    """
    try:
        rows = [(float(onset), float(duration), float(pitch)) for onset, duration, pitch, *_ in notes]
    except (TypeError, ValueError, KeyError) as error:
        raise ReadError("a note is three numbers: onset, duration, pitch") from error
    order = sorted(range(len(rows)), key=lambda k: (rows[k][0], -rows[k][2]))
    before = [None, *(rows[k][0] for k in order)]
    order = [k for k, onset in zip(order, before, strict=False) if rows[k][0] != onset]
    if len(order) < FEWEST_NOTES:
        raise ReadError(f"{len(order)} notes are too few for a melody")
    onset, duration, pitch = zip(*(rows[k] for k in order), strict=True)
    beats = _increasing([beat[k] for k in order]) if beat else None
    return Melody.from_notes(onset, duration, pitch, beat=beats)


def _increasing(beat: list[Any]) -> list[float] | None:
    """Return beats as numbers; None unless they increase, since some tables count anew in each bar."""
    try:
        number = [float(text) for text in beat]
    except (TypeError, ValueError):
        return None
    steps = np.diff(number)
    return number if np.isfinite(number).all() and (steps > 0).all() else None


def _csv(job: Job, text: str) -> Iterator[Said]:
    """Group the rows of a CSV table by the column ``id``, in the order in which ids first occur."""
    csv.field_size_limit(LONGEST_CELL)
    separator = separator_of(text)
    rows = csv.DictReader(io.StringIO(text), delimiter=separator)
    given = [name.strip().lower() for name in rows.fieldnames or () if name]
    twice = next((name for name in given if given.count(name) > 1), None)
    if twice is not None:
        raise ReadError(f"two columns are named {twice!r}", "leave one of them out", job.path)
    names = {name.strip().lower(): name for name in rows.fieldnames or () if name}
    missing = [column for column in _COLUMNS if column not in names]
    if missing:
        raise ReadError(
            f"no column {missing[0]!r}",
            "a table of notes has the columns onset, duration and pitch, in UTF-8, with commas, "
            "semicolons or tabs between them",
            job.path,
        )
    melodies: dict[str, Said] = {}
    for number, row in enumerate(rows, 2):
        said: dict[str, Any] = {
            key: row.get(names[key]) for key in ("id", "title", "creator", *COLUMNS[1:]) if key in names
        }
        about, notes = melodies.setdefault(said.get("id") or "", (said, []))
        try:
            note = tuple(float(_with_point(row[names[column]], separator)) for column in _COLUMNS)
        except (TypeError, ValueError):
            cells = ", ".join(str(row[names[column]] or "nothing") for column in _COLUMNS)
            about.setdefault("wrong", f"line {number}: {cells} is no note")
            continue
        notes.append(note)
        if "beat" in names:
            about.setdefault("beat", []).append(_with_point(row[names["beat"]], separator))
    yield from melodies.values()


def _with_point(text: str | None, separator: str) -> str:
    """Return a number with a decimal point, where cells are not separated by commas."""
    text = text or ""
    return text if separator == "," else text.replace(",", ".")


def _json(job: Job, text: str) -> Iterator[Said]:
    """Read melodies from a JSON list of objects, or from one object on each line."""
    items = list(_json_items(job, text))
    if all(wrong for _, wrong in items):
        raise ReadError("no list of objects with `notes`, and no set that is known", path=job.path)
    for item, wrong in items:
        yield {**item, "beat": None, "wrong": wrong}, [] if wrong else item["notes"]


def _json_items(job: Job, text: str) -> Iterator[tuple[dict[str, Any], str | None]]:
    """Yield what is in a list, or on each line, with what is wrong with it."""
    if not text.lstrip().startswith("["):
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                try:
                    yield _with_notes(json.loads(line))
                except (ValueError, RecursionError):
                    yield {}, f"line {number}: no JSON object"
        return
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = "too deep" if isinstance(error, RecursionError) else error
        raise ReadError(f"no JSON list ({why})", path=job.path) from error
    yield from map(_with_notes, items)


def _with_notes(item: Any) -> tuple[dict[str, Any], str | None]:
    """Return what stands for a melody in JSON, with what is wrong with it."""
    about = item if isinstance(item, dict) else {}
    return about, None if isinstance(about.get("notes"), list) else "it has no list of `notes`"
