"""Pictures of what was heard: salience as an image, the melody lines on top."""

from __future__ import annotations

import io

import numpy as np

from melodysim.errors import MissingDependencyError
from melodysim.melody import LOWEST_HEARD, Melody, Piece

COLOURS = ("#e4572e", "#2e86ab", "#f3a712", "#6a994e", "#a06cd5")
"""Of the lines, likeliest first: told apart by the colour-blind too."""
SECONDS_PER_ROW = 30.0
"""Of the picture: a long track is drawn in several rows, like lines of a score."""
MAX_ROWS = 40
NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def transcription_png(piece: Piece) -> bytes:
    """Draw the melodies of a piece, over the salience that they were found in.

    Parameters
    ----------
    piece : Piece
        With at least one melody.

    Returns
    -------
    bytes
        A PNG; 30 s in a row, at most 40 rows (20 minutes).

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            "drawing needs matplotlib: run `pip install 'melodysim[plot]'`"
        ) from error
    rows = int(np.clip(np.ceil(piece.duration / SECONDS_PER_ROW), 1, MAX_ROWS))
    low, high = _range(piece.melodies)
    # No pyplot: it keeps figures, and a backend, for the whole process.
    figure = Figure(figsize=(14, 0.9 + 3.1 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for row, axes in enumerate(figure.subplots(rows, 1, squeeze=False)[:, 0]):
        begin, end = row * SECONDS_PER_ROW, (row + 1) * SECONDS_PER_ROW
        if piece.heard is not None:
            _draw_strength(axes, piece, begin, end, low, high)
        for number in range(len(piece.melodies) - 1, -1, -1):  # the likeliest on top
            _draw_line(axes, piece.melodies[number], number, begin, end)
        axes.set_xlim(begin, end)
        axes.set_ylim(low - 0.5, high + 0.5)
        octaves = [p for p in range(low, high + 1) if p % 12 in {0, 7}]
        axes.set_yticks(octaves, [f"{NAMES[p % 12]}{p // 12 - 1}" for p in octaves])
        axes.grid(axis="x", alpha=0.25)
        axes.set_ylabel("pitch")
    axes.set_xlabel("seconds")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside upper right", ncols=5, frameon=False)
    figure.suptitle(piece.title or piece.source, x=0.01, ha="left", fontsize=12)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=90)
    return out.getvalue()


def _range(melodies: tuple[Melody, ...]) -> tuple[int, int]:
    """Pitches worth showing."""
    pitches = np.concatenate([m.pitch for m in melodies])
    return max(0, int(np.quantile(pitches, 0.005)) - 4), min(127, int(pitches.max()) + 4)


def _draw_strength(axes, piece: Piece, begin: float, end: float, low: int, high: int) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Draw the salience of one row of the picture as an image."""
    if piece.heard is None:
        return
    frame = piece.heard.frame
    rows = piece.heard.strength[int(begin / frame) : int(np.ceil(end / frame))]
    columns = rows[:, max(0, low - LOWEST_HEARD) : max(0, high + 1 - LOWEST_HEARD)]
    if not columns.size:
        return
    bottom = max(low, LOWEST_HEARD)
    extent = (begin, begin + len(rows) * frame, bottom - 0.5, bottom + columns.shape[1] - 0.5)
    axes.imshow(
        np.sqrt(columns.T),
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap="Greys",
        vmin=0.25,  # below it is what the networks show of anything
        vmax=1.6,
    )


def _draw_line(axes, melody: Melody, number: int, begin: float, end: float) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Draw the notes of one melody as bars."""
    here = (melody.onset < end) & (melody.onset + melody.duration > begin)
    colour = COLOURS[number % len(COLOURS)]
    axes.hlines(
        melody.pitch[here],
        melody.onset[here],
        (melody.onset + melody.duration)[here],
        colors=colour,
        linewidth=4.5 if number == 0 else 2.0,
        alpha=0.95 if number == 0 else 0.75,
        label=melody.voice or "melody",
    )
