"""The first look at a recording: the recurrence, what it is worth, what it does not depend on."""

import numpy as np
import pytest
from conftest import build_corpus, random_tune, tune
from hypothesis import given, settings
from hypothesis import strategies as st
from test_salience_dtw import heard_from

from melodysim.align import first_look as looking
from melodysim.align.first_look import (
    BIAS,
    CODES,
    HIGHEST,
    LONGEST,
    SKIP_COST,
    first_look,
    glimpses_of,
    symbols_of,
)
from melodysim.intervals import normalise
from melodysim.melody import Melody, SemitoneSalience


def slow_look(glimpse, symbols):
    """The recurrence without tricks, in plain integers: best score of one reference in one block."""
    width, best = glimpse.heard.shape[2], 0
    for lane in range(12):
        score = {}
        for symbol in symbols.tolist():
            lengths = glimpse.length[0, symbol // 12].tolist()
            pitch_class = (symbol % 12 + lane) % 12
            after = {}
            for end in range(width):
                options = [0, score.get(end - lengths[1], 0) - SKIP_COST]
                for length in lengths:
                    nats = int(glimpse.heard[length - 1, pitch_class, end])
                    options.append(min(score.get(end - length, 0) + nats, 255) - BIAS)
                after[end] = max(options)
            score = after
            best = max(best, *score.values())
    return best


@given(seed=st.integers(0, 2**32))
@settings(max_examples=5, deadline=None)
def test_it_agrees_with_the_slow_recurrence(seed):
    rng = np.random.default_rng(seed)
    melodies = [random_tune(rng, 12), random_tune(rng, 7)]
    notes = build_corpus([normalise(m) for m in melodies])
    glimpses = glimpses_of(heard_from(melodies[0], rng, int(rng.integers(-5, 6)), noise=0.3))
    found = first_look(symbols_of(notes), notes.start, glimpses)
    symbols = np.split(symbols_of(notes), notes.start[1:-1])
    assert found.tolist() == [max(slow_look(g, some) for g in glimpses) for some in symbols]


@given(seed=st.integers(0, 2**32), shift=st.integers(-6, 6), threads=st.sampled_from([1, 2, 5]))
@settings(max_examples=10, deadline=None)
def test_neither_key_nor_order_nor_threads_change_it(seed, shift, threads):
    rng = np.random.default_rng(seed)
    melodies = [random_tune(rng, int(n)) for n in rng.integers(5, 60, 9)]
    moved = [Melody.from_notes(m.onset, m.duration, m.pitch + shift) for m in melodies[::-1]]
    glimpses = glimpses_of(heard_from(melodies[0], rng, noise=0.2))
    found = []
    for some in (melodies, moved[::-1], moved):
        notes = build_corpus([normalise(m) for m in some])
        found.append(first_look(symbols_of(notes), notes.start, glimpses, threads).tolist())
    assert found[0] == found[1] == found[2][::-1]


def test_the_melody_that_is_sung_stands_out_of_two_hundred():
    rng = np.random.default_rng(3)
    melodies = [random_tune(rng, 50) for _ in range(200)]
    notes = build_corpus([normalise(m) for m in melodies])
    for number, (shift, faster) in enumerate([(0, 3.0), (5, 3.6), (-3, 2.4)]):
        heard = heard_from(melodies[number], rng, shift, faster, noise=0.4, before=130.0)
        found = first_look(symbols_of(notes), notes.start, glimpses_of(heard))
        assert int(np.argmax(found)) == number
        assert found[number] > 1.5 * np.sort(found)[-2]


def test_scores_saturate_and_do_not_wrap():
    rng = np.random.default_rng(4)
    long = random_tune(rng, 600)
    notes = build_corpus([normalise(long)])
    found = first_look(symbols_of(notes), notes.start, glimpses_of(heard_from(long, rng, faster=2.5)))
    assert found.tolist() == [HIGHEST]


def test_symbols_are_pitch_class_and_length():
    melody = Melody.from_notes([0, 1, 2, 4, 4.5, 5.5], np.ones(6) / 2, [60, 62, 72, 59, 60, 61])
    notes = build_corpus([normalise(melody), normalise(tune([60]))])
    # Gaps 1, 1, 2, .5, 1 and the median, 1; an octave is three codes. A single note has its own median.
    code = 7 + np.array([0, 0, 3, -3, 0, 0, 0])
    assert symbols_of(notes).tolist() == (12 * code + [0, 2, 0, 11, 0, 1, 0]).tolist()
    wide = Melody.from_notes([0, 1, 2, 3, 1e3, 1e3 + 1e-4], np.ones(6) / 9, [60] * 6)
    codes = symbols_of(build_corpus([normalise(wide)])) // 12
    assert (codes.max(), codes.min()) == (CODES - 1, 0)


def test_lengths_lie_within_the_block_and_in_order():
    lengths = looking._lengths(0.289)
    assert lengths.min() == 1
    assert lengths.max() == LONGEST
    assert (np.diff(lengths.astype(int), axis=2) >= 0).all()
    assert (np.diff(lengths.astype(int), axis=1) >= 0).all()


@pytest.mark.parametrize("rows", [0, 3, 5, 60])
def test_a_recording_of_hardly_any_length_is_looked_at_too(rows):
    nothing = np.zeros((rows, 88), np.float32)
    notes = build_corpus([normalise(tune([60, 62, 64]))])
    glimpses = glimpses_of(SemitoneSalience(nothing, nothing, looking.ROUGH.rows_per_step * 0.0115))
    found = first_look(symbols_of(notes), notes.start, glimpses)
    assert found.shape == (1,)
    assert len(glimpses) == (rows >= looking.ROUGH.rows_per_step)
