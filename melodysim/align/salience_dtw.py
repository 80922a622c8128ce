"""Alignment of reference notes with the salience of a recording, without transcribing it first.

The reference is known exactly, the recording is not. So each reference note in turn takes a stretch
of the recording, and is scored by what speaks for its pitch there, summed over time, and for its
beginning there (`melodysim.align.salience_evidence`). The tempo is free within a grid and may drift
from note to note; the transposition is free but fixed; notes may go unheard, at a cost. Wrong octaves,
sliding pitch and wrong note boundaries, which ruin transcriptions, then cost little. The idea is that
of score-informed alignment (Raphael 2006, "Aligning music audio with symbolic scores using a hybrid
graphical model"), made local in both melodies as by Smith & Waterman (1981).

Every reference is listened for coarsely and by pitch class, the best of them and a sample again finely
and by pitch, in the octaves of the transposition that was found. Each is also listened for backwards:
that has the same notes and lengths but is another tune, so its score is what key, range and repetition
alone bring (the reverse null model of Karplus et al. 2005, "Calibrating E-values for hidden Markov
models using reverse-sequence null models").
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import Corpus, in_threads
from melodysim.align.salience_evidence import (
    CLASSES,
    MAX_NOTE_SECONDS,
    QUANTUM,
    PitchEvidence,
    PitchSpace,
    medians,
)
from melodysim.kernels import kernels
from melodysim.melody import LOWEST_SEMITONE, SemitoneSalience

# Measured as the evidence was (docs/research/hearing.md).
SKIP_COST = 2.0
"""Nats for a reference note that is not heard."""
UNUSUAL_COST = 0.5
"""Nats for a note at either end of the range of its length: the tempo is off, or it is another."""
TOLD = 0.5
"""Nats of evidence from which on a note is said to be heard: less says little either way."""
RETURN_WEIGHT = 0.5
"""Share that counts of a reference's best score in another part of the recording: choruses return."""


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
        False where the note was passed over as not heard, or its evidence says little.
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


@dataclass(frozen=True, eq=False)
class _Notes:
    """References as the kernels read them: the row and length of each note, where melodies begin."""

    row: NDArray[np.int16]
    gap: NDArray[np.float64]
    start: NDArray[np.int64]
    median_gap: NDArray[np.float64]

    @classmethod
    def of(cls, corpus: Corpus, space: PitchSpace, backwards: bool = False) -> _Notes:
        """Lay references out, forwards or backwards; each note stays as long as it is."""
        order = np.arange(int(corpus.start[-1]))
        if backwards:
            owner = np.repeat(np.arange(len(corpus)), corpus.lengths)
            order = (corpus.start[:-1] + corpus.start[1:] - 1)[owner] - order
        row, gap = space.rows_of(corpus)[order], corpus.gap[order]
        return cls(*map(np.ascontiguousarray, (row, gap, corpus.start, corpus.median_gap)))


def _rules(evidence: PitchEvidence) -> tuple[float, float, np.int16, np.int16]:
    """Return the kernels' rules: shortest and longest share of a note; costs in `QUANTUM` per nat."""
    shares = evidence.resolution.shortest, evidence.resolution.longest
    return *shares, np.int16(SKIP_COST * QUANTUM), np.int16(UNUSUAL_COST * QUANTUM)


