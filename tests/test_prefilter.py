import numpy as np
import pytest
from conftest import build_corpus, random_tune, tune
from hypothesis import given, settings
from hypothesis import strategies as st

from melodysim.align.prefilter import (
    CEILING,
    GAP_EXTEND,
    GAP_OPEN,
    MOVED,
    interval_scores,
    lay_in_lanes,
    ratio_scores,
    scan,
)
from melodysim.intervals import MAX_INTERVAL, MAX_RATIO, normalise


def slow_scan(query, reference):
    """Smith-Waterman-Gotoh, as the textbook has it."""
    pitch, time = interval_scores(), ratio_scores()
    n, m = len(query.interval), len(reference.interval)
    best = 0
    score = np.zeros((n + 1, m + 1), int)
    across, down = np.full((n + 1, m + 1), -100), np.full((n + 1, m + 1), -100)
    for j in range(1, m + 1):
        for i in range(1, n + 1):
            across[i, j] = max(score[i, j - 1] - GAP_OPEN, across[i, j - 1] - GAP_EXTEND)
            down[i, j] = max(score[i - 1, j] - GAP_OPEN, down[i - 1, j] - GAP_EXTEND)
            pair = (
                pitch[query.interval[i - 1] + MAX_INTERVAL, reference.interval[j - 1] + MAX_INTERVAL]
                + time[query.ratio[i - 1] + MAX_RATIO, reference.ratio[j - 1] + MAX_RATIO]
            )
            value = max(0, score[i - 1, j - 1] + pair, across[i, j], down[i, j])
            a1, b1 = int(query.interval[i - 1]), int(reference.interval[j - 1])
            a2 = a1 + int(query.interval[i - 2]) if i > 1 else None
            b2 = b1 + int(reference.interval[j - 2]) if j > 1 else None
            if a2 is not None and a2 == b2:
                value = max(value, score[i - 2, j - 2] - MOVED)
            if a2 is not None and a2 == b1:
                value = max(value, score[i - 2, j - 1] - MOVED)
            if b2 is not None and b2 == a1:
                value = max(value, score[i - 1, j - 2] - MOVED)
            score[i, j] = min(value, CEILING)
            best = max(best, score[i, j])
    return best


def scanned(query, references, threads=1):
    corpus = build_corpus(references)
    return scan(query, lay_in_lanes(corpus), len(corpus), threads).astype(int)


@given(st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_kernel_agrees_with_the_textbook(seed):
    rng = np.random.default_rng(seed)
    references = [normalise(random_tune(rng, int(rng.integers(2, 40)))) for _ in range(5)]
    host = random_tune(rng, 30)
    query = normalise(host)
    assert scanned(query, references).tolist() == [slow_scan(query, r) for r in references]


def test_many_references_in_any_number_of_threads():
    rng = np.random.default_rng(5)
    references = [normalise(random_tune(rng, int(rng.integers(1, 60)))) for _ in range(450)]
    query = normalise(random_tune(rng, 50))
    one = scanned(query, references)
    assert one.tolist() == scanned(query, references, threads=3).tolist()
    for k in rng.choice(450, 20):
        assert one[k] == (slow_scan(query, references[k]) if len(references[k]) > 1 else 0)


def test_order_of_the_library_does_not_matter():
    rng = np.random.default_rng(6)
    references = [normalise(random_tune(rng, 30)) for _ in range(40)]
    query = normalise(random_tune(rng, 40))
    order = rng.permutation(40)
    shuffled = scanned(query, [references[k] for k in order])
    assert shuffled.tolist() == scanned(query, references)[order].tolist()


def test_a_long_copy_saturates():
    melody = normalise(random_tune(np.random.default_rng(7), 80))
    assert scanned(melody, [melody]).tolist() == [CEILING]


@pytest.mark.parametrize("notes", [0, 1])
def test_queries_without_intervals_match_nothing(notes):
    assert scanned(normalise(tune([60] * notes)), [normalise(tune([60, 62]))]).tolist() == [0]
