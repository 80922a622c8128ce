"""Two recordings: put together from many comparisons, each of which says little."""

import io
from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import random_tune, tune
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from test_salience_dtw import heard_from

from melodysim.align.salience_dtw import SalienceAlignment
from melodysim.checking import compare
from melodysim.library import Entry, Library, Reference
from melodysim.library.rights import Rights
from melodysim.library.store import Store
from melodysim.melody import Melody, Piece
from melodysim.report.html.track_page import pair_html
from melodysim.report.plot import pair_picture
from melodysim.report.text import print_pair
from melodysim.search.e_values import Background, harmonic_mean, standardised_of
from melodysim.search.likeness.two_recordings import p_value_of_notes


def recording(melody, rng, shift=0, lines=3, wrong=0.3):
    """A recording of a melody, with lines in which a share of the notes is wrong."""
    heard = heard_from(melody, rng, shift, noise=0.3)
    transcribed = []
    for _ in range(lines):
        off = np.where(rng.random(len(melody)) < wrong, rng.integers(-7, 8, len(melody)), 0)
        transcribed.append(
            Melody.from_notes(melody.onset, melody.duration, melody.pitch + shift + off, voice="line")
        )
    return Piece("song.mp3", "audio", tuple(transcribed), melody.end, heard=heard)


def test_recordings_of_one_tune_are_alike_and_others_are_not(library):
    rng = np.random.default_rng(8)
    melody = random_tune(rng, 40, low=60, high=76)
    one, again = recording(melody, rng), recording(melody, rng, shift=3)
    other = recording(random_tune(rng, 40, low=60, high=76), rng)
    alike, unlike = compare(one, again, library), compare(one, other, library)
    assert alike.verdict.level == "likely"
    assert alike.score > 8 > 4 > unlike.score
    assert unlike.verdict.level == "clear"
    assert alike.match.e_value == pytest.approx(np.exp(-alike.score), rel=0.01)


def test_it_does_not_matter_which_recording_comes_first(library):
    rng = np.random.default_rng(4)
    one, other = (recording(random_tune(rng, 30, low=60, high=76), rng) for _ in range(2))
    assert compare(one, other, library).score == pytest.approx(compare(other, one, library).score)


def test_a_library_too_small_to_measure_chance_on_is_owned_up_to(tmp_path):
    rng = np.random.default_rng(5)
    tunes = [random_tune(rng, 30, low=60, high=76) for _ in range(11)]
    path = tmp_path / "small.db"
    with Store(path, create=True) as store, store.transaction():
        for k, tune in enumerate(tunes[2:]):
            entry = Entry(str(k), "Tune", None, f"{k}.mid", Rights("public-domain"))
            store.put([Reference(entry, tune)], f"{k}.mid", str(k))
    heard = [recording(tune, rng, lines=1) for tune in tunes[:2]]
    written = [Piece("a.mid", "midi", (tune,), tune.end) for tune in tunes[:2]]
    for one, other in (heard, written):
        report = compare(one, other, Library(path))
        assert "typical values stand in" in report.verdict.reasons[-1]


def test_harmonic_mean_by_hand():
    assert harmonic_mean([0.5, 0.25]) == pytest.approx(1 / 3)
    # One that is small counts as with Bonferroni's correction.
    assert harmonic_mean([1e-9, 1.0]) == pytest.approx(2e-9)


@given(st.floats(-3, 600))
def test_standardised_of_undoes_the_p_value(score):
    unit = Background(mode=0.0, per_log_length=0.0, scale=1.0)
    assert standardised_of(float(unit.p_value(score, 1))) == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("lines", [1, 3])
@pytest.mark.parametrize("pitches", [[60] * 40, [60, 62] * 20], ids=["drone", "two notes"])
def test_recordings_of_an_ostinato_are_not_alike_by_it(library, pitches, lines):
    rng = np.random.default_rng(1)
    one, other = (recording(tune(np.add(pitches, k)), rng, lines=lines, wrong=0) for k in (0, 2))
    report = compare(one, other, library)
    assert report.verdict.level == "clear"
    assert report.score < 5  # what it is backwards is taken off the average too


