"""``melodysim demo``."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import click

from melodysim.cli import terminal

SONG = "paper-lanterns.mid"
"""A tune written for this project, which stands for somebody's song."""
COPY, ORIGINAL = "copies-paper-lanterns.mp3", "copies-nothing.flac"


def fixtures_folder() -> Path:
    """Find the fixtures: in the package once it is installed, beside it in a clone."""
    from melodysim.errors import MelodysimError

    package = Path(__file__).parents[2]
    for folder in (package / "fixtures", package.parent / "fixtures"):
        if (folder / SONG).is_file():
            return folder
    raise MelodysimError("the demo's fixtures are not installed", "install melodysim again", package)


@click.command()
@click.option("-q", "--quiet", is_flag=True, help="No progress, no remarks.")
def command(quiet: bool) -> None:
    """Check a fixture recording, from a fresh clone.

    Builds a library in a temporary folder (the public-domain tunes that come with music21, and a song
    called "Paper Lanterns" that plays the part of somebody's property), then checks two synthesised
    recordings: one takes a passage of that song in another key and tempo, with changed notes and
    other words' rhythm, under chords and drums; the other takes nothing.
    """
    from melodysim.checking import check
    from melodysim.library import Library
    from melodysim.library.importers import import_builtin, import_paths
    from melodysim.library.rights import Rights
    from melodysim.library.store import Store
    from melodysim.report.text import print_checks

    folder, cores = fixtures_folder(), terminal.threads()
    remarks = terminal.stderr_console()
    with tempfile.TemporaryDirectory(prefix="melodysim-demo-") as place:
        path = Path(place) / "library.db"
        if not quiet:
            remarks.print("Building a library of public-domain tunes …")
        with (
            terminal.progress("reading tune books", quiet) as update,
            Store(path, create=True) as store,
        ):
            import_builtin(store, update)
            import_paths(
                store,
                [folder / SONG],
                Rights("in-copyright", holder="the authors of melodysim"),
                title="Paper Lanterns",
                creator="the authors of melodysim",
            )
        library = Library(path)
        if not quiet:
            remarks.print(f"{len(library):,} melodies. Listening to two recordings …\n")
        reports = []
        with terminal.progress("checking", quiet) as update:
            for number, name in enumerate((COPY, ORIGINAL)):
                said = partial(terminal.say_stage, update, number, 2, name)
                reports.append(check(folder / name, library, 3, threads=cores, progress=said))
        terminal.deliver(terminal.rendered(lambda console: print_checks(console, reports), None), None)
