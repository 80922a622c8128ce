"""Parts of a recording are compared by what chance scores in them, not by raw scores."""

import numpy as np
import pytest
from conftest import random_tune
from test_salience_dtw import heard_from

from melodysim.align.salience_dtw import with_returns
from melodysim.checking import check
from melodysim.melody import Melody, Piece, SemitoneSalience
from melodysim.readers.read import read
from melodysim.search import by_salience

REFERENCES = 2000


def scores(rng):
    """Scores of unrelated references in a calm and in a dense part, and their lengths in notes."""
    lengths = rng.integers(20, 60, REFERENCES).astype(np.int32)
    modes = np.array([[20.0], [60.0]]) + 5 * np.log(lengths)
    return modes + np.array([[3.0], [9.0]]) * rng.gumbel(size=(2, REFERENCES)), lengths


def levelled(score, lengths):
    levels = by_salience.levels_of(score, lengths, np.arange(REFERENCES))
    return by_salience.levelled(score, score > 0, lengths, levels)


def test_all_parts_have_one_mode_and_scale_then():
    score, lengths = scores(np.random.default_rng(1))
    calm, dense = levelled(score, lengths)
    for quantile in (0.1, 0.5, 0.9, 0.99):
        assert np.quantile(calm, quantile) == pytest.approx(np.quantile(dense, quantile), abs=2.5)
    # Half of the best are in either; before, all were in the dense part.
    assert 0.4 < (calm > dense).mean() < 0.6
    assert (score[0] > score[1]).mean() < 0.01


def test_a_tune_in_a_calm_part_stands_out():
    score, lengths = scores(np.random.default_rng(2))
    score[0, 7] = 20 + 5 * np.log(lengths[7]) + 3 * 14  # as chance scores once in a million
    assert with_returns(score).argmax() != 7
    found = levelled(score, lengths)
    assert with_returns(found).argmax() == 7
    assert found[:, 7].argmax() == 0


def test_one_part_stays_as_it_is():
    score, lengths = scores(np.random.default_rng(3))
    assert levelled(score[:1], lengths).tolist() == score[:1].tolist()


def test_what_was_not_heard_at_all_stays_at_nothing():
    score, lengths = scores(np.random.default_rng(4))
    score[:, 5], score[1] = 0, 0
    found = levelled(score, lengths)
    assert found[:, 5].tolist() == [0, 0]
    assert not found[1].any()


def test_a_part_in_which_hardly_anything_sounds_is_not_made_louder_than_it_is():
    rng = np.random.default_rng(5)
    score, lengths = scores(rng)
    score[0] = 2 + 0.6 * rng.gumbel(size=REFERENCES)
    score[0, 9] = 2 + 0.6 * 14
    assert with_returns(levelled(score, lengths)).argmax() != 9


def sounding(melodies, seconds, rng, noise):
    """Salience of some melodies at once."""
    parts = [heard_from(melody, rng, noise=noise) for melody in melodies]
    rows = round(seconds / parts[0].frame)
    return [sum(np.resize(getattr(part, name), (rows, 88)) for part in parts) for name in NAMES]


NAMES = ("strength", "onset")


def test_a_tune_in_a_calm_part_of_a_dense_track_is_found_there(library, fixtures, monkeypatch):
    rng = np.random.default_rng(8)
    song = read(fixtures / "paper-lanterns.mid").melodies[0]
    dense = [sounding([random_tune(rng, 90) for _ in range(3)], 75, rng, 0.02) for _ in range(2)]
    calm = sounding([song], song.end, rng, 1.2)
    strength, onset = (np.concatenate([dense[0][k], calm[k], dense[1][k]]) for k in (0, 1))
    heard = SemitoneSalience(strength, onset, heard_from(song, rng).frame)
    line = Melody.from_notes(np.arange(4.0), np.ones(4), [60.0, 60.0, 62.0, 60.0])
    track = Piece("track", "audio", (line,), len(strength) * heard.frame, heard=heard)

    def found():
        matches = check(track, library, top=300).matches
        return next((match for match in matches if match.reference.title == "Paper Lanterns"), None)

    levelled = found()
    assert levelled is not None
    begin, end = levelled.query.seconds
    assert begin > 70
    assert end < 80 + song.end
    monkeypatch.setattr(by_salience, "levelled", lambda score, *_: score)
    raw = found()
    assert raw is None or raw.e_value > 10 * levelled.e_value
