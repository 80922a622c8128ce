"""``melodysim audit``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from melodysim.cli import options, terminal
from melodysim.util.plain_text import counted

if TYPE_CHECKING:
    from melodysim.audit.auditing import Audit

_MOST_NAMED = 5
"""Files that could not be read, and are named on the screen."""


@click.command("audit")
@click.argument("samples", type=options.PATH)
@click.option(
    "--trained-on", "training", required=True, type=options.PATH, metavar="TRAINING",
    help="The melodies that the generator was trained on: a folder, or a table of notes.",
)  # fmt: skip
@click.option(
    "--held-out", "control", required=True, type=options.PATH, metavar="CONTROL",
    help="Melodies of the same kind that it never saw.",
)  # fmt: skip
@click.option(
    "--by", type=options.PATH, metavar="CSV",
    help="Which group each sample belongs to: a column id, and others such as model, parameters, "
    "epoch, temperature.",
)  # fmt: skip
@click.option(
    "--folder", type=options.PATH, default=Path("melodysim-audit"), show_default=True,
    help="Where results are kept as they come, and the files of the audit.",
)  # fmt: skip
@click.option(
    "--e-value", type=click.FloatRange(0, 1, min_open=True), default=0.005, show_default=True,
    help="Below which a sample copies: the share of unrelated melodies that would.",
)  # fmt: skip
@click.option(
    "--html", is_flag=True,
    help="Write audit.html too: the curve, and the closest copies in notation and sound.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 1024), help="Processes. Default: one a core.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything that is drawn.")
@options.output_options("text", "json", "csv")
def command(
    samples: Path,
    training: Path,
    control: Path,
    by: Path | None,
    folder: Path,
    e_value: float,
    html: bool,
    workers: int | None,
    seed: int,
    form: str,
    output: Path | None,
    quiet: bool,
) -> None:
    """Measure how many of a generator's SAMPLES copy what it was trained on.

    Every sample is compared with the training set and with a control set of the same kind at once. The
    excess, the rate at which the training set is copied less that of the control, is what chance, style
    and common formulas do not explain. It is given with a 95 % interval, for all samples and for each
    group of --by; over a column of numbers, such as parameters, the size from which on copying begins
    is estimated. An audit that was stopped goes on where it was.

    \b
    $ melodysim audit samples/ --trained-on train/ --held-out control/ --by models.csv

    Writes audit.json, groups.csv and, over a column of numbers, curve.png to --folder; with --html,
    a page too.
    """
    from melodysim.audit.audit_files import audit_json, groups_csv, write_audit
    from melodysim.audit.auditing import audit, library_path
    from melodysim.audit.sets import read_groups, read_samples, read_works

    if html:
        from melodysim.report.html.template import require_pages

        require_pages()  # before hours of work
    columns, group_of = read_groups(by) if by else ([], None)
    unread: list[str] = []
    with terminal.progress("auditing", quiet) as update:
        update(0, 3, "reading the sets")
        sets = (
            read_samples(samples, unread),
            read_works(training, unread),
            read_works(control, unread),
        )
        found = audit(
            *sets,
            folder,
            columns=tuple(columns),
            group_of=group_of,
            e_value=e_value,
            workers=workers or terminal.threads(),
            seed=seed,
            progress=lambda stage, done, of: update(done, of, stage),
        )
    found = replace(found, unread=tuple(unread))
    written = write_audit(folder, found)
    if html:
        from melodysim.audit.audit_page import write_page
        from melodysim.library import Library

        works = Library(library_path(folder, sets[1], sets[2]))
        written += write_page(folder, found, sets[0], sets[1], works)[:1]
    if form == "json":
        text = audit_json(found)
    elif form == "csv":
        text = groups_csv(found)
    else:
        text = _text(found) + f"{', '.join(written)} in {folder}\n"
    terminal.deliver(text, output)


def _text(audit: Audit) -> str:
    """Write an audit for people."""
    from melodysim.audit.auditing import EXCESS

    rates = audit.every.rates
    lines = [
        f"{rates.samples:,} samples beside {audit.sizes[0]:,} works of the training set and "
        f"{audit.sizes[1]:,} held out, at E below {audit.e_value:g}"
    ]
    if audit.too_short:
        said = "samples have too few notes, or cannot be read, and copy nothing"
        lines.append(f"{audit.too_short:,} {said}")
    if audit.unread:
        said = "could not be read and are in none of the sets, so the rates are not of all"
        lines.append(f"{counted(len(audit.unread), 'file or record', 'files or records')} {said}:")
        lines += [f"  {line}" for line in audit.unread[:_MOST_NAMED]]
        if len(audit.unread) > _MOST_NAMED:
            lines.append(f"  and {len(audit.unread) - _MOST_NAMED:,} more (audit.json has all)")
    lines += [
        "",
        f"{'copy the training set':<24}{rates.training:7.2%}",
        f"{'copy the control':<24}{rates.control:7.2%}",
        f"{'excess':<24}{rates.excess.value:7.2%}   95 %: {rates.excess.low:.2%} to "
        f"{rates.excess.high:.2%}",
        f"{'held-out human works':<24}{audit.human.training:7.2%} copy the training set, "
        f"{audit.human.control:.2%} each other",
        f"{'works copied':<24}{rates.works:,} of {audit.sizes[0]:,}",
        "",
    ]
    if audit.columns:
        names = [*audit.columns, "samples", "training", "control", "excess", "95 %"]
        rows = [names] + [
            [
                *group.values,
                f"{group.rates.samples:,}",
                f"{group.rates.training:.2%}",
                f"{group.rates.control:.2%}",
                f"{group.rates.excess.value:.2%}",
                f"{group.rates.excess.low:.2%} to {group.rates.excess.high:.2%}",
            ]
            for group in audit.groups
        ]
        widths = [max(len(row[k]) for row in rows) for k in range(len(names))]
        lines += ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
        lines.append("")
    if audit.threshold is not None:
        found = audit.threshold
        lines.append(
            f"no size in this range copies more than {EXCESS:.0%} above the control"
            if found.size is None
            else f"copying of more than {EXCESS:.0%} begins at {found.size:,.0f} (95 %: "
            f"{found.low:,.0f} to {'none seen' if found.high is None else f'{found.high:,.0f}'})"
        )
    if len(audit.every.multiplicity) > 1:
        lines += ["", "copies in the training set: works, samples that copy one, works copied"]
        lines += [
            f"{some.copies:>6}: {some.works:,}, {some.samples:,}, {some.copied:,}"
            for some in audit.every.multiplicity
        ]
    lines += [""] if lines[-1] else []
    for sample, work, e_value in audit.worst[:5]:
        lines.append(f"{sample} follows {work} (E {e_value:.1g})")
    return "\n".join(lines) + "\n"
