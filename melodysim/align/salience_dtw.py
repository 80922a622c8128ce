"""Alignment of reference notes with the salience of a recording, without transcribing it first.

The reference is known exactly, the recording is not. So each reference note in turn takes a stretch
of the recording, and is scored by how much stronger its pitch class sounds there than it does in the
recording on the whole: a log-odds, summed over time. The tempo is free within a grid and may drift
from note to note; the transposition is free but fixed; notes may go unheard, at a cost. Wrong
octaves, sliding pitch and wrong note boundaries, which ruin transcriptions, then cost little. The
idea is that of score-informed alignment (Raphael 2006, "Aligning music audio with symbolic scores
using a hybrid graphical model"), made local in both melodies as by Smith & Waterman (1981).

That is done twice, in two spaces: by pitch class for every reference, then by pitch for the best of
them and for a sample. By pitch class a network's octave errors do no harm, but chords and overtones
look like the tune; by pitch they do not. Each space finds matches that the other misses
(docs/hearing.md).

Conventions
-----------
Evidence is in nats per 58 ms, kept as integers (`QUANTUM` per nat): sums are exact, and the order of
work cannot change a result. The kernel's innermost loop runs over all times and all transpositions,
flattened (time major), with `pad` entries before time 0 so that a look back in time never leaves the
array. Recordings are cut into overlapping blocks, which also keeps sums in int16.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import Corpus, in_threads
from melodysim.melody import LOWEST_SEMITONE, SemitoneSalience

# Tuned on the first recording of each of 14 pairs, reported on the second (docs/how-it-works.md).
FLOOR = 0.03
"""Added to strength before the logarithm: the level of the model's outputs in silence."""
LIMIT = 3.0
"""Evidence is clipped to ± this many nats."""
SILENCED = -1.0
"""Evidence, in nats, of a silenced stretch: alignments end there, and sums stay small."""
SKIP_COST = 1.0
"""Nats for a reference note that is not heard."""
SHORTEST, LONGEST = 0.6, 1.6
"""A note may last this share of its nominal length."""
UNUSUAL_COST = 0.25
"""Nats for a note at either end of that range: the tempo is off, or the note is another."""
MAX_NOTE_SECONDS = 2.3
"""Longer notes and rests count as this long."""
MEDIAN_NOTES = (0.17, 0.26, 0.39, 0.58)
"""Tempo grid: seconds for the reference's median inter-onset interval. Absolute, since references
come at nominal tempi; with `SHORTEST` and `LONGEST` the steps overlap."""

ROWS_PER_STEP = 2
"""Rows of `SemitoneSalience` (58 ms each) in one step of the alignment."""
REFERENCE_ROW = 0.05775
"""Seconds: evidence of a step counts in proportion to its length over this."""
QUANTUM = 4.0
BLOCK_SECONDS, OVERLAP_SECONDS = 60.0, 15.0
"""Length of a block, which is aligned on its own, and of its overlap with the next. Over two minutes an
unrelated song in the same scale scores more than the fit to chance allows for: an E-value of 1 in a
million came once in 16 recordings."""
_HIGHEST_SUM = 20000
CLASSES = 12


