"""The page of an audit: the curve, the groups, and the closest copies with notation and sound."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from melodysim.audit.audit_files import curve_picture, numbered_column
from melodysim.audit.auditing import EXCESS, Audit, Group
from melodysim.audit.sets import Sample, Work
from melodysim.checking import compare
from melodysim.errors import MissingDependencyError
from melodysim.judge.wording import odds
from melodysim.library import Library
from melodysim.melody import Melody, Piece
from melodysim.report.html.template import rendered_page, require_pages
from melodysim.report.html.track_page import pair_html
from melodysim.util.atomic_files import file_stem, make_folder, write_whole

PAGE, COPIES = "audit.html", "copies"
SHOWN = 12
"""Copies that have a page of their own."""


def write_page(
    folder: Path, audit: Audit, samples: list[Sample], training: list[Work], library: Library
) -> list[str]:
    """Write the page of an audit, and one for each of the closest copies; return their names.

    Parameters
    ----------
    folder : Path
    audit : Audit
    samples : list of Sample
    training : list of Work
        What was audited.
    library : Library
        The works, as background of the comparisons.

    Raises
    ------
    MissingDependencyError
        If jinja2 or verovio is not installed.
    """
    require_pages()
    pages = list(_pages_of_copies(folder, audit, samples, training, library))
    write_whole(folder / PAGE, audit_html(audit, pages, date.today()).encode())
    return [PAGE, *pages]


def _pages_of_copies(
    folder: Path, audit: Audit, samples: list[Sample], training: list[Work], library: Library
) -> Iterator[str]:
    """Write a page for each of the closest copies, two works compared; yield their names."""
    made = {sample.id: sample for sample in samples}
    known = {work.id: work.melody for work in training}
    if audit.worst:
        make_folder(folder / COPIES)
    for number, (sample, work, _) in enumerate(audit.worst[:SHOWN], 1):
        pair = compare(_track(made[sample]), _piece(work, known[work]), library)
        name = f"{COPIES}/{number:02d}-{file_stem(sample)}.html"
        write_whole(folder / name, pair_html(pair).encode())
        yield name


def _track(sample: Sample) -> Piece | str:
    """Return the notes of a sample, or the file of a recording."""
    if sample.melody is not None:
        return _piece(sample.id, sample.melody)
    assert sample.path is not None
    return sample.path


def _piece(name: str, melody: Melody) -> Piece:
    return Piece(name, "notes", (melody,), melody.end, title=name)


def audit_html(audit: Audit, pages: list[str], when: date | None = None) -> str:
    """Return the page of an audit: HTML that opens from disk and loads nothing.

    Parameters
    ----------
    audit : Audit
    pages : list of str
        Pages of the closest copies, as links.
    when : date, optional
        Day of the audit.
    """
    rates, column = audit.every.rates, numbered_column(audit)
    excess = rates.excess
    links = [*pages, *[""] * len(audit.worst)]
    return rendered_page(
        "melodysim.audit/audit.html.j2",
        (),
        heading="Does a generator copy what it was trained on?",
        when=when.isoformat() if when else "",
        sets=f"{rates.samples:,} samples, compared with {audit.sizes[0]:,} works of the training set "
        f"and {audit.sizes[1]:,} works of the same kind that the generator never saw.",
        excess=f"Above the control, {excess.value:.1%} of the samples copy the training set "
        f"(95 %: {excess.low:.1%} to {excess.high:.1%}).",
        rates=[
            ("samples that copy the training set", f"{rates.training:.2%}"),
            ("samples that copy the control", f"{rates.control:.2%}"),
            ("works of the training set copied", f"{rates.works:,} of {audit.sizes[0]:,}"),
            ("held-out works that follow the training set", f"{audit.human.training:.2%}"),
            ("held-out works that follow each other", f"{audit.human.control:.2%}"),
            ("samples too short to be judged, or not read", f"{audit.too_short:,}"),
            ("files or records of the sets that could not be read", f"{len(audit.unread):,}"),
        ],
        threshold=_threshold_words(audit),
        curve=_curve(audit) if column is not None else None,
        column="" if column is None else audit.columns[column],
        columns=[*audit.columns, "samples", "training", "control", "excess", "95 %", "works copied"],
        groups=[_row(group) for group in audit.groups] if audit.columns else [],
        multiplicity=[
            (some.copies, f"{some.works:,}", f"{some.samples:,}", f"{some.copied:,}")
            for some in audit.every.multiplicity
        ]
        if len(audit.every.multiplicity) > 1
        else [],
        worst=[
            (sample, work, odds(e_value), href)
            for (sample, work, e_value), href in zip(audit.worst, links, strict=False)
        ],
        rate=odds(audit.e_value),
    )


def _row(group: Group) -> list[str]:
    rates = group.rates
    excess = rates.excess
    figures = rates.training, rates.control, excess.value
    return [
        *group.values,
        f"{rates.samples:,}",
        *(f"{figure:.2%}" for figure in figures),
        f"{excess.low:.2%} to {excess.high:.2%}",
        f"{rates.works:,}",
    ]


def _threshold_words(audit: Audit) -> str | None:
    """Say from which size on samples copy; nothing without sizes."""
    found = audit.threshold
    if found is None:
        return None
    if found.size is None:
        return f"No size in this range copies more than {EXCESS:.0%} above the control."
    high = "none seen" if found.high is None else f"{found.high:,.0f}"
    return (
        f"Copying of more than {EXCESS:.0%} above the control begins at {found.size:,.0f} (95 %: "
        f"{found.low:,.0f} to {high}; isotonic fit)."
    )


def _curve(audit: Audit) -> str | None:
    """Return the curve as the address of a picture in the page; None without matplotlib."""
    try:
        return "data:image/png;base64," + base64.b64encode(curve_picture(audit)).decode()
    except MissingDependencyError:
        return None
