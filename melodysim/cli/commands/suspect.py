"""``melodysim suspect``: the songs that a person is afraid of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from melodysim.cli import options, terminal
from melodysim.util.atomic_files import write_whole
from melodysim.util.plain_text import counted, printable

if TYPE_CHECKING:
    from melodysim.library import Suspect


@click.group()
def command() -> None:
    """Name the songs you are afraid of: each is looked for by itself.

    A track is compared with every song that you name, beside the library, as `melodysim compare` does:
    one question with its own chance, so that a likeness counts that would drown among thousands of
    works. Reports lead with these songs. Give the recording itself, a hum of yours, or best a score.

    \b
    $ melodysim suspect add feared-song.mp3 --title "The feared song"
    $ melodysim suspect show "The feared song" --output heard.mid
    $ melodysim suspect correct "The feared song" corrected.mid
    $ melodysim check mine.mp3
    """


@command.command()
@click.argument("songs", nargs=-1, required=True, type=options.PATH)
@click.option("--title", help="What to call it; of one SONG.")
@click.option("--creator", help="Composer or artist.")
@options.library_option
@click.option("-q", "--quiet", is_flag=True, help="No progress, no remarks.")
def add(
    songs: tuple[Path, ...],
    title: str | None,
    creator: str | None,
    library_path: Path | None,
    quiet: bool,
) -> None:
    """Watch for each SONG: a recording, a hum, a MIDI file, a score or ABC."""
    from melodysim.checking import require_melody
    from melodysim.library import WatchList
    from melodysim.readers.read import read, require_file

    if title and len(songs) > 1:
        raise click.UsageError("--title belongs to one song: give one SONG")
    for song in songs:
        require_file(song)
    path = options.library_path_or_default(library_path)
    with terminal.progress("listening", quiet) as update:
        pieces = []
        for number, song in enumerate(songs):
            update(number, len(songs), song.name)
            pieces.append(read(song, terminal.threads()))
            require_melody(pieces[-1])
    with WatchList(path, writable=True) as watched:
        for piece in pieces:
            suspect = watched.add(piece, title, creator)
            if not quiet:
                click.echo(_described(suspect), err=True)


@command.command("list")
@options.library_option
@options.output_options("text", "json")
def list_(library_path: Path | None, form: str, output: Path | None, quiet: bool) -> None:
    """List the songs that are watched for."""
    from melodysim.library import WatchList

    with WatchList(options.library_path_or_default(library_path)) as watched:
        suspects = watched.suspects()
    if form == "json":
        from melodysim.report.json import suspects_json

        terminal.deliver(suspects_json(suspects), output)
        return
    if not suspects and not quiet:
        click.echo("none; `melodysim suspect add SONG` names one", err=True)
    terminal.deliver("".join(_described(suspect) + "\n" for suspect in suspects), output)


@command.command()
@click.argument("identity", metavar="SONG")
@click.option(
    "-o", "--output", type=options.PATH,
    help="Write what is looked for to this .mid file: open it in an editor of notes, correct it, and "
    "give it to `suspect correct`.",
)  # fmt: skip
@click.option("--plot", type=options.PATH, help="PNG, SVG or PDF to draw it to.")
@options.library_option
def show(identity: str, output: Path | None, plot: Path | None, library_path: Path | None) -> None:
    """Show what is looked for of a SONG, and how far it can be trusted."""
    from melodysim.intervals import note_name, semitones
    from melodysim.library import WatchList
    from melodysim.report.note_files import midi_bytes

    form = options.picture_form(plot) if plot else ""
    with WatchList(options.library_path_or_default(library_path)) as watched:
        suspect = watched.suspect(identity)
    if output:
        write_whole(output, midi_bytes(suspect.piece.melodies))
    if plot:
        from melodysim.report.plot import transcription_picture

        write_whole(plot, transcription_picture(suspect.piece, form))
    names = [note_name(int(p)) for p in semitones(suspect.piece.melodies[0].pitch)]
    lines = [_described(suspect), "", *(" ".join(names[i : i + 16]) for i in range(0, len(names), 16))]
    click.echo("\n".join(lines))


@command.command()
@click.argument("identity", metavar="SONG")
@click.argument("notes", type=options.PATH)
@options.library_option
@click.option("-q", "--quiet", is_flag=True, help="No remarks.")
def correct(identity: str, notes: Path, library_path: Path | None, quiet: bool) -> None:
    """Look for the NOTES of this file instead of what was heard of a SONG."""
    from melodysim.checking import require_melody
    from melodysim.library import WatchList
    from melodysim.readers.read import read

    piece = read(notes, terminal.threads())
    require_melody(piece)
    with WatchList(options.library_path_or_default(library_path), writable=True) as watched:
        suspect = watched.correct(identity, piece)
    if not quiet:
        click.echo(_described(suspect), err=True)


@command.command()
@click.argument("identities", metavar="SONG...", nargs=-1, required=True)
@options.library_option
def remove(identities: tuple[str, ...], library_path: Path | None) -> None:
    """Watch for a SONG no more."""
    from melodysim.library import WatchList

    with WatchList(options.library_path_or_default(library_path), writable=True) as watched:
        for identity in identities:
            watched.remove(identity)
    click.echo(f"{counted(len(identities), 'song')} taken off the list", err=True)


def _described(suspect: Suspect) -> str:
    """Say what is kept of a song, in a few lines."""
    from melodysim.judge.advice import trust_words

    by = f" by {suspect.creator}" if suspect.creator else ""
    notes = counted(len(suspect.piece.melodies[0]), "note")
    named = "" if suspect.id == suspect.title else f" (called {suspect.id})"
    return printable(f"“{suspect.title}”{by}{named}: {notes}") + f"\n  {trust_words(suspect.piece)}"
