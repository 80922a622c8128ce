"""Rights in bulk, from a CSV file."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

from melodysim.errors import ReadError, RightsError
from melodysim.rights import Rights, check_rights

COLUMNS = ("id", "status", "holder", "iswc", "published", "died", "expires", "note")


def read_rights(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Read which melody has which rights.

    Parameters
    ----------
    path : Path
        CSV in UTF-8, its first line naming the columns: "id", and any of the others in `COLUMNS`.
        Empty cells are not known.

    Returns
    -------
    list of (str, dict)
        Identity of the melody, and the fields of its `Rights` that the file speaks of; in its order.

    Raises
    ------
    ReadError
        If the file cannot be read, a column is missing or unknown, a melody occurs twice, or a line
        makes no sense; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ReadError(f"{path}: cannot be read ({reason})") from error
    reader = csv.reader(text.splitlines())
    names = [name.strip().lower() for name in next(reader, [])]
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or "id" not in names or len(names) < 2:
        wrong = f"no column is called {unknown[0]!r}" if unknown else "needs the column id and another"
        hint = "; separate columns by commas" if unknown and ";" in unknown[0] else ""
        raise ReadError(f"{path}: {wrong}{hint}; known are {', '.join(COLUMNS)}")
    rows: dict[str, dict[str, Any]] = {}
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            identity, fields = _fields(names, cells)
            if identity in rows:
                raise RightsError(f"{identity!r} has had a line already")
            rows[identity] = fields
        except RightsError as error:
            raise ReadError(f"{path}: line {reader.line_num}: {error}") from error
    return list(rows.items())


def _fields(names: list[str], cells: list[str]) -> tuple[str, dict[str, Any]]:
    """Make sense of one line's cells."""
    if len(cells) != len(names):
        raise RightsError(
            f"{len(cells)} cells under {len(names)} column names; put text with a comma in quotes"
        )
    fields: dict[str, Any] = {
        name: cell.strip() or None for name, cell in zip(names, cells, strict=True)
    }
    identity = fields.pop("id")
    if identity is None:
        raise RightsError("no id")
    for name in ("published", "died"):
        if fields.get(name) is not None:
            if not fields[name].isdecimal():
                raise RightsError(f"{name}: {fields[name]!r} is no year")
            fields[name] = int(fields[name])
    if "status" in fields and fields["status"] is None:
        raise RightsError("no status")
    check_rights(replace(Rights(), **fields))
    return identity, fields
