"""``melodysim library sources`` and ``library fetch``: where melodies come from."""

from __future__ import annotations

from pathlib import Path

import click

from melodysim.cli import options, terminal


@click.command()
@options.output_options("text", "json")
def sources(form: str, output: Path | None, quiet: bool) -> None:
    """Say where melodies come from that a person can obtain.

    What each set holds, the licence of its data, and the command that imports it. A licence covers the
    data; whether the compositions are free is another question (`melodysim library rights`).
    """
    from melodysim.library.importers.sources import SOURCES
    from melodysim.report.json import sources_json

    if form == "json":
        terminal.deliver(sources_json(SOURCES), output)
        return
    lines = []
    for source in SOURCES:
        get = (
            f"melodysim library fetch {source.name}"
            if source.url
            else f"get it at {source.home}"
            if source.home
            else ""
        )
        lines += [f"{source.name}: {source.title}", f"  holds    {source.holds}"]
        lines += [f"  licence  {source.licence}"]
        lines += [f"  get      {get}"] if get else []
        lines += [f"  import   {source.command}"]
        lines += [f"  note     {source.note}"] if source.note else []
        lines.append("")
    terminal.deliver("\n".join(lines), output)


@click.command()
@click.argument("name")
@click.option(
    "--folder", type=options.PATH, help="Where it is kept. Default: a folder of the user's data."
)
@click.option(
    "--from", "mirror", metavar="URL", help="Another address of the same file; its checksum counts."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask whether the licence is accepted.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, no remarks.")
def fetch(name: str, folder: Path | None, mirror: str | None, yes: bool, quiet: bool) -> None:
    """Download the public set NAME, check it, and unpack it; `library sources` lists them.

    A download that broke off goes on where it was; HTTPS_PROXY is honoured. The licence is shown first.

    \b
    $ melodysim library fetch thesession
    """
    from dataclasses import replace

    from platformdirs import user_data_path

    from melodysim.library.importers.sources import fetch as download
    from melodysim.library.importers.sources import source_named

    source = source_named(name)
    click.echo(f"{source.title}: {source.holds}\nLicence: {source.licence}\n{source.home}", err=True)
    if source.url and not yes:
        click.confirm("Fetch it under this licence?", abort=True, err=True)
    source = replace(source, url=mirror) if mirror else source
    place = folder or user_data_path("melodysim", appauthor=False) / "sources"
    if not source.sha256 and source.url and not quiet:
        sure = source.url.startswith("https:")
        vouched = "HTTPS vouches for it" if sure else "over plain HTTP nobody vouches for it"
        click.echo(f"Nobody has published a checksum, since the file changes; {vouched}.", err=True)
    with terminal.progress("fetching", quiet) as update:
        there = download(source, place, lambda done, total: update(done >> 10, total >> 10, "KB"))
    if source.note and not quiet:
        click.echo(source.note, err=True)
    click.echo(source.command.replace("FILE", f'"{there}"'))
