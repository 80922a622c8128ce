from dataclasses import replace

import numpy as np
import pytest
from conftest import build_corpus, random_tune
from hypothesis import given, settings
from hypothesis import strategies as st

from melodysim.align import salience_dtw, salience_evidence
from melodysim.align.salience_dtw import (
    RETURN_WEIGHT,
    scan_blocks,
    scan_heard,
    scan_octaves,
    trace_heard,
    with_returns,
)
from melodysim.align.salience_evidence import (
    COARSE,
    FINE,
    LEVELS,
    PITCH_CLASSES,
    PITCHES,
    QUANTUM,
    prepare_evidence,
)
from melodysim.intervals import normalise
from melodysim.melody import LOWEST_SEMITONE, Melody, SemitoneSalience

ROW = salience_evidence.REFERENCE_ROW


def heard_from(melody, rng, shift=0, faster=1.0, noise=0.05, before=0.0):
    """Salience as if the melody were sung, over a noisy background."""
    end = before + melody.end / faster
    strength, begun = rng.random((2, int(end / ROW) + 8, 88)).astype(np.float32) * noise
    for onset, length, pitch in zip(melody.onset, melody.duration, melody.pitch, strict=True):
        a = int((before + onset / faster) / ROW)
        b = int((before + (onset + length) / faster) / ROW)
        strength[a : max(b, a + 1), int(pitch) + shift - LOWEST_SEMITONE] += 0.6
        begun[a, int(pitch) + shift - LOWEST_SEMITONE] += 0.6
    return SemitoneSalience(strength, begun, ROW)


def slow_listen(evidence, corpus, melody, backwards=False):
    """The recurrence, over all tempi and transpositions, without tricks: best score by lane."""
    lo, hi = corpus.start[melody], corpus.start[melody + 1]
    step, space, resolution = evidence.step, evidence.space, evidence.resolution
    best = np.zeros(space.lanes, int)
    rows, gaps = space.rows_of(corpus)[lo:hi], corpus.gap[lo:hi]
    if backwards:
        rows, gaps = rows[::-1], gaps[::-1]
    skip = int(salience_dtw.SKIP_COST * QUANTUM)
    unusual = int(salience_dtw.UNUSUAL_COST * QUANTUM)
    for number in range(len(evidence.starts)):
        total, entry = (
            laid[:, evidence.pad :].reshape(LEVELS, space.pitches, -1).astype(int)
            for laid in evidence.laid(number)
        )
        steps = total.shape[2]
        for tempo in resolution.median_notes:
            for lane in range(space.lanes):
                score = np.zeros(steps, int)
                for row, gap in zip(rows, gaps, strict=True):
                    nominal = min(
                        gap * (tempo / step / corpus.median_gap[melody]),
                        salience_evidence.MAX_NOTE_SECONDS / step,
                    )
                    lengths, usual = salience_dtw._lengths(
                        nominal, resolution.shortest, resolution.longest
                    )
                    level = sum(nominal > limit for limit in evidence.longer())
                    column = space.columns()[row, lane]
                    sung, entered = total[level, column], entry[level, column]
                    following = np.zeros(steps, int)
                    for t in range(steps):
                        options = [0]
                        for k, d in enumerate(lengths):
                            hurried = unusual if k in {0, 3} else 0
                            options += (
                                [score[t - d] + sung[t] - entered[t - d] - hurried] if d <= t else []
                            )
                        options += [score[t - usual] - skip] if usual <= t else []
                        following[t] = max(options)
                    score = following
                    best[lane] = max(best[lane], score.max())
    return best


@pytest.mark.parametrize(("space", "resolution"), [(PITCH_CLASSES, COARSE), (PITCHES, FINE)])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=4, deadline=None)
def test_kernel_agrees_with_the_slow_recurrence(space, resolution, seed):
    rng = np.random.default_rng(seed)
    melodies = [random_tune(rng, 8), random_tune(rng, 5)]
    corpus = build_corpus([normalise(m) for m in melodies])
    evidence = prepare_evidence(heard_from(melodies[0], rng, noise=0.3), space, resolution)
    found = scan_heard(corpus, evidence, np.arange(2))
    assert found[:, 0].tolist() == [slow_listen(evidence, corpus, k).max() for k in (0, 1)]
    (found,), _ = scan_blocks(corpus, evidence, np.arange(2), backwards=True)
    assert found.tolist() == [slow_listen(evidence, corpus, k, True).max() for k in (0, 1)]


