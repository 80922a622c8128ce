import numpy as np
import pytest
from conftest import tune
from hypothesis import given
from hypothesis import strategies as st

from melodysim.intervals import MAX_INTERVAL, estimate_key, fold_leaps, normalise, semitones
from melodysim.melody import Melody

pitches = st.lists(st.integers(45, 85), min_size=2, max_size=40)
lengths = st.lists(st.sampled_from([0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0]), min_size=40, max_size=40)


def same(a, b):
    return (
        a.interval.tolist() == b.interval.tolist()
        and a.ratio.tolist() == b.ratio.tolist()
        and a.pitch.tolist() == b.pitch.tolist()
    )


@given(pitches, lengths, st.integers(-30, 30), st.sampled_from([0.5, 0.7, 1.1, 2.0, 3.3]))
def test_key_tempo_and_place_are_taken_out(notes, times, shift, stretch):
    a = tune(notes, times[: len(notes)])
    b = Melody.from_notes(5 + a.onset * stretch, a.duration * stretch, a.pitch + shift)
    assert same(normalise(a), normalise(b))


@given(pitches, st.floats(-0.49, 0.49))
def test_tuning_does_not_matter(notes, cents):
    a = tune(notes)
    b = Melody.from_notes(a.onset, a.duration, a.pitch + cents)
    assert normalise(a).interval.tolist() == normalise(b).interval.tolist()


@given(pitches)
def test_pitch_is_the_running_sum_of_the_intervals(notes):
    s = normalise(tune(notes))
    assert s.pitch.tolist() == [0, *np.cumsum(s.interval).tolist()]


def test_by_hand():
    s = normalise(tune([60, 62, 62, 55], [1, 1, 2, 1]))
    assert s.interval.tolist() == [2, 0, -7]
    assert s.ratio.tolist() == [0, 0, 2]  # a half note after a quarter: one octave of time, 2 steps


def test_rests_belong_to_the_inter_onset_interval():
    legato = Melody.from_notes([0, 1, 2, 4], [1, 1, 2, 1], [60, 62, 64, 65])
    staccato = Melody.from_notes([0, 1, 2, 4], [0.2, 0.2, 0.2, 0.2], [60, 62, 64, 65])
    assert same(normalise(legato), normalise(staccato))


def test_wide_leaps_fold_by_octaves():
    folded = fold_leaps(np.array([19, -20, 31, 18, 43, -43]))
    assert folded.tolist() == [7, -8, 7, 18, 7, -7]
    assert np.abs(fold_leaps(np.arange(-127, 128))).max() <= MAX_INTERVAL


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_notes_have_no_intervals(count):
    s = normalise(tune([60] * count))
    assert len(s) == count
    assert len(s.interval) == 0


def test_semitones_keep_whole_numbers():
    assert semitones(np.array([60.0, 61.0, 72.0])).tolist() == [60, 61, 72]


def test_key_of_scales():
    assert estimate_key(tune([60, 62, 64, 65, 67, 69, 71, 72])) == "C major"
    assert estimate_key(tune([57, 59, 60, 62, 64, 65, 68, 69])) == "A minor"
    assert estimate_key(tune([60, 60])) is None
