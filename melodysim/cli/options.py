"""Options that commands share, and what is made of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from melodysim.judge.verdict import LEVELS, LIKELY_RATE, REVIEW_RATE, Rates
from melodysim.library import default_library_path
from melodysim.library.rights import TERRITORIES


class _Named(click.Path):
    """A file or folder with a name: an empty one is most often a shell's variable that is not set."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path of a name."""
        if value == "":
            self.fail("the name of the file is empty", param, ctx)
        return super().convert(value, param, ctx)


PATH = _Named(readable=False, path_type=Path)
"""Whether a file can be read is found out by reading it: one that cannot does not stop the others."""
TRACK = _Named(readable=False, path_type=Path, allow_dash=True)
"""A file, or a dash for standard input."""
_WRITTEN = {"output", "plot", "audio", "labels"}
"""Parameters that name files to be written."""
_ENDINGS = {".htm": "html", ".jsonl": "json", ".txt": "text"}
"""Endings of --output that ask for a form of another name."""
_OTHER_FORMS = {".pdf", ".png", ".svg", ".docx", ".odt", ".xlsx", ".ods", ".csv", ".xml", ".html"}
"""Endings of --output that nobody gives to a text: where a command has no such form, that is said."""


def sparing_inputs(command: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse to write over a file that the same command reads: a track, or the library."""

    @functools.wraps(command)
    def spared(*args: Any, **given: Any) -> Any:
        outputs = [given[name] for name in _WRITTEN if given.get(name) is not None]
        read: list[Path] = []
        for name in given.keys() - _WRITTEN:
            values = given[name] if isinstance(given[name], tuple) else (given[name],)
            read += [value for value in values if isinstance(value, Path)]
        for output in outputs:
            if output.is_file() and any(path.is_file() and path.samefile(output) for path in read):
                raise click.UsageError(
                    f"{output}: would be written over, and is read; name another file"
                )
        return command(*args, **given)

    return spared


library_option = click.option(
    "--library", "library_path", type=PATH, envvar="MELODYSIM_LIBRARY",
    help="Reference library. Default: MELODYSIM_LIBRARY, or a file in your data folder.",
)  # fmt: skip
territory_option = click.option(
    "--territory", type=click.Choice(TERRITORIES), default="anywhere", show_default=True,
    help="Where the track will be released: whose terms of protection count.",
)  # fmt: skip
exhaustive_option = click.option(
    "--exhaustive",
    is_flag=True,
    help="Leave no melody out: listen to a recording in full for every melody, where else a first look "
    "chooses; and of over two million compare notes with all, where else seeds choose. Slower.",
)


def output_options(*formats: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--format``, ``--output`` and ``--quiet``; the ending of the output may name the form."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        command = _formed(sparing_inputs(command), formats)
        command = click.option("-q", "--quiet", is_flag=True, help="No progress, no remarks.")(command)
        written = click.option(
            "-o", "--output", type=PATH, help="Write the result to this file instead."
        )
        return click.option(
            "--format", "form", type=click.Choice(formats),
            help=f"How to write the result. Default: as --output ends, or {formats[0]}.",
        )(written(command))  # fmt: skip

    return add


def _formed(command: Callable[..., Any], formats: tuple[str, ...]) -> Callable[..., Any]:
    """Choose the form by the ending of the output, where none is named."""

    @functools.wraps(command)
    def formed(*args: Any, **given: Any) -> Any:
        if given.get("form") is None:
            ending = given["output"].suffix.lower() if given.get("output") else ""
            named = _ENDINGS.get(ending, ending[1:])
            if ending in _OTHER_FORMS and named not in formats:
                known = ", ".join(f".{form}" for form in formats if form != "text")
                raise click.UsageError(
                    f"--output {given['output']}: nothing is written as {ending}; end it in {known} or "
                    ".txt, or say --format"
                )
            given["form"] = named if named in formats else formats[0]
        return command(*args, **given)

    return formed


errors_option = click.option(
    "--errors",
    type=click.Choice(["fail", "ignore"]),
    default="fail",
    show_default=True,
    help="Whether tracks that could not be read or checked end in status 2.",
)


def verdict_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--fail-on``, ``--likely-rate`` and ``--review-rate``."""
    rate = click.FloatRange(0, 1, min_open=True, max_open=True)
    for name, default, level in (
        ("--review-rate", REVIEW_RATE, "review"),
        ("--likely-rate", LIKELY_RATE, "likely"),
    ):
        command = click.option(
            name,
            type=rate,
            default=default,
            show_default=True,
            help=f"Share of unrelated tracks that may be called {level} by chance.",
        )(command)
    return click.option(
        "--fail-on",
        type=click.Choice(["review", "likely", "never"]),
        default="likely",
        show_default=True,
        help="Exit with status 1 from this level on.",
    )(errors_option(command))


evidence_option = click.option(
    "--evidence",
    type=PATH,
    metavar="FOLDER",
    help="Write MIDI and MusicXML of both passages of each match to FOLDER too.",
)


def picture_form(path: Path) -> str:
    """Kind of picture that a file name asks for."""
    form = path.suffix.lower().lstrip(".")
    if form not in {"png", "svg", "pdf"}:
        raise click.UsageError(f"--plot {path}: name a .png, .svg or .pdf file")
    return form


def labels_form(path: Path, tracks: int) -> str:
    """Kind of labels that a file name asks for."""
    form = path.suffix.lower().lstrip(".")
    if form not in {"txt", "csv", "mid"}:
        raise click.UsageError(f"--labels {path}: name a .txt, .csv or .mid file")
    if tracks > 1:
        raise click.UsageError("--labels belongs to one track: give one TRACK")
    return form


def make_rates(likely: float, review: float) -> Rates:
    """Check the two rates against each other."""
    if likely > review:
        raise click.UsageError("--likely-rate must not be above --review-rate")
    return Rates(likely, review)


def exit_status(levels: Iterable[str], fail_on: str, errors: str = "fail") -> int:
    """Return the exit status for some verdicts; what was found goes before what failed.

    Parameters
    ----------
    levels : iterable of str
        Verdicts, and "error" for a track that could not be read.
    fail_on : str
        Level from which the status is 1, or "never".
    errors : {"fail", "ignore"}, optional
        Whether the status is 2 if a track could not be read or has no verdict.
    """
    found = set(levels)
    graver = () if fail_on == "never" else LEVELS[LEVELS.index(fail_on) :]
    if found.intersection(graver):
        return 1
    return 2 if errors == "fail" and found & {"error", "unchecked"} else 0


def library_path_or_default(path: Path | None) -> Path:
    """Path that was given, or the user's own library."""
    return path if path is not None else default_library_path()
