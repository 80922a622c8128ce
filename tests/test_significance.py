import zlib

import numpy as np
import pytest

from melodysim.significance import (
    SMALLEST_SCALE,
    Background,
    fit_background,
    sample_references,
)

TYPICAL = Background(1.0, 1.0, 1.0, measured=False)


def simulated(n, mode=4.0, slope=1.5, scale=2.0, seed=0):
    rng = np.random.default_rng(seed)
    length = rng.integers(10, 200, n)
    return mode + slope * np.log(length) + rng.gumbel(0, scale, n), length


def test_parameters_are_recovered():
    fit = fit_background(*simulated(20_000), TYPICAL)
    assert fit.per_log_length == pytest.approx(1.5, abs=0.15)
    assert fit.scale == pytest.approx(2.0, rel=0.05)
    at_50 = fit.mode + fit.per_log_length * np.log(50)
    assert at_50 == pytest.approx(4.0 + 1.5 * np.log(50), abs=0.2)


def test_e_values_are_what_they_say():
    # Of unrelated queries against N references, the share whose best E is below x is about x.
    smallest = []
    for seed in range(400):
        score, length = simulated(300, seed=seed)
        fit = fit_background(score, length, TYPICAL)
        more, lengths = simulated(1000, seed=10_000 + seed)
        smallest.append(fit.e_value(more, lengths, 1000, 1).min())
    share = (np.array(smallest) < 0.1).mean()
    assert 0.05 < share < 0.2


def test_related_references_do_not_spoil_the_fit():
    score, length = simulated(1000)
    spoilt = score.copy()
    spoilt[:10] += 200
    a, b = fit_background(score, length, TYPICAL), fit_background(spoilt, length, TYPICAL)
    assert b.scale == pytest.approx(a.scale, rel=0.1)


def test_higher_scores_are_rarer_and_tries_cost():
    fit = fit_background(*simulated(1000), TYPICAL)
    e = fit.e_value([10.0, 20.0, 30.0], [50, 50, 50], 1000, 1)
    assert e[0] > e[1] > e[2] > 0
    assert fit.e_value(20.0, 50, 1000, 4) == pytest.approx(4 * e[1])
    assert fit.e_value(20.0, 50, 2000, 1) == pytest.approx(2 * e[1])


def test_small_libraries_get_the_typical_background_and_equal_scores_a_spread():
    assert fit_background(*simulated(50), TYPICAL) is TYPICAL
    flat = fit_background(np.zeros(500), np.full(500, 20), TYPICAL)
    assert flat.scale == SMALLEST_SCALE


def test_the_sample_does_not_depend_on_order():
    ids = [f"tune/{k}" for k in range(1000)]
    among = np.arange(1000) % 3 == 0
    keys = np.array([zlib.crc32(name.encode()) for name in ids], np.uint32)
    chosen = {ids[k] for k in sample_references(keys, among, 100)}
    order = np.random.default_rng(0).permutation(1000)
    turned = [ids[k] for k in order]
    assert {turned[k] for k in sample_references(keys[order], among[order], 100)} == chosen
    assert len(chosen) == 100
    assert all(int(name.split("/")[1]) % 3 == 0 for name in chosen)
