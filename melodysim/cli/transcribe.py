"""``melodysim transcribe``."""

from __future__ import annotations

from pathlib import Path

import click

from melodysim.cli import shared


@click.command()
@click.argument("track", type=shared.PATH)
@click.option("-o", "--output", type=shared.PATH, required=True, help="MIDI file to write.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, no remarks.")
def command(track: Path, output: Path, quiet: bool) -> None:
    """Write the melodies of TRACK, as they were heard, to a MIDI file.

    One MIDI track for each melody hypothesis, the likeliest first, so that you can hear and see what
    a check would go by.

    \b
    $ melodysim transcribe song.mp3 -o heard.mid
    """
    from melodysim.checking import require_melody
    from melodysim.reading import read
    from melodysim.writing import midi_bytes

    with shared.progress("transcribing", quiet) as update:
        update(0, 1, track.name)
        piece = read(track, shared.threads())
    require_melody(piece)
    shared.write_whole(output, midi_bytes(piece.melodies))
    if not quiet:
        for melody in piece.melodies:
            click.echo(f"{melody.voice or 'melody'}: {len(melody)} notes", err=True)