@given(seed=st.integers(0, 2**32))
@settings(max_examples=4, deadline=None)
def test_by_pitch_the_octaves_of_the_transposition_by_class_are_tried(seed):
    rng = np.random.default_rng(seed)
    tune = random_tune(rng, 8, low=55, high=75)
    corpus = build_corpus([normalise(tune)])
    heard = heard_from(tune, rng, int(rng.integers(-6, 7)), noise=0.3)
    classes, pitches = prepare_evidence(heard), prepare_evidence(heard, PITCHES)
    found = scan_octaves(corpus, classes, pitches, np.arange(1))
    for (score,), backwards in zip(found, (False, True), strict=True):
        by_class = slow_listen(classes, corpus, 0, backwards)
        by_pitch = slow_listen(pitches, corpus, 0, backwards)
        likeliest = np.flatnonzero(by_class == by_class.max())
        # The pitch of lane 0's lowest row is MIDI 33; the reference's first note lies in a row.
        first = (33 + PITCHES.rows_of(corpus)[0] + np.arange(30)) % 12
        assert score[0] in [by_pitch[first == lane].max() for lane in likeliest]


def test_a_long_note_counts_less_than_its_length_and_one_that_begins_counts_more():
    strength = np.full((400, 88), 0.01, np.float32)
    strength[100:300, 60 - LOWEST_SEMITONE] = 1.0
    quiet = np.full((400, 88), 0.01, np.float32)
    struck = quiet.copy()
    struck[100::25, 60 - LOWEST_SEMITONE] = 1.0
    long, repeated = (
        build_corpus([normalise(Melody.from_notes(np.arange(n) * s, np.full(n, s), [60.0] * n))])
        for n, s in ((4, 1.5), (32, 0.2))
    )

    def score(corpus, onset):
        evidence = prepare_evidence(SemitoneSalience(strength, onset, ROW), PITCHES)
        return int(scan_heard(corpus, evidence, np.arange(1))[0, 0])

    # At the tempi that are tried, a median note lasts 0.6 s at most, and weighs 0.2 s / 0.6 s ** 0.3.
    evidence = prepare_evidence(SemitoneSalience(strength, quiet, ROW), PITCHES)
    in_full, weighted = (
        evidence.laid(0)[0][level * PITCHES.pitches + 60 - 40, -1] for level in (0, LEVELS - 1)
    )
    assert weighted / in_full == pytest.approx((0.2 / 2.3) ** 0.3, abs=0.01)
    assert score(repeated, struck) > score(repeated, quiet)
    assert score(long, struck) > score(long, quiet)


@pytest.mark.parametrize(("shift", "faster"), [(0, 1.0), (5, 1.4), (-4, 0.8), (-12, 1.0)])
def test_a_melody_is_heard_in_another_key_tempo_and_octave(shift, faster):
    rng = np.random.default_rng(2)
    melodies = [random_tune(rng, 30, low=62, high=76) for _ in range(60)]
    corpus = build_corpus([normalise(m) for m in melodies])
    heard = heard_from(melodies[7], rng, shift, faster * 2, before=4.0)
    evidence = prepare_evidence(heard)
    found = scan_heard(corpus, evidence, np.arange(60))
    assert np.argmax(found[:, 0]) == 7
    traced = trace_heard(corpus, evidence, heard, 7, found[7])
    assert traced.first_pitch - melodies[7].pitch[0] == shift
    assert traced.tempo_ratio == pytest.approx(faster * 2, rel=0.15)
    assert traced.begin[0] == pytest.approx(4.0, abs=0.8)
    assert traced.heard.mean() > 0.8
    assert (np.diff(traced.note) == 1).all()
    assert (traced.begin[1:] == traced.end[:-1]).all()


