import numpy as np
import pytest
from conftest import build_corpus, random_tune
from hypothesis import given, settings
from hypothesis import strategies as st

from melodysim.align import salience_dtw
from melodysim.align.kernels import numba_salience
from melodysim.align.salience_dtw import prepare_evidence, scan_heard, trace_heard
from melodysim.intervals import normalise
from melodysim.melody import LOWEST_SEMITONE, Melody, SemitoneSalience

ROW = salience_dtw.REFERENCE_ROW


def heard_from(melody, rng, shift=0, faster=1.0, noise=0.05, before=0.0):
    """Salience as if the melody were sung, over a noisy background."""
    end = before + melody.end / faster
    strength = rng.random((int(end / ROW) + 8, 88)).astype(np.float32) * noise
    for onset, length, pitch in zip(melody.onset, melody.duration, melody.pitch, strict=True):
        a = int((before + onset / faster) / ROW)
        b = int((before + (onset + length) / faster) / ROW)
        strength[a : max(b, a + 1), int(pitch) + shift - LOWEST_SEMITONE] += 0.6
    return SemitoneSalience(strength, ROW)


def slow_listen(evidence, corpus, melody):
    """The recurrence, over all tempi and transpositions, without tricks."""
    lo, hi = corpus.start[melody], corpus.start[melody + 1]
    best, step, space = 0, evidence.step, evidence.space
    rows = space.rows_of(corpus)
    skip = int(salience_dtw.SKIP_COST * salience_dtw.QUANTUM)
    unusual = int(salience_dtw.UNUSUAL_COST * salience_dtw.QUANTUM)
    for block in evidence.blocks:
        total = block[:, evidence.pad :].reshape(space.rows, -1, space.lanes).astype(int)
        steps = total.shape[1]
        for tempo in salience_dtw.MEDIAN_NOTES:
            for lane in range(space.lanes):
                score = np.zeros(steps, int)
                for j in range(lo, hi):
                    nominal = min(
                        corpus.gap[j] * (tempo / step / corpus.median_gap[melody]),
                        salience_dtw.MAX_NOTE_SECONDS / step,
                    )
                    *lengths, usual = numba_salience._lengths(
                        nominal, salience_dtw.SHORTEST, salience_dtw.LONGEST
                    )
                    sung = total[rows[j], :, lane]
                    following = np.zeros(steps, int)
                    for t in range(steps):
                        options = [0]
                        for k, d in enumerate(lengths):
                            hurried = unusual if k in {0, 3} else 0
                            options += (
                                [score[t - d] + sung[t] - sung[t - d] - hurried] if d <= t else []
                            )
                        options += [score[t - usual] - skip] if usual <= t else []
                        following[t] = max(options)
                    score = following
                    best = max(best, score.max())
    return best


@pytest.mark.parametrize("space", [salience_dtw.PITCH_CLASSES, salience_dtw.PITCHES])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=4, deadline=None)
def test_kernel_agrees_with_the_slow_recurrence(space, seed):
    rng = np.random.default_rng(seed)
    melodies = [random_tune(rng, 8), random_tune(rng, 5)]
    corpus = build_corpus([normalise(m) for m in melodies])
    evidence = prepare_evidence(heard_from(melodies[0], rng, noise=0.3), space)
    found = scan_heard(corpus, evidence, np.arange(2))
    assert found[:, 0].tolist() == [slow_listen(evidence, corpus, k) for k in (0, 1)]


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
    for space in (salience_dtw.PITCH_CLASSES, salience_dtw.PITCHES):
        for name, sung in (("tune", tune), ("scattered", scattered)):
            heard = heard_from(sung, np.random.default_rng(1), shift, 2.0)
            found = scan_heard(corpus, prepare_evidence(heard, space), np.arange(1))
            score[space.rows, name] = found[0, 0]
    assert score[12, "scattered"] > 0.8 * score[12, "tune"]
    assert score[31, "scattered"] < 0.6 * score[31, "tune"]


def test_what_is_below_the_register_or_too_wide_has_a_place():
    rng = np.random.default_rng(13)
    tune = random_tune(rng, 20)
    wide = Melody.from_notes(tune.onset, tune.duration, np.repeat(20.0 + 12 * np.arange(5), 4))
    rows = salience_dtw.PITCHES.rows_of(build_corpus([normalise(wide), normalise(tune)]))
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
    assert len(evidence.blocks) > 2
    found = scan_heard(corpus, evidence, np.arange(2))
    assert trace_heard(corpus, evidence, heard, 0, found[0]).begin[0] == pytest.approx(300, abs=1.5)


def test_nothing_heard_scores_nothing():
    corpus = build_corpus([normalise(random_tune(np.random.default_rng(0), 10))])
    empty = prepare_evidence(SemitoneSalience(np.zeros((0, 88), np.float32), ROW))
    assert scan_heard(corpus, empty, np.arange(1))[0, 0] == 0
    silent = prepare_evidence(SemitoneSalience(np.zeros((300, 88), np.float32), ROW))
    assert scan_heard(corpus, silent, np.arange(1))[0, 0] == 0
