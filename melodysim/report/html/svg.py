"""Pictures of a report as SVG: the strip of the whole track, and the piano roll of a match.

Shapes carry classes, colours are the style sheet's. Every number that a script needs to move a cursor
over a picture is in its `Roll` or the strip's constants.
"""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from melodysim.intervals import note_name
from melodysim.judge.verdict import GRADES, Rates, level_of
from melodysim.judge.wording import SURE, clock
from melodysim.melody import LOWEST_SEMITONE, Melody, Piece, SemitoneSalience
from melodysim.report.passage import Passage, Relation
from melodysim.search.match import Match

WIDTH = 1000.0
"""Of every picture, in SVG units; a roll may be wider."""
LEFT = 36.0
"""Room for the names of pitches."""
_ROW = 9.0
_NAME, _GAP = 16.0, 46.0
"""Heights above a roll, and between the two."""
_WAVE, _TUNE, _LANE = 46.0, 54.0, 13.0
"""Heights: of the loudness, of the melody, of one row of passages."""
_PER_SECOND = 34.0
"""Units a second at least: a long passage is wider than the window, and scrolls."""
_DECADES = (
    "chance", "1 in 1", "1 in 10", "1 in 100", "1 in 1,000", "1 in 10,000", "1 in 100,000",
    "in a million", "10 million", "100 million", "in a billion", "10 billion", "rarer",
)  # fmt: skip
"""Names of the histogram's bars."""
_LEAD = 0.4
"""Seconds before and after a passage."""
_FAINT, _STRONG = 0.25, 1.6
"""Strength of salience that is drawn white, and black."""


def match_level(match: Match, rates: Rates) -> str:
    """Return the level of a match with a protected work; of one with a free work, "free"."""
    return level_of(match.e_value, rates) if match.reference.rights.protected else "free"


def strip_svg(
    piece: Piece, loudness: NDArray[np.float64], matches: tuple[Match, ...], rates: Rates
) -> str:
    """Draw the whole track as SVG: loudness, where a melody was heard, where the matches lie.

    Parameters
    ----------
    piece : Piece
    loudness : ndarray of float64, shape (steps,)
        In 0..1; all 0 where it is not known.
    matches : tuple of Match
        Those worth showing, best first.
    rates : Rates
        That the verdict was drawn with.
    """
    end = max(piece.duration, 1e-3)
    wave = _WAVE if loudness.any() else 0.0
    lanes = _lanes([match.query.seconds for match in matches])
    below = wave + _TUNE + 6
    height = below + _LANE * (max(lanes, default=-1) + 1) + 20
    parts = [
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" class="strip" role="img" '
        f'aria-label="{escape(_strip_words(piece, matches))}">'
    ]
    if wave:
        parts.append(_wave(loudness, wave))
    melody = piece.melodies[0]
    parts += _tune(melody, end, wave)
    for number, (match, lane) in enumerate(zip(matches, lanes, strict=True), 1):
        a, b = (t / end * WIDTH for t in match.query.seconds)
        kind = match_level(match, rates)
        top = below + lane * _LANE
        parts.append(
            f'<a href="#match-{number}"><rect class="span {kind}" x="{a:.1f}" y="{top:.1f}" '
            f'width="{max(b - a, 3):.1f}" height="{_LANE - 3:g}" rx="3">'
            f"<title>{number}. {escape(match.reference.title)}, "
            f"{clock(match.query.seconds[0])} to {clock(match.query.seconds[1])}</title></rect></a>"
        )
        parts.append(
            f'<rect class="shade {kind}" x="{a:.1f}" y="0" width="{b - a:.1f}" height="{below - 6:g}"/>'
        )
    parts += _clock_marks(end, height)
    parts.append(f'<line class="cursor" x1="0" x2="0" y1="0" y2="{height - 18:g}"/></svg>')
    return "".join(parts)


def _strip_words(piece: Piece, matches: tuple[Match, ...]) -> str:
    """Describe the strip for screen readers."""
    where = "; ".join(
        f"match {k}, {m.reference.title}, from {' to '.join(clock(t) for t in m.query.seconds)}"
        for k, m in enumerate(matches, 1)
    )
    return f"The whole track, {clock(piece.duration)}. " + (where or "No passage stands out")


def _wave(loudness: NDArray[np.float64], height: float) -> str:
    x = np.linspace(0, WIDTH, len(loudness))
    half = np.maximum(loudness**0.7, 0.01) * (height / 2 - 2)
    top = " ".join(f"{a:.1f},{height / 2 - h:.1f}" for a, h in zip(x, half, strict=True))
    bottom = " ".join(f"{a:.1f},{height / 2 + h:.1f}" for a, h in zip(x[::-1], half[::-1], strict=True))
    return f'<polygon class="wave" points="{top} {bottom}"/>'