@pytest.mark.parametrize("shift", [0, 5, -7])
def test_by_pitch_a_melody_is_told_from_its_pitch_classes(shift):
    """Its pitch classes in this octave and that are the tune by pitch class, and not by pitch."""
    rng = np.random.default_rng(12)
    tune = random_tune(rng, 30, low=60, high=72)
    scattered = Melody.from_notes(
        tune.onset, tune.duration, tune.pitch + 12 * rng.integers(0, 2, len(tune))
    )
    corpus = build_corpus([normalise(tune)])
    score = {}
    for space in (PITCH_CLASSES, PITCHES):
        for name, sung in (("tune", tune), ("scattered", scattered)):
            heard = heard_from(sung, np.random.default_rng(1), shift, 2.0)
            found = scan_heard(corpus, prepare_evidence(heard, space), np.arange(1))
            score[space.rows, name] = found[0, 0]
    assert score[12, "scattered"] > 0.8 * score[12, "tune"]
    assert score[31, "scattered"] < 0.65 * score[31, "tune"]


def test_what_is_below_the_register_or_too_wide_has_a_place():
    rng = np.random.default_rng(13)
    tune = random_tune(rng, 20)
    wide = Melody.from_notes(tune.onset, tune.duration, np.repeat(20.0 + 12 * np.arange(5), 4))
    rows = PITCHES.rows_of(build_corpus([normalise(wide), normalise(tune)]))
    assert np.unique(rows[:20]).tolist() == [0, 3, 15, 27, 30]
    assert 0 <= rows[20:].min() <= 15 <= rows[20:].max() <= 30


def test_threads_and_order_do_not_matter():
    rng = np.random.default_rng(4)
    melodies = [normalise(random_tune(rng, 12)) for _ in range(80)]
    evidence = prepare_evidence(heard_from(random_tune(rng, 12), rng))
    one = scan_heard(build_corpus(melodies), evidence, np.arange(80))
    assert one.tolist() == scan_heard(build_corpus(melodies), evidence, np.arange(80), 3).tolist()
    order = rng.permutation(80)
    turned = scan_heard(build_corpus([melodies[k] for k in order]), evidence, np.arange(80))
    assert turned[:, 0].tolist() == one[order, 0].tolist()


