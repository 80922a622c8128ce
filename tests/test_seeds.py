import numpy as np
from conftest import random_tune, tune
from hypothesis import given, settings
from hypothesis import strategies as st

from melodysim.align.corpus import counts_of, lay_melodies
from melodysim.align.seeds import SEED, build_seeds, melodies_with, seed_scores, turn_numbers, turns_of
from melodysim.align.surprisal import rarity_of
from melodysim.intervals import normalise


@given(st.integers(0, 2**32))
def test_turns_are_found_as_by_looking(seed):
    rng = np.random.default_rng(seed)
    sequences = [normalise(tune(rng.integers(60, 62, rng.integers(1, 12)))) for _ in range(6)]
    seeds = build_seeds(lay_melodies(sequences))
    turn = rng.integers(-1, 2, SEED).astype(np.int8)
    looked = [
        number
        for number, s in enumerate(sequences)
        if any(
            np.array_equal(s.interval[k : k + SEED], turn) for k in range(len(s.interval) - SEED + 1)
        )
    ]
    assert melodies_with(seeds, turn).tolist() == looked


def test_every_turn_has_a_number_of_its_own():
    rng = np.random.default_rng(1)
    turns = np.unique(rng.integers(-18, 19, (5000, SEED)), axis=0)
    numbers = {int(turn_numbers(turn)[0]) for turn in turns}
    assert len(numbers) == len(turns)


def scored(query, references):
    melodies = lay_melodies(references)
    return seed_scores(turns_of(query, rarity_of(counts_of(melodies))), build_seeds(melodies))


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_the_melody_that_a_passage_is_of_comes_first(seed):
    rng = np.random.default_rng(seed)
    references = [random_tune(rng, 60) for _ in range(200)]
    passage = references[70].pitch[20:40] + 5
    host = random_tune(rng, 40).pitch
    query = normalise(tune(np.concatenate([host[:15], passage, host[15:]])))
    score = scored(query, [normalise(r) for r in references])
    assert score.argmax() == 70
    # With one note more than the reference has, it still does.
    longer = np.insert(passage, 10, passage[9] + 1)
    assert scored(normalise(tune(longer)), [normalise(r) for r in references]).argmax() == 70


def test_order_of_the_library_does_not_matter():
    rng = np.random.default_rng(2)
    references = [normalise(random_tune(rng, 50)) for _ in range(60)]
    order = rng.permutation(60)
    shuffled = scored(references[5], [references[k] for k in order])
    assert shuffled.tolist() == scored(references[5], references)[order].tolist()


def test_melodies_and_queries_without_turns():
    short = [normalise(tune([60, 62, 64])), normalise(tune([60]))]
    assert scored(short[0], short).tolist() == [0, 0]
    assert scored(normalise(tune([60] * 30)), [normalise(tune([60] * 30))]).tolist() == [0]
