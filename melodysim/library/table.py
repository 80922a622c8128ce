"""Rights in bulk, from a CSV file."""

from __future__ import annotations

import csv
from pathlib import Path

from melodysim.errors import ReadError, RightsError
from melodysim.rights import Rights, check_rights

COLUMNS = ("id", "status", "holder", "iswc", "published", "died", "expires", "note")


def read_rights(path: Path) -> list[tuple[str, Rights]]:
    """Read which melody has which rights.

    Parameters
    ----------
    path : Path
        CSV in UTF-8, its first line naming the columns: "id" and "status", and any of the others in
        `COLUMNS`. Empty cells are not known.

    Returns
    -------
    list of (str, Rights)
        Identity of the melody, and its rights; in the file's order.

    Raises
    ------
    ReadError
        If the file cannot be read, a column is missing or unknown, or a line makes no sense; the
        message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ReadError(f"{path}: cannot be read ({reason})") from error
    reader = csv.DictReader(text.splitlines())
    names = [name.strip().lower() for name in reader.fieldnames or []]
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or not {"id", "status"} <= set(names):
        what = (
            f"does not know the column {unknown[0]!r}" if unknown else "needs the columns id and status"
        )
        raise ReadError(f"{path}: melodysim {what}; known are {', '.join(COLUMNS)}")
    reader.fieldnames = names
    rows = []
    for row in reader:
        cells = {name: (row[name] or "").strip() or None for name in names}
        try:
            rows.append(_rights(cells))
        except (RightsError, ValueError) as error:
            raise ReadError(f"{path}: line {reader.line_num}: {error}") from error
    return rows


def _rights(cells: dict[str, str | None]) -> tuple[str, Rights]:
    """Make rights of one line's cells."""
    identity, status = cells.pop("id"), cells.pop("status")
    if identity is None:
        raise RightsError("no id")
    years = {name: int(cells.pop(name) or 0) or None for name in ("published", "died") if name in cells}
    return identity, check_rights(Rights(status=status or "", **years, **cells))  # type: ignore[arg-type]
