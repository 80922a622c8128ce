"""Pictures: the transcription of a track, and the passages that two works share."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.errors import MissingDependencyError
from melodysim.intervals import normalise, note_name
from melodysim.judge.wording import clock
from melodysim.melody import LOWEST_SEMITONE, Melody, Piece
from melodysim.report.reports import PairReport

COLOURS = ("#e4572e", "#2e86ab", "#f3a712", "#6a994e", "#a06cd5")
"""Of the lines, likeliest first: distinct for the colour-blind too."""
SECONDS_PER_ROW = 30.0
"""Of the picture: a long track is drawn in several rows, like lines of a score."""
MAX_ROWS = 40
WINDOW_INTERVALS = 7
"""Intervals along the diagonal that each cell of the matrix averages over: an odd number."""


def transcription_picture(piece: Piece, form: str = "png") -> bytes:
    """Draw the melodies of a piece, over the salience that they were found in.

    Parameters
    ----------
    piece : Piece
        With at least one melody.
    form : {"png", "svg", "pdf"}, optional

    Returns
    -------
    bytes
        A picture; 30 s in a row, at most 40 rows (20 minutes).

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    rows = int(np.clip(np.ceil(piece.duration / SECONDS_PER_ROW), 1, MAX_ROWS))
    low, high = _range(piece.melodies)
    figure = _figure(14, 0.9 + 3.1 * rows)
    for row, axes in enumerate(figure.subplots(rows, 1, squeeze=False)[:, 0]):
        begin, end = row * SECONDS_PER_ROW, (row + 1) * SECONDS_PER_ROW
        _draw_strength(axes, piece, begin, end, low, high)
        for number in range(len(piece.melodies)):  # thin lines over the likeliest, which is wide
            _draw_line(axes, piece.melodies[number], number, begin, end)
        axes.set_xlim(begin, min(end, piece.duration) if rows == 1 else end)
        axes.set_ylim(low - 0.5, high + 0.5)
        octaves = [p for p in range(low, high + 1) if p % 12 in {0, 7}]
        axes.set_yticks(octaves, [note_name(p) for p in octaves])
        axes.grid(axis="x", alpha=0.25)
        axes.set(xlabel="seconds" if row == rows - 1 else "", ylabel="pitch")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=5, frameon=False)
    figure.suptitle(piece.title or piece.source, x=0.01, ha="left", fontsize=12)
    return _drawn(figure, form)


def pair_picture(report: PairReport, form: str = "png") -> bytes:
    """Draw which passage of a work follows which of another.

    A matrix: the new work from left to right, the earlier one from bottom to top. A cell is the darker,
    the more of the intervals about it are the same, so that a passage in common shows as a diagonal
    line, in any key; the passage that the verdict rests on is drawn over it.

    Parameters
    ----------
    report : PairReport
    form : {"png", "svg", "pdf"}, optional

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    match = report.match
    new = report.new.melodies[match.melody if match else 0]
    earlier = match.reference_melody if match else report.earlier.melodies[0]
    figure = _figure(8.5, 8.5)
    axes = figure.subplots()
    alike = common_intervals(new, earlier)
    if alike.size:
        mesh = axes.pcolormesh(
            new.onset, earlier.onset, alike.T, cmap="Greys", vmin=0.15, vmax=1.0, rasterized=True
        )
        mesh.set_edgecolor("none")
        figure.colorbar(
            mesh, shrink=0.4, label=f"share of {WINDOW_INTERVALS} intervals that are the same"
        )
    if match is not None and len(match.path):
        axes.plot(
            new.onset[match.path[:, 0]],
            earlier.onset[match.path[:, 1]],
            color=COLOURS[0],
            linewidth=1.5,
            marker="o",
            markersize=3.5,
            label=f"{match.notes} notes, {' to '.join(clock(t) for t in match.query.seconds)}",
        )
        axes.legend(loc="upper left", frameon=False)
    axes.set_xlabel(f"{report.new.title or report.new.source} (seconds)")
    axes.set_ylabel(f"{report.earlier.title or report.earlier.source} (seconds)")
    figure.suptitle(f"{report.verdict.level}: likeness {report.score:.1f}", x=0.01, ha="left")
    return _drawn(figure, form)


def common_intervals(new: Melody, earlier: Melody) -> NDArray[np.float64]:
    """Return the share of the intervals around each pair of notes that are the same.

    Returns
    -------
    ndarray of float64, shape (n - 1, m - 1)
        In 0..1: of `WINDOW_INTERVALS` intervals along the diagonal, centred on this pair.
    """
    a, b = normalise(new).interval, normalise(earlier).interval
    same = np.equal.outer(a, b).astype(np.float64)
    total = np.zeros_like(same)
    half = WINDOW_INTERVALS // 2
    for k in range(-half, half + 1):
        moved = np.zeros_like(same)
        source = same[max(0, k) : len(a) + min(0, k), max(0, k) : len(b) + min(0, k)]
        moved[max(0, -k) : len(a) + min(0, -k), max(0, -k) : len(b) + min(0, -k)] = source
        total += moved
    return total / WINDOW_INTERVALS


@contextmanager
def _plot_extra() -> Iterator[None]:
    """Import packages of the ``plot`` extra, or say how to install them."""
    try:
        yield
    except ImportError as error:
        words = f"drawing needs {error.name}: run `pip install 'melodysim[plot]'`"
        raise MissingDependencyError(words) from error


def _figure(width: float, height: float) -> Any:
    """Make a figure without pyplot, which keeps figures, and a backend, for the whole process."""
    with _plot_extra():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _drawn(figure: Any, form: str) -> bytes:
    """Render a figure."""
    out = io.BytesIO()
    figure.savefig(out, format=form, dpi=90)
    return out.getvalue()


def _range(melodies: tuple[Melody, ...]) -> tuple[int, int]:
    """Return the lowest and the highest pitch to draw."""
    pitches = np.concatenate([m.pitch for m in melodies])
    return max(0, int(np.quantile(pitches, 0.005)) - 4), min(127, int(pitches.max()) + 4)


def _draw_strength(axes, piece: Piece, begin: float, end: float, low: int, high: int) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Draw the salience of one row of the picture as an image."""
    if piece.heard is None:
        return
    with _plot_extra():
        from librosa.display import specshow

    frame = piece.heard.frame
    rows = piece.heard.strength[int(begin / frame) : int(np.ceil(end / frame))]
    columns = rows[:, max(0, low - LOWEST_SEMITONE) : max(0, high + 1 - LOWEST_SEMITONE)]
    if not columns.size:
        return
    specshow(
        np.sqrt(columns.T),
        x_coords=begin + frame * (np.arange(len(rows)) + 0.5),
        y_coords=max(low, LOWEST_SEMITONE) + np.arange(columns.shape[1]),
        x_axis="s",
        ax=axes,
        cmap="Greys",
        vmin=0.25,  # below it is what the networks show of anything
        vmax=1.6,
        rasterized=True,
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
        linewidth=6.0 if number == 0 else 1.8,
        alpha=0.9,
        label=melody.voice or "melody",
    )