def _tune(melody: Melody, end: float, top: float) -> list[str]:
    """Draw the likeliest line, its sure and its unsure notes as separate paths."""
    if not len(melody):
        return []
    low, high = float(np.quantile(melody.pitch, 0.02)), float(np.quantile(melody.pitch, 0.98))
    scale = (_TUNE - 8) / max(high - low, 6.0)
    paths: dict[str, list[str]] = {"sure": [], "unsure": []}
    for onset, duration, pitch, sure in zip(
        melody.onset, melody.duration, melody.pitch, melody.confidence, strict=True
    ):
        y = top + _TUNE - 4 - (float(np.clip(pitch, low, high)) - low) * scale
        paths["sure" if sure >= SURE else "unsure"].append(
            f"M{onset / end * WIDTH:.1f} {y:.1f}h{max(duration / end * WIDTH, 0.8):.1f}"
        )
    return _path_elements("tune", paths)


def _clock_marks(end: float, height: float) -> list[str]:
    """Write times along the bottom."""
    step = next(s for s in (5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600, 1e9) if end / s <= 12)
    marks = []
    for k in range(1, int(end / step) + 1):
        x = k * step / end * WIDTH
        if x < WIDTH - 20:
            marks.append(f'<text class="mark" x="{x:.1f}" y="{height - 4:g}">{clock(k * step)}</text>')
    return marks


def _lanes(spans: list[tuple[float, float]]) -> list[int]:
    """Return a row for each span, so that no two in a row overlap."""
    ends: list[float] = []
    rows = []
    for begin, end in spans:
        row = next((k for k, e in enumerate(ends) if e <= begin), len(ends))
        ends[row : row + 1] = [max(end, ends[row]) if row < len(ends) else end]
        rows.append(row)
    return rows


@dataclass(frozen=True)
class Roll:
    """The piano roll of a match.

    Attributes
    ----------
    svg : str
        An SVG element.
    width : float
        Of the picture, in SVG units; the rolls begin `LEFT` from its left edge.
    track_seconds : (float, float)
        Seconds of the track at the left and the right edge of the upper roll.
    reference_seconds : (float, float)
        Seconds of the reference there, in the lower one.
    """

    svg: str
    width: float
    track_seconds: tuple[float, float]
    reference_seconds: tuple[float, float]


def roll_of(passage: Passage, match: Match, heard: SemitoneSalience | None, prefix: str) -> Roll:
    """Draw both passages as piano rolls, one above the other, with lines from note to note.

    Parameters
    ----------
    passage : Passage
    match : Match
    heard : SemitoneSalience or None
        Salience of the recording: drawn behind the track's notes where the match rests on it.
    prefix : str
        Of ids: the notes are the children of the groups ``<prefix>Q`` and ``<prefix>R``.
    """
    salient = match.evidence == "salience" and heard is not None and match.listening is not None
    theirs = passage.theirs
    onset, lasts = passage.reference.onset[theirs], passage.reference.duration[theirs]
    begin = min(float(passage.placed[0, 0]), match.query.seconds[0]) - _LEAD
    end = max(float(passage.placed[-1, 1]), match.query.seconds[1]) + _LEAD
    slope, offset = np.polyfit(passage.placed[:, 0], onset, 1) if len(onset) > 1 else (1.0, 0.0)
    if slope <= 0:
        slope = 1.0
    edges = (float(offset + slope * begin), float(offset + slope * end))
    width = max(WIDTH, (end - begin) * _PER_SECOND)
    theirs_pitch = passage.reference_pitch
    upper = _Lane(passage.pitch, theirs_pitch, begin, end, _NAME, width)
    lower = _Lane(theirs_pitch, theirs_pitch, *edges, upper.bottom + _GAP, width)
    mine = passage.mine
    own, held = passage.track.onset[mine], passage.track.duration[mine]
    words = (
        f"Piano roll: {len(mine)} notes of the track above, {len(theirs)} notes of the reference "
        f"below, {len(passage.pairs)} of them aligned"
    )
    parts = [
        f'<svg viewBox="0 0 {width:g} {lower.bottom + 4:g}" class="roll" role="img" '
        f'aria-label="{words}" style="min-width:{0.64 * width:.0f}px">',
        *upper.grid("track"),
        *lower.grid("reference"),
    ]
    if salient and heard is not None:
        parts.append(upper.image(heard))
    kinds = ["heard"] * len(mine) if salient else list(passage.relation)
    parts += upper.notes(f"{prefix}Q", kinds, own, held, passage.pitch)
    if salient:
        parts += upper.outlines(passage)
        kinds = ["same" if there else "alone" for there in passage.heard]
    else:
        kinds = list(passage.reference_relation)
    parts += lower.notes(f"{prefix}R", kinds, onset, lasts, passage.reference_pitch)
    parts += _links(passage, salient, upper, lower)
    parts += [upper.cursor("mine"), lower.cursor("theirs"), "</svg>"]
    return Roll("".join(parts), width, (begin, end), edges)


