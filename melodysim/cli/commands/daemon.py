"""``melodysim daemon``: answers scripts whose host cannot carry melodysim."""

from __future__ import annotations

from pathlib import Path

import click

from melodysim.cli import terminal


@click.command()
@click.option(
    "--library",
    "library_path",
    type=click.Path(path_type=Path),
    envvar="MELODYSIM_LIBRARY",
    help="Reference library.",
)
@click.option(
    "--idle", type=click.FloatRange(0.1), default=900.0, show_default=True,
    help="Seconds without a question after which it ends.",
)  # fmt: skip
def command(library_path: Path | None, idle: float) -> None:
    """Answer scripts over loopback, until nobody asks any more.

    For scripts inside hosts whose Python is old, or that have none (docs/daw.md). It is started by
    those who ask: `melodysim ask`, and the one-file client melodysim/daemon/client.py. Port and token
    stand in a file that only you can read.
    """
    from melodysim.daemon.server import serve

    terminal.end_on_sigterm(0)  # as Ctrl-C does, so that its file does not stay behind
    if not serve(library_path, idle):
        click.echo("a melodysim daemon is running already", err=True)
