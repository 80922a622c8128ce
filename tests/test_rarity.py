import numpy as np
import pytest
from conftest import random_tune, tune
from hypothesis import given
from hypothesis import strategies as st

from melodysim.align.corpus import build_corpus
from melodysim.rarity import (
    DISPLACEMENT_REACH,
    MAX_SURPRISAL,
    displacement_surprisal,
    melodies_with_turn,
    surprisal,
)
from melodysim.sequence import normalise


def test_shapes_and_range():
    rng = np.random.default_rng(0)
    sequences = [normalise(random_tune(rng, n)) for n in (1, 2, 30)]
    bits = surprisal(sequences)
    assert [len(b) for b in bits] == [1, 2, 30]
    assert all(b[0] == 0 for b in bits)
    assert all((b >= 0).all() and (b <= MAX_SURPRISAL).all() for b in bits)
    assert surprisal([]) == []


def test_what_many_tunes_share_says_little_and_a_turn_of_one_says_much():
    scale = [60, 62, 64, 65, 67, 69, 71, 72]
    odd = [60, 67, 58, 66, 61, 69, 59, 70]
    bits = surprisal([normalise(tune(scale * 3)) for _ in range(200)] + [normalise(tune(odd))])
    assert bits[0][1:].mean() < 1.0
    assert bits[-1][1:].min() > 2.5


def test_a_turn_that_occurs_once_does_not_predict_itself():
    # With its own occurrence counted, every interval of a lone tune would look likely.
    lone = normalise(tune([60, 67, 58, 66, 61, 69, 59, 70, 62]))
    (bits,) = surprisal([lone])
    prior = -np.log2(0.01)
    assert bits[2:].mean() > 0.5 * prior


def test_order_of_the_library_does_not_matter():
    rng = np.random.default_rng(1)
    sequences = [normalise(random_tune(rng, 20)) for _ in range(10)]
    forward, backward = surprisal(sequences), surprisal(sequences[::-1])[::-1]
    for a, b in zip(forward, backward, strict=True):
        assert a == pytest.approx(b, abs=1e-5)


def test_displacements_are_distributions():
    rng = np.random.default_rng(2)
    table = displacement_surprisal([normalise(random_tune(rng, 50)) for _ in range(100)])
    assert table.shape == (4, 2 * DISPLACEMENT_REACH + 1)
    # Bits are capped, so probabilities sum to 1 or a little more.
    assert (2.0 ** -table[1:].astype(float)).sum(axis=1) == pytest.approx(1.3, abs=0.31)
    assert table[1, DISPLACEMENT_REACH + 2] < table[1, DISPLACEMENT_REACH + 11]


@given(st.integers(0, 2**32))
def test_turns_are_counted_as_by_looking(seed):
    rng = np.random.default_rng(seed)
    sequences = [normalise(tune(rng.integers(60, 63, rng.integers(1, 9)))) for _ in range(6)]
    corpus = build_corpus(sequences)
    turn = rng.integers(-2, 3, rng.integers(1, 4)).astype(np.int8)
    looked = sum(
        any(np.array_equal(s.interval[k : k + len(turn)], turn) for k in range(len(s.interval)))
        for s in sequences
    )
    assert melodies_with_turn(corpus.interval, corpus.start, turn) == looked
