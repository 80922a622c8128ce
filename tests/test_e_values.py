import zlib

import numpy as np
import pytest
from scipy.stats import gumbel_r

from melodysim.library.packed.index import sample_references
from melodysim.search.e_values import (
    SMALLEST_SCALE,
    Background,
    Fitting,
    fit_background,
    fitted_to_kind,
    suspects,
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


def test_scipy_agrees_about_the_distribution_and_about_its_fit():
    score = gumbel_r(3.0, 2.0).rvs(20_000, random_state=0)
    length = np.full(len(score), 20)
    fit = fit_background(score, length, Background(0.0, 0.0, 1.0), Fitting((0.0, 1.0)))
    mode, scale = gumbel_r.fit(score)  # by maximum likelihood: another estimator, the same in the limit
    assert fit.scale == pytest.approx(scale, rel=0.02)
    assert fit.expected(20) == pytest.approx(mode, abs=0.05)
    far = np.linspace(-5, 80, 50)
    chance = gumbel_r.sf(far, fit.expected(20), fit.scale)
    np.testing.assert_allclose(fit.p_value(far, np.full(50, 20)), chance, rtol=1e-9)


def test_what_length_gains_may_bend():
    rng = np.random.default_rng(1)
    length = np.concatenate([rng.integers(10, 60, 10_000), rng.integers(60, 500, 10_000)])
    low, high = np.minimum(np.log(length), np.log(60)), np.maximum(np.log(length / 60), 0)
    score = 5 + 10 * low + 2 * high + rng.gumbel(0, 2.0, len(length))
    fit = fit_background(score, length, TYPICAL, Fitting((0.3, 0.98), (60.0,)))
    assert fit.per_log_length == pytest.approx(10, abs=0.3)
    ((notes, change),) = fit.bends
    assert (notes, change) == (60.0, pytest.approx(-8, abs=0.3))
    for notes in (20, 60, 300):
        here = np.abs(np.log(length / notes)) < 0.1
        assert (fit.p_value(score[here], length[here]) < 0.05).mean() == pytest.approx(0.05, abs=0.015)


def test_a_longer_reference_is_never_expected_to_score_less():
    score, length = simulated(2000, slope=-3.0)
    fit = fit_background(score, length, TYPICAL, Fitting((0.3, 0.98), (60.0,)))
    assert np.diff(fit.expected(np.arange(1, 300))).min() >= -1e-9


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


def test_a_lone_long_reference_is_not_its_own_background():
    fitting = Fitting((0.3, 0.98), (60.0,))
    rng = np.random.default_rng(5)
    length = np.append(rng.integers(10, 60, 400), 500)
    score = np.append(4 + 1.5 * np.log(length[:-1]) + rng.gumbel(0, 2.0, 400), 60.0)
    fit = fit_background(score, length, TYPICAL, fitting)
    assert fit.bends == ()
    assert fit.p_value(60.0, 500) < 1e-8


def test_what_is_related_does_not_bend_the_line():
    fitting = Fitting((0.3, 0.98), (60.0,))
    score, length = simulated(600)
    long = np.flatnonzero(length > 60)
    spoilt = score.copy()
    spoilt[long[:4]] += 300
    a, b = (fit_background(s, length, TYPICAL, fitting) for s in (score, spoilt))
    assert len(a.bends) == 1
    assert b.expected([20, 60, 190]) == pytest.approx(a.expected([20, 60, 190]), abs=0.5)


def test_references_shorter_than_those_that_were_measured_are_not_thought_to_score_less():
    score, length = simulated(1000)
    fit = fit_background(score, length, TYPICAL)
    assert fit.shortest == pytest.approx(np.quantile(length, 0.01))
    assert fit.expected(2) == pytest.approx(fit.expected(fit.shortest))
    assert fit.expected(2) < fit.expected(30)


def test_one_relative_does_not_hide_in_the_smallest_measured_library():
    score, length = simulated(100)
    score[7] = 60.0
    fit = fit_background(score, length, TYPICAL)
    assert fit.p_value(60.0, length[7]) < 1e-7


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


def test_a_kind_of_references_has_its_own_chance_as_far_as_it_is_known():
    score, length = simulated(4000)
    fit = fit_background(score, length, TYPICAL)
    kin = score + 1.5 * fit.scale  # songs among folk tunes
    assert fitted_to_kind(fit, kin[:10], length[:10]) is fit
    many = fitted_to_kind(fit, kin[:3000], length[:3000])
    assert many.mode - fit.mode == pytest.approx(1.5 * fit.scale, rel=0.1)
    assert many.scale == pytest.approx(fit.scale, rel=0.1)
    # Fifty count as much as all of the others.
    few = [fitted_to_kind(fit, kin[k : k + 50], length[k : k + 50]) for k in range(0, 4000, 50)]
    moved = np.mean([some.mode - fit.mode for some in few]) / fit.scale
    assert moved == pytest.approx(0.75, abs=0.15)
    own = fitted_to_kind(fit, score, length)
    assert own.mode == pytest.approx(fit.mode, abs=0.1 * fit.scale)


def test_what_a_fit_does_not_leave_out_is_suspected_if_chance_does_not_explain_it():
    score, length = simulated(300)
    assert not suspects(score, length, TYPICAL).any()
    few = score.copy()
    few[:4] += 100  # are left out anyway
    assert not suspects(few, length, TYPICAL).any()
    many = score.copy()
    many[:40] += 100
    found = suspects(many, length, TYPICAL)
    assert found[:40].all()
    assert found[40:].sum() <= 1
    fit = fit_background(many, length, TYPICAL, related=found)
    assert fit.scale == pytest.approx(fit_background(score, length, TYPICAL).scale, rel=0.15)


def test_one_reference_does_not_tilt_the_line_to_itself():
    rng = np.random.default_rng(3)
    length = np.append(np.full(150, 32), 48)
    score = np.append(rng.gumbel(10, 2, 150), 200.0)
    fit = fit_background(score, length, TYPICAL)
    assert fit.e_value(200.0, 48, 151, 1) < 1e-12
