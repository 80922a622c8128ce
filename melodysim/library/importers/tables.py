"""Melodies as plain tables: CSV with one row a note, JSON with one object a melody.

CSV has the columns ``onset``, ``duration`` and ``pitch`` (seconds, seconds, MIDI note number), as
`library export` writes them, and ``beat`` where onsets are known in quarter notes too; with a column
``id`` one file holds many melodies, and ``title`` and ``creator`` say what they are. JSON is a list of
objects ``{"id", "title", "creator", "notes"}``, or one such object a line, whose notes are
``[onset, duration, pitch]``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from melodysim.errors import MelodysimError, ReadError
from melodysim.library.importers.jobs import Job, Made, reference
from melodysim.melody import Melody
from melodysim.readers.score import decode
from melodysim.reading import file_bytes
from melodysim.transcribe.voices import MIN_NOTES

_COLUMNS = ("onset", "duration", "pitch")


def read_table(job: Job) -> Iterator[Made]:
    """Read the melodies of a table of notes.

    Raises
    ------
    ReadError
        If it is no table of notes.
    """
    text = decode(file_bytes(job.path)).removeprefix("\ufeff")
    found = _csv(job, text) if job.path.suffix.lower() == ".csv" else _json(job, text)
    seen: dict[str, int] = {}
    some = False
    for position, (said, notes) in enumerate(found, 1):
        some = True
        name = str(said.get("id") or "")
        seen[name] = seen.get(name, 0) + 1
        identity = f"{job.identity}#{name or position}" if name or position > 1 else job.identity
        if name and seen[name] > 1:
            identity += "'" * (seen[name] - 1)
        try:
            melody = _melody(notes)
        except (MelodysimError, ValueError, TypeError, KeyError, OverflowError) as error:
            yield f"{job.source}#{name or position}", f"{job.path}: melody {name or position}: {error}"
            continue
        title = str(said.get("title") or name or job.path.stem)
        yield reference(job, melody, identity, title, said.get("creator") or None)
    if not some:
        raise ReadError(f"{job.path}: holds no melody; see `melodysim library import --help`")


def _melody(notes: list[tuple[float, ...]]) -> Melody:
    """Make a melody of notes: onset, duration, pitch, and beat if there is a fourth number."""
    if len(notes) < MIN_NOTES:
        raise ReadError(f"{len(notes)} notes are too few for a melody")
    rows = sorted(tuple(map(float, note)) for note in notes)
    onset, duration, pitch, *beat = zip(*rows, strict=True)
    return Melody.from_notes(onset, duration, pitch, beat=beat[0] if beat else None)


def _csv(job: Job, text: str) -> Iterator[tuple[dict[str, Any], list[tuple[float, ...]]]]:
    """Group rows by the column ``id``, in the order in which ids first come."""
    csv.field_size_limit(10_000_000)
    rows = csv.DictReader(io.StringIO(text))
    names = {name.strip().lower(): name for name in rows.fieldnames or () if name}
    missing = [column for column in _COLUMNS if column not in names]
    if missing:
        raise ReadError(
            f"{job.path}: no column {missing[0]!r}; a table of notes has the columns onset, duration "
            "and pitch, in UTF-8, with commas between them"
        )
    columns = [*_COLUMNS, *(["beat"] if "beat" in names else [])]
    melodies: dict[str, tuple[dict[str, Any], list[tuple[float, ...]]]] = {}
    for number, row in enumerate(rows, 2):
        said: dict[str, Any] = {
            key: row.get(names[key]) for key in ("id", "title", "creator") if key in names
        }
        try:
            note = tuple(float(row[names[column]]) for column in columns)
        except (TypeError, ValueError) as error:
            raise ReadError(f"{job.path}: line {number}: no note ({error})") from error
        melodies.setdefault(said.get("id") or "", (said, []))[1].append(note)
    yield from melodies.values()


def _json(job: Job, text: str) -> Iterator[tuple[dict[str, Any], list[tuple[float, ...]]]]:
    """Read a list of objects, or one a line."""
    try:
        if text.lstrip().startswith("["):
            objects = json.loads(text)
        else:
            objects = [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise ReadError(
            f"{job.path}: neither a JSON list nor one JSON object a line ({error})"
        ) from error
    for item in objects:
        if not isinstance(item, dict) or not isinstance(item.get("notes"), list):
            raise ReadError(f"{job.path}: no list of objects with `notes`, and no set that is known")
        yield item, [note[:3] for note in item["notes"]]
