"""Passages as notation: beats, bars, spelling, MusicXML, checked by hand and by a second reader."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import tune
from hypothesis import given, settings
from hypothesis import strategies as st
from test_report import reports

from melodysim.melody import Melody
from melodysim.report.notation.engraving import engraved
from melodysim.report.notation.metre import TICKS, fitted_bars, quantise, reference_beats, track_beats
from melodysim.report.notation.musicxml import _key_alterations, notation_of, spelled
from melodysim.report.passage import columns, passage_of
from melodysim.search.match import Span


def a_match():
    report = reports()[0]
    return report.piece, report.matches[0]


def test_columns_hold_every_note_once_and_aligned_notes_together():
    passage = passage_of(*a_match())
    laid = columns(passage)
    assert [i for i, _ in laid if i is not None] == list(range(10))
    assert [j for _, j in laid if j is not None] == list(range(10))
    assert [(i, j) for i, j in laid if i is not None and j is not None] == [
        tuple(pair) for pair in passage.pairs.tolist()
    ]
    assert passage.relation[4] == passage.reference_relation[4] == "alone"
    assert {passage.relation[k] for k in range(10) if k != 4} == {"same"}


def test_the_reference_is_placed_where_its_aligned_notes_are():
    passage = passage_of(*a_match())
    own = passage.track.onset
    for i, j in passage.pairs:
        assert passage.placed[j, 0] == pytest.approx(own[i])


@given(st.lists(st.integers(1, 16), min_size=1, max_size=40), st.integers(0, 7))
def test_sixteenths_are_quantised_to_themselves(lengths, start):
    begin = (start + np.concatenate([[0], np.cumsum(lengths)[:-1]])) / 4
    ticks, ends, grids = quantise(begin, begin + np.array(lengths) / 4)
    assert (ticks == np.rint(begin * TICKS)).all()
    assert (ends == np.rint((begin + np.array(lengths) / 4) * TICKS)).all()
    assert not grids


@settings(max_examples=200)
@given(
    st.lists(st.floats(0.01, 3.0), min_size=1, max_size=60),
    st.lists(st.floats(0.2, 1.0), min_size=60, max_size=60),
)
def test_quantised_notes_rise_and_never_overlap(gaps, held):
    onset = np.cumsum(gaps)
    end = onset + np.array([*gaps[1:], 1.0]) * held[: len(gaps)]
    begin, finish, _ = quantise(onset, end)
    assert (np.diff(begin) > 0).all()
    assert (finish > begin).all()
    assert (finish[:-1] <= begin[1:]).all()


def test_triplets_are_seen():
    begin, _, grids = quantise(np.array([0, 1, 4 / 3, 5 / 3, 2]), np.array([1, 4 / 3, 5 / 3, 2, 3]))
    assert begin.tolist() == [0, 24, 32, 40, 48]
    assert grids == {1: 8}


def test_bar_lines_fall_on_the_long_notes():
    onset = np.array([0, 1, 2, 4, 5, 6, 8, 9, 10, 12.0])
    end = np.append(onset[1:], 16.0)
    onset, end = np.append(onset, 16.0), np.append(end, 20.0)
    length, phase = fitted_bars(onset, end)
    assert (length, phase) == (
        4,
        0.0,
    )  # a note of two beats is on the third, those of four on the first


def test_a_track_that_slows_down_stays_on_the_beats():
    rng = np.random.default_rng(3)
    theirs = tune([60 + int(k) for k in rng.integers(0, 12, 32)], rng.choice([1.0, 1.0, 2.0], 32))
    slower = np.cumsum(np.concatenate([[0], np.diff(theirs.onset) * np.linspace(0.5, 0.7, 31)]))
    mine = Melody.from_notes(slower, np.append(np.diff(slower), 0.7), theirs.pitch, voice="Lead")
    piece, match = a_match()
    piece = replace(piece, melodies=(mine,))
    path = np.stack([np.arange(32)] * 2, axis=1)
    span = Span((0, 32), (0.0, float(mine.end)))
    match = replace(match, reference_melody=theirs, query=span, reference_span=span, path=path)
    passage = passage_of(piece, match)
    beats, ends = reference_beats(theirs)
    onset, end = track_beats(passage, beats)
    assert (quantise(onset, end)[0] == quantise(beats, ends)[0]).all()


def test_spelling_follows_the_key():
    assert spelled(61, 2) == ("C", 1, 4)  # C sharp in D major
    assert spelled(61, -4) == ("D", -1, 4)  # D flat in A flat major
    assert spelled(60, 7) == ("B", 1, 3)  # B sharp in C sharp major lies an octave lower by name


@given(st.integers(12, 115), st.integers(-6, 6))
def test_a_spelling_sounds_as_its_pitch(pitch, fifths):
    step, alter, octave = spelled(pitch, fifths)
    assert (
        12 * (octave + 1) + {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[step] + alter
        == pitch
    )


def test_another_program_reads_what_was_written():
    music21 = pytest.importorskip("music21")
    piece, match = a_match()
    passage = passage_of(piece, match)
    notation = notation_of(passage, match)
    score = music21.converter.parseData(notation.musicxml, format="musicxml")
    parts = list(score.parts)
    assert len(parts) == 2
    for part, pitch in zip(parts, (passage.pitch, passage.reference_pitch), strict=True):
        notes = part.stripTies().recurse().notes
        assert [n.pitch.midi for n in notes] == pitch.tolist()
        for measure in part.getElementsByClass("Measure")[1:-1]:
            assert measure.duration.quarterLength == 4
    assert [len(list(p.getElementsByClass("Measure"))) for p in parts] == [notation.bars] * 2


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_any_passage_fills_its_bars(seed):
    """Whatever the rhythm, the durations written in a bar add up to the bar, in both staves."""
    from xml.etree import ElementTree

    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 40))
    lengths = rng.choice([0.25, 1 / 3, 0.5, 0.75, 1.0, 1.5, 2.0, 0.125], count)
    theirs = tune(rng.integers(50, 80, count), lengths)
    theirs = replace(theirs, beat=theirs.onset)
    jitter = theirs.onset * 0.6 + rng.uniform(0, 0.05, count)
    jitter = np.maximum.accumulate(jitter) + np.arange(count) * 1e-3
    mine = Melody.from_notes(jitter, lengths * 0.5, theirs.pitch, voice="Lead")
    piece, match = a_match()
    path = np.stack([np.arange(count)] * 2, axis=1)
    span = Span((0, count), (0.0, float(mine.end)))
    match = replace(match, reference_melody=theirs, query=span, reference_span=span, path=path)
    notation = notation_of(passage_of(replace(piece, melodies=(mine,)), match), match, None)
    root = ElementTree.fromstring(notation.musicxml)
    totals = [
        [sum(int(d.text) for d in m.findall("note/duration")) for m in part.findall("measure")]
        for part in root.findall("part")
    ]
    assert totals[0] == totals[1]
    assert len(set(totals[0][1:-1])) <= 1


def test_the_engraving_names_its_notes():
    piece, match = a_match()
    passage = passage_of(piece, match)
    svg = engraved(notation_of(passage, match).musicxml, "m1-")
    for k in range(10):
        assert f'id="m1-q{k}p0"' in svg
        assert f'id="m1-r{k}p0"' in svg
    import re

    used = set(re.findall(r'href="#([^"]+)"', svg))
    assert used <= set(re.findall(r'id="([^"]+)"', svg))


def test_a_title_with_control_characters_is_still_xml():
    from xml.etree import ElementTree

    piece, match = a_match()
    match = replace(match, reference=replace(match.reference, title="a\x00b<&\x1b"))
    notation = notation_of(passage_of(piece, match), match)
    assert ElementTree.fromstring(notation.musicxml).find("work/work-title").text == "ab<&"


KEYS = {
    -7: "BEADGCF", -6: "BEADGC", -5: "BEADG", -4: "BEAD", -3: "BEA", -2: "BE", -1: "B", 0: "",
    1: "F", 2: "FC", 3: "FCG", 4: "FCGD", 5: "FCGDA", 6: "FCGDAE", 7: "FCGDAEB",
}  # fmt: skip


@pytest.mark.parametrize("fifths", KEYS)
def test_key_signatures_alter_what_they_should(fifths):
    altered = {step: alter for step, alter in _key_alterations(fifths).items() if alter}
    assert altered == dict.fromkeys(KEYS[fifths], 1 if fifths > 0 else -1)


def sounding(part):
    """Pitches as a musician reads them: by signature, accidentals and ties, not by <alter>."""
    steps = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    signs = {"flat-flat": -2, "flat": -1, "natural": 0, "sharp": 1, "double-sharp": 2}
    read, tied, key = [], None, {}
    for measure in part.findall("measure"):
        if (fifths := measure.findtext("attributes/key/fifths")) is not None:
            key = dict.fromkeys(KEYS[int(fifths)], 1 if int(fifths) > 0 else -1)
        here = {}
        for note in measure.findall("note"):
            if note.find("rest") is not None:
                tied = None
                continue
            step, octave = note.findtext("pitch/step"), int(note.findtext("pitch/octave"))
            if (accidental := note.findtext("accidental")) is not None:
                here[step, octave] = signs[accidental]
            stops = note.find("tie[@type='stop']") is not None
            alter = tied if stops else here.get((step, octave), key.get(step, 0))
            tied = alter if note.find("tie[@type='start']") is not None else None
            if not stops:
                read.append(12 * (octave + 1) + steps[step] + alter)
    return read


def written_melody(pitches, lengths):
    """Notation of a melody against itself."""
    from xml.etree import ElementTree

    theirs = tune(pitches, lengths, voice="Lead")
    theirs = replace(theirs, beat=theirs.onset)
    piece, match = a_match()
    path = np.stack([np.arange(len(theirs))] * 2, axis=1)
    span = Span((0, len(theirs)), (0.0, float(theirs.end)))
    match = replace(
        match, reference_melody=theirs, query=span, reference_span=span, path=path, transposition=0
    )
    passage = passage_of(replace(piece, melodies=(theirs,)), match)
    return ElementTree.fromstring(notation_of(passage, match, None).musicxml)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_what_is_written_reads_as_it_sounds(seed):
    rng = np.random.default_rng(seed)
    pitches = np.clip(67 + np.cumsum(rng.integers(-3, 4, 30)), 50, 85)
    root = written_melody(pitches, rng.choice([0.5, 1.0, 1.5, 3.0], 30))
    for part in root.findall("part"):
        assert sounding(part) == pitches.tolist()


def test_an_upbeat_of_an_eighth_leaves_the_beats_whole():
    lengths = [0.5, 2, 1, 1, 2, 1, 1, 2, 1, 1, 2, 1, 0.5]
    root = written_melody([60, 67, 65, 64, 67, 65, 64, 67, 65, 64, 67, 65, 62], lengths)
    notes = [note for note in root.find("part").iter("note") if note.find("rest") is None]
    assert [note.findtext("type") for note in notes[:5]] == [
        "eighth",
        "half",
        "quarter",
        "quarter",
        "half",
    ]
    assert not list(root.iter("tie"))


@pytest.mark.parametrize(
    ("onset", "ticks"),
    [
        ([0, 2 / 3, 1, 5 / 3, 2], [0, 16, 24, 40, 48]),  # swung
        ([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1], [0, 4, 8, 12, 16, 20, 24]),  # sextuplets
        ([0, 2 / 3, 4 / 3, 2], [0, 16, 32, 48]),  # triplets of quarter notes
        ([0, 1 / 8, 1 / 4, 1], [0, 3, 6, 24]),  # thirty-seconds
        ([0, 0.77, 1.02, 1.49], [0, 18, 24, 36]),  # played, not written
    ],
)
def test_beats_are_divided_as_their_notes_ask(onset, ticks):
    onset = np.array(onset, float)
    assert quantise(onset, np.append(onset[1:], onset[-1] + 1))[0].tolist() == ticks