def _links(passage: Passage, salient: bool, upper: _Lane, lower: _Lane) -> list[str]:
    """Draw lines from each note to the one aligned with it."""
    onset = passage.reference.onset[passage.theirs]
    if salient:
        ends = [
            (passage.placed[k, 0], passage.reference_pitch[k], k, "same")
            for k in range(len(onset))
            if passage.heard[k]
        ]
    else:
        own = passage.track.onset[passage.mine]
        ends = [(own[i], passage.pitch[i], j, passage.relation[i]) for i, j in passage.pairs.tolist()]
    paths: dict[str, list[str]] = {}
    for time, pitch, j, kind in ends:
        x1, y1 = upper.x(float(time)) + 2, upper.y(int(pitch)) + _ROW
        x2, y2 = lower.x(float(onset[j])) + 2, lower.y(int(passage.reference_pitch[j]))
        paths.setdefault(kind, []).append(f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}")
    return _path_elements("link", paths)


def _path_elements(name: str, paths: dict[str, list[str]]) -> list[str]:
    """Write one path element for each kind that has paths."""
    return [f'<path class="{name} {kind}" d="{"".join(d)}"/>' for kind, d in paths.items() if d]


class _Lane:
    """One piano roll: pitches upwards, time to the right."""

    def __init__(
        self,
        pitch: NDArray[np.int64],
        also: NDArray[np.int64],
        begin: float,
        end: float,
        top: float,
        width: float,
    ) -> None:
        pitches = np.concatenate([pitch, also])
        # Errors of a transcription far from the tune would make the picture flat.
        middle = float(np.median(also))
        pitches = pitches[np.abs(pitches - middle) <= 20]
        self.low, self.high = int(pitches.min()) - 1, int(pitches.max()) + 1
        self.begin, self.end, self.top, self.width = begin, end, top, width
        self.bottom = top + (self.high - self.low + 1) * _ROW

    def x(self, seconds: float) -> float:
        return min(max(self._anywhere(seconds), LEFT), self.width)

    def _anywhere(self, seconds: float) -> float:
        return LEFT + (seconds - self.begin) / (self.end - self.begin) * (self.width - LEFT)

    def y(self, pitch: int) -> float:
        return self.top + (self.high - min(max(pitch, self.low), self.high)) * _ROW

    def grid(self, name: str) -> list[str]:
        width = self.width - LEFT
        rows = [
            f'<rect class="lane" x="{LEFT:g}" y="{self.top:g}" width="{width:g}" '
            f'height="{self.bottom - self.top:g}"/>'
        ]
        for pitch in range(self.low, self.high + 1):
            if pitch % 12 in {1, 3, 6, 8, 10}:
                rows.append(
                    f'<rect class="black" x="{LEFT:g}" y="{self.y(pitch):g}" width="{width:g}" '
                    f'height="{_ROW:g}"/>'
                )
            if pitch % 12 in {0, 5}:
                rows.append(
                    f'<text class="pitch" x="{LEFT - 5:g}" y="{self.y(pitch) + _ROW - 1:g}">'
                    f"{note_name(pitch)}</text>"
                )
        rows.append(f'<text class="lane-name" x="{LEFT:g}" y="{self.top - 5:g}">{name}</text>')
        return rows

    def notes(
        self,
        name: str,
        kinds: list[str] | list[Relation],
        onset: NDArray[np.float64],
        duration: NDArray[np.float64],
        pitch: NDArray[np.int64],
    ) -> list[str]:
        """Draw notes as the children, in their order, of a group of this name."""
        bars = [f'<g id="{name}">']
        for kind, a, d, p in zip(kinds, onset.tolist(), duration.tolist(), pitch.tolist(), strict=True):
            x = self.x(a)
            width = max(self.x(a + d) - x - 0.8, 2.0)
            bars.append(
                f'<rect class="note {kind}" x="{x:.1f}" y="{self.y(p) + 0.7:.1f}" width="{width:.1f}" '
                f'height="{_ROW - 1.4:.1f}"/>'
            )
        return [*bars, "</g>"]

    def outlines(self, passage: Passage) -> list[str]:
        """Draw where each note of a reference was heard, and where it was not."""
        paths: dict[str, list[str]] = {"outline": [], "outline missing": []}
        for (a, b), pitch, there in zip(
            passage.placed.tolist(), passage.reference_pitch.tolist(), passage.heard, strict=True
        ):
            x, y = self.x(a), self.y(pitch) + 0.7
            width, height = max(self.x(b) - x - 0.8, 2.0), _ROW - 1.4
            box = f"M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z"
            paths["outline" if there else "outline missing"].append(box)
        return _path_elements("note", paths)

    def image(self, heard: SemitoneSalience) -> str:
        """Draw the salience behind the notes."""
        first = max(0, int(self.begin / heard.frame))
        last = min(len(heard.strength), int(np.ceil(self.end / heard.frame)) + 1)
        low, high = max(self.low, LOWEST_SEMITONE), min(self.high, LOWEST_SEMITONE + 87)
        part = heard.strength[first:last, low - LOWEST_SEMITONE : high - LOWEST_SEMITONE + 1]
        if not part.size:
            return ""
        shade = np.clip((np.sqrt(part) - _FAINT) / (_STRONG - _FAINT), 0, 1)
        content = base64.b64encode(
            png_bytes((np.rint(15 * shade.T[::-1]) * 17).astype(np.uint8))
        ).decode()
        x, right = self._anywhere(first * heard.frame), self._anywhere(last * heard.frame)
        y, bottom = self.y(high), self.y(low) + _ROW
        return (
            f'<svg x="{LEFT:g}" y="{y:g}" width="{self.width - LEFT:g}" height="{bottom - y:g}" '
            f'viewBox="{LEFT:g} {y:g} {self.width - LEFT:g} {bottom - y:g}" overflow="hidden">'
            f'<image class="salience" x="{x:.1f}" y="{y:g}" width="{right - x:.1f}" '
            f'height="{bottom - y:g}" preserveAspectRatio="none" '
            f'href="data:image/png;base64,{content}"/></svg>'
        )

    def cursor(self, name: str) -> str:
        return (
            f'<line class="cursor {name}" x1="{LEFT:g}" x2="{LEFT:g}" y1="{self.top:g}" '
            f'y2="{self.bottom:g}"/>'
        )


