import numpy as np
import pytest
from conftest import tune
from hypothesis import given
from hypothesis import strategies as st

from melodysim.errors import InvalidNotesError
from melodysim.melody import Melody, top_line


def test_arrays_are_read_only_copies():
    onset = np.array([0.0, 1.0])
    melody = Melody.from_notes(onset, [1, 1], [60, 62])
    onset[0] = 0.5
    assert melody.onset[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        melody.pitch[0] = 1


@pytest.mark.parametrize(
    ("notes", "says"),
    [
        (([0, 0], [1, 1], [60, 62]), "note 1 does not begin after"),
        (([0, 1], [1, 0], [60, 62]), "duration above 0"),
        (([0, 1], [1, 1], [60, 128]), "between 0 and 127"),
        (([0, 1], [1, 1], [60]), "one length"),
        (([0, np.nan], [1, 1], [60, 62]), "NaN"),
        (([0, "a"], [1, 1], [60, 62]), "not numbers"),
        (([[0, 1]], [[1, 1]], [[60, 62]]), "one dimension"),
    ],
)
def test_bad_notes_are_refused_with_a_reason(notes, says):
    with pytest.raises(InvalidNotesError, match=says):
        Melody.from_notes(*notes)


def test_bad_confidence_is_refused():
    with pytest.raises(InvalidNotesError, match="confidence"):
        Melody.from_notes([0], [1], [60], confidence=[1.5])


def test_top_line_of_chords_and_held_notes():
    # A chord, a melody note over a held bass, and an inner note under a held top note.
    onset = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 2.0])
    duration = np.array([1.0, 1.0, 1.0, 3.0, 1.0, 1.0])
    pitch = np.array([60.0, 64.0, 67.0, 72.0, 50.0, 65.0])
    assert top_line(onset, duration, pitch).tolist() == [2, 3]


@given(st.lists(st.integers(40, 80), min_size=1, max_size=30))
def test_top_line_of_one_voice_is_itself(pitches):
    melody = tune(pitches)
    chosen = top_line(melody.onset, melody.duration, melody.pitch.astype(float))
    assert chosen.tolist() == list(range(len(pitches)))