def test_a_passage_late_in_a_long_recording_is_found():
    rng = np.random.default_rng(8)
    melody = random_tune(rng, 20, low=62, high=76)
    corpus = build_corpus([normalise(melody), normalise(random_tune(rng, 20))])
    heard = heard_from(melody, rng, faster=2.5, before=300.0)
    evidence = prepare_evidence(heard)
    assert len(evidence.starts) > 2
    found = scan_heard(corpus, evidence, np.arange(2))
    assert trace_heard(corpus, evidence, heard, 0, found[0]).begin[0] == pytest.approx(300, abs=1.5)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_what_is_traced_scores_what_the_kernel_found(seed):
    rng = np.random.default_rng(seed)
    melodies = [random_tune(rng, int(rng.integers(2, 30))) for _ in range(4)]
    corpus = build_corpus([normalise(melody) for melody in melodies])
    heard = heard_from(melodies[0], rng, noise=0.6)
    evidence, best = prepare_evidence(heard), []
    moves = salience_dtw._moves

    def traced(*given):
        found = moves(*given)
        best.append(int(found[0].max()))
        return found

    found = scan_heard(corpus, evidence, np.arange(4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(salience_dtw, "_moves", traced)
        heard_ones = [k for k in range(4) if found[k, 0] > 0]
        for k in heard_ones:
            trace_heard(corpus, evidence, heard, k, found[k])
    assert best == found[heard_ones, 0].tolist()


def test_notes_that_may_last_longer_than_the_recording_are_traced():
    rng = np.random.default_rng(6)
    melody = Melody.from_notes(np.arange(8) * 0.25, np.full(8, 0.25), [60, 62, 64, 65, 67, 65, 64, 62])
    longer = Melody.from_notes(
        np.r_[melody.onset, 2 + 2.5 * np.arange(4)], np.r_[melody.duration, np.full(4, 2.5)],
        np.r_[melody.pitch, [60, 64, 67, 72]],
    )  # fmt: skip
    corpus = build_corpus([normalise(longer)])
    heard = heard_from(melody, rng)
    evidence = prepare_evidence(heard)
    found = scan_heard(corpus, evidence, np.arange(1))[0]
    way = trace_heard(corpus, evidence, heard, 0, found)
    assert way.score == found[0] / QUANTUM
    assert way.note.tolist() == list(range(8))
    assert way.begin[0] == pytest.approx(0, abs=0.2)


def test_a_reference_that_comes_back_counts_twice_in_part():
    rng = np.random.default_rng(5)
    song, other = random_tune(rng, 40), random_tune(rng, 300)
    corpus = build_corpus([normalise(song), normalise(random_tune(rng, 40))])
    once, filler = heard_from(song, rng), heard_from(other, rng)
    rows = round(50 / once.frame)

    def joined(*parts):
        strength, onset = (
            np.concatenate([np.resize(getattr(part, name), (rows, 88)) for part in parts])
            for name in ("strength", "onset")
        )
        return SemitoneSalience(strength, onset, once.frame)

    def scanned(*parts):
        evidence = prepare_evidence(joined(*parts), resolution=COARSE)
        return scan_blocks(corpus, evidence, np.arange(2))[0][:, 0]

    again, alone = scanned(once, filler, filler, once), scanned(once, filler, filler, filler)
    assert with_returns(again[:, None])[0] > (1 + 0.9 * RETURN_WEIGHT) * again.max()
    assert with_returns(alone[:, None])[0] < (1 + 0.7 * RETURN_WEIGHT) * alone.max()
    # In a recording of one minute nothing can come back.
    assert with_returns(scanned(once)[:, None]).tolist() == scanned(once).tolist()


def test_what_returns_counts_if_it_has_nothing_in_common_with_the_best():
    score = np.array([[5, 0, 3], [9, 0, 8], [7, 0, 6], [2, 4, 1], [4, 2, 10]])
    # The best at 1, 3 and 4; apart from those 3 or 4, 0 to 1, 0 to 2.
    assert with_returns(score).tolist() == [
        9 + 4 * RETURN_WEIGHT, 4 + 0 * RETURN_WEIGHT, 10 + 8 * RETURN_WEIGHT,
    ]  # fmt: skip


def test_what_sounds_a_minute_away_is_no_background():
    rng = np.random.default_rng(3)
    here, one, other = (rng.random((900, 88)).astype(np.float32) for _ in range(3))
    step = ROW * 2
    found = [
        [odds(np.concatenate([here, far]), space, step)[:700] for far in (one, other)]
        for odds in (salience_evidence.log_odds, salience_evidence.onset_log_odds)
        for space in (PITCH_CLASSES, PITCHES)
    ]
    for first, second in found:
        np.testing.assert_allclose(first, second, atol=1e-9)
    # In half a minute or less all of it is.
    short = here[:250]
    expected = np.log((short[:, 31:67] + 0.03) / (short[:, 31:67].mean(axis=0) + 0.03))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(salience_evidence, "COMMONNESS", 1.0)
        odds = salience_evidence.log_odds(short, replace(PITCHES, register=(52, 88)), step)
    np.testing.assert_allclose(odds, np.clip(expected - salience_evidence.BIAS, -3, 3), atol=1e-6)


def test_nothing_heard_scores_nothing():
    corpus = build_corpus([normalise(random_tune(np.random.default_rng(0), 10))])
    nothing, silence = np.zeros((0, 88), np.float32), np.zeros((300, 88), np.float32)
    empty = prepare_evidence(SemitoneSalience(nothing, nothing, ROW))
    assert scan_heard(corpus, empty, np.arange(1))[0, 0] == 0
    silent = prepare_evidence(SemitoneSalience(silence, silence, ROW))
    assert scan_heard(corpus, silent, np.arange(1))[0, 0] == 0
