"""Alignment of reference notes with what was heard: matching without deciding on one line.

The reference is known exactly, the recording is not. So each reference note in turn takes a stretch
of the recording, and is scored by how much stronger its pitch class sounds there than it does in the
recording on the whole: a log-odds, summed over time. The tempo is free within a grid and may drift
from note to note; the transposition is free but fixed; notes may go unheard, at a cost. Wrong
octaves, sliding pitch and wrong note boundaries, which ruin transcriptions, then cost little. The
idea is that of score-informed alignment (Raphael 2006, "Aligning music audio with symbolic scores
using a hybrid graphical model"), made local in both melodies as by Smith & Waterman (1981).

Conventions
-----------
Evidence is in nats per 58 ms, kept as integers (`QUANTUM` per nat): sums are exact, and the order of
work cannot change a result. The kernel runs over all times and all 12 transpositions in its
innermost loop, flattened (time major), with `pad` entries before time 0 so that a look back in time
never leaves the array. Recordings are cut into overlapping blocks, which also keeps sums in int16.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import Corpus, in_threads
from melodysim.melody import LOWEST_HEARD, Heard

# Tuned on the first recording of each of 14 pairs, reported on the second (docs/how-it-works.md).
REGISTER = (52, 88)
"""MIDI note numbers that may be the tune: E3 up; below it the bass would always be heard."""
FLOOR = 0.03
"""Added to strength before the logarithm: what the model's outputs show of silence."""
BACKGROUND_EXPONENT = 0.3
"""How far the background is that of the pitch class (1) or of the whole recording (0)."""
BIAS = 0.1
"""Nats per 58 ms taken off everywhere, so that unrelated notes lose and alignments stay local."""
LIMIT = 3.0
"""Evidence is clipped to ± this many nats."""
SILENCED = -1.0
"""Nats where a recording is not to be listened to: alignments end there, and sums stay small."""
SKIP_COST = 1.0
"""Nats for a reference note that is not heard."""
SHORTEST, LONGEST = 0.6, 1.6
"""A note may last this share of its nominal length."""
UNUSUAL_COST = 0.25
"""Nats for a note at either end of that range: its tempo is off, or it is another note."""
MAX_NOTE_SECONDS = 2.3
"""Longer notes and rests count as this long."""
MEDIAN_NOTES = (0.17, 0.26, 0.39, 0.58)
"""Tempo grid: seconds for the reference's median inter-onset interval. Absolute, since references
come at nominal tempi; with `SHORTEST` and `LONGEST` the steps overlap."""

ROWS_PER_STEP = 2
"""Rows of `Heard` (58 ms each) in one step of the alignment."""
REFERENCE_ROW = 0.05775
"""Seconds: evidence of a step counts in proportion to its length over this."""
QUANTUM = 4.0
BLOCK_SECONDS, OVERLAP_SECONDS = 60.0, 15.0
"""Of a recording, aligned on its own. No longer: over two minutes an unrelated song, which shares its
scale, gathers more than chance is fitted for: E-values of 1 in a million came once in 16 recordings."""
_HIGHEST_SUM = 20000
CLASSES = 12


@dataclass(frozen=True, eq=False)
class Evidence:
    """Log-odds of each pitch class over time, ready for the kernel, in blocks.

    Attributes
    ----------
    blocks : tuple of ndarray of int16, shape (12, pad + (steps + 1) * 12)
        For each pitch class of the reference: cumulative evidence at each time, for each of the 12
        transpositions.
    starts : tuple of int
        First step of each block.
    step : float
        Seconds a step.
    pad : int
        Entries before time 0.
    """

    blocks: tuple[NDArray[np.int16], ...]
    starts: tuple[int, ...]
    step: float
    pad: int


@dataclass(frozen=True, eq=False)
class Listening:
    """Where a reference melody was heard.

    Attributes
    ----------
    score : float
        Nats of evidence.
    note : ndarray of int64, shape (k,)
        Reference notes, consecutive.
    begin, end : ndarray of float64, shape (k,)
        Seconds in the recording that each takes.
    heard : ndarray of bool, shape (k,)
        False where the note was passed over as not heard.
    first_pitch : int
        MIDI note number at which the reference's first note is, or would be, in the recording.
    tempo_ratio : float
        How many times faster the recording is than the reference's own timing.
    """

    score: float
    note: NDArray[np.int64]
    begin: NDArray[np.float64]
    end: NDArray[np.float64]
    heard: NDArray[np.bool_]
    first_pitch: int
    tempo_ratio: float


