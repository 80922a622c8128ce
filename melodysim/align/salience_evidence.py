"""What speaks for each pitch at each moment of a recording, laid out as the listening kernels read it.

Evidence is how much stronger a pitch sounds at a moment than it does in the half minute around it: a
log-odds. A second kind is that a note of this pitch begins there. Both are made in two spaces: by pitch
class, where a network's octave errors do no harm, but chords and overtones look like the tune; and by
pitch, where they do not.

Conventions
-----------
Evidence is in nats per 58 ms, kept as integers (`QUANTUM` per nat): sums are exact, and the order of
work cannot change a result. The kernels' innermost loop runs over all times, at one transposition
(lane), with `pad` entries before time 0 so that a look back in time never leaves the array. Recordings
are cut into overlapping blocks, which also keeps sums in int16.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from melodysim.align.corpus import Corpus
from melodysim.melody import LOWEST_SEMITONE, SemitoneSalience

# Measured as the chance that is left for the right melody among songs (docs/research/hearing.md).
FLOOR = 0.03
"""Added to strength before the logarithm: the level of the model's outputs in silence."""
COMMONNESS = 0.9
"""Background: the mean of each single pitch (1), of the whole recording (0), or between."""
BACKGROUND_SECONDS = 30.0
"""Length of the stretch around a moment that its background is the mean of. Parts of a track differ in
key and sounds, so that against the mean of minutes the key of a part would count as its tune
(docs/research/hearing.md)."""
BIAS = 0.22
"""Nats per 58 ms subtracted everywhere, so that unrelated notes lose and alignments stay local."""
LIMIT = 3.0
"""Evidence is clipped to ± this many nats."""
DISCOUNTED_FROM, DISCOUNT, LEVELS = 0.2, 0.3, 5
"""Seconds from which a note is longer than the evidence for it is worth, as one held tone is heard
alike in all of its frames: it counts by this power less. Notes are weighted in so many steps."""
ONSET_WEIGHT, ONSET_FLOOR, ONSET_BIAS, ONSET_LIMIT = 0.8, 0.05, 0.3, 1.5
"""Weight of the log-odds that a note of this pitch begins; added to it before the logarithm; nats
subtracted; limit."""
SILENCED = -1.0
"""Evidence, in nats, of a silenced stretch: alignments end there, and sums stay small."""
MAX_NOTE_SECONDS = 2.3
"""Longer notes and rests count as this long."""
REFERENCE_ROW = 0.05775
"""Seconds: evidence of a step counts in proportion to its length over this."""
QUANTUM = 16.0
BLOCK_SECONDS, OVERLAP_SECONDS = 60.0, 15.0
"""Length of a block, which is aligned on its own, and of its overlap with the next. Over two minutes an
unrelated song in the same scale scores more than the fit to chance allows for: an E-value of 1 in a
million came once in 16 recordings."""
CLASSES = 12
_HIGHEST_SUM = 20000
"""Sums fell by 10 nats a second at most, in 28 recordings: 620 nats in a block."""
_LEVEL_STEP = DISCOUNT * float(np.log(MAX_NOTE_SECONDS / DISCOUNTED_FROM)) / (LEVELS - 1)
"""Natural logarithm of what a note's weight loses from level to level."""


@dataclass(frozen=True)
class PitchSpace:
    """How the pitches of a recording and of references are compared: by pitch class or by pitch.

    Attributes
    ----------
    register : (int, int)
        MIDI note numbers that may be the tune, the first and the one after the last.
    rows : int
        Number of different pitches of a reference.
    lanes : int
        Number of transpositions tried.
    lowest : int or None
        MIDI note number of the lowest row at the lowest transposition; None where only the pitch class
        counts.
    apart : int
        Semitones from one transposition to the next.
    """

    register: tuple[int, int]
    rows: int
    lanes: int
    lowest: int | None = None
    apart: int = 1

    def rows_of(self, corpus: Corpus) -> NDArray[np.int16]:
        """Return the row of each reference note."""
        if self.lowest is None:
            return corpus.pitch % np.int16(CLASSES)
        # Centred on each melody's median, so that few notes fall outside the rows.
        owner = np.repeat(np.arange(len(corpus)), corpus.lengths)
        rows: NDArray[np.int16] = np.clip(
            corpus.pitch - medians(corpus)[owner] + self.rows // 2, 0, self.rows - 1
        )
        return rows

    def octaves_of(self, first: int) -> PitchSpace:
        """Return the space of one transposition in every octave that this space has."""
        assert self.lowest is not None
        lanes = len(range(first, self.lanes, CLASSES))
        return replace(self, lowest=self.lowest + first, lanes=lanes, apart=CLASSES)

    @property
    def pitches(self) -> int:
        """Number of different pitches of a recording; by pitch, one more for what is none of them."""
        return CLASSES if self.lowest is None else self.register[1] - self.register[0] + 1

    def columns(self) -> NDArray[np.int16]:
        """Return the column of evidence of each row at each transposition, [rows, lanes]."""
        columns = np.arange(self.rows)[:, None] + self.apart * np.arange(self.lanes)
        if self.lowest is None:
            return (columns % CLASSES).astype(np.int16)
        columns += self.lowest - self.register[0]
        outside = self.pitches - 1
        return np.where((columns < 0) | (columns >= outside), outside, columns).astype(np.int16)


