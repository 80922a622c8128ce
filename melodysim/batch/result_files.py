"""The files that a scan writes: results.jsonl, summary.csv, summary.json, and an index of pages.

`results.jsonl` grows while the scan goes on, a whole line at a time, as results come; it is put in the
order of the tracks, and the rest is written, when the scan is finished, each under a temporary name
first. None of them holds a time, so
that a scan that was stopped and taken up again leaves the same bytes as one that was not.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from melodysim.batch.ledger import Done
from melodysim.report.json import json_text
from melodysim.util.atomic_files import write_whole, written_or_said
from melodysim.util.plain_text import shown_cell

RESULTS, TABLE, SUMMARY = "results.jsonl", "summary.csv", "summary.json"
COLUMNS = (
    "source", "verdict", "firm", "probability", "closest", "id", "creator", "rights", "holder",
    "e_value", "begin", "end", "finding", "accepted", "kind", "duration", "group", "error",
)  # fmt: skip


class Lines:
    """The growing file of results.

    Parameters
    ----------
    path : Path
        Overwritten if it exists.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._path = path
        with written_or_said(path):
            self._file = os.open(path, flags, 0o666)

    def write(self, done: Iterable[Done]) -> int:
        """Append results, each in one write, and return how many."""
        count = 0
        for result in done:
            with written_or_said(self._path):
                os.write(self._file, line(result).encode())
            count += 1
        return count

    def close(self) -> None:
        """Flush the file to disk, and close it."""
        with written_or_said(self._path):
            os.fsync(self._file)
            os.close(self._file)


def line(done: Done) -> str:
    """Return a result as a line of JSON: the entry of a track as ``check --format json`` has it."""
    return json.dumps(done.entry, ensure_ascii=False, allow_nan=False) + "\n"


def table(results: Iterable[Done], group_of: dict[str, int]) -> str:
    """Return the results as CSV, with one line for each track."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for done in results:
        closest = done.closest or {}
        settled = [one["note"] or "no note" for one in done.entry.get("accepted", ())]
        begin, end = closest.get("seconds", (None, None))
        writer.writerow(
            {
                "source": shown_cell(done.path),
                "verdict": done.level,
                "firm": done.entry.get("firm"),
                "probability": done.entry.get("probability"),
                "closest": shown_cell(closest.get("title")),
                "id": shown_cell(closest.get("id")),
                "creator": shown_cell(closest.get("creator")),
                "rights": closest.get("rights"),
                "holder": shown_cell(closest.get("holder")),
                "finding": closest.get("finding"),
                "e_value": closest.get("e_value"),
                "begin": begin,
                "end": end,
                "accepted": shown_cell("; ".join(settled)) if settled else None,
                "kind": done.entry.get("kind"),
                "duration": done.entry.get("duration"),
                "group": group_of.get(done.path),
                "error": shown_cell(done.entry.get("error")),
            }
        )
    return out.getvalue()


def write_json(path: Path, answer: dict[str, Any]) -> None:
    """Write a JSON document to a file, atomically."""
    write_whole(path, json_text(answer).encode())
