"""What chance does in one recording: measured once, whatever the recording is compared with.

A recording is listened to, and its transcribed lines are aligned, for some unrelated melodies. What
these score is kept as a few numbers, so that each further melody costs its own scores alone. A track is
compared so with every song that a person named and every recording of a library, and theirs
is measured once and kept.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from melodysim.align.dtw import PITCH_ALONE, align_scores
from melodysim.align.salience_dtw import scan_blocks, with_returns
from melodysim.align.salience_evidence import (
    COARSE,
    PITCHES,
    QUANTUM,
    PitchEvidence,
    prepare_evidence,
)
from melodysim.intervals import Sequence, normalise
from melodysim.library import Shelf, Unrelated
from melodysim.melody import Melody, Piece
from melodysim.search.by_notes import read_notes
from melodysim.search.by_salience import (
    CLASS_WEIGHT,
    LINE_CHANCE,
    LINE_WEIGHT,
    TYPICAL_HEARD,
    all_evidence,
    are_tunes,
    fit_listened,
    less_backwards,
    levelled,
    levels_of,
    scores_by_pitch,
)
from melodysim.search.e_values import (
    FITTED_ALL,
    Background,
    fit_background,
    fitted_to_kind,
    suspects,
)

NOBODY = np.zeros(0, np.int64)


@dataclass(frozen=True)
class HeardChance:
    """What unrelated melodies score in a recording.

    Attributes
    ----------
    lines : tuple of Background
        In alignments with each transcribed line.
    class_levels, pitch_levels : tuple of Background
        In each block of the recording, by pitch class and by pitch; none if there is one block.
    by_class, by_pitch : Background
        In the whole of it.
    together : Background
        By all of this.
    """

    lines: tuple[Background, ...]
    class_levels: tuple[Background, ...]
    by_class: Background
    pitch_levels: tuple[Background, ...]
    by_pitch: Background
    together: Background

    def plain(self) -> dict[str, Any]:
        """Return it as numbers, lists and dictionaries, to be stored."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_plain(cls, said: dict[str, Any]) -> HeardChance:
        """Return what `plain` told; raise KeyError, TypeError or ValueError if it did not."""
        return cls(**{field.name: _background(said[field.name]) for field in fields(cls)})


def _plain(value: Background | tuple[Background, ...]) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _background(said: Any) -> Any:
    if isinstance(said, list):
        return tuple(_background(each) for each in said)
    bends = tuple((float(notes), float(change)) for notes, change in said["bends"])
    return Background(**{**said, "bends": bends})


@dataclass(frozen=True, eq=False)
class Standings:
    """How far melodies stand above chance in a recording, in units of chance.

    Attributes
    ----------
    listened : ndarray of float64, shape (n,)
        How far; the transcribed lines support what was heard.
    p_value : ndarray of float64, shape (n,)
        Probability that an unrelated melody stands so high by listening.
    scores : ndarray of float64, shape (n,)
        Nats by listening.
    block : ndarray of int64, shape (n,)
        Block of the recording in which each was heard best.
    """

    listened: NDArray[np.float64]
    p_value: NDArray[np.float64]
    scores: NDArray[np.float64]
    block: NDArray[np.int64]

    def taken(self, some: slice) -> Standings:
        """Return the standings of some of the melodies."""
        columns = (getattr(self, field.name)[..., some] for field in fields(self))
        return Standings(*columns)


