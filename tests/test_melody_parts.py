import numpy as np
from conftest import random_tune

from melodysim.readers.parts.melody_parts import candidate_melodies
from melodysim.readers.parts.score import Part, Score


def part(name, onset, duration, pitch):
    onset = np.asarray(onset, float)
    return Part(
        name,
        onset,
        np.broadcast_to(duration, onset.shape).astype(float),
        np.asarray(pitch, float),
        onset,
    )


def lead(name="", shift=0):
    melody = random_tune(np.random.default_rng(1), 40)
    return part(name, melody.onset, melody.duration, melody.pitch + shift)


def chords(name=""):
    onset = np.repeat(np.arange(0, 40, 2.0), 3)
    return part(name, onset, 2.0, np.tile([48, 52, 55], 20))


def ostinato(name=""):
    return part(name, np.arange(0, 40, 0.5), 0.5, np.tile([36, 43], 40))


def test_a_named_melody_comes_first_wherever_it_stands():
    score = Score((chords("Piano"), ostinato("Bass"), lead("Lead vocal")))
    assert candidate_melodies(score)[0].voice == "Lead vocal"


def test_without_names_the_varied_single_voice_comes_first():
    score = Score((chords("a"), ostinato("b"), lead("c")))
    first, *others = candidate_melodies(score)
    assert first.voice == "c"
    assert {m.voice for m in others} == {"a", "b", "top line"}


def test_a_polyphonic_part_gives_its_top_line():
    (melody,) = candidate_melodies(Score((chords(),)))
    assert set(melody.pitch.tolist()) == {55.0}


def test_too_little_to_be_a_melody():
    assert candidate_melodies(Score((part("x", [0, 1, 2], 1, [60, 62, 64]),))) == ()