def scan_blocks(
    corpus: Corpus,
    evidence: PitchEvidence,
    melodies: NDArray[np.int64],
    threads: int = 1,
    backwards: bool = False,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Score references in every block of a recording.

    Parameters
    ----------
    corpus : Corpus
        The references.
    evidence : PitchEvidence
        Of the recording.
    melodies : ndarray of int64, shape (n,)
        Which references.
    backwards : bool, optional
        Whether to read them backwards: what key, range and repetition score.

    Returns
    -------
    score : ndarray of int32, shape (blocks, n)
        In `QUANTUM` per nat.
    tempo : ndarray of int32, shape (blocks, n)
        Of the best alignment: index into the resolution's grid.
    """
    return _scan(_Notes.of(corpus, evidence.space, backwards), evidence, melodies, threads)


def scan_heard(
    corpus: Corpus, evidence: PitchEvidence, melodies: NDArray[np.int64], threads: int = 1
) -> NDArray[np.int32]:
    """Score references against a recording, each by the block in which it scores most.

    Parameters
    ----------
    corpus, evidence, melodies
        As for `scan_blocks`.

    Returns
    -------
    ndarray of int32, shape (n, 3)
        Score in `QUANTUM` per nat, tempo and block of the best alignment, for `trace_heard`.
    """
    return in_blocks(*scan_blocks(corpus, evidence, melodies, threads))


def in_blocks(
    score: NDArray[np.int32], tempo: NDArray[np.int32], block: NDArray[np.int64] | None = None
) -> NDArray[np.int32]:
    """Return score, tempo and block of each reference in one block, for `trace_heard`.

    Parameters
    ----------
    score, tempo : ndarray of int32, shape (blocks, n)
        As of `scan_blocks`.
    block : ndarray of int64, shape (n,), optional
        Of each reference; by default that in which it scores most.
    """
    block = score.argmax(axis=0) if block is None else block
    every = np.arange(score.shape[1])
    return np.stack([score[block, every], tempo[block, every], block.astype(np.int32)], axis=1)


def with_returns(score: NDArray[np.floating]) -> NDArray[np.float64]:
    """Add up what references score in the blocks of a recording: a tune comes back in other parts.

    Parameters
    ----------
    score : ndarray of float, shape (blocks, n)
        Of references in each block.

    Returns
    -------
    ndarray of float64, shape (n,)
        The best, and `RETURN_WEIGHT` of the best in a block that has nothing in common with that one.
        Chance gains by this too, so it is to be compared with scores of its kind.
    """
    best = score.argmax(axis=0)
    # Neighbouring blocks overlap, so that no passage is cut: what both hold is not heard twice.
    apart = np.abs(np.arange(len(score))[:, None] - best) > 1
    again = np.where(apart, score, 0).max(axis=0)
    total: NDArray[np.float64] = score.max(axis=0) + RETURN_WEIGHT * again
    return total


def scan_octaves(
    corpus: Corpus,
    classes: PitchEvidence,
    pitches: PitchEvidence,
    melodies: NDArray[np.int64],
    threads: int = 1,
    known: NDArray[np.int32] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Score references by pitch, each at the transposition that it has by pitch class, in every octave.

    Parameters
    ----------
    corpus : Corpus
        The references.
    classes, pitches : PitchEvidence
        Of the recording, by pitch class and by pitch.
    melodies : ndarray of int64, shape (n,)
        Which references.
    known : ndarray of int32, shape (n, 3), optional
        What `scan_heard` found by pitch class, if that is known.

    Returns
    -------
    forwards, backwards : ndarray of int32, shape (blocks, n)
        Scores in `QUANTUM` per nat.
    """
    assert pitches.space.lowest is not None
    # A row of the pitch space is as far above the lowest as the note is above its reference's median.
    offset = medians(corpus)[melodies] - (pitches.space.rows // 2 + pitches.space.lowest)
    scores = []
    for backwards in (False, True):
        by_class = _Notes.of(corpus, classes.space, backwards)
        by_pitch = _Notes.of(corpus, pitches.space, backwards)
        found = None if backwards else known
        if found is None:
            found = in_blocks(*_scan(by_class, classes, melodies, threads))
        first = (_transpositions(by_class, classes, melodies, found, threads) + offset) % CLASSES
        score = np.zeros((max(len(pitches.starts), 1), len(melodies)), np.int32)
        for transposition in range(CLASSES):
            mine = first == transposition
            octaves = replace(pitches, space=pitches.space.octaves_of(transposition))
            score[:, mine] = _scan(by_pitch, octaves, melodies[mine], threads)[0]
        scores.append(score)
    return scores[0], scores[1]


def _given(notes: _Notes, evidence: PitchEvidence, number: int) -> Callable[..., tuple]:
    """Return a function that puts a kernel's arguments together for one block."""
    block, entry = evidence.laid(number)
    space = evidence.space
    columns = np.ascontiguousarray(space.columns())

    def given(melodies: NDArray[np.int64], tempi: NDArray[np.float64], out: NDArray[np.int32]) -> tuple:
        return (
            block,
            entry,
            evidence.pad,
            space.pitches,
            columns,
            space.lanes,
            notes.row,
            notes.gap,
            notes.start,
            np.ascontiguousarray(melodies),
            notes.median_gap,
            tempi,
            MAX_NOTE_SECONDS / evidence.step,
            evidence.longer(),
            _rules(evidence),
            out,
        )

    return given


def _scan(
    notes: _Notes, evidence: PitchEvidence, melodies: NDArray[np.int64], threads: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Score melodies in every block at every tempo of the grid: see `scan_blocks`."""
    tempi = np.array(evidence.resolution.median_notes) / evidence.step
    blocks = len(evidence.starts) if len(melodies) else 0
    scores, tempo = np.zeros((2, max(blocks, 1), len(melodies)), np.int32)
    for number in range(blocks):
        given = _given(notes, evidence, number)

        def work(share: NDArray[np.int64], given: Callable[..., tuple] = given) -> NDArray[np.int32]:
            out = np.zeros((len(share), 2), np.int32)
            kernels().listen_many(*given(share, tempi, out))
            return out

        scores[number], tempo[number] = in_threads(work, melodies, threads).T
    return scores, tempo


def _transpositions(
    notes: _Notes,
    evidence: PitchEvidence,
    melodies: NDArray[np.int64],
    found: NDArray[np.int32],
    threads: int,
) -> NDArray[np.int32]:
    """Return the transposition (lane) of each best alignment that a scan found."""
    tempi = np.array(evidence.resolution.median_notes)[found[:, 1]] / evidence.step
    lanes = np.zeros(len(melodies), np.int32)
    for number in np.unique(found[:, 2]):
        mine = np.flatnonzero(found[:, 2] == number)
        given = _given(notes, evidence, int(number))

        def work(share: NDArray[np.int64], given: Callable[..., tuple] = given) -> NDArray[np.int32]:
            out = np.zeros(len(share), np.int32)
            kernels().transpositions(*given(melodies[share], tempi[share], out))
            return out

        lanes[mine] = in_threads(work, mine, threads)
    return lanes


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
    score, tempo, number = (int(value) for value in found[:3])
    lo, hi = int(corpus.start[melody]), int(corpus.start[melody + 1])
    (block, entry), step = evidence.laid(number), evidence.step
    stretch = evidence.resolution.median_notes[tempo] / step / corpus.median_gap[melody]
    nominal = np.minimum(corpus.gap[lo:hi] * stretch, MAX_NOTE_SECONDS / step)
    one = np.array([melody], np.int64)
    notes = _Notes.of(corpus, evidence.space)
    lane = int(_transpositions(notes, evidence, one, found[None], 1)[0])
    levels = (nominal[:, None] > evidence.longer()).sum(axis=1)
    place = CLASSES * levels + evidence.space.columns()[corpus.pitch[lo:hi] % np.int16(CLASSES), lane]
    sums = block[place, evidence.pad :], entry[place, evidence.pad :]
    scores, move = _moves(*sums, nominal, _rules(evidence))
    j, t = (int(k) for k in np.unravel_index(np.argmax(scores), scores.shape))
    rows = []
    while j > 0 and move[j, t]:
        length = int(move[j, t])
        back = t - abs(length)
        # The alignment passes a note over only where that costs less than its evidence does.
        told = length > 0 and int(sums[0][j - 1, t]) - int(sums[1][j - 1, back]) >= TOLD * QUANTUM
        rows.append((j - 1, back, t, told))
        j, t = j - 1, back
    heard_rows = [k for k, row in enumerate(rows) if row[3]]
    if heard_rows:  # the passage begins and ends with a note that is heard
        rows = rows[heard_rows[0] : heard_rows[-1] + 1]
    note, begin, end, sung = (np.array(column) for column in zip(*rows[::-1], strict=True))
    begin, end = ((time + evidence.starts[number]) * step for time in (begin, end))
    pitch = corpus.pitch[lo:hi][note] + lane
    return SalienceAlignment(
        score=score / QUANTUM,
        note=note,
        begin=begin,
        end=end,
        heard=sung.astype(bool),
        first_pitch=lane + _octave(heard, pitch, begin, end, sung | (not heard_rows)),
        tempo_ratio=float(corpus.gap[lo:hi][note].sum()) / float(end[-1] - begin[0]),
    )


def _moves(
    total: NDArray[np.int16],
    before: NDArray[np.int16],
    nominal: NDArray[np.float64],
    rules: tuple[float, float, np.int16, np.int16],
) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
    """Align a reference in one transposition as the kernels do, and keep how.

    Parameters
    ----------
    total, before : ndarray of int16, shape (notes, steps + 1)
        Cumulative evidence of each note; the same less the evidence that it begins there.
    nominal : ndarray of float64, shape (notes,)
        Length of each note in steps.
    rules : tuple
        As of `_rules`.

    Returns
    -------
    scores : ndarray of int32, shape (notes + 1, steps + 1)
        Best score of an alignment that ends after so many notes, at this time.
    moves : ndarray of int16, shape (notes + 1, steps + 1)
        Its last move: steps that the note was heard; negative where it was passed over; 0 if none.
    """
    skip, unusual = (int(cost) for cost in rules[2:])
    scores = np.zeros((len(nominal) + 1, total.shape[1]), np.int32)
    moves = np.zeros(scores.shape, np.int16)
    for j, length in enumerate(nominal):
        heard, usual = _lengths(float(length), *rules[:2])
        sung = total[j].astype(np.int32)
        entered = scores[j] - before[j].astype(np.int32)
        ways = [
            (
                steps,
                entered,
                sung - (unusual if steps in {heard[0], heard[3]} - {heard[1], heard[2]} else 0),
            )
            for steps in heard
        ]
        for steps, start, gain in [*ways, (-usual, scores[j], np.full_like(sung, -skip))]:
            back = min(abs(steps), len(start))
            value = start[: len(start) - back] + gain[back:]
            better = value > scores[j + 1, back:]
            scores[j + 1, back:][better] = value[better]
            moves[j + 1, back:][better] = steps
    return scores, moves


def _lengths(nominal: float, shortest: float, longest: float) -> tuple[tuple[int, ...], int]:
    """Return the four lengths in steps that a note may take, and the nominal one, as the kernels do."""
    first = max(1, math.floor(nominal * shortest + 0.5))
    last = max(first, math.floor(nominal * longest + 0.5))
    third = last - first
    lengths = first, first + (third + 1) // 3, first + (2 * third + 1) // 3, last
    return lengths, min(max(first, math.floor(nominal + 0.5)), last)


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
