"""Lists of melodies as CSV: rights in bulk, and the index of an exported library."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from melodysim.errors import ReadError, RightsError
from melodysim.library.entries import Entry
from melodysim.library.rights import Rights, check_rights
from melodysim.readers.text_encoding import decode_text
from melodysim.util.plain_text import cell, uncell

COLUMNS = ("id", "status", "holder", "iswc", "published", "died", "expires", "note")
BESIDE = ("file", "title", "creator", "source")
"""Other columns of an exported library's index."""
INDEX = "index.csv"
"""Name of the index of an exported library."""
_HEADER = ("file", "id", "title", "creator", *COLUMNS[1:], "source")
_SNIFFED = 1000
LONGEST_CELL = 10_000_000


@dataclass(frozen=True)
class ListedMelody:
    """One line of a list of melodies.

    Attributes
    ----------
    id : str
        Of the melody.
    rights : dict
        The fields of `Rights` that the list has columns for.
    beside : dict of str to str or None
        The cells of the columns in `BESIDE` that the list has.
    """

    id: str
    rights: dict[str, Any]
    beside: dict[str, str | None]


def index_text(entries: Iterable[tuple[str, Entry]]) -> str:
    """Write the CSV index of an export, which `read_list` reads.

    Parameters
    ----------
    entries : iterable of (str, Entry)
        Name of a melody's files, without a suffix, and its entry.
    """
    out = io.StringIO()
    lines = csv.writer(out)
    lines.writerow(_HEADER)
    for name, entry in entries:
        rights = asdict(entry.rights)
        about = [name, entry.id, entry.title, entry.creator]
        row = [*about, *(rights[column] for column in COLUMNS[1:]), entry.source]
        lines.writerow([cell(text) if isinstance(text, str) else text for text in row])
    return out.getvalue()


def is_index(path: Path) -> bool:
    """Say whether a file is the index of an exported library, also as a spreadsheet saves it."""
    if path.name != INDEX:
        return False
    try:
        with path.open("rb") as file:
            start = file.read(_SNIFFED)
    except OSError:
        return False
    header = start.decode("utf-8-sig", errors="replace").replace(";", ",").splitlines()[:1]
    names = {name.strip().strip('"').lower() for line in header for name in line.split(",")}
    return names >= set(_HEADER)


def read_list(path: Path) -> list[ListedMelody]:
    """Read a list of melodies, in the order of the file.

    Parameters
    ----------
    path : Path
        CSV in UTF-8, or as spreadsheets save it, its first line naming the columns: "id", and any of
        the others in `COLUMNS` and `BESIDE`, separated by commas, semicolons or tabs. An empty cell
        means that the value is not known.

    Raises
    ------
    ReadError
        If the file cannot be read, a column is missing or unknown, a melody occurs twice, or a line
        is not valid; the message names the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReadError(f"cannot be read ({error.strerror})", path=path) from error
    text = decode_text(content).removeprefix("\ufeff")
    csv.field_size_limit(LONGEST_CELL)
    separator = separator_of(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    with _line_named(path, reader):
        names = [name.strip().lower() for name in next(reader, [])]
    while names and not names[-1]:  # columns that a spreadsheet has left empty
        names.pop()
    unknown = [name for name in names if name not in (*COLUMNS, *BESIDE)]
    known = (*COLUMNS, "title", "creator")
    if unknown or "id" not in names or not set(names) & set(known[1:]):
        wrong = f"no column is called {unknown[0]!r}" if unknown else "needs the column id and another"
        raise ReadError(wrong, f"known are {', '.join(known)}", path)
    rows: dict[str, ListedMelody] = {}
    with _line_named(path, reader):
        for cells in reader:
            if not any(text.strip() for text in cells):
                continue
            row = _row(names, cells)
            if row.id in rows:
                raise RightsError(f"{row.id!r} has had a line already")
            rows[row.id] = row
    return list(rows.values())


def separator_of(text: str) -> str:
    """Return what separates the cells of a table, by its first line: a comma, a semicolon or a tab.

    Spreadsheets write semicolons where numbers have a decimal comma.
    """
    header = text.lstrip().split("\n", 1)[0]
    return max(",;\t", key=header.count)


@contextmanager
def _line_named(path: Path, reader: Any) -> Iterator[None]:
    """Turn errors inside a block into a `ReadError` that names the line."""
    try:
        yield
    except (RightsError, csv.Error) as error:
        raise ReadError(f"line {reader.line_num}: {error}", path=path) from error


def _row(names: list[str], cells: list[str]) -> ListedMelody:
    """Convert the cells of one line to a `ListedMelody`."""
    if len(cells) > len(names) and not any(text.strip() for text in cells[len(names) :]):
        cells = cells[: len(names)]
    if len(cells) != len(names):
        raise RightsError(
            f"{len(cells)} cells under {len(names)} column names", "put text with a comma in quotes"
        )
    said: dict[str, Any] = {
        name: uncell(text.strip()) or None for name, text in zip(names, cells, strict=True)
    }
    identity = said.pop("id")
    if identity is None:
        raise RightsError("no id")
    if "file" in names:  # written by an export: spaces are part of the id
        identity = uncell(cells[names.index("id")])
    beside = {name: said.pop(name) for name in BESIDE if name in said}
    if "status" in said and said["status"] is None:
        raise RightsError("no status")
    return ListedMelody(identity, checked_fields(said), beside)


def checked_fields(said: dict[str, Any]) -> dict[str, Any]:
    """Return fields of `Rights` as they are kept, years as numbers, from the values of a table.

    Raises
    ------
    RightsError
        If one is not valid.
    """
    fields = dict(said)
    for name, value in said.items():
        if value is None:
            continue
        if name in ("published", "died"):
            year = str(value).strip() if isinstance(value, str | int) else ""
            if not (year.isdecimal() and year.isascii()):
                raise RightsError(f"{name}: {value!r} is no year")
            fields[name] = int(year[:9])
        elif name == "status" and isinstance(value, str):
            fields[name] = value.lower()
        elif not isinstance(value, str):
            raise RightsError(f"{name}: {value!r} is no text")
    check_rights(replace(Rights(), **fields))
    return fields
