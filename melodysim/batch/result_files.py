"""The files that a scan leaves: results.jsonl, summary.csv, summary.json, and an index of pages.

`results.jsonl` grows while the scan goes on, a whole line at a time, in the order of the tracks; the
rest is written when it is finished, each under a temporary name first. None of them holds a time, so
that a scan that was stopped and taken up again leaves the same bytes as one that was not.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from melodysim._version import __version__
from melodysim.batch.ledger import Done
from melodysim.batch.takes import Alike
from melodysim.report.json import SCHEMA, json_text
from melodysim.util.atomic_files import write_whole
from melodysim.util.plain_text import cell

RESULTS, TABLE, SUMMARY = "results.jsonl", "summary.csv", "summary.json"
COLUMNS = (
    "source", "verdict", "probability", "closest", "e_value", "begin", "end", "kind", "duration",
    "group", "error",
)  # fmt: skip


class Lines:
    """The growing file of results.

    Parameters
    ----------
    path : Path
        Is begun anew.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(
            path,
            os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_BINARY", 0),
            0o666,
        )

    def write(self, done: Iterable[Done]) -> int:
        """Append results, each in one go, and say how many."""
        count = 0
        for result in done:
            os.write(self._file, line(result).encode())
            count += 1
        return count

    def close(self) -> None:
        """Make sure that everything is on disk."""
        os.fsync(self._file)
        os.close(self._file)


def line(done: Done) -> str:
    """Give a result as a line of JSON: the entry of a track as ``check --format json`` has it."""
    return json.dumps(done.entry, ensure_ascii=False, allow_nan=False) + "\n"


def table(results: Iterable[Done], group_of: dict[str, int]) -> str:
    """Give one line a track, for spreadsheets."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for done in results:
        closest = done.closest or {}
        begin, end = closest.get("seconds", (None, None))
        writer.writerow(
            {
                "source": cell(done.path),
                "verdict": done.level,
                "probability": done.entry.get("probability"),
                "closest": cell(closest.get("title")),
                "e_value": closest.get("e_value"),
                "begin": begin,
                "end": end,
                "kind": done.entry.get("kind"),
                "duration": done.entry.get("duration"),
                "group": group_of.get(done.path),
                "error": cell(done.entry.get("error")),
            }
        )
    return out.getvalue()


def summary(
    counts: Counter[str],
    library: dict[str, Any] | None,
    errors: list[dict[str, str]],
    groups: list[list[str]],
    alike: list[dict[str, Any]] | None,
) -> dict[str, Any]:
    """Sum a scan up, as ``summary.json`` and ``scan --format json`` have it."""
    levels = ("likely", "review", "clear") if library is not None else ("melody",)
    answer: dict[str, Any] = {
        "schema": SCHEMA,
        "melodysim": __version__,
        "library": library,
        "tracks": sum(counts.values()),
        "verdicts": {level: counts[level] for level in (*levels, "error")},
        "groups": [{"group": number, "tracks": group} for number, group in enumerate(groups, 1)],
        "errors": errors,
    }
    if alike is not None:
        answer["alike"] = alike
    return answer


def alike_dict(pair: Alike, paths: list[str]) -> dict[str, Any]:
    """Give two tracks that share a passage as JSON has them."""
    return {
        "tracks": [paths[pair.one], paths[pair.other]],
        "e_value": float(f"{pair.e_value:.4g}"),
        "notes": pair.notes,
        "share": round(min(pair.share, 1.0), 4),
        "seconds": [[round(s, 3) for s in span] for span in (pair.seconds, pair.other_seconds)],
    }


def write_json(path: Path, answer: dict[str, Any]) -> None:
    """Write an answer whole."""
    write_whole(path, json_text(answer).encode())
