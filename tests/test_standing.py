import numpy as np
import pytest

from melodysim.intervals import normalise
from melodysim.melody import Melody
from melodysim.search.standing import cut_passage


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
