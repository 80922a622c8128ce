"""``melodysim compare``."""

from __future__ import annotations

from pathlib import Path

import click

from melodysim.cli import options, terminal
from melodysim.util.atomic_files import write_whole
from melodysim.util.plain_text import printable


@click.command()
@click.argument("new", type=options.PATH)
@click.argument("earlier", type=options.PATH)
@options.library_option
@click.option(
    "--plot",
    type=options.PATH,
    help="PNG, SVG or PDF to write: which passage of one follows which of the other.",
)
@options.verdict_options
@options.evidence_option
@options.output_options("text", "json", "html")
@click.pass_context
def command(
    ctx: click.Context,
    new: Path,
    earlier: Path,
    library_path: Path | None,
    plot: Path | None,
    fail_on: str,
    likely_rate: float,
    review_rate: float,
    errors: str,
    evidence: Path | None,
    form: str,
    output: Path | None,
    quiet: bool,
) -> None:
    """Say how alike two works are: NEW, the work in question, and the EARLIER one.

    The library is the background that says what chance does; neither work needs to be in it. The
    score is comparable between pairs: unrelated works score about 0 to 5.

    \b
    $ melodysim compare mine.mp3 theirs.mid
    $ melodysim compare mine.mid theirs.mid --plot alike.png
    $ melodysim compare mine.mp3 theirs.mp3 --format html --output pair.html
    """
    from melodysim.checking import compare
    from melodysim.library import Library
    from melodysim.readers.read import read

    rates = options.make_rates(likely_rate, review_rate)
    form_of_plot = options.picture_form(plot) if plot else ""
    cores = terminal.threads()
    library = Library(options.library_path_or_default(library_path))
    with terminal.progress("comparing", quiet) as update:
        update(0, 3, new.name)
        first = read(new, cores)
        update(1, 3, earlier.name)
        second = read(earlier, cores)
        update(2, 3, "aligning")
        report = compare(first, second, library, rates, cores)
    if plot:
        from melodysim.report.plot import pair_picture

        write_whole(plot, pair_picture(report, form_of_plot))
    if evidence and report.match is not None:
        from melodysim.report.reports import Report

        alone = Report(first.source, first, report.verdict, (report.match,))
        terminal.write_evidence(evidence, alone)
    if form == "html":
        from datetime import date

        from melodysim.report.html.track_page import pair_html

        text = pair_html(report, date.today())
    elif form == "json":
        from melodysim.report.json import pair_json

        text = pair_json(report)
    else:
        from melodysim.report.text import print_pair

        text = terminal.rendered(lambda console: print_pair(console, report), output)
    terminal.deliver(text, output)
    if output is not None and not quiet:
        click.echo(printable(f"{report.verdict.headline}; written to {output}"), err=True)
    ctx.exit(options.exit_status([report.verdict.level], fail_on, errors))
