"""What an audit leaves: audit.json, groups.csv, and a picture of the curve."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

from melodysim._version import __version__
from melodysim.audit.auditing import Audit, Group, number_of_text
from melodysim.audit.rates import CopyRates
from melodysim.errors import MissingDependencyError
from melodysim.report.json import SCHEMA_VERSION, json_text
from melodysim.util.atomic_files import write_whole

JSON, TABLE, CURVE = "audit.json", "groups.csv", "curve.png"
_MOST_NAMED = 12
"""Curves that a legend names; more would leave no room for the curves."""


def audit_dict(audit: Audit) -> dict[str, Any]:
    """Return an audit as ``melodysim audit --format json`` has it."""
    return {
        "schema": SCHEMA_VERSION,
        "melodysim": __version__,
        "e_value": audit.e_value,
        "training_works": audit.sizes[0],
        "control_works": audit.sizes[1],
        "columns": list(audit.columns),
        "all": _group_dict(audit.every),
        "groups": [_group_dict(group) for group in audit.groups],
        "human": _rates_dict(audit.human),
        "threshold": None if audit.threshold is None else asdict(audit.threshold),
        "too_short": audit.too_short,
        "unread": list(audit.unread),
        "works_copied_share": round(audit.every.rates.works / max(audit.sizes[0], 1), 6),
        "worst": [{"sample": s, "work": w, "e_value": e} for s, w, e in audit.worst],
    }


def _rates_dict(rates: CopyRates) -> dict[str, Any]:
    return {
        "samples": rates.samples,
        "training": round(rates.training, 6),
        "control": round(rates.control, 6),
        "excess": {k: round(v, 6) for k, v in asdict(rates.excess).items()},
        "by_sample": [round(bound, 6) for bound in rates.by_sample],
        "by_work": [round(bound, 6) for bound in rates.by_work],
        "works": rates.works,
    }


def _group_dict(group: Group) -> dict[str, Any]:
    values = {
        "values": list(group.values),
        "copied_notes": group.copied_notes,
        "multiplicity": [asdict(some) for some in group.multiplicity],
    }
    return values | _rates_dict(group.rates)


def audit_json(audit: Audit) -> str:
    """Write an audit as JSON text."""
    return json_text(audit_dict(audit))


def groups_csv(audit: Audit) -> str:
    """Write a line a group, as a spreadsheet reads it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        [*audit.columns, "samples", "training", "control", "excess", "low", "high", "works", "notes"]
    )
    for group in audit.groups:
        rates = group.rates
        figures = rates.training, rates.control, rates.excess.value, rates.excess.low, rates.excess.high
        row = [*group.values, rates.samples, *(f"{figure:.5f}" for figure in figures)]
        writer.writerow([*row, rates.works, group.copied_notes])
    return out.getvalue()


def write_audit(folder: Path, audit: Audit) -> list[str]:
    """Write the files of an audit to a folder; return their names."""
    write_whole(folder / JSON, audit_json(audit).encode())
    write_whole(folder / TABLE, groups_csv(audit).encode())
    names = [JSON, TABLE]
    if numbered_column(audit) is not None:
        try:
            write_whole(folder / CURVE, curve_picture(audit))
            names.append(CURVE)
        except MissingDependencyError:
            pass  # the text says that there is no picture
    return names


def numbered_column(audit: Audit) -> int | None:
    """Return the first column whose values are all numbers; None if there is none."""
    for number in range(len(audit.columns)):
        values = [number_of_text(group.values[number]) for group in audit.groups]
        if len(set(values)) > 1 and None not in values:
            return number
    return None


def curve_picture(audit: Audit) -> bytes:
    """Draw the excess of each group against the first column of numbers, as PNG.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            "pictures need matplotlib: run `pip install 'melodysim[plot]'`"
        ) from error
    column = numbered_column(audit)
    assert column is not None

    def size(group: Group) -> float:
        return number_of_text(group.values[column]) or 0.0

    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    others: dict[tuple[str, ...], list[Group]] = {}
    for group in audit.groups:
        key = group.values[:column] + group.values[column + 1 :]
        others.setdefault(key, []).append(group)
    for key, groups in others.items():
        x = [size(group) for group in groups]
        y = [100 * group.rates.excess.value for group in groups]
        low = [v - 100 * group.rates.excess.low for v, group in zip(y, groups, strict=True)]
        high = [100 * group.rates.excess.high - v for v, group in zip(y, groups, strict=True)]
        axes.errorbar(x, y, [low, high], marker="o", capsize=3, label=", ".join(key) or None)
    axes.axhline(0, color="0.6", linewidth=0.8)
    if min(map(size, audit.groups)) > 0:
        axes.set_xscale("log")
    axes.set_xlabel(audit.columns[column])
    axes.set_ylabel("samples that copy the training set,\nabove the control (percent)")
    if any(any(key) for key in others) and len(others) <= _MOST_NAMED:
        axes.legend(frameon=False, fontsize=8)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=140, metadata={"Software": ""})
    return out.getvalue()