def log_odds(strength: NDArray[np.float32]) -> NDArray[np.float64]:
    """Evidence for each pitch class at each time against the recording's own background.

    Parameters
    ----------
    strength : ndarray of float32, shape (steps, 88)
        As in `Heard`.

    Returns
    -------
    ndarray of float64, shape (steps, 12)
        Nats per 58 ms; column 0 is C. A step in which nothing sounds has little evidence for or
        against anything.
    """
    low, high = REGISTER
    sung = strength[:, low - LOWEST_HEARD : high - LOWEST_HEARD].astype(np.float64)
    classes = np.arange(low, high) % CLASSES
    folded = np.stack([sung[:, classes == c].max(axis=1) for c in range(CLASSES)], axis=1)
    overall = folded.mean()
    own = folded.mean(axis=0, keepdims=True)
    background = own**BACKGROUND_EXPONENT * overall ** (1 - BACKGROUND_EXPONENT)
    odds = np.log((folded + FLOOR) / (background + FLOOR)) - BIAS
    return np.clip(odds, -LIMIT, LIMIT)


def prepare_evidence(heard: Heard, silenced: NDArray[np.float64] | None = None) -> Evidence:
    """Turn what was heard into cumulative evidence.

    Parameters
    ----------
    heard : Heard
    silenced : ndarray of float64, shape (n, 2), optional
        Seconds from and to which everything is taken as not heard.

    Returns
    -------
    Evidence
        Without blocks if nothing was heard.
    """
    step = heard.frame * ROWS_PER_STEP
    steps = len(heard.strength) // ROWS_PER_STEP
    pad = (int(MAX_NOTE_SECONDS / step * LONGEST) + 2) * CLASSES
    if steps == 0:
        return Evidence((), (), step, pad)
    rows = heard.strength[: steps * ROWS_PER_STEP]
    odds = log_odds(rows.reshape(steps, ROWS_PER_STEP, -1).mean(axis=1)) * (step / REFERENCE_ROW)
    for begin, end in np.zeros((0, 2)) if silenced is None else silenced:
        odds[int(begin / step) : int(np.ceil(end / step))] = SILENCED
    size, overlap = round(BLOCK_SECONDS / step), round(OVERLAP_SECONDS / step)
    starts = list(range(0, max(1, steps - overlap), size - overlap))
    blocks = tuple(_cumulative(odds[start : start + size], pad) for start in starts)
    return Evidence(blocks, tuple(starts), step, pad)


def _cumulative(odds: NDArray[np.float64], pad: int) -> NDArray[np.int16]:
    """Sum evidence over time, laid out as the kernel reads it."""
    total = np.concatenate([np.zeros((1, CLASSES)), np.cumsum(odds, axis=0)])
    laid = np.zeros((CLASSES, pad + total.size), np.int16)
    for pitch_class in range(CLASSES):
        heard_class = (pitch_class + np.arange(CLASSES)) % CLASSES
        sums = np.rint(total[:, heard_class].reshape(-1) * QUANTUM)
        # Evidence averages below 1 nat by construction: sums stay far inside int16 in any music.
        laid[pitch_class, pad:] = np.clip(sums, -_HIGHEST_SUM, _HIGHEST_SUM)
    return laid


def _rules() -> tuple[float, float, np.int16, np.int16]:
    """Give what the kernels go by: a note's shortest and longest share; costs in `QUANTUM` per nat."""
    return SHORTEST, LONGEST, np.int16(SKIP_COST * QUANTUM), np.int16(UNUSUAL_COST * QUANTUM)