PITCH_CLASSES = PitchSpace((52, 88), CLASSES, CLASSES)
"""By pitch class, from E3 up: below it the bass would always be heard."""
PITCHES = PitchSpace((40, 88), 31, 30, lowest=33)
"""By pitch, from E2 up, where men sing. The median of a reference may lie at MIDI 48 to 77, its notes
up to 15 semitones from it."""


def medians(corpus: Corpus) -> NDArray[np.int16]:
    """Return the median pitch of each reference, counted as its pitches are."""
    owner = np.repeat(np.arange(len(corpus)), corpus.lengths)
    ordered = corpus.pitch[np.lexsort((corpus.pitch, owner))]
    middle: NDArray[np.int16] = ordered[(corpus.start[:-1] + corpus.start[1:]) // 2]
    return middle


@dataclass(frozen=True)
class Resolution:
    """How finely times are compared.

    Attributes
    ----------
    rows_per_step : int
        Rows of `SemitoneSalience` (58 ms each) in one step of the alignment.
    median_notes : tuple of float
        Tempo grid: seconds for the reference's median inter-onset interval. Absolute, since references
        come at nominal tempi.
    shortest, longest : float
        A note may last these shares of its nominal length; the steps of the grid overlap.
    """

    rows_per_step: int
    median_notes: tuple[float, ...]
    shortest: float
    longest: float


FINE = Resolution(2, (0.17, 0.22, 0.29, 0.38, 0.50, 0.66), 0.7, 1.4)
COARSE = Resolution(3, (0.2, 0.33, 0.55), 0.6, 1.6)
"""A third of the work, for every reference."""


def block_starts(steps: int, step: float, seconds: float, overlap: float) -> list[int]:
    """Return the first step of each block that so many steps are cut into; none if there are none."""
    size, common = round(seconds / step), round(overlap / step)
    return list(range(0, max(1, steps - common), size - common)) if steps else []


@dataclass(frozen=True, eq=False)
class PitchEvidence:
    """Log-odds of each pitch over time.

    Attributes
    ----------
    space : PitchSpace
        Which pitches.
    resolution : Resolution
        Of the steps.
    sounds : ndarray of float32, shape (steps, pitches)
        Nats a step that each pitch sounds; by pitch, the last column is of what has no column.
    begins : ndarray of float32, shape (steps, pitches)
        Nats that a note of this pitch begins.
    step : float
        Seconds a step.
    """

    space: PitchSpace
    resolution: Resolution
    sounds: NDArray[np.float32]
    begins: NDArray[np.float32]
    step: float

    @property
    def pad(self) -> int:
        """Steps before time 0."""
        return int(MAX_NOTE_SECONDS / self.step * self.resolution.longest) + 2

    @property
    def starts(self) -> list[int]:
        """First step of each block."""
        return block_starts(len(self.sounds), self.step, BLOCK_SECONDS, OVERLAP_SECONDS)

    def laid(self, number: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """Lay a block out for the kernels.

        Returns
        -------
        block : ndarray of int16, shape (LEVELS * pitches, pad + steps + 1)
            Cumulative evidence by the length of a reference's note, pitch and time.
        entry : ndarray of int16
            The same less the evidence that a note begins there.
        """
        start = self.starts[number]
        span = slice(start, start + round(BLOCK_SECONDS / self.step))
        sounds, begins = (values[span].T.astype(np.float64) for values in (self.sounds, self.begins))
        total = np.pad(np.cumsum(sounds, axis=1), ((0, 0), (1, 0)))
        bonus = np.rint(np.pad(begins, ((0, 0), (0, 1))) * QUANTUM)
        weights = QUANTUM * np.exp(-np.arange(LEVELS) * _LEVEL_STEP)
        sums = np.clip(np.rint(total * weights[:, None, None]), -_HIGHEST_SUM, _HIGHEST_SUM)
        block, entry = (
            np.pad(values.astype(np.int16), ((0, 0), (0, 0), (self.pad, 0))).reshape(
                LEVELS * len(total), -1
            )
            for values in (sums, sums - bonus)
        )
        return block, entry

    def longer(self) -> NDArray[np.float64]:
        """Return the lengths in steps above which a note counts by the next level's weight."""
        levels = np.arange(LEVELS - 1) + 0.5
        return DISCOUNTED_FROM / self.step * np.exp(levels * _LEVEL_STEP / DISCOUNT)


def _by_pitch(strength: NDArray[np.float32], space: PitchSpace) -> NDArray[np.float64]:
    """Return the strength of each pitch of a space, [steps, pitches]: column 0 is C, or the lowest."""
    low, high = space.register
    sung = strength[:, low - LOWEST_SEMITONE : high - LOWEST_SEMITONE].astype(np.float64)
    if space.lowest is None:
        classes = np.arange(low, high) % CLASSES
        sung = np.stack([sung[:, classes == c].max(axis=1) for c in range(CLASSES)], axis=1)
    return sung


def _background(sung: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Return the mean of each pitch in the stretch around each step, as long at either end."""
    steps = round(BACKGROUND_SECONDS / step)
    if steps >= len(sung):
        return sung.mean(axis=0, keepdims=True)
    total = np.pad(np.cumsum(sung, axis=0), ((1, 0), (0, 0)))
    first = np.clip(np.arange(len(sung)) - steps // 2, 0, len(sung) - steps)
    mean: NDArray[np.float64] = (total[first + steps] - total[first]) / steps
    return np.maximum(mean, 0.0)  # sums of small numbers may come out below


def _against_background(
    sung: NDArray[np.float64], step: float, own_share: float, floor: float
) -> NDArray[np.float64]:
    """Return the logarithm of strength over its mean: of each pitch to a power, of all to the rest."""
    own = _background(sung, step)
    overall = own.mean(axis=1, keepdims=True)
    background = own**own_share * overall ** (1 - own_share)
    odds: NDArray[np.float64] = np.log((sung + floor) / (background + floor))
    return odds


def log_odds(strength: NDArray[np.float32], space: PitchSpace, step: float) -> NDArray[np.float64]:
    """Return the log-odds of each pitch at each time against the recording's own background.

    Parameters
    ----------
    strength : ndarray of float32, shape (steps, 88)
        As in `SemitoneSalience`.
    space : PitchSpace
        Which pitches.
    step : float
        Seconds a step.

    Returns
    -------
    ndarray of float64, shape (steps, pitches)
        Nats per 58 ms; column 0 is C, or the lowest pitch of the register. A step in which nothing
        sounds has little evidence for or against anything.
    """
    odds = _against_background(_by_pitch(strength, space), step, COMMONNESS, FLOOR)
    return np.clip(odds - BIAS, -LIMIT, LIMIT)


def onset_log_odds(onset: NDArray[np.float32], space: PitchSpace, step: float) -> NDArray[np.float64]:
    """Return the log-odds, in nats, that a note of each pitch begins in a step or the one after it.

    Parameters and result are shaped as those of `log_odds`; `onset` is as in `SemitoneSalience`.
    """
    begun = _by_pitch(onset, space)
    begun = np.maximum(begun, np.concatenate([begun[1:], begun[-1:]]))
    odds = _against_background(begun, step, 0.5, ONSET_FLOOR) - ONSET_BIAS
    return ONSET_WEIGHT * np.clip(odds, -ONSET_LIMIT, ONSET_LIMIT)


def prepare_evidence(
    heard: SemitoneSalience,
    space: PitchSpace = PITCH_CLASSES,
    resolution: Resolution = FINE,
    silenced: NDArray[np.float64] | None = None,
) -> PitchEvidence:
    """Turn the salience of a recording into evidence; without steps if nothing was heard.

    Parameters
    ----------
    heard : SemitoneSalience
    space : PitchSpace, optional
        Which pitches.
    resolution : Resolution, optional
        Of the steps.
    silenced : ndarray of float64, shape (n, 2), optional
        Begin and end, in seconds, of stretches to leave out.
    """
    rows = resolution.rows_per_step
    step, steps = heard.frame * rows, len(heard.strength) // rows
    if steps == 0:
        nothing = np.zeros((0, CLASSES), np.float32)
        return PitchEvidence(space, resolution, nothing, nothing, step)
    strength, onset = (
        values[: steps * rows].reshape(steps, rows, -1) for values in (heard.strength, heard.onset)
    )
    share = step / REFERENCE_ROW
    sounds = log_odds(strength.mean(axis=1), space, step) * share
    begins = onset_log_odds(onset.max(axis=1), space, step)
    for begin, end in np.zeros((0, 2)) if silenced is None else silenced:
        span = slice(int(begin / step), int(np.ceil(end / step)))
        sounds[span], begins[span] = SILENCED, 0.0
    if space.lowest is not None:
        sounds = np.pad(sounds, ((0, 0), (0, 1)), constant_values=-LIMIT * share)
        begins = np.pad(begins, ((0, 0), (0, 1)))
    return PitchEvidence(space, resolution, sounds.astype(np.float32), begins.astype(np.float32), step)
