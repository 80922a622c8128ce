from dataclasses import replace

import numpy as np
import pytest
from conftest import random_tune, tune
from hypothesis import given
from hypothesis import strategies as st

import melodysim
from melodysim.melody import Melody
from melodysim.readers.midi import read_midi
from melodysim.readers.parts.inner_lines import is_inner
from melodysim.readers.parts.melody_parts import MAX_MELODIES, candidate_melodies
from melodysim.readers.parts.plain_line import is_plain, plain_line
from melodysim.readers.parts.score import Part, Score, joined
from melodysim.report.note_files import midi_bytes


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
    assert {m.voice for m in others} == {"a", "b", "top line", "a, inner line"}


def test_a_polyphonic_part_gives_its_top_line():
    melody, *_ = candidate_melodies(Score((chords(),)))
    assert set(melody.pitch.tolist()) == {55.0}


def in_common(line, tune):
    """Return the share of notes of the longer that both have."""
    notes, others = (set(zip(m.onset, m.pitch, strict=True)) for m in (line, tune))
    return len(notes & others) / max(len(notes), len(others))


def pad(seconds, pitch):
    return part("", np.arange(0, seconds, 4.0), 3.9, np.full(int(np.ceil(seconds / 4)), pitch))


def arpeggio(seconds):
    onset = np.arange(0, seconds, 0.5)
    return part("", onset, 0.25, np.tile([84, 88, 91, 96], len(onset))[: len(onset)])


@pytest.mark.parametrize("above", [lambda s: pad(s, 88), lambda s: pad(s, 108), arpeggio])
def test_a_tune_under_what_sounds_above_it_is_a_candidate(above):
    song = lead()
    hidden = joined((song, above(float(song.onset[-1]))), "Piano")
    top, *others = candidate_melodies(Score((hidden,)))
    assert top.voice == "Piano"
    assert {line.voice for line in others} == {"Piano, inner line"}
    assert max(in_common(line, song) for line in others) > 0.9


def test_a_tune_far_below_what_accompanies_it_is_a_candidate():
    # What lies an octave below the rest and sounds under it is taken for a bass.
    song = lead(shift=-24)
    hidden = joined((song, pad(float(song.onset[-1]), 84)), "")
    lines = [line for line in candidate_melodies(Score((hidden,))) if line.voice == "inner line"]
    assert max(in_common(line, song) for line in lines) > 0.9


