"""``melodysim scan accept``, ``accepted`` and ``withdraw``: findings that a person has settled."""

from __future__ import annotations

import json
from pathlib import Path

import click

from melodysim.cli import options, terminal
from melodysim.util.plain_text import counted, printable


@click.group("scan")
def command() -> None:
    """Settle findings: they are shown, and alarm no more.

    A finding is a track, by its content, that follows a work. Its id stands in reports, in
    results.jsonl and in summary.csv. What was settled is kept with the library.

    \b
    $ melodysim scan accept 3f09a1c2d4 --note "licence 2026-118"
    $ melodysim scan accepted
    $ melodysim scan withdraw 3f09a1c2d4
    """


@command.command()
@click.argument("identities", metavar="ID...", nargs=-1, required=True)
@click.option("--note", default="", help="Why, such as the number of a licence.")
@click.option(
    "-o", "--output", type=options.PATH, default=Path("melodysim-scan"), show_default=True,
    help="Folder of the scan, where the finding's track and work are looked up for the list.",
)  # fmt: skip
@options.library_option
def accept(identities: tuple[str, ...], note: str, output: Path, library_path: Path | None) -> None:
    """Accept the findings of these IDs."""
    from melodysim.library import WatchList
    from melodysim.library.watch_list import ID_DIGITS

    for identity in identities:
        if len(identity) != ID_DIGITS or set(identity) - set("0123456789abcdef"):
            raise click.UsageError(
                f"{identity}: no id of a finding; it has {ID_DIGITS} digits and letters a to f, and "
                "stands in the report"
            )
    path = options.library_path_or_default(library_path)
    about = _looked_up(output / "results.jsonl", set(identities))
    with WatchList(path, writable=path.exists()) as watched:
        for identity in identities:
            watched.accept(identity, note, about.get(identity, ""))
    click.echo(f"{counted(len(identities), 'finding')} accepted", err=True)
    for identity in identities:
        if identity not in about:
            click.echo(
                f"{identity}: not among the results in {output}, so it was not looked up; if it is "
                f"mistyped, `melodysim scan withdraw {identity}`",
                err=True,
            )


@command.command()
@options.library_option
@options.output_options("text", "json")
def accepted(library_path: Path | None, form: str, output: Path | None, quiet: bool) -> None:
    """List the findings that were accepted."""
    from melodysim.library import WatchList

    with WatchList(options.library_path_or_default(library_path)) as watched:
        settled = list(watched.accepted().values())
    if form == "json":
        from melodysim.report.json import accepted_json

        terminal.deliver(accepted_json(settled), output)
        return
    if not settled and not quiet:
        click.echo("none", err=True)
    lines = [f"{s.id}  {s.day}  {s.about or '(not looked up)'}  {s.note}" for s in settled]
    terminal.deliver("".join(printable(line) + "\n" for line in lines), output)


@command.command()
@click.argument("identities", metavar="ID...", nargs=-1, required=True)
@options.library_option
def withdraw(identities: tuple[str, ...], library_path: Path | None) -> None:
    """Let the findings of these IDs alarm again."""
    from melodysim.library import WatchList

    with WatchList(options.library_path_or_default(library_path), writable=True) as watched:
        for identity in identities:
            watched.withdraw(identity)
    click.echo(f"{counted(len(identities), 'finding')} will alarm again", err=True)


def _looked_up(results: Path, identities: set[str]) -> dict[str, str]:
    """Find the track and the work of findings in a scan's results; leave out what is not there."""
    found = {}
    try:
        lines = results.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    for line in lines:
        if not any(identity in line for identity in identities):
            continue
        track = json.loads(line)
        for match in [*track["matches"], *(n["match"] for n in track.get("named", []) if n["match"])]:
            if match["finding"] in identities:
                name = Path(track["source"]).name
                found[match["finding"]] = f"{name} follows “{match['reference']['title']}”"
    return found
