import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from melodysim.intervals import normalise
from melodysim.melody import Melody
from melodysim.search.e_values import Background
from melodysim.search.passage_significance import cut_passage, log_e_value


def test_a_passage_is_what_its_notes_alone_would_be():
    rng = np.random.default_rng(4)
    onset = np.cumsum(rng.choice([0.25, 0.5, 1.0], 40))
    pitch = 60 + rng.integers(-8, 9, 40)
    whole = normalise(Melody.from_notes(onset, np.full(40, 0.2), pitch))
    alone = normalise(Melody.from_notes(onset[7:19], np.full(12, 0.2), pitch[7:19]))
    cut = cut_passage(whole, (7, 19))
    assert cut.time.tolist() == whole.time[7:19].tolist()
    for name in ("interval", "ratio", "pitch"):
        assert getattr(cut, name).tolist() == getattr(alone, name).tolist()
    assert np.diff(cut.time) == pytest.approx(np.diff(alone.time))


@given(st.floats(-3, 80), st.integers(1, 10_000), st.floats(1, 50))
def test_logarithms_are_those_of_e_values(standardised, references, tries):
    unit = Background(0.0, 0.0, 1.0)
    e_value = float(unit.e_value(standardised, 1, references, tries))
    assert log_e_value(standardised, references, tries) == pytest.approx(np.log(e_value), abs=1e-6)