def scan_heard(
    corpus: Corpus, evidence: Evidence, melodies: NDArray[np.int64], threads: int = 1
) -> NDArray[np.int32]:
    """Score references against a recording.

    Parameters
    ----------
    corpus : Corpus
        The references.
    evidence : Evidence
        Of the recording.
    melodies : ndarray of int64, shape (n,)
        Which references.
    threads : int, optional
        Threads to use.

    Returns
    -------
    ndarray of int32, shape (n, 3)
        Score in `QUANTUM` per nat; tempo (index into `MEDIAN_NOTES`) and block of the best alignment,
        for `trace_heard`.
    """
    from melodysim.align import listen_kernels as kernels

    tempi = np.array(MEDIAN_NOTES) / evidence.step
    classes = corpus.pitch % np.int16(CLASSES)
    best = np.zeros((len(melodies), 3), np.int32)
    for number, block in enumerate(evidence.blocks):

        def work(share: NDArray[np.int64], block: NDArray[np.int16] = block) -> NDArray[np.int32]:
            out = np.zeros((len(share), 2), np.int32)
            kernels.listen_many(
                block,
                evidence.pad,
                classes,
                corpus.gap,
                corpus.start,
                share,
                corpus.median_gap,
                tempi,
                MAX_NOTE_SECONDS / evidence.step,
                _rules(),
                out,
            )
            return out

        found = in_threads(work, melodies, threads)
        better = found[:, 0] > best[:, 0]
        best[better, :2] = found[better]
        best[better, 2] = number
    return best


def trace_heard(
    corpus: Corpus, evidence: Evidence, heard: Heard, melody: int, found: NDArray[np.int32]
) -> Listening:
    """Say which reference note was heard when.

    Parameters
    ----------
    corpus : Corpus
        The references.
    evidence : Evidence
        Of the recording.
    heard : Heard
        The same recording, to tell the octave.
    melody : int
        The reference.
    found : ndarray of int32, shape (3,)
        Its row of `scan_heard`, with a score above 0.

    Returns
    -------
    Listening
    """
    from melodysim.align import listen_kernels as kernels

    score, tempo, number = (int(value) for value in found)
    lo, hi = int(corpus.start[melody]), int(corpus.start[melody + 1])
    block, step = evidence.blocks[number], evidence.step
    stretch = MEDIAN_NOTES[tempo] / step / corpus.median_gap[melody]
    classes = corpus.pitch[lo:hi] % np.int16(CLASSES)
    nominal = np.minimum(corpus.gap[lo:hi] * stretch, MAX_NOTE_SECONDS / step)
    rules = _rules()
    work = np.empty((2, 2, block.shape[1]), np.int16)
    _, last, place = kernels.listen(
        block, evidence.pad, classes, nominal, rules, work[0], work[1], True
    )
    lane, steps = place % CLASSES, (block.shape[1] - evidence.pad) // CLASSES - 1
    move = kernels.trace(block, evidence.pad, classes, nominal, rules, steps, lane, last)
    rows = []
    j, t = last + 1, place // CLASSES
    while j > 0 and move[j, t]:
        length = int(move[j, t])
        rows.append((j - 1, t - abs(length), t, length > 0))
        j, t = j - 1, t - abs(length)
    note, begin, end, sung = (np.array(column) for column in zip(*rows[::-1], strict=True))
    begin, end = ((time + evidence.starts[number]) * step for time in (begin, end))
    pitch = corpus.pitch[lo:hi][note] + lane
    return Listening(
        score=score / QUANTUM,
        note=note,
        begin=begin,
        end=end,
        heard=sung.astype(bool),
        first_pitch=lane + _octave(heard, pitch, begin, end, sung),
        tempo_ratio=float(corpus.gap[lo:hi][note].sum()) / float(end[-1] - begin[0]),
    )


def _octave(
    heard: Heard,
    pitch: NDArray[np.int16],
    begin: NDArray[np.float64],
    end: NDArray[np.float64],
    sung: NDArray[np.bool_],
) -> int:
    """Semitones (a multiple of 12) to add to pitches so that they are where the sound is.

    Pitches are counted from the reference's first note as from a C; the result is a MIDI note number
    offset.
    """
    best, offset = -1.0, 60
    for shift in range(0, 121, 12):
        columns = pitch.astype(np.int64) + shift - LOWEST_HEARD
        total = 0.0
        for column, a, b, counts in zip(columns, begin, end, sung, strict=True):
            if counts and 0 <= column < heard.strength.shape[1]:
                first, last = (
                    int(a / heard.frame),
                    max(int(a / heard.frame) + 1, int(b / heard.frame)),
                )
                total += float(heard.strength[first:last, column].mean()) * (b - a)
        if total > best:
            best, offset = total, shift
    return offset
