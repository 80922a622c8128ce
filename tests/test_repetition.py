"""A figure that is played again says nothing new."""

import numpy as np
import pytest
from conftest import build_corpus, random_tune, tune
from hypothesis import given, settings
from hypothesis import strategies as st

from melodysim.align.dtw import IN_TIME, align_path, align_scores
from melodysim.align.repetition import (
    FRESHNESS,
    NEW,
    freshness,
    own_freshness,
    path_freshness,
    turns_before,
)
from melodysim.intervals import normalise

RIFF = [60, 67, 63, 70, 62, 68]
ODD = [60, 67, 58, 66, 61, 69, 59, 70, 62, 71, 57, 68]


def slow_turns(intervals):
    """For each note the longest run of intervals that leads to it and to an earlier note."""
    told = [k for k, value in enumerate(FRESHNESS) if value < 1]
    found = [0]
    for end in range(1, len(intervals) + 1):
        longest = 0
        for length in range(1, min(end, len(FRESHNESS) - 1) + 1):
            turn = intervals[end - length : end]
            if any(intervals[k - length : k] == turn for k in range(length, end)):
                longest = length
        found.append(longest if longest >= told[0] else 0)
    return found


@given(st.lists(st.lists(st.integers(-2, 2), min_size=0, max_size=30), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_agrees_with_looking_for_every_turn(melodies):
    start = np.concatenate([[0], np.cumsum([len(m) + 1 for m in melodies])]).astype(np.int64)
    interval = np.concatenate([[*m, 0] for m in melodies]).astype(np.int8)
    expected = [value for melody in melodies for value in slow_turns(melody)]
    assert turns_before(interval, start).tolist() == expected


def test_what_comes_first_is_new_and_what_comes_again_is_not():
    fresh = own_freshness(normalise(tune(RIFF * 4)))
    assert fresh[:7].tolist() == [1.0] * 7
    # Three intervals of the figure have to come before it is known to be the same.
    assert fresh[9:].max() < 1
    assert set(fresh[12:].tolist()) == {np.float32(FRESHNESS[-1])}
    assert own_freshness(normalise(tune(ODD))).tolist() == [1.0] * len(ODD)


def test_a_note_again_and_again_is_a_figure_of_its_own():
    assert own_freshness(normalise(tune([60] * 12)))[6:].max() == np.float32(FRESHNESS[-1])


def test_melodies_do_not_repeat_each_other():
    once = normalise(tune(ODD))
    both = np.tile(np.append(once.interval, np.int8(0)), 2)
    assert freshness(both, np.array([0, 12, 24])).tolist() == [1.0] * 24


def test_the_shortest_melodies_have_nothing_to_repeat():
    for pitches in ([60], [60, 62]):
        assert own_freshness(normalise(tune(pitches))).tolist() == [1.0] * len(pitches)


@given(st.integers(0, 2**32), st.integers(-12, 12), st.sampled_from([0.5, 2.0]))
@settings(max_examples=20, deadline=None)
def test_key_and_tempo_do_not_matter(seed, shift, stretch):
    one = random_tune(np.random.default_rng(seed), 40, low=60, high=64)
    other = tune(one.pitch + shift, one.duration * stretch)
    assert own_freshness(normalise(one)).tolist() == own_freshness(normalise(other)).tolist()


def score(query, reference):
    corpus = build_corpus([normalise(tune(reference))])
    return float(align_scores(normalise(tune(query)), corpus, np.array([0]))[0])


def test_a_figure_that_both_repeat_is_worth_little_more_than_once():
    once = score(RIFF, RIFF)
    assert score(RIFF * 4, RIFF * 4) < 2 * once
    # Without repetition four times as many notes are worth about four times as much.
    rng = np.random.default_rng(1)
    long = random_tune(rng, 24).pitch.tolist()
    assert score(long, long) > 2.5 * once


def test_a_refrain_follows_a_work_that_has_it_once_as_closely_the_second_time():
    """Only what *both* repeat is taken for a figure."""
    rng = np.random.default_rng(5)
    verse = random_tune(rng, 14).pitch.tolist()
    track = [*ODD, *verse, *ODD]
    reference = [*random_tune(rng, 10).pitch.tolist(), *ODD]
    assert score(track, reference) == pytest.approx(score([*ODD, *verse], reference), rel=0.1)
    corpus = build_corpus([normalise(tune(ODD))])
    later = normalise(tune([*verse, *ODD]))
    assert align_path(later, corpus, 0).score == pytest.approx(score(ODD, ODD), rel=0.15)


def test_distinct_notes_of_a_path():
    query, reference = normalise(tune(RIFF * 3)), normalise(tune(RIFF * 3))
    corpus = build_corpus([reference])
    path = np.stack([np.arange(18)] * 2, axis=1)
    fresh = path_freshness(own_freshness(query), corpus.fresh, path)
    assert fresh[0] == 0  # no interval leads to it
    # Six, the leap back to the first, and two until the figure is known to come again.
    assert 1 + int((fresh >= NEW).sum()) == 10
    alone = path_freshness(own_freshness(query), np.ones(18, np.float32), path)
    assert 1 + int((alone >= NEW).sum()) == 18
    assert IN_TIME.same_note < IN_TIME.match