def test_what_many_comparisons_say_together_counts(library):
    rng = np.random.default_rng(2)
    melody = random_tune(rng, 40, low=60, high=76)
    one, other = (recording(melody, rng, shift=shift, wrong=0.5) for shift in (0, 3))
    together = compare(one, other, library)
    # With every other note wrong, no single line says so much.
    alone = [compare(*(replace(p, melodies=p.melodies[k : k + 1]) for p in (one, other)), library)
             for k in range(3)]  # fmt: skip
    assert together.verdict.level != "clear"
    assert together.score > np.median([report.score for report in alone])


def test_four_notes_are_not_enough_to_be_likely(library):
    rng = np.random.default_rng(1)
    few = tune([60, 64, 62, 67], [0.25] * 4)
    one, other = (recording(few, rng, lines=1, wrong=0) for _ in range(2))
    report = compare(one, other, library)
    assert report.verdict.level != "likely"
    # Three intervals of at most 7 bits each.
    assert report.match.e_value > 2**-21


def test_no_more_alike_than_the_notes_are_rare(library):
    rng = np.random.default_rng(9)
    melody, background = random_tune(rng, 20), library.background_melodies()

    def rare(heard, notes=melody):
        listening = SalienceAlignment(0.0, np.arange(20), notes.onset, notes.onset + 1, heard, 60, 1.0)
        return p_value_of_notes(
            SimpleNamespace(reference_melody=notes, listening=listening), background
        )

    every, first = np.ones(20, bool), np.arange(20) < 8
    assert rare(every) < rare(first) < 2**-7
    # Of two notes with another between them that was not heard no interval is known.
    assert rare(np.arange(20) % 2 == 0) == 1
    moved = Melody.from_notes(melody.onset * 2, melody.duration * 2, melody.pitch + 5)
    assert rare(every, moved) == pytest.approx(rare(every))  # whatever the key and the tempo


def written(report):
    """A comparison as the terminal has it."""
    console = Console(file=io.StringIO(), width=80)
    print_pair(console, report)
    return console.file.getvalue()


def transcribed_in_part(melody, keep, rng, shift=0):
    """A recording whose tracker caught some of the notes."""
    line = Melody.from_notes(
        melody.onset[keep], melody.duration[keep], melody.pitch[keep] + shift, voice="line"
    )
    heard = heard_from(melody, rng, shift, noise=0.3)
    return Piece("song.mp3", "audio", (line,), melody.end, heard=heard)


@pytest.mark.parametrize("caught", ["few", "before", "after"])
def test_a_poor_transcription_does_not_change_what_the_other_says(library, caught):
    rng = np.random.default_rng(1)
    melody, other = (random_tune(rng, notes, low=60, high=76) for notes in (48, 12))
    good = recording(melody, rng, wrong=0, lines=1)
    first, second = (other, melody) if caught == "before" else (melody, other)
    begin = first.end + 1
    whole = Melody.from_notes(
        np.r_[first.onset, second.onset + begin],
        np.r_[first.duration, second.duration],
        np.r_[first.pitch, second.pitch],
    )
    keep = {
        "few": np.arange(len(whole)) % 4 == 0,
        "before": whole.onset < begin,
        "after": whole.onset >= begin,
    }[caught]
    poor = transcribed_in_part(whole, keep, rng)
    one, two = compare(good, poor, library), compare(poor, good, library)
    assert one.score == pytest.approx(two.score)
    assert one.verdict.level == two.verdict.level != "clear"
    for report in (one, two):  # with evidence to see, whichever was listened to
        match = report.match
        assert match.reference_span.notes[1] > match.reference_span.notes[0]
        assert "likeness" in written(report)
        assert pair_html(report, date(2026, 1, 1))
        assert pair_picture(report, "svg")


def test_lines_whose_notes_sound_on_can_be_compared(library):
    rng = np.random.default_rng(3)
    one = recording(random_tune(rng, 20, low=60, high=76), rng, lines=1)
    (line,) = one.melodies
    held = Melody.from_notes(line.onset, np.full(len(line), line.end), line.pitch, voice="line")
    compare(one, replace(one, melodies=(held,)), library)
