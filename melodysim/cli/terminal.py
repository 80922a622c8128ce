"""What commands share at their ends: consoles, progress, and results written without tearing files."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from melodysim.util.atomic_files import file_stem, make_folder, write_whole
from melodysim.util.plain_text import printable

if TYPE_CHECKING:
    from rich.console import Console

    from melodysim.library import Library
    from melodysim.report.reports import Report


LINE_SECONDS = 5.0
"""Between lines of progress where there is no terminal."""
_SHOWN = 48


def threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def stderr_console() -> Console:
    """Console for progress and remarks: standard output holds results only."""
    from rich.console import Console

    return Console(stderr=True, file=sys.stderr)


@contextlib.contextmanager
def progress(description: str, quiet: bool) -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar on standard error; gives a function of (done, in all, what is at hand).

    Where standard error is no terminal, plain lines say the same, if it takes a while.
    """
    if quiet or not sys.stderr.isatty():
        yield _silent if quiet else _plain_lines(description)
        return
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[item]}", markup=True),
        console=stderr_console(),
        transient=True,
    )
    with bar:
        task = bar.add_task(description, total=None, item="")

        def update(done: int, total: int, item: str) -> None:
            shown = escape(printable(item)[-_SHOWN:])
            bar.update(task, completed=done, total=total, item=shown)

        yield update


def say_stage(
    update: Callable[[int, int, str], None], number: int, tracks: int, name: str, stage: str
) -> None:
    """Show by `progress` the track at hand, and the stage of its check."""
    update(number, tracks, f"{name}: {stage}" if stage else name)


def _silent(*_: object) -> None:
    """Show no progress."""


def _plain_lines(description: str) -> Callable[[int, int, str], None]:
    """Return a function that writes progress as lines, no more than one every few seconds."""
    last = time.monotonic()

    def line(done: int, total: int, item: str) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            of = f" {done + 1:,} of {total:,}" if total > 1 else ""
            click.echo(f"melodysim: {description}{of}: {printable(item)}", err=True)

    return line


def end_on_sigterm(status: int = 128 + signal.SIGTERM) -> None:
    """End by an exception when asked to end, as containers are: nothing is left half made."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(status))


def measure_chance(library: Library, quiet: bool) -> None:
    """Measure what chance does in a library, if that is not known, with a bar on standard error."""
    from melodysim.search.own_works import with_chance

    with progress("measuring chance in this library", quiet) as update:
        with_chance(library, threads(), lambda done, total: update(done, total, ""))


def measure_recordings(library: Library, quiet: bool) -> None:
    """Measure what chance does in a library's recordings, with a bar on standard error."""
    from melodysim.checking import measure_recordings

    if len(library.shelf.recordings):
        with progress("measuring chance in the recordings", quiet) as update:
            measure_recordings(library, threads(), lambda done, total: update(done, total, ""))


def deliver(text: str, output: Path | None) -> None:
    """Write a result to standard output, or whole to a file."""
    if output is None:
        click.echo(text, nl=False)
        return
    write_whole(output, text.encode())


def rendered(show: Callable[[Console], None], output: Path | None, width: int = 80) -> str:
    """Render text as rich prints it: with colour on a terminal only, elsewhere so wide."""
    from rich.console import Console

    if output is None and sys.stdout.isatty():
        show(Console())
        return ""
    buffer = io.StringIO()
    show(Console(file=buffer, width=width, no_color=True, force_terminal=False))
    return "".join(line.rstrip() + "\n" for line in buffer.getvalue().splitlines())


def write_evidence(folder: Path, report: Report, number: int | None = None) -> None:
    """Write the files of a track's matches; of several tracks, each has a numbered folder."""
    from melodysim.report.note_files import evidence_files

    place = folder if number is None else folder / f"{number:05d}-{file_stem(report.source)[:80]}"
    make_folder(place)
    for evidence in evidence_files(report):
        write_whole(place / f"{evidence.name}.mid", evidence.midi)
        write_whole(place / f"{evidence.name}.musicxml", evidence.musicxml)
