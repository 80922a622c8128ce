"""``melodysim transcribe``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from melodysim.cli import options, terminal
from melodysim.util.atomic_files import replaced, write_whole
from melodysim.util.plain_text import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from melodysim.melody import Piece

AUDIO_RATE = 44100
"""Samples per second of what is written."""


@click.command()
@click.argument("track", type=options.PATH)
@click.option("-o", "--output", type=options.PATH, help="MIDI file to write: one track a line.")
@click.option(
    "--plot", type=options.PATH, help="PNG, SVG or PDF to write: what was heard, the lines on top."
)
@click.option(
    "--audio",
    type=options.PATH,
    help="WAV to write: the track in the left ear, its likeliest melody in the right.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, no remarks.")
@options.sparing_inputs
def command(
    track: Path, output: Path | None, plot: Path | None, audio: Path | None, quiet: bool
) -> None:
    """Write the melodies of TRACK, as they were heard, to files to play and to look at.

    The likeliest line comes first, so that you can hear and see what a check would go by. Of a
    recording the lines are: the voice, the strongest line through all notes, the top notes.

    \b
    $ melodysim transcribe song.mp3 -o heard.mid
    $ melodysim transcribe song.mp3 --plot heard.png --audio heard.wav
    """
    from melodysim.checking import require_melody
    from melodysim.readers.read import MIDI_SUFFIXES, read
    from melodysim.report.note_files import midi_bytes

    if not (output or plot or audio):
        raise click.UsageError("say what to write: -o heard.mid, --plot heard.png or --audio heard.wav")
    if output and output.suffix.lower() not in MIDI_SUFFIXES:
        raise click.UsageError(f"--output {output}: name a .mid file")
    if audio and audio.suffix.lower() != ".wav":
        raise click.UsageError(f"--audio {audio}: name a .wav file")
    form = options.picture_form(plot) if plot else ""
    with terminal.progress("transcribing", quiet) as update:
        update(0, 1, track.name)
        piece = read(track, terminal.threads())
    require_melody(piece)
    if output:
        write_whole(output, midi_bytes(piece.melodies))
    if plot:
        from melodysim.report.plot import transcription_picture

        write_whole(plot, transcription_picture(piece, form))
    if audio:
        _write_side_by_side(track, piece, audio)
    if not quiet:
        for remark in piece.remarks:
            click.echo(f"{track}: {remark}", err=True)
        for melody in piece.melodies:
            click.echo(f"{melody.voice or 'melody'}: {counted(len(melody), 'note')}", err=True)


def _write_side_by_side(track: Path, piece: Piece, output: Path) -> None:
    """Write a stereo file block by block; of a file of notes, the melody alone is in both ears."""
    import numpy as np

    from melodysim.errors import MissingDependencyError
    from melodysim.readers.audio import audio_blocks
    from melodysim.report.sonify import melody_audio

    try:
        import soundfile
    except ImportError as error:
        raise MissingDependencyError(
            "writing sound needs soundfile: run `pip install 'melodysim[audio]'`"
        ) from error
    melody = piece.melodies[0]

    def ears() -> Iterator[NDArray[np.float32]]:
        if piece.kind == "audio":
            done = 0
            for block in audio_blocks(track, AUDIO_RATE):
                begin, end = done / AUDIO_RATE, (done + len(block)) / AUDIO_RATE
                yield np.stack([block, melody_audio(melody, begin, end, AUDIO_RATE)], axis=1)
                done += len(block)
        else:
            end = int(np.ceil(melody.end)) + 1
            for begin in range(0, end, 10):
                tune = melody_audio(melody, begin, min(end, begin + 10), AUDIO_RATE)
                yield np.stack([tune, tune], axis=1)

    with (
        replaced(output) as temporary,
        soundfile.SoundFile(temporary, "w", AUDIO_RATE, 2, subtype="PCM_16", format="WAV") as out,
    ):
        for stretch in ears():
            out.write(np.clip(stretch, -1, 1))
