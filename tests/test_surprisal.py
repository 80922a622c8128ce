import numpy as np
import pytest
from conftest import build_corpus, random_tune, tune

from melodysim.align import surprisal as rarity
from melodysim.align.corpus import counts_of, lay_melodies, take_melodies
from melodysim.align.surprisal import (
    DISPLACEMENT_REACH,
    MAX_SURPRISAL,
    own_surprisal,
    rarity_of,
    total_counts,
)
from melodysim.intervals import MAX_RATIO, normalise


def surprisal(sequences):
    corpus = build_corpus(sequences)
    return np.split(corpus.surprisal, corpus.start[1:-1]) if sequences else []


def slow_bits(texts, symbols, prior, most):
    """The model as the paper has it, one symbol after the other, itself left out of the counts."""
    result = []
    for text in texts:
        bits = []
        for at, symbol in enumerate(text):
            probability = prior[symbol] / prior.sum()
            for order in range(min(at, 2) + 1):
                context = tuple(text[at - order : at])
                follow = [
                    other[k]
                    for other in texts
                    for k in range(order, len(other))
                    if tuple(other[k - order : k]) == context
                ]
                follow.remove(symbol)
                escape = max(len(set(follow)), 1) if order else 1000.0
                probability = (follow.count(symbol) + escape * probability) / (len(follow) + escape)
            bits.append(min(-np.log2(probability), most))
        result.append(bits)
    return result


def test_agrees_with_the_paper():
    rng = np.random.default_rng(9)
    sequences = [normalise(random_tune(rng, int(n))) for n in rng.integers(1, 25, 12)]
    corpus = build_corpus(sequences)
    texts = [[min(max(int(i), -12), 12) + 12 for i in s.interval] for s in sequences]
    prior = rarity.PRIOR + 0.5
    for k, bits in enumerate(slow_bits(texts, 25, prior, MAX_SURPRISAL)):
        own = own_surprisal(sequences[k])
        expected = np.minimum([0.0, *bits], own)[: len(own)]
        mine = corpus.surprisal[corpus.start[k] : corpus.start[k + 1]]
        assert mine == pytest.approx(expected, abs=1e-4)
    texts = [[int(r) + MAX_RATIO for r in s.ratio[1:]] for s in sequences]
    prior = np.exp(-np.abs(np.arange(13) - 6.0))
    for k, bits in enumerate(slow_bits(texts, 13, prior, rarity.MAX_TIMING_SURPRISAL)):
        mine = corpus.timing[corpus.start[k] : corpus.start[k + 1]]
        assert mine[2:] == pytest.approx(np.array(bits), abs=1e-4)
        assert not mine[:2].any()


def test_counts_of_parts_add_up_to_those_of_the_whole():
    rng = np.random.default_rng(3)
    whole = lay_melodies([normalise(random_tune(rng, int(n))) for n in rng.integers(1, 40, 20)])
    parts = [counts_of(take_melodies(whole, np.arange(a, b))) for a, b in ((0, 3), (3, 4), (4, 20))]
    one, several = counts_of(whole), total_counts(parts)
    for a, b in zip(
        (*one.pitch, *one.timing, one.displacement),
        (*several.pitch, *several.timing, several.displacement),
        strict=True,
    ):
        assert a.tolist() == b.tolist()


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
    tunes = lay_melodies([normalise(random_tune(rng, 50)) for _ in range(100)])
    table = rarity_of(counts_of(tunes)).displacement
    assert table.shape == (4, 2 * DISPLACEMENT_REACH + 1)
    # Bits are capped, so probabilities sum to 1 or a little more.
    assert (2.0 ** -table[1:].astype(float)).sum(axis=1) == pytest.approx(1.3, abs=0.31)
    assert table[1, DISPLACEMENT_REACH + 2] < table[1, DISPLACEMENT_REACH + 11]
