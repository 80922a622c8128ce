"""The command line: parsing, progress and exit codes, no logic.

Exit status: 1 something was at or above ``--fail-on``; else 2 bad usage, or a track that could not be
read or checked; else 0.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import importlib
import io
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import click

from melodysim._version import __version__
from melodysim.errors import MelodysimError
from melodysim.transcribe.accelerators import PROVIDERS, VARIABLE
from melodysim.util.plain_text import printable

COMMANDS = {
    "check": "Does a track follow a melody that somebody owns?",
    "scan": "Check everything in a folder; stop and go on as you like.",
    "compare": "How alike are two works, and where?",
    "audit": "How many of a generator's melodies copy its training set?",
    "transcribe": "Write the melodies as heard to a MIDI file.",
    "suspect": "Name the songs you are afraid of: each is looked for by itself.",
    "serve": "Check tracks in a browser, on this computer.",
    "daemon": "Answer scripts inside a DAW, until nobody asks any more.",
    "ask": "Ask the daemon, from a script.",
    "library": "Make, fill and look after the reference library.",
    "doctor": "What is installed, and which formats work.",
    "demo": "Check a fixture recording, from a fresh clone.",
    "completion": "Print a script that completes commands in your shell.",
}
"""Subcommands, one a module of the folder `commands`; a module is imported when its command is run."""
_ELSEWHERE = {
    "audit": "melodysim.cli.audit_command",
    "completion": "melodysim.cli.completion",
    "findings": "melodysim.cli.findings",
}
_FINDINGS = {"accept", "accepted", "withdraw"}
"""What `scan` does with findings, where no folder of such a name is there to be scanned."""


DISK_FULL = "the disk is full; make room and run it again (nothing was half written)"


class _LazyGroup(click.Group):
    """A group that imports a command's module when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names, in the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        place = _ELSEWHERE.get(cmd_name, f"melodysim.cli.commands.{cmd_name}")
        if cmd_name not in {*COMMANDS, *_ELSEWHERE}:
            return None
        command: click.Command = importlib.import_module(place).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a file in its place is checked, a name that is nearly one is told."""
        name = args[0]
        if name == "scan" and args[1:] and args[1] in _FINDINGS and not Path(args[1]).exists():
            return "scan", self.get_command(ctx, "findings"), args[1:]
        if name in COMMANDS:
            return super().resolve_command(ctx, args)
        if name == "-" or Path(name).is_file() or (Path(name).suffix and not name.startswith("-")):
            return "check", self.get_command(ctx, "check"), args
        if Path(name).is_dir():
            ctx.fail(f"{name} is a folder: `melodysim scan {name}` checks the tracks in it")
        near = difflib.get_close_matches(name, COMMANDS, 1)
        meant = f" Did you mean `melodysim {near[0]}`?" if near else ""
        ctx.fail(f"there is no command “{name}”.{meant} `melodysim --help` lists them")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="melodysim")
@click.option(
    "--accelerator",
    type=click.Choice(list(PROVIDERS)),
    help=f"What the networks that hear run on. Default: {VARIABLE}, or the processor.",
)
def cli(accelerator: str | None) -> None:
    """Find out whether a track's melody already belongs to somebody.

    \b
    First:   melodysim library init          public-domain tunes, some 12,700
             melodysim library import DIR    the melodies you are worried about
    Then:    melodysim song.mp3              short for `melodysim check song.mp3`

    melodysim compares melodies. It does not give legal advice.
    """
    if accelerator is not None:
        os.environ[VARIABLE] = accelerator  # workers that are started inherit it


@contextlib.contextmanager
def _native_silence() -> Iterator[None]:
    """Keep decoders' own messages (libmpg123 writes to descriptor 2) off the terminal.

    Python's standard error goes on where it went.
    """
    try:
        saved = os.dup(2)
    except OSError:
        yield
        return
    before = sys.stderr
    with os.fdopen(saved, "w", buffering=1, encoding="utf-8", errors="replace") as stderr:
        sys.stderr = stderr
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        try:
            yield
        finally:
            stderr.flush()
            os.dup2(saved, 2)
            sys.stderr = before


def main() -> None:
    """Run the command line and exit."""
    with _native_silence():
        status = _run()
    sys.exit(status)


def _run() -> int:  # noqa: PLR0911 - one a kind of end
    try:
        result = cli.main(standalone_mode=False, prog_name="melodysim")
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        lines = map(printable, said.getvalue().splitlines())  # a file's name may hold anything
        print("\n".join(lines), file=sys.stderr)  # noqa: T201
        return 2
    except (click.Abort, KeyboardInterrupt):
        print("melodysim: stopped", file=sys.stderr)  # noqa: T201
        return 130
    except MelodysimError as error:
        print(f"melodysim: {printable(str(error))}", file=sys.stderr)  # noqa: T201
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            print(f"melodysim: {DISK_FULL}", file=sys.stderr)  # noqa: T201
            return 2
        traceback.print_exc()  # a bug of ours: 1 would say that a track is "likely"
        return 70
