"""``melodysim check``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from melodysim.cli import options, terminal
from melodysim.util.atomic_files import write_whole
from melodysim.util.plain_text import printable

if TYPE_CHECKING:
    from melodysim.judge.verdict import Rates
    from melodysim.library import Library
    from melodysim.report.html.page_folder import PageFolder
    from melodysim.report.reports import Report


@click.command()
@click.argument("tracks", nargs=-1, required=True, type=options.TRACK)
@options.library_option
@click.option(
    "--top", type=click.IntRange(1, 10_000),
    help="Show so many matches for each track, significant or not. Default: those worth a look; in "
    "JSON and CSV, 10.",
)  # fmt: skip
@click.option("--html", "as_html", is_flag=True, help="Short for --format html.")
@click.option(
    "--stem",
    "stems",
    multiple=True,
    type=options.PATH,
    metavar="FILE",
    help="The voice alone, in step with TRACK, as generators export it: it is listened to instead of "
    "one that is separated. Several, or a folder: those named as a voice.",
)
@options.territory_option
@options.exhaustive_option
@options.verdict_options
@options.evidence_option
@click.option(
    "--labels",
    type=options.PATH,
    metavar="FILE",
    help="Write the passages of one TRACK as labels too: .txt for Audacity, .csv for Sonic Visualiser, "
    ".mid with markers for a workstation.",
)
@options.output_options("text", "json", "csv", "html")
@click.pass_context
def command(
    ctx: click.Context,
    tracks: tuple[Path, ...],
    library_path: Path | None,
    top: int | None,
    as_html: bool,
    stems: tuple[Path, ...],
    territory: Any,
    exhaustive: bool,
    fail_on: str,
    likely_rate: float,
    review_rate: float,
    errors: str,
    evidence: Path | None,
    labels: Path | None,
    form: str,
    output: Path | None,
    quiet: bool,
) -> None:
    """Say of each TRACK whether it follows a melody that somebody owns.

    A track is a recording (wav, flac, ogg, mp3; m4a with an extra), a MIDI file, or a score
    (MusicXML, ABC, kern). "clear", "review" or "likely" says whether a mechanical licence is likely
    to be needed for a melody of the library.

    \b
    $ melodysim check song.mp3
    song.mp3
      LIKELY: a mechanical licence is likely to be needed  (probability 0.99…)
        • 22 notes from 0:41 to 0:53 follow “…”, 3 semitones higher; …

    "not checked" says that there is no verdict: nothing protected in the library, or too few notes.

    With --html the report is a page with notation, piano rolls and sound in it, which opens from
    disk. Where --output ends in .html it is that one file; else, and for several tracks, it is a folder
    for an index and their pages.

    \b
    $ melodysim check song.mp3 --output report.html
    $ melodysim check album/*.mp3 --html --output album-report

    A melody is heard best in the voice alone. If you have it as a stem, give it too:

    \b
    $ melodysim check song.mp3 --stem vocals.wav

    A dash reads ABC or MIDI from standard input: a melody, before it is sung.

    \b
    $ generate-plan | melodysim check -

    Exit status: 1 if a track is at or above --fail-on; else 2 if one could not be read or checked
    (unless --errors ignore); else 0.
    """
    from melodysim.library import Library
    from melodysim.readers.read import require_file

    form = "html" if as_html else form
    rates = options.make_rates(likely_rate, review_rate)
    if stems and len(tracks) > 1:
        raise click.UsageError("--stem belongs to one track: give one TRACK")
    form_of_labels = options.labels_form(labels, len(tracks)) if labels else ""
    path = options.library_path_or_default(library_path)
    if not path.exists():  # a track that is missing too is named first
        for track in tracks:
            require_file(track)
    library = Library(path, territory, exhaustive=exhaustive)
    terminal.measure_chance(library, quiet)
    pages = _page_folder(library, form, output, len(tracks))
    alone = len(tracks) == 1 and form in {"text", "html"}
    reports: list[Report] = []
    with terminal.progress("checking", quiet) as update:
        for number, track in enumerate(tracks):
            said = partial(terminal.say_stage, update, number, len(tracks), track.name)
            said("")
            keep = partial(_keep, pages, evidence, number + 1 if len(tracks) > 1 else None)
            reports.append(_checked(track, library, top, rates, stems, keep, alone, said))
    if pages is not None:
        pages.finish()
    else:
        terminal.deliver(_written(reports, library, form, output, top is not None), output)
    for error in [report.error for report in reports if report.error] if form != "text" else ():
        click.echo(printable(f"melodysim: {error}"), err=True)
    for report in reports if output is not None and not quiet else ():
        if report.verdict is not None:
            words = f"{report.source}: {report.verdict.headline}; written to {output}"
            click.echo(printable(words), err=True)
    if labels and not reports[0].error:
        from melodysim.report.note_files import labels_bytes, labels_of

        piece = reports[0].piece
        melodies = piece.melodies if piece is not None else ()
        write_whole(labels, labels_bytes(labels_of(reports[0]), form_of_labels, melodies))
    levels = [report.verdict.level if report.verdict else "error" for report in reports]
    ctx.exit(options.exit_status(levels, fail_on, errors))


def _page_folder(library: Library, form: str, output: Path | None, tracks: int) -> PageFolder | None:
    """Open the folder of pages, where one page is not enough."""
    single = output is None or (output.suffix.lower() in {".html", ".htm"} and not output.is_dir())
    if form != "html" or (single and tracks == 1):
        return None
    from melodysim.report.html.page_folder import PageFolder

    if output is None or single:
        raise click.UsageError("--format html of several tracks needs a folder: --output DIR")
    return PageFolder(output, library.holdings)


def _checked(
    track: Path,
    library: Library,
    top: int | None,
    rates: Rates,
    stems: tuple[Path, ...],
    keep: Callable[[Report], None],
    alone: bool,
    said: Callable[[str], None],
) -> Report:
    """Check a track and keep what is asked for; of several, one that fails does not stop the rest."""
    from melodysim.checking import check
    from melodysim.errors import MelodysimError
    from melodysim.readers.read import read_input
    from melodysim.report.reports import Report

    try:
        asked = read_input(sys.stdin.buffer.read()) if str(track) == "-" else track
        report = check(asked, library, top, rates, terminal.threads(), stems=stems, progress=said)
        keep(report)
    except Exception as error:
        if alone:
            raise
        if not isinstance(error, MelodysimError):  # a bug of ours must not cost the other tracks
            why = f"could not be checked ({type(error).__name__}: {error})"
            error = MelodysimError(why, "please report it", track)
        report = Report(str(track), error=error)
        keep(report)
    return report


def _keep(pages: PageFolder | None, evidence: Path | None, number: int | None, report: Report) -> None:
    """Write a track's page and evidence, where they are asked for."""
    if pages is not None:
        pages.add(report)
    if evidence and not report.error:
        terminal.write_evidence(evidence, report, number)


def _written(
    reports: list[Report], library: Library, form: str, output: Path | None, every: bool
) -> str:
    """Write reports in the form that was asked for."""
    if form == "json":
        from melodysim.report.json import checks_json

        return checks_json(reports, str(library.path), len(library), library.search)
    if form == "html":
        from datetime import date

        from melodysim.report.html.track_page import track_html

        return track_html(reports[0], date.today(), every=every)
    if form == "csv":
        from melodysim.report.csv import checks_csv

        return checks_csv(reports)
    from melodysim.report.text import print_checks

    seeded = len(library) if library.search == "seeds" else 0
    return terminal.rendered(lambda console: print_checks(console, reports, seeded, every), output)