def test_a_tune_among_chords_that_are_struck_again_is_a_candidate():
    # The smoothest way through the notes is along one pitch of the chords.
    song = lead(shift=-5)
    onset = np.repeat(np.arange(0, song.onset[-1], 0.5), 3)
    roots = np.repeat(np.resize([67, 62, 64, 69], len(onset) // 12 + 1), 12)[: len(onset)]
    struck = part("", onset, 0.45, roots + np.resize([0, 4, 7], len(onset)))
    hidden = joined((song, struck), "Piano")
    lines = [line for line in candidate_melodies(Score((hidden,))) if is_inner(line)]
    smooth, next_smooth, held, _ = (in_common(line, song) for line in lines)
    assert held > 0.5 > max(smooth, next_smooth)


CHORDS = [67, 69, 72, 76, 79, 69, 71, 74, 77, 79]


def test_a_left_hand_in_step_with_the_chords_above_it_is_a_candidate():
    # Chords that are struck with each note of it, and go more smoothly.
    song = lead(shift=-12)
    onset = np.repeat(song.onset, 5)
    struck = part("", onset, np.repeat(song.duration, 5), np.resize(CHORDS, len(onset)))
    hidden = joined((song, struck), "Piano")
    lines = [line for line in candidate_melodies(Score((hidden,))) if is_inner(line)]
    assert lines[-1].pitch.tolist() == song.pitch.tolist()


def test_a_tune_on_top_of_broken_chords_is_a_candidate():
    # Each note of it is the top of a figure of four; nothing begins with anything else.
    song = lead(shift=5)
    onset = (song.onset[:, None] + np.array([0, 0.12, 0.24, 0.36])).ravel()
    figures = (song.pitch[:, None] + np.array([-12, -7, 0, -7])).ravel()
    hidden = part("Piano", onset, 0.11, figures)
    lines = {line.voice: line for line in candidate_melodies(Score((hidden,)))}
    assert in_common(lines["Piano, inner line"], song) == 0  # it begins a little later
    assert lines["Piano, inner line"].pitch.tolist() == song.pitch.tolist()
    # A tune that leaps as tunes do has none.
    assert len(candidate_melodies(Score((song,)))) == 1


def test_one_voice_and_a_named_tune_have_no_lines_inside():
    (_,) = candidate_melodies(Score((lead(),)))
    song = lead()
    hidden = joined((song, pad(float(song.onset[-1]), 88)), "Piano")
    voices = [line.voice for line in candidate_melodies(Score((hidden, lead("Lead vocal"))))]
    assert voices == ["Lead vocal", "Piano"]


def test_lines_inside_come_after_the_lines_of_all_parts():
    song = lead()
    parts = [joined((song, pad(float(song.onset[-1]), 88)), f"part {k}") for k in range(12)]
    found = [is_inner(line) for line in candidate_melodies(Score(tuple(parts)))]
    assert len(found) == MAX_MELODIES and found == sorted(found)


def without_repetitions():
    wandering = random_tune(np.random.default_rng(5), 60)
    return tune(wandering.pitch[np.append(True, np.diff(wandering.pitch) % 12 != 0)])


@given(st.integers(2, 5), st.sampled_from([0, 12, -12]))
def test_notes_that_are_struck_again_are_one_in_the_plain_line(times, apart):
    melody = without_repetitions()
    each = np.repeat(np.arange(len(melody)), times)
    strike = np.tile(np.arange(times), len(melody))
    struck = Melody.from_notes(
        melody.onset[each] + strike * melody.duration[each] / times,
        melody.duration[each] / times,
        melody.pitch[each] + apart * (strike % 2),
        voice="Lead",
    )
    plain = plain_line(struck)
    assert plain.voice == "Lead, plain line" and is_plain(plain)
    assert plain.pitch.tolist() == melody.pitch.tolist()
    assert np.allclose(plain.onset, melody.onset) and np.allclose(plain.duration, melody.duration)


def test_grace_notes_are_not_in_the_plain_line():
    melody = without_repetitions()
    onset = np.sort(np.concatenate([melody.onset + 0.08, melody.onset]))
    pitch = np.repeat(melody.pitch, 2) + np.tile([1, 0], len(melody))
    graced = Melody.from_overlapping(onset, np.tile([0.08, 0.9], len(melody)), pitch)
    assert plain_line(graced).pitch.tolist() == melody.pitch.tolist()


def test_a_melody_with_few_repetitions_has_no_plain_line():
    assert plain_line(without_repetitions()) is None
    assert plain_line(random_tune(np.random.default_rng(1), 40)) is None


def test_a_transcript_keeps_the_order_of_its_lines(tmp_path):
    rng = np.random.default_rng(3)
    for names in (("top line", "voice line", "tracked line"), ("tracked line", "top line")):
        lines = [replace(random_tune(rng, 40), voice=name) for name in names]
        (tmp_path / "heard.mid").write_bytes(midi_bytes(lines))
        read = melodysim.read(tmp_path / "heard.mid").melodies
        assert tuple(line.voice for line in read) == names


def test_a_key_that_is_struck_again_ends_its_note_in_a_file(tmp_path):
    struck = Melody.from_notes([0, 0.5, 1.0, 1.5], [2.0, 0.5, 0.5, 0.5], [60, 62, 60, 64])
    (part,) = read_midi(tmp_path / "x.mid", midi_bytes([struck])).parts
    assert part.onset.tolist() == pytest.approx([0, 0.5, 1.0, 1.5], abs=0.01)
    assert part.duration.tolist() == pytest.approx([1.0, 0.5, 0.5, 0.5], abs=0.01)


def test_a_clear_is_not_firm_where_parts_were_not_compared(tmp_path, library):
    rng = np.random.default_rng(3)
    for parts, level in ((8, "clear"), (20, "uncertain")):
        tunes = [replace(random_tune(rng, 30), voice=f"part {k}") for k in range(parts)]
        (tmp_path / "many.mid").write_bytes(midi_bytes(tunes))
        piece = melodysim.read(tmp_path / "many.mid")
        report = melodysim.check(piece, library)
        assert (report.verdict.level, report.verdict.grade) == ("clear", level)
        assert len(piece.left_out) == max(0, parts - MAX_MELODIES)
    assert "parts were not compared" in report.verdict.headline


def test_too_little_to_be_a_melody():
    assert candidate_melodies(Score((part("x", [0, 1, 2], 1, [60, 62, 64]),))) == ()
