"""``melodysim scan``."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from melodysim.cli import options, terminal
from melodysim.errors import ReadError
from melodysim.util.plain_text import printable

if TYPE_CHECKING:
    from melodysim.batch.scan import ScanOutcome
    from melodysim.batch.settings import ScanSettings
    from melodysim.batch.task_loop import ScanProgress

LINE_SECONDS = 60.0
"""Between lines of progress where there is no terminal."""
SLOW_SECONDS = 20.0
"""After which a track is named that a worker is at."""
NOTIFY_SECONDS = 20.0
"""To wait for an answer to --notify."""


_ADDRESS = re.compile(r"((tcp|tls|ws|wss|ucx|ucxx)://)?[^/\s]+:\d{1,5}")
"""How Dask writes an address; one of another form makes its client wait in vain."""


@click.command()
@click.argument("places", nargs=-1, type=options.TRACK)
@options.library_option
@click.option(
    "-o", "--output", type=options.PATH, default=Path("melodysim-scan"), show_default=True,
    help="Folder for the results, and for what is needed to go on.",
)  # fmt: skip
@click.option("--include", multiple=True, metavar="GLOB", help="Only files like this, such as '*.mp3'.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="No files like this, such as 'demos/*'.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Processes. Default: one a core.")
@click.option("--scheduler", metavar="ADDRESS", help="Use a Dask cluster, such as tcp://10.0.0.1:8786.")
@click.option(
    "--spread", is_flag=True,
    help="Spread a library that is larger than a machine over the workers of the cluster.",
)  # fmt: skip
@options.exhaustive_option
@click.option("--html", is_flag=True, help="Write a page a track, and an index over them.")
@click.option(
    "--against-each-other", is_flag=True,
    help="Compare the tracks with each other instead of with a library.",
)  # fmt: skip
@click.option("--groups/--no-groups", default=True, show_default=True, help="Find takes of one melody.")
@click.option("--watch", is_flag=True, help="Go on with what arrives, until Ctrl-C.")
@click.option("--retry-failed", is_flag=True, help="Try tracks again that could not be checked.")
@click.option(
    "--retries", type=click.IntRange(0, 10), default=1, show_default=True,
    help="How often a track is tried again whose worker died.",
)  # fmt: skip
@click.option(
    "--time-limit", type=click.FloatRange(0.1), default=900.0, show_default=True,
    help="Seconds after which a track is given up, and its worker killed.",
)  # fmt: skip
@click.option(
    "--memory", type=click.IntRange(0), default=4000, show_default=True,
    help="Megabytes of data that a worker may take; 0 for no limit.",
)  # fmt: skip
@click.option(
    "--cache-megabytes", type=click.IntRange(0), default=4000, show_default=True,
    help="Size of the transcriptions kept on disk, so that another scan need not listen again.",
)  # fmt: skip
@click.option(
    "--top", type=click.IntRange(1, 10_000), default=10, show_default=True,
    help="Matches to report for each track.",
)  # fmt: skip
@options.territory_option
@options.verdict_options
@click.option(
    "--only-new", is_flag=True,
    help="Show what is new since the last run, or graver than then; the exit status is of that alone.",
)  # fmt: skip
@click.option(
    "--notify", metavar="URL", help="Send the summary there as one JSON POST when it is done."
)
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="How to write the summary to standard output.",
)  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="No progress, no remarks.")
@click.pass_context
def command(ctx: click.Context, places: tuple[Path, ...], **asked: Any) -> None:
    """Check all tracks in PLACES: folders, files, M3U playlists; - reads a list from standard input.

    Writes to --output: results.jsonl, a line a track as results come (at the end in the order of their
    paths); then summary.csv and summary.json, and with --html an index and a page a track. Stop it when
    you like: the same command goes on where it was. What has not changed (the track's content, the
    library, the options) is never checked again; moving or renaming a file costs nothing.

    \b
    $ melodysim scan album/ --html
    $ find . -name '*.mp3' -newer last-night | melodysim scan - --output new
    $ melodysim scan renders/ --against-each-other

    \b
    $ melodysim scan accept ID --note "licence 2026-118"     settles a finding; see `scan accept --help`

    Exit status: 1 if a track is at or above --fail-on; else 2 if one could not be read or checked
    (unless --errors ignore); else 0. A track that cannot be read never hides one that is likely.
    """
    from melodysim.batch.scan import Scan
    from melodysim.batch.tracks import require_places

    settings = _settings(places, **asked)
    require_places(settings.places)  # before anything is written
    watch, quiet = asked["watch"], asked["quiet"]
    status, idle = 0, False
    with _shown(quiet) as tick:
        scan = Scan(settings, tick)
        try:
            if watch:
                idle = True
                for arrived in scan.arriving():
                    idle = False
                    status = _told(scan.run(arrived), settings, **asked)
                    idle = True
            found = scan.found()
            if not found:
                named = ", ".join(map(str, settings.places)) or "the list"
                kind = "of a kind that melodysim reads"
                if settings.include or settings.exclude:
                    kind = "that --include and --exclude leave"
                raise ReadError(f"no track {kind}", path=named)
            status = _told(scan.run(found), settings, **asked)
        except KeyboardInterrupt:
            if not idle:
                status = 130
                words = "stopped; what is done is kept, and the same command goes on where it was"
                click.echo(f"melodysim: {words}", err=True)
        finally:
            scan.close()
    ctx.exit(status)


def _settings(places: tuple[Path, ...], **asked: Any) -> ScanSettings:
    """Make settings of what was asked for."""
    from melodysim.batch.settings import ScanSettings

    named = [place for place in places if str(place) != "-"]
    listed: list[Path] = []
    if not places:
        raise click.UsageError("name folders, files or playlists; - reads a list from standard input")
    if len(named) < len(places):
        given = sys.stdin.buffer.read().splitlines()
        listed = [Path(os.fsdecode(line)) for line in given if line.strip()]
    alone = asked["against_each_other"]
    if asked["notify"] and not asked["notify"].startswith(("http://", "https://")):
        raise click.UsageError("--notify needs an address that begins with http:// or https://")
    if alone and asked["html"]:
        raise click.UsageError("--html shows matches with a library, not --against-each-other")
    if asked["spread"] and not asked["scheduler"]:
        raise click.UsageError("--spread needs a cluster: --scheduler ADDRESS")
    address = asked["scheduler"]
    if address is not None and not _ADDRESS.fullmatch(address):
        raise click.UsageError(
            f"--scheduler {address!r} is no address of a Dask scheduler, such as tcp://10.0.0.1:8786"
        )
    cores = terminal.threads()
    return ScanSettings(
        places=tuple(named),
        listed=tuple(listed),
        output=asked["output"],
        library=None if alone else options.library_path_or_default(asked["library_path"]),
        territory=asked["territory"],
        top=asked["top"],
        rates=options.make_rates(asked["likely_rate"], asked["review_rate"]),
        include=asked["include"],
        exclude=asked["exclude"],
        pages=asked["html"],
        groups=asked["groups"],
        workers=asked["workers"] or cores,
        exhaustive=asked["exhaustive"],
        scheduler=asked["scheduler"],
        spread=asked["spread"],
        seconds=asked["time_limit"],
        megabytes=asked["memory"],
        retries=asked["retries"],
        retry_failed=asked["retry_failed"],
        cache_bytes=asked["cache_megabytes"] * 1_000_000,
        threads=min(asked["workers"] or cores, cores),
    )


def _told(
    found: ScanOutcome,
    settings: ScanSettings,
    form: str,
    fail_on: str,
    errors: str,
    only_new: bool,
    notify: str | None,
    **_: Any,
) -> int:
    """Print the summary, send it where it is asked for, and give the exit status."""
    if form == "json":
        from melodysim.report.json import json_text

        terminal.deliver(json_text(found.answer), None)
    else:
        from melodysim.report.text import print_scan

        shown = [done for done in found.flagged if not only_new or done.path in found.fresh]
        rows = [(done.path, done.level, done.closest or {}) for done in shown]
        answer, uncertain = found.answer, found.uncertain
        if only_new and "new" in answer:
            failures = [one for one in answer["errors"] if one["source"] in found.fresh]
            answer = answer | {"errors": failures}
            uncertain = [path for path in uncertain if path in found.fresh]
        said = (answer, rows, settings.output, only_new, uncertain)
        terminal.deliver(terminal.rendered(lambda console: print_scan(console, *said), None), None)
    counts = found.answer["new" if only_new and "new" in found.answer else "verdicts"]
    status = options.exit_status([level for level, n in counts.items() if n], fail_on, errors)
    if notify:
        _notify(notify, found, status)
    return status


def _notify(url: str, found: ScanOutcome, status: int) -> None:
    """Send the summary and the flagged tracks as JSON; where that fails, say so and go on."""
    import json
    from http.client import HTTPException
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    flagged = [
        {"source": d.path, "verdict": d.level, "new": d.path in found.fresh, "closest": d.closest}
        for d in found.flagged
    ]
    body = json.dumps(found.answer | {"flagged": flagged, "status": status}).encode()
    try:
        asked = Request(url, body, {"Content-Type": "application/json"}, method="POST")
        with urlopen(asked, timeout=NOTIFY_SECONDS):
            pass
    except (URLError, HTTPException, OSError, ValueError) as error:
        why = getattr(error, "reason", error)
        click.echo(printable(f"melodysim: {url} could not be told ({why})"), err=True)


@contextmanager
def _shown(quiet: bool) -> Iterator[Callable[[ScanProgress], None]]:
    """Show progress: a bar on a terminal, a line a minute elsewhere."""
    if quiet:
        yield lambda progress: None
        return
    if not sys.stderr.isatty():
        last = time.monotonic()

        def line(progress: ScanProgress) -> None:
            nonlocal last
            if time.monotonic() - last >= LINE_SECONDS:
                last = time.monotonic()
                words = f"{progress.stage} {progress.done:,} of {progress.tracks:,}"
                click.echo(f"melodysim: {', '.join([words, *_words(progress)])}", err=True)

        yield line
        return
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=20),
        MofNCompleteColumn(), TextColumn("{task.fields[words]}", markup=False),
        console=terminal.stderr_console(), transient=True,
    )  # fmt: skip
    task = bar.add_task("", total=None, words="")
    running = False

    def redraw(progress: ScanProgress) -> None:
        nonlocal running
        if not running:
            bar.start()
            running = True
        bar.update(task, description=progress.stage, words=", ".join(_words(progress)))
        bar.update(task, completed=progress.done, total=progress.tracks)
        if progress.done >= progress.tracks:  # out of the way of what is printed next
            bar.stop()
            running = False

    try:
        yield redraw
    finally:
        bar.stop()


def _words(progress: ScanProgress) -> list[str]:
    """Say how far a scan is: rate, time left, verdicts, and the track that takes longest."""
    now = time.monotonic()
    spent, done = now - progress.began, progress.done - progress.before
    parts = []
    if done and spent > 1:
        parts.append(f"{done / spent * 3600:,.0f}/h")
        left = progress.seconds_left()
        parts += [] if left is None else [f"{_duration(left)} left"]
    parts += [f"{count:,} {level}" for level, count in sorted(progress.counts.items()) if count]
    if progress.running:
        path, since = min(progress.running.items(), key=lambda item: item[1])
        if now - since > SLOW_SECONDS:
            parts.append(f"slow: {printable(Path(path).name)[:30]} ({now - since:.0f} s)")
    return parts


def _duration(seconds: float) -> str:
    """Give a time in two units."""
    minutes = int(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d}" if minutes < 48 * 60 else f"{minutes // 1440} days"
