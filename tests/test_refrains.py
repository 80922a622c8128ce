"""Where a passage comes back: in notes, in a recording."""

import numpy as np
import pytest
from conftest import build_corpus, random_tune
from test_salience_dtw import heard_from

from melodysim.intervals import normalise
from melodysim.melody import Melody
from melodysim.search.refrains import places_in_melody, places_in_recording


def joined(*tunes):
    """Tunes one after the other, half a second apart; and where each begins and ends."""
    onset, duration, pitch, bounds, at = [], [], [], [], 0.0
    for tune in tunes:
        onset.append(tune.onset - tune.onset[0] + at)
        duration.append(tune.duration)
        pitch.append(tune.pitch)
        bounds.append((at, onset[-1][-1] + tune.duration[-1]))
        at = bounds[-1][1] + 0.5
    return Melody.from_notes(*(np.concatenate(c) for c in (onset, duration, pitch))), bounds


@pytest.fixture
def song():
    """A refrain of a work three times among verses, once in another key; the work; the model."""
    rng = np.random.default_rng(8)
    work = random_tune(rng, 40)
    cut = slice(10, 26)
    refrain = Melody.from_notes(work.onset[cut], work.duration[cut], work.pitch[cut])
    higher = Melody.from_notes(refrain.onset, refrain.duration, refrain.pitch + 2)
    verses = [random_tune(rng, 24) for _ in range(4)]
    track, bounds = joined(verses[0], refrain, verses[1], refrain, verses[2], higher, verses[3])
    rarity = build_corpus([normalise(random_tune(rng, 60)) for _ in range(40)]).rarity
    return track, work, rarity, [bounds[k] for k in (1, 3, 5)]


def test_a_refrain_is_found_wherever_it_comes(song):
    track, work, rarity, bounds = song
    found = places_in_melody(track, work, (10, 26), rarity)
    assert len(found) == 3
    for (first, last), (begin, end) in zip(found, bounds, strict=True):
        assert track.onset[first] == pytest.approx(begin, abs=0.6)
        assert track.onset[last - 1] == pytest.approx(end, abs=1.5)


def test_what_comes_once_has_one_place(song):
    track, work, rarity, bounds = song
    alone = track.onset < bounds[1][0] - 0.25
    once = Melody.from_notes(track.onset[alone], track.duration[alone], track.pitch[alone])
    assert len(places_in_melody(once, work, (10, 26), rarity)) == 1


def test_a_refrain_is_heard_wherever_it_comes(song):
    track, work, rarity, bounds = song
    heard = heard_from(track, np.random.default_rng(1))
    found = places_in_recording(heard, work, (10, 26), rarity)
    assert len(found) == 3
    for (begin, end), (first, last) in zip(found, bounds, strict=True):
        assert begin == pytest.approx(first, abs=2.0)
        assert end == pytest.approx(last, abs=2.0)