@dataclass(frozen=True)
class PitchSpace:
    """How the pitches of a recording and of references are compared: by pitch class or by pitch.

    Attributes
    ----------
    register : (int, int)
        MIDI note numbers that may be the tune, the first and the one after the last.
    exponent : float
        Background: the mean of each single pitch (1), of the whole recording (0), or between.
    bias : float
        Nats per 58 ms subtracted everywhere, so that unrelated notes lose and alignments stay local.
    rows : int
        Number of different pitches of a reference.
    lanes : int
        Number of transpositions tried.
    lowest : int or None
        MIDI note number of the lowest row at the lowest transposition; None where only the pitch class
        counts.
    """

    register: tuple[int, int]
    exponent: float
    bias: float
    rows: int
    lanes: int
    lowest: int | None = None

    def rows_of(self, corpus: Corpus) -> NDArray[np.int16]:
        """Return the row of each reference note."""
        if self.lowest is None:
            return corpus.pitch % np.int16(CLASSES)
        # Centred on each melody's median, so that few notes fall outside the rows.
        owner = np.repeat(np.arange(len(corpus.start) - 1), np.diff(corpus.start))
        ordered = corpus.pitch[np.lexsort((corpus.pitch, owner))]
        median = ordered[(corpus.start[:-1] + corpus.start[1:]) // 2]
        rows: NDArray[np.int16] = np.clip(
            corpus.pitch - median[owner] + self.rows // 2, 0, self.rows - 1
        )
        return rows


PITCH_CLASSES = PitchSpace((52, 88), 0.3, 0.1, CLASSES, CLASSES)
"""By pitch class, from E3 up: below it the bass would always be heard."""
PITCHES = PitchSpace((40, 88), 0.6, 0.25, 31, 30, lowest=33)
"""By pitch, from E2 up, where men sing. The median of a reference may lie at MIDI 48 to 77, its notes
up to 15 semitones from it."""


@dataclass(frozen=True, eq=False)
class PitchEvidence:
    """Log-odds of each pitch over time, ready for the kernel, in blocks.

    Attributes
    ----------
    space : PitchSpace
        Which pitches.
    blocks : tuple of ndarray of int16, shape (rows, pad + (steps + 1) * lanes)
        Cumulative evidence by row of the reference, time and transposition.
    starts : tuple of int
        First step of each block.
    step : float
        Seconds a step.
    pad : int
        Entries before time 0.
    """

    space: PitchSpace
    blocks: tuple[NDArray[np.int16], ...]
    starts: tuple[int, ...]
    step: float
    pad: int


@dataclass(frozen=True, eq=False)
class SalienceAlignment:
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


def log_odds(strength: NDArray[np.float32], space: PitchSpace) -> NDArray[np.float64]:
    """Return the log-odds of each pitch at each time against the recording's own background.

    Parameters
    ----------
    strength : ndarray of float32, shape (steps, 88)
        As in `SemitoneSalience`.
    space : PitchSpace
        Which pitches.

    Returns
    -------
    ndarray of float64, shape (steps, pitches)
        Nats per 58 ms; column 0 is C, or the lowest pitch of the register. A step in which nothing
        sounds has little evidence for or against anything.
    """
    low, high = space.register
    sung = strength[:, low - LOWEST_SEMITONE : high - LOWEST_SEMITONE].astype(np.float64)
    if space.lowest is None:
        classes = np.arange(low, high) % CLASSES
        sung = np.stack([sung[:, classes == c].max(axis=1) for c in range(CLASSES)], axis=1)
    overall = sung.mean()
    own = sung.mean(axis=0, keepdims=True)
    background = own**space.exponent * overall ** (1 - space.exponent)
    odds = np.log((sung + FLOOR) / (background + FLOOR)) - space.bias
    return np.clip(odds, -LIMIT, LIMIT)


def prepare_evidence(
    heard: SemitoneSalience,
    space: PitchSpace = PITCH_CLASSES,
    silenced: NDArray[np.float64] | None = None,
) -> PitchEvidence:
    """Turn the salience of a recording into cumulative evidence; no blocks if nothing was heard.

    Parameters
    ----------
    heard : SemitoneSalience
    space : PitchSpace, optional
        Which pitches.
    silenced : ndarray of float64, shape (n, 2), optional
        Begin and end, in seconds, of stretches to leave out.
    """
    step = heard.frame * ROWS_PER_STEP
    steps = len(heard.strength) // ROWS_PER_STEP
    pad = (int(MAX_NOTE_SECONDS / step * LONGEST) + 2) * space.lanes
    if steps == 0:
        return PitchEvidence(space, (), (), step, pad)
    rows = heard.strength[: steps * ROWS_PER_STEP]
    share = step / REFERENCE_ROW
    odds = log_odds(rows.reshape(steps, ROWS_PER_STEP, -1).mean(axis=1), space) * share
    for begin, end in np.zeros((0, 2)) if silenced is None else silenced:
        odds[int(begin / step) : int(np.ceil(end / step))] = SILENCED
    if space.lowest is not None:  # one more column, for what lies outside the register
        odds = np.pad(odds, ((0, 0), (0, 1)), constant_values=-LIMIT * share)
    size, overlap = round(BLOCK_SECONDS / step), round(OVERLAP_SECONDS / step)
    starts = list(range(0, max(1, steps - overlap), size - overlap))
    blocks = tuple(_cumulative(odds[start : start + size], space, pad) for start in starts)
    return PitchEvidence(space, blocks, tuple(starts), step, pad)


def _cumulative(odds: NDArray[np.float64], space: PitchSpace, pad: int) -> NDArray[np.int16]:
    """Sum evidence over time, laid out as the kernel reads it."""
    total = np.concatenate([np.zeros((1, odds.shape[1])), np.cumsum(odds, axis=0)])
    # Evidence averages below 1 nat by construction: sums stay far inside int16 in any music.
    sums = np.clip(np.rint(total * QUANTUM), -_HIGHEST_SUM, _HIGHEST_SUM).astype(np.int16)
    laid = np.zeros((space.rows, pad + len(total) * space.lanes), np.int16)
    for row in range(space.rows):
        columns = row + np.arange(space.lanes)
        if space.lowest is None:
            columns %= CLASSES
        else:
            columns += space.lowest - space.register[0]
            outside = (columns < 0) | (columns >= odds.shape[1] - 1)
            columns[outside] = odds.shape[1] - 1
        laid[row, pad:] = sums[:, columns].reshape(-1)
    return laid


def _rules() -> tuple[float, float, np.int16, np.int16]:
    """Return the kernels' rules: shortest and longest share of a note; costs in `QUANTUM` per nat."""
    return SHORTEST, LONGEST, np.int16(SKIP_COST * QUANTUM), np.int16(UNUSUAL_COST * QUANTUM)


def scan_heard(
    corpus: Corpus, evidence: PitchEvidence, melodies: NDArray[np.int64], threads: int = 1
) -> NDArray[np.int32]:
    """Score references against a recording.

    Parameters
    ----------
    corpus : Corpus
        The references.
    evidence : PitchEvidence
        Of the recording.
    melodies : ndarray of int64, shape (n,)
        Which references.

    Returns
    -------
    ndarray of int32, shape (n, 3)
        Score in `QUANTUM` per nat; tempo (index into `MEDIAN_NOTES`) and block of the best alignment,
        for `trace_heard`.
    """
    from melodysim.align.kernels import numba_salience as kernels

    tempi = np.array(MEDIAN_NOTES) / evidence.step
    rows, lanes = evidence.space.rows_of(corpus), evidence.space.lanes
    best = np.zeros((len(melodies), 3), np.int32)
    for number, block in enumerate(evidence.blocks):

        def work(share: NDArray[np.int64], block: NDArray[np.int16] = block) -> NDArray[np.int32]:
            out = np.zeros((len(share), 2), np.int32)
            kernels.listen_many(
                block,
                evidence.pad,
                lanes,
                rows,
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
    corpus: Corpus,
    evidence: PitchEvidence,
    heard: SemitoneSalience,
    melody: int,
    found: NDArray[np.int32],
) -> SalienceAlignment:
    """Find when each note of a reference was heard in a recording.

    Parameters
    ----------
    corpus : Corpus
        The references.
    evidence : PitchEvidence
        Of the recording, by `PITCH_CLASSES`.
    heard : SemitoneSalience
        The same recording, to find the octave.
    melody : int
        The reference.
    found : ndarray of int32, shape (3,)
        Its row of `scan_heard`, with a score above 0.
    """
    from melodysim.align.kernels import numba_salience as kernels

    score, tempo, number = (int(value) for value in found)
    lo, hi = int(corpus.start[melody]), int(corpus.start[melody + 1])
    block, step = evidence.blocks[number], evidence.step
    stretch = MEDIAN_NOTES[tempo] / step / corpus.median_gap[melody]
    classes = corpus.pitch[lo:hi] % np.int16(CLASSES)
    nominal = np.minimum(corpus.gap[lo:hi] * stretch, MAX_NOTE_SECONDS / step)
    rules = _rules()
    work = np.empty((2, 2, block.shape[1]), np.int16)
    _, last, place = kernels.listen(
        block, evidence.pad, CLASSES, classes, nominal, rules, work[0], work[1], True
    )
    lane, steps = place % CLASSES, (block.shape[1] - evidence.pad) // CLASSES - 1
    move = kernels.trace(block, evidence.pad, CLASSES, classes, nominal, rules, steps, lane, last)
    rows = []
    j, t = last + 1, place // CLASSES
    while j > 0 and move[j, t]:
        length = int(move[j, t])
        rows.append((j - 1, t - abs(length), t, length > 0))
        j, t = j - 1, t - abs(length)
    note, begin, end, sung = (np.array(column) for column in zip(*rows[::-1], strict=True))
    begin, end = ((time + evidence.starts[number]) * step for time in (begin, end))
    pitch = corpus.pitch[lo:hi][note] + lane
    return SalienceAlignment(
        score=score / QUANTUM,
        note=note,
        begin=begin,
        end=end,
        heard=sung.astype(bool),
        first_pitch=lane + _octave(heard, pitch, begin, end, sung),
        tempo_ratio=float(corpus.gap[lo:hi][note].sum()) / float(end[-1] - begin[0]),
    )


def _octave(
    heard: SemitoneSalience,
    pitch: NDArray[np.int16],
    begin: NDArray[np.float64],
    end: NDArray[np.float64],
    sung: NDArray[np.bool_],
) -> int:
    """Return the multiple of 12 semitones that moves pitches to the octave that sounds the most.

    Pitches count from a C; with the offset added they are MIDI note numbers.
    """
    best, offset = -1.0, 60
    for shift in range(0, 121, 12):
        columns = pitch.astype(np.int64) + shift - LOWEST_SEMITONE
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
