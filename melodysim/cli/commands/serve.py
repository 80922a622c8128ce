"""``melodysim serve``."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import click

from melodysim.cli import options, terminal

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::")


@click.command()
@options.library_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Port to listen at; 0 takes any that is free.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at. There is no password: any other lets your network in.",
)
@click.option(
    "--allow-host",
    "allowed",
    multiple=True,
    metavar="NAME",
    help="A name under which browsers may ask for it too, such as that of a proxy; several.",
)
@click.option("--folder", type=options.PATH, help="Where checks are kept. Default: beside the library.")
@click.option(
    "--most-megabytes",
    type=click.IntRange(1, 100_000),
    default=500,
    show_default=True,
    help="Largest file that is taken.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(1),
    default=1200.0,
    show_default=True,
    help="Seconds after which a check is given up.",
)
@click.option(
    "--open/--no-open", "open_", default=True, show_default=True, help="Whether to open a browser."
)
@options.territory_option
@click.option("-q", "--quiet", is_flag=True, help="No remarks but the address.")
def command(
    library_path: Path | None,
    port: int,
    host: str,
    allowed: tuple[str, ...],
    folder: Path | None,
    most_megabytes: int,
    time_limit: float,
    open_: bool,
    territory: Any,
    quiet: bool,
) -> None:
    """Check tracks in a browser, on this computer.

    Drop a file on the page and get its report; past checks stay there; the library can be browsed,
    imported into and its rights edited; songs that you are afraid of can be named, or hummed. Where
    there is no library yet, one of public-domain tunes is made. Nothing leaves this computer. Stop it
    with Ctrl-C.

    \b
    $ melodysim serve
    melodysim: http://127.0.0.1:8765/
    """
    from melodysim.errors import MelodysimError, MissingDependencyError
    from melodysim.judge.verdict import Rates
    from melodysim.library import Library
    from melodysim.serve.check_queue import CheckQueue, Terms

    try:
        import uvicorn

        from melodysim.serve.app import create_app
    except ImportError as error:
        raise MissingDependencyError(
            "the web app needs pebble, starlette and uvicorn: run `pip install 'melodysim[serve]'`"
        ) from error
    path = options.library_path_or_default(library_path)
    if not path.exists():
        _make_library(path, quiet)
    library = Library(path, territory)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise MelodysimError(
            f"{host}:{port}: cannot be listened at ({error.strerror})", "choose another with --port"
        ) from error
    if host not in LOOPBACK and not quiet:
        click.echo("melodysim: others on your network can use this; there is no password", err=True)
    terms = Terms(library.path, territory, Rates(), terminal.threads())
    try:
        queue = CheckQueue(folder or library.path.parent / "checks", terms, time_limit)
    except MissingDependencyError:
        raise
    except MelodysimError as error:
        raise MelodysimError(
            error.reason, "name another folder for the checks with --folder", error.path
        ) from error
    names = {*_names(host), *(name.lower().rstrip(".") for name in allowed)}
    app = create_app(queue, names, most_megabytes * 1_000_000, any_address=host in EVERYWHERE)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}/"
    click.echo(f"melodysim: {address}", err=True)
    if open_ and sys.stderr.isatty():
        click.launch(address)
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=3, server_header=False)
    uvicorn.Server(config).run(sockets=[listener])


def _make_library(path: Path, quiet: bool) -> None:
    """Make a library of the public-domain tunes that come with music21; without it, an empty one."""
    from melodysim.errors import MissingDependencyError
    from melodysim.library.importers import fill_builtin
    from melodysim.library.store import Store

    terminal.end_on_sigterm()
    with terminal.progress("making a library", quiet) as update:
        try:
            fill_builtin(path, update)
        except MissingDependencyError as error:
            Store(path, create=True).close()
            if not quiet:
                click.echo(f"melodysim: the library is empty: {error}", err=True)


def _names(host: str) -> set[str]:
    """Names in a Host header that are ours; of a server that listens everywhere, the machine's own."""
    if host in LOOPBACK:
        return set(LOOPBACK)
    if host not in EVERYWHERE:
        return {host.lower()}
    own = {socket.gethostname().lower(), socket.getfqdn().lower()}
    return {"localhost", *own, *(f"{name}.local" for name in own)}
