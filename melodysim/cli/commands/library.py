"""``melodysim library``: the reference library."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from melodysim.cli import options, terminal
from melodysim.cli.fetching import fetch, sources
from melodysim.library.rights import STATUSES, Rights, check_rights, effective
from melodysim.util.atomic_files import make_folder, write_whole
from melodysim.util.passed_over import passed_over_words
from melodysim.util.plain_text import counted, printable

if TYPE_CHECKING:
    from melodysim.library.importers import ImportResult


_MOST_ODD = 5
"""Odd files that an import names."""
_MOST_SAME = 5
"""Files that are the same as others, and are named."""


@click.group()
def command() -> None:
    """Make, fill and look after the reference library.

    The library is one file. `init` fills it with some 12,700 public-domain folk tunes, `import` adds
    what you are worried about: the works you represent, chart melodies, a generator's training set.
    Every melody has a rights status; only melodies in copyright or of unknown status raise a verdict.
    """


command.add_command(sources)
command.add_command(fetch)


def _report(result: ImportResult, path: Path, form: str, quiet: bool) -> str:
    if form == "json":
        from melodysim.report.json import import_json

        return import_json(result)
    lines = [f"{counted(result.imported, 'melody', 'melodies')} imported into {path}"]
    failed = [printable(f"failed: {error}") for _, error in result.failed]
    if quiet:
        return "\n".join(lines + failed) + "\n"
    if result.unchanged:
        lines.append(
            f"{counted(result.unchanged, 'file was', 'files were')} there already, unchanged, and so "
            "are their rights (`melodysim library rights` changes them)"
        )
    lines += [
        printable(f"passed over: {source} is the same file, byte for byte, as {other}")
        for source, other in result.same[:_MOST_SAME]
    ]
    if len(result.same) > _MOST_SAME:
        more = counted(len(result.same) - _MOST_SAME, "more file", "more files")
        lines.append(f"passed over: {more} that the library has from another place")
    if result.skipped:
        lines.append(f"{result.skipped:,} of too few notes to be recognised were passed over")
    lines += [passed_over_words(result.passed_over)] if result.passed_over else []
    lines += [printable(f"odd: {source}: {remark}") for source, remark in result.odd[:_MOST_ODD]]
    if len(result.odd) > _MOST_ODD:
        more = counted(len(result.odd) - _MOST_ODD, "more file was odd", "more files were odd")
        lines.append(f"{more}, and read; --format json says how")
    return "\n".join(lines + failed) + "\n"


def _finish(
    ctx: click.Context,
    result: ImportResult,
    path: Path,
    form: str,
    output: Path | None,
    quiet: bool,
) -> None:
    """Report an import; build what checks need, so that the first check does not wait for it."""
    from melodysim.library import Library

    if result.imported:
        library = Library(path)
        terminal.measure_chance(library, quiet)
        terminal.measure_recordings(library, quiet)
    for public in result.sets if not quiet else ():
        click.echo(f"{public.name} ({public.home}): {public.licence}", err=True)
    terminal.deliver(_report(result, path, form, quiet), output)
    if result.failed:
        ctx.exit(2)


@command.command()
@options.library_option
@options.output_options("text", "json")
@click.pass_context
def init(
    ctx: click.Context, library_path: Path | None, form: str, output: Path | None, quiet: bool
) -> None:
    """Fill a library with the public-domain tunes that come with music21.

    The Essen folk songs, O'Neill's, Ryan's and Aird's collections and the Nottingham tunes, some
    12,700 in all: a background of what melodies have in common, and a first library to check with.
    Running it again changes nothing.
    """
    from melodysim.library.importers import builtin_folder, fill_builtin

    path = options.library_path_or_default(library_path)
    builtin_folder()  # before there is a library that would stay empty
    terminal.end_on_sigterm()
    with terminal.progress("reading tune books", quiet) as update:
        result = fill_builtin(path, update)
    _finish(ctx, result, path, form, output, quiet)


@command.command("import")
@click.argument("paths", nargs=-1, type=options.PATH)
@click.option(
    "--from-daw", "projects", multiple=True, type=options.PATH, metavar="PROJECT",
    help="A project of a workstation (.dawproject, .als, .rpp, .ardour): every track is a melody.",
)  # fmt: skip
@click.option(
    "--rights", type=click.Choice(STATUSES), default="unknown", show_default=True,
    help="Rights status of the new melodies.",
)  # fmt: skip
@click.option("--title", help="Title, instead of what the files say; not for sets and exports.")
@click.option("--creator", help="Composer or artist, instead; not for sets and exports.")
@click.option("--holder", help="Who holds the rights.")
@click.option("--published", type=int, help="Year of first publication.")
@click.option("--died", type=int, help="Year in which the last of the authors died.")
@options.library_option
@options.output_options("text", "json")
@click.pass_context
def import_(
    ctx: click.Context,
    paths: tuple[Path, ...],
    projects: tuple[Path, ...],
    rights: Any,
    title: str | None,
    creator: str | None,
    holder: str | None,
    published: int | None,
    died: int | None,
    library_path: Path | None,
    form: str,
    output: Path | None,
    quiet: bool,
) -> None:
    """Import melodies from files and folders: MIDI, projects, scores, recordings, tables.

    A melody's id is its file's path relative to the folder that you name. Importing a file again
    changes nothing unless its contents have changed; the same file at another place is passed over.
    A file that cannot be read does not stop the rest; an import that was stopped goes on where it was.
    Exit status: 0, or 2 if a file could not be read.

    Tables: CSV with the columns onset, duration (seconds) and pitch (MIDI note number), beat (onset in
    quarter notes) if you have it, and id, title and creator where one file holds many melodies; or
    JSON, a list of {"id", "title", "creator", "notes": [[onset, duration, pitch], ...]}.

    A folder that `library export` wrote is known by its index.csv: its melodies keep their ids, titles
    and rights; --rights and the like only fill in what it does not say.

    Public sets are recognised by what they look like, and their licences told: POP909, the Lakh MIDI
    Dataset, The Session (tunes.json or .csv), Hooktheory lead sheets (Hooktheory.json.gz), RISM
    (MARCXML with incipits). Whether a composition is free is another question: say so with --rights.

    \b
    $ melodysim library import catalogue/ --rights in-copyright --holder "My Music Ltd"
    $ melodysim library import TheSession-data/json/tunes.json
    """
    from melodysim.errors import ReadError
    from melodysim.library.importers import import_paths
    from melodysim.library.store import Store

    paths += projects
    if not paths:
        raise click.UsageError("name files or folders to import")
    path = options.library_path_or_default(library_path)
    missing = [p for p in paths if not p.exists()]
    if missing:
        raise ReadError("no such file or folder", path=missing[0])
    terms = check_rights(Rights(rights, holder=holder, published=published, died=died))
    with terminal.progress("importing", quiet) as update, Store(path, create=True) as store:
        result = import_paths(store, paths, terms, title, creator, update)
    _finish(ctx, result, path, form, output, quiet)


@command.command("list")
@click.argument("text", required=False)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@options.library_option
@options.output_options("text", "json")
def list_(
    text: str | None, limit: int, library_path: Path | None, form: str, output: Path | None, quiet: bool
) -> None:
    """List melodies, or those with TEXT in their id, title or creator."""
    from melodysim.library.store import Store

    with Store(options.library_path_or_default(library_path)) as store:
        entries, total = store.entries(text, limit), store.count()
    if form == "json":
        from melodysim.report.json import entries_json

        terminal.deliver(entries_json(entries, total), output)
        return
    from rich.cells import cell_len
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    longest = max((cell_len(e.id) for e in entries), default=2)
    table.add_column("id", no_wrap=True, min_width=longest)  # there to be copied, so never cut
    for name, least in (("title", 0), ("creator", 0), ("notes", 5), ("rights", 13)):
        table.add_column(name, overflow="ellipsis", no_wrap=True, min_width=least, max_width=34)
    for e in entries:
        cells = (e.id, e.title, e.creator or "", str(e.notes), effective(e.rights).status)
        table.add_row(*(escape(printable(cell)) for cell in cells))
    width = longest + 2 * 34 + 5 + 13 + 8
    terminal.deliver(terminal.rendered(lambda console: console.print(table), output, width), output)
    if not entries and not quiet:
        click.echo(f"nothing found among {total:,}", err=True)
    if len(entries) == limit and not quiet:
        click.echo(f"the first {limit}; --limit shows more (of {total:,} in the library)", err=True)


@command.command()
@click.argument("identity", metavar="ID")
@options.library_option
@options.output_options("text", "json")
def show(identity: str, library_path: Path | None, form: str, output: Path | None, quiet: bool) -> None:
    """Show one melody: where it is from, whose it is, and its notes."""
    from melodysim.errors import LibraryError
    from melodysim.intervals import estimate_key, note_name, semitones
    from melodysim.library.store import Store
    from melodysim.report.json import entry_dict, melody_json

    path = options.library_path_or_default(library_path)
    with Store(path) as store:
        melody = store.melody(identity)
        entry = store.entries_by_id([identity]).get(identity)
    if entry is None:
        raise LibraryError(f"no melody with id {identity!r}", path=path)
    key = estimate_key(melody)
    if form == "json":
        terminal.deliver(melody_json(entry, melody, key), output)
        return
    known = entry_dict(replace(entry, rights=effective(entry.rights)))
    rights = known.pop("rights")
    row = known | {"notes": entry.notes, "key": key}
    lines = [f"{name:<12}{printable(str(value))}" for name, value in row.items() if value is not None]
    lines += [f"{'rights':<12}{effective(entry.rights).meaning}"]
    for name, value in rights.items():
        lines += [f"{'  ' + name:<12}{printable(str(value))}"] if name != "status" else []
    names = [note_name(int(p)) for p in semitones(melody.pitch)]
    lines += ["", *(" ".join(names[i : i + 16]) for i in range(0, len(names), 16))]
    terminal.deliver("\n".join(lines) + "\n", output)


@command.command("rights")
@click.argument("identities", metavar="[ID]...", nargs=-1)
@click.option("--status", type=click.Choice(STATUSES), help="What holds from now on.")
@click.option("--holder", help="Who holds the rights.")
@click.option("--iswc", help="International Standard Musical Work Code.")
@click.option("--published", type=int, help="Year of first publication.")
@click.option("--died", type=int, help="Year in which the last of the authors died.")
@click.option("--expires", metavar="YYYY-MM-DD", help="Last day of a licence that you hold.")
@click.option("--note", help="Anything else, such as a licence number.")
@click.option("--title", help="A corrected title.")
@click.option("--creator", help="A corrected composer or artist.")
@click.option("--csv", "table", type=options.PATH, help="Take many from a CSV file instead.")
@options.library_option
def rights_(
    identities: tuple[str, ...],
    status: Any,
    holder: str | None,
    iswc: str | None,
    published: int | None,
    died: int | None,
    expires: str | None,
    note: str | None,
    title: str | None,
    creator: str | None,
    table: Path | None,
    library_path: Path | None,
) -> None:
    """Set the rights of melodies: of the IDs that you name, or of all in a CSV file.

    Titles and creators can be corrected too. What you do not name stays as it is; an empty text ("")
    takes a holder, code, date, note or creator away, and an empty cell of a CSV file a year too. From
    years of publication and death melodysim works out where a tune is free (`check --territory`); a
    licence counts until the day on which it expires.

    \b
    $ melodysim library rights hook.mid --status licensed --expires 2027-12-31
    $ melodysim library rights hook.mid --title "The Hook" --creator "A. Composer"
    $ melodysim library rights --csv rights.csv

    The CSV file has a line of column names: id, and any of status, holder, iswc, published, died,
    expires, note, title, creator. An empty cell means that it is not known. All of it is taken, or, if
    a line is wrong, nothing. `melodysim library export` writes such a file, index.csv, to begin with.
    """
    from melodysim.errors import LibraryError
    from melodysim.library.importers.rights_table import read_list
    from melodysim.library.store import Store

    path = options.library_path_or_default(library_path)
    given = {
        "status": status, "holder": holder, "iswc": iswc, "published": published, "died": died,
        "expires": expires, "note": note,
    }  # fmt: skip
    named = {name: value or None for name, value in given.items() if value is not None}
    names = {"title": title, "creator": creator}
    called: dict[str, str | None] = {k: value for k, value in names.items() if value is not None}
    if title == "":
        raise click.UsageError("a title cannot be empty")
    if table is not None:
        if identities or named or called:
            raise click.UsageError("give either IDs and what holds of them, or --csv, not both")
        rows = [(row.id, row.rights, row.beside) for row in read_list(table)]
    elif not identities or not (named or called):
        raise click.UsageError("give IDs and what holds of them, such as --status, or --csv FILE")
    else:
        rows = [(identity, named, called) for identity in identities]
    renamed = 0
    with Store(path, writable=True) as store, store.transaction():
        entries = store.entries_by_id(identity for identity, *_ in rows)
        missing = [identity for identity, *_ in rows if identity not in entries]
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise LibraryError(
                f"no melody with id {', '.join(map(repr, missing[:3]))}{more}; nothing was changed",
                "`melodysim library list TEXT` finds ids",
                path,
            )
        for identity, fields, about in rows:
            entry = entries[identity]
            rights = check_rights(replace(entry.rights, **fields))
            store.set_rights(identity, rights)
            now = about.get("title") or entry.title, about.get("creator", entry.creator) or None
            if now != (entry.title, entry.creator):
                store.set_names(identity, *now)
                renamed += 1
    click.echo(f"rights set: {len(rows):,}", err=True)
    if renamed:
        click.echo(f"titles or creators changed: {renamed:,}", err=True)
    today = date.today().isoformat()
    past = [i for i, fields, _ in rows if (fields.get("expires") or today) < today]
    if past:
        click.echo(f"of these, the licence has run out already: {', '.join(past[:3])}", err=True)


@command.command()
@click.argument("identities", metavar="ID...", nargs=-1, required=True)
@options.library_option
def remove(identities: tuple[str, ...], library_path: Path | None) -> None:
    """Take melodies out of the library."""
    from melodysim.library.store import Store

    path = options.library_path_or_default(library_path)
    with Store(path, writable=True) as store, store.transaction():
        for identity in identities:
            store.remove(identity)
    click.echo(f"{counted(len(identities), 'melody', 'melodies')} removed", err=True)


@command.command()
@click.argument("folder", type=options.PATH)
@click.option("--text", help="Only melodies with this in their id, title or creator.")
@options.library_option
@click.option("-q", "--quiet", is_flag=True, help="No progress, no remarks.")
def export(folder: Path, text: str | None, library_path: Path | None, quiet: bool) -> None:
    """Write melodies to FOLDER: a MIDI and a CSV file each, and index.csv over all.

    For other programs, for a spreadsheet, and for other libraries: `melodysim library import FOLDER`
    gives every melody the id, title and rights that it had. index.csv, edited, is what `melodysim
    library rights --csv` takes.
    """
    import re

    from melodysim.library.importers.rights_table import index_text
    from melodysim.library.store import Store
    from melodysim.report.note_files import csv_text, midi_bytes

    with Store(options.library_path_or_default(library_path)) as store:
        entries = store.entries(text)
        names = [
            f"{number:06d}-{re.sub(r'[^A-Za-z0-9._-]+', '_', entry.id)[:80]}"
            for number, entry in enumerate(entries)
        ]
        make_folder(folder)
        with terminal.progress("exporting", quiet) as update:
            for number, (name, entry) in enumerate(zip(names, entries, strict=True)):
                update(number, len(entries), entry.title)
                melody = store.melody(entry.id)
                write_whole(folder / f"{name}.mid", midi_bytes([melody]))
                write_whole(folder / f"{name}.csv", csv_text(melody).encode())
        index = index_text(zip(names, entries, strict=True))
        write_whole(folder / "index.csv", index.encode())
    if not quiet:
        click.echo(f"{counted(len(entries), 'melody', 'melodies')} written to {folder}", err=True)


@command.command()
@options.library_option
@click.option("-q", "--quiet", is_flag=True, help="No remarks.")
def compact(library_path: Path | None, quiet: bool) -> None:
    """Pack the library anew, in as few parts as can be.

    What checks read is packed beside the library in parts of up to 100,000 melodies. Melodies that come
    later go into parts of their own, and what was removed stays in its part until a quarter of it is
    gone: many imports leave many parts, which cost a little time each. What chance does among the
    protected works is measured anew, if there are a quarter more or fewer than when it was.
    """
    from melodysim.library import Library
    from melodysim.library.packed.index_files import compact as pack
    from melodysim.library.store import Store

    path = options.library_path_or_default(library_path)
    with Store(path) as store:
        before, after = pack(store)
    terminal.measure_chance(Library(path), quiet)
    if not quiet:
        click.echo(f"{path}: {after} part{'s' * (after != 1)}, {before} before", err=True)


@command.command()
@options.library_option
@options.output_options("text", "json")
def stats(library_path: Path | None, form: str, output: Path | None, quiet: bool) -> None:
    """Say what the library holds: melodies, notes, rights, collections."""
    from melodysim.library.store import Store

    path = options.library_path_or_default(library_path)
    with Store(path) as store:
        numbers = store.statistics()
    if form == "json":
        from melodysim.report.json import statistics_json

        terminal.deliver(statistics_json(str(path), numbers), output)
        return
    lines = [str(path)]
    for group, counts in numbers.items():
        lines += ["", group, *(f"  {count:>9,}  {name}" for name, count in counts.items())]
    terminal.deliver("\n".join(lines) + "\n", output)