def png_bytes(ink: NDArray[np.uint8]) -> bytes:
    """Encode an image as a PNG (ISO/IEC 15948), black with the given opacity.

    Parameters
    ----------
    ink : ndarray of uint8, shape (height, width)
        255 is black, 0 is clear.
    """
    height, width = ink.shape
    rows = np.zeros((height, 1 + 2 * width), np.uint8)  # each begins with its filter: none
    rows[:, 2::2] = ink

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 4, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def histogram_svg(levels: list[str], e_values: list[float]) -> str:
    """Draw the E-values of the tracks' best protected matches as SVG; empty without tracks.

    Parameters
    ----------
    levels : list of str
        Verdicts, as people are shown them (`melodysim.judge.verdict.GRADES`).
    e_values : list of float
        Of the best match of each track with a protected work, in the same order.
    """
    if not levels:
        return ""
    decades = np.clip(-np.log10(np.maximum(e_values, 1e-300)), -1, 11.99)
    cells = np.floor(decades + 1).astype(int)
    count = {level: np.bincount(cells[[v == level for v in levels]], minlength=13) for level in GRADES}
    total = np.sum(list(count.values()), axis=0)
    top, height, wide = float(total.max()), 120.0, WIDTH / 13
    parts = [
        f'<svg viewBox="0 0 {WIDTH:g} {height + 34:g}" class="histogram" role="img" aria-label="'
        f'How many tracks have a best match so surely beyond chance">'
    ]
    for cell in range(13):
        y = height
        for level in reversed(GRADES):
            n = int(count[level][cell])
            # A single flagged track among thousands must still be seen.
            h = max(n / top * (height - 16), 3.0) if n else 0.0
            y -= h
            if n:
                parts.append(
                    f'<rect class="bar {level}" x="{cell * wide + 4:.1f}" y="{y:.1f}" '
                    f'width="{wide - 8:.1f}" height="{h:.1f}"><title>{n} {level}</title></rect>'
                )
        if total[cell]:
            parts.append(
                f'<text class="count" x="{(cell + 0.5) * wide:.1f}" y="{y - 4:.1f}">'
                f"{total[cell]:,}</text>"
            )
        word = _DECADES[cell]
        parts.append(
            f'<text class="mark" x="{(cell + 0.5) * wide:.1f}" y="{height + 18:g}">{word}</text>'
        )
    return "".join([*parts, "</svg>"])