@dataclass(frozen=True, eq=False)
class Listener:
    """A recording to compare other works with.

    Attributes
    ----------
    piece : Piece
        With `heard` and at least one melody.
    unrelated : Unrelated
        What chance was measured on.
    sequences : list of Sequence
        Its lines without key and tempo.
    coarse, fine : PitchEvidence
        By pitch class and by pitch.
    chance : HeardChance
    """

    piece: Piece
    unrelated: Unrelated
    sequences: list[Sequence]
    coarse: PitchEvidence
    fine: PitchEvidence
    chance: HeardChance

    @classmethod
    def of(
        cls, piece: Piece, unrelated: Unrelated, threads: int = 1, chance: HeardChance | None = None
    ) -> Listener:
        """Prepare a recording, and measure chance in it unless that is known.

        Parameters
        ----------
        piece : Piece
            With `heard` and at least one melody.
        unrelated : Unrelated
        threads : int, optional
        chance : HeardChance, optional
            What was measured with these unrelated melodies before.
        """
        assert piece.heard is not None
        coarse = prepare_evidence(piece.heard, resolution=COARSE)
        fine = prepare_evidence(piece.heard, PITCHES)
        sequences = [normalise(melody) for melody in piece.melodies]
        if chance is None:
            chance = _measured(sequences, coarse, fine, unrelated.shelf, threads)
        return cls(piece, unrelated, sequences, coarse, fine, chance)

    def standings(self, melodies: list[Melody], threads: int = 1) -> Standings:
        """Score melodies, by pitch alone.

        Parameters
        ----------
        melodies : list of Melody
            Each with at least one note.
        threads : int, optional
        """
        corpus = self.unrelated.corpus(melodies)
        lengths = corpus.lengths.astype(np.int32)
        chance, every = self.chance, np.arange(len(corpus))
        aligned = np.array([
            background.standardised(align_scores(line, corpus, every, threads, PITCH_ALONE), lengths)
            for line, background in zip(self.sequences, chance.lines, strict=True)
        ])  # fmt: skip
        support = _supported(aligned)
        in_blocks, tempo = scan_blocks(corpus, self.coarse, every, threads)
        raw = in_blocks / QUANTUM
        by_class = levelled(raw, raw > 0, lengths, list(chance.class_levels))
        block = by_class.argmax(axis=0)
        if chance.by_class.measured:
            total = with_returns(by_class)
            more = support + CLASS_WEIGHT * chance.by_class.standardised(total, lengths)
            heard = scores_by_pitch(corpus, self.coarse, self.fine, by_class, tempo, threads)
            levels = list(chance.pitch_levels)
            by_block = levelled(less_backwards(heard), heard[0] > 0, lengths, levels)
            forwards = with_returns(heard[0])
            score = all_evidence(with_returns(by_block), forwards, chance.by_pitch, more)
            block = by_block.argmax(axis=0)
        else:  # typical values are of one passage and one look
            total = by_class.max(axis=0)
            score = total + np.where(total > 0, support * chance.by_class.scale, 0)
        p_value = np.where(score > 0, chance.together.p_value(score, lengths), 1.0)
        standing = chance.together.standardised(score, lengths)
        return Standings(standing, p_value, score, block)


def _measured(
    sequences: list[Sequence], coarse: PitchEvidence, fine: PitchEvidence, others: Shelf, threads: int
) -> HeardChance:
    """Measure what unrelated melodies score in a recording, as `Listener.standings` scores others."""
    corpus, every = others.index.whole, np.arange(len(others))
    lengths = corpus.lengths.astype(np.int32)
    lines = [
        read_notes(sequence, k, NOBODY, others, 1.0, threads, PITCH_ALONE, NOBODY)
        for k, sequence in enumerate(sequences)
    ]
    alone = tuple(line.backgrounds[1] for line in lines)
    in_blocks, tempo = scan_blocks(corpus, coarse, every, threads)
    raw = in_blocks / QUANTUM
    class_levels = levels_of(raw, lengths, every)
    by_class = levelled(raw, raw > 0, lengths, class_levels)
    total = with_returns(by_class)
    known = suspects(total, lengths, TYPICAL_HEARD, FITTED_ALL)
    chance = fit_background(total, lengths, TYPICAL_HEARD, FITTED_ALL, known)
    if not chance.measured:
        return HeardChance(alone, (), chance, (), chance, chance)
    if known.any():
        places = np.flatnonzero(known)
        turned = scan_blocks(corpus, coarse, places, threads, backwards=True)[0] / QUANTUM
        turned = levelled(turned, turned > 0, lengths[places], class_levels)
        expected = chance.expected(lengths[places])
        known[known] = are_tunes(total[places], with_returns(turned), expected)
        chance = fit_background(total, lengths, TYPICAL_HEARD, FITTED_ALL, known)
    heard = scores_by_pitch(corpus, coarse, fine, by_class, tempo, threads)
    by_block = less_backwards(heard)
    pitch_levels = levels_of(by_block, lengths, every)
    by_block = levelled(by_block, heard[0] > 0, lengths, pitch_levels)
    forwards, backwards = map(with_returns, heard)
    tunes = are_tunes(forwards, backwards, float(np.median(forwards)))
    score = with_returns(by_block)
    by_pitch, _ = fit_listened(score, lengths, tunes)
    support = _supported(np.array([line.standardised for line in lines]))
    more = support + CLASS_WEIGHT * chance.standardised(total, lengths)
    score = all_evidence(score, forwards, by_pitch, more)
    together, related = fit_listened(score, lengths, tunes)
    together = fitted_to_kind(together, score[~related], lengths[~related])
    levels = tuple(class_levels), tuple(pitch_levels)
    return HeardChance(alone, levels[0], chance, levels[1], by_pitch, together)


def _supported(aligned: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the score beyond chance of the best line for each melody, [n], of [lines, n]."""
    beyond: NDArray[np.float64] = LINE_WEIGHT * np.maximum(aligned - LINE_CHANCE, 0).max(axis=0)
    return beyond
