import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_tune, tune
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_salience_dtw import heard_from

import melodysim
from melodysim.align.corpus import corpus_of, lay_melodies
from melodysim.align.dtw import IN_TIME, OTHER_RHYTHM, align_path, align_scores
from melodysim.align.repetition import own_freshness
from melodysim.checking import check, compare
from melodysim.errors import LibraryError, RateError, ReadError
from melodysim.intervals import normalise, retrograde
from melodysim.judge.verdict import Rates, judge, judge_pair
from melodysim.library import Entry, Library, Reference
from melodysim.library.chance import typical_chance
from melodysim.library.packed.index import sample_references
from melodysim.library.rights import Rights
from melodysim.library.store import Store
from melodysim.melody import Melody, Piece
from melodysim.readers.midi import read_midi
from melodysim.readers.read import read
from melodysim.report.note_files import evidence_files
from melodysim.report.passage import columns, passage_of
from melodysim.search import by_salience
from melodysim.search.by_notes import BACKWARDS_WEIGHT, STAND_IN, TYPICAL_NOTES
from melodysim.search.e_values import fit_background
from melodysim.search.pipeline import find_matches
from melodysim.search.standing import FEW_DISTINCT, LEAST, LEAST_BY_PITCH, SHUFFLES, TELLING

SLOW = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def piece(*melodies):
    return Piece("notes", "notes", melodies, max(m.end for m in melodies))


@pytest.fixture(scope="module")
def lanterns(fixtures):
    return read(fixtures / "paper-lanterns.mid").melodies[0]


def borrowed(lanterns, rng, begin=4, notes=20, shift=0, stretch=1.0):
    """Other music with a passage of the song in it."""
    host = random_tune(rng, 24)
    cut = slice(begin, begin + notes)
    onset = (lanterns.onset[cut] - lanterns.onset[begin]) * stretch + host.end
    tail = random_tune(rng, 24)
    after = onset[-1] + lanterns.duration[cut][-1] * stretch
    return Melody.from_notes(
        np.concatenate([host.onset, onset, tail.onset + after]),
        np.concatenate([host.duration, lanterns.duration[cut] * stretch, tail.duration]),
        np.concatenate([host.pitch, lanterns.pitch[cut] + shift, tail.pitch]),
    ), (float(onset[0]), float(after))


@SLOW
@given(st.integers(0, 1000), st.integers(-6, 6), st.sampled_from([0.7, 1.0, 1.4]))
def test_a_borrowed_passage_is_found_where_it_is(library, lanterns, seed, shift, stretch):
    melody, (begin, end) = borrowed(lanterns, np.random.default_rng(seed), shift=shift, stretch=stretch)
    report = check(piece(melody), library, top=3)
    best = report.matches[0]
    assert best.reference.title == "Paper Lanterns"
    assert report.verdict.level == "likely"
    assert best.transposition == shift
    assert best.tempo_ratio == pytest.approx(1 / stretch, rel=0.1)
    found = best.query.seconds
    assert (min(found[1], end) - max(found[0], begin)) / (end - begin) > 0.9
    assert (np.diff(best.path, axis=0) > 0).all()


@pytest.mark.parametrize("times", [2, 3, 4])
def test_a_tune_whose_notes_are_struck_again_is_found(library, lanterns, times):
    each, strike = np.repeat(np.arange(len(lanterns)), times), np.tile(np.arange(times), len(lanterns))
    length = lanterns.duration[each] / times
    notes = lanterns.onset[each] + strike * length, length, lanterns.pitch[each]
    for report in (
        melodysim.check_notes(*notes, library=library),
        check(Melody.from_notes(*notes), library),
    ):
        assert report.verdict.level == "likely"
        assert report.closest.reference.title == "Paper Lanterns"


@pytest.mark.parametrize("above", [84, 88, 100])
def test_a_tune_under_held_notes_is_found(library, lanterns, above):
    held = np.arange(0, lanterns.end, 4.0)
    report = melodysim.check_notes(
        np.concatenate([lanterns.onset, held]),
        np.concatenate([lanterns.duration, np.full(len(held), 4.0)]),
        np.concatenate([lanterns.pitch, np.full(len(held), above)]),
        library=library,
    )
    assert report.verdict.level == "likely"
    match = report.closest
    assert match.reference.title == "Paper Lanterns" and match.voice == "inner line"
    assert match.query.seconds[0] == pytest.approx(lanterns.onset[match.reference_span.notes[0]])


def test_notes_at_random_follow_no_work_of_wide_leaps(tmp_path, library_path):
    # Few protected works: folk tunes stand in for them, and have no such leaps.
    rng = np.random.default_rng(2)
    leaping = [tune(rng.integers(55, 80, 40), rng.choice([0.25, 0.5, 1.0], 40)) for _ in range(3)]
    library = Library(shutil.copy(library_path, tmp_path / "l.db"))
    for k, song in enumerate(leaping):
        library.add(song, f"leaping {k}", rights="in-copyright")
    e_values = []
    for _ in range(40):
        pitches = rng.integers(55, 80, 200)
        report = melodysim.check_notes(np.arange(200) * 0.25, [0.25] * 200, pitches, library)
        e_values.append(report.closest.e_value)
    assert np.mean(np.array(e_values) < 0.1) <= 0.3
    assert np.mean(np.array(e_values) < 0.01) <= 0.05
    for song in leaping:  # and a copy is found all the same
        part = song[8:24]
        assert melodysim.check(part, library).verdict.level == "likely"


def test_where_a_line_bears_the_verdict_its_place_is_shown(library, lanterns):
    # Another tune covers the song in what is heard; a transcribed line has caught it.
    rng = np.random.default_rng(4)
    before = 9.0
    line = Melody.from_notes(
        lanterns.onset + before, lanterns.duration, lanterns.pitch - 24, voice="tracked line"
    )
    heard = heard_from(random_tune(rng, 60), rng, faster=2.0)
    match = find_matches(Piece("mix", "audio", (line,), line.end, heard=heard), library.shelf, 1)[0]
    assert match.reference.title == "Paper Lanterns"
    assert (match.evidence, match.voice) == ("notes", "tracked line")
    assert match.transposition == -24 and match.tempo_ratio == pytest.approx(1)
    assert match.query.seconds == pytest.approx((line.onset[0], line.end))
    assert match.e_value < 1e-6


def test_a_borrowed_passage_is_hardly_ever_taken_too_far(library, lanterns):
    # Hardly ever: a random tail may happen to go on with the tune.
    common = []
    for seed in range(20):
        melody, (begin, end) = borrowed(lanterns, np.random.default_rng(seed))
        found = check(piece(melody), library, top=1).matches[0].query.seconds
        both = min(found[1], end) - max(found[0], begin)
        common.append(both / (max(found[1], end) - min(found[0], begin)))
    assert np.mean(common) > 0.95


def test_a_verdict_needs_no_matches_to_be_shown(library, lanterns):
    report = check(piece(lanterns), library, top=0)
    assert report.verdict.level == "likely"
    assert report.matches == ()
    assert report.closest.reference.title == "Paper Lanterns"


@SLOW
@given(st.integers(0, 1000), st.integers(-12, 12), st.sampled_from([0.5, 0.9, 1.6]))
def test_transposing_and_stretching_change_no_verdict(library, lanterns, seed, shift, stretch):
    rng = np.random.default_rng(seed)
    a = borrowed(lanterns, rng, notes=int(rng.integers(8, 20)))[0]
    b = Melody.from_notes(a.onset * stretch, a.duration * stretch, a.pitch + shift)
    one, two = (check(piece(m), library, top=5) for m in (a, b))
    assert one.verdict.level == two.verdict.level
    assert one.verdict.probability == pytest.approx(two.verdict.probability, abs=1e-3)
    assert [m.reference.id for m in one.matches[:2]] == [m.reference.id for m in two.matches[:2]]


def test_number_of_threads_changes_nothing(library, lanterns):
    melody = borrowed(lanterns, np.random.default_rng(1))[0]
    one, two = (check(piece(melody), library, threads=n) for n in (1, 3))
    assert [(m.reference.id, m.e_value) for m in one.matches] == [
        (m.reference.id, m.e_value) for m in two.matches
    ]


def test_a_match_names_its_rarest_turn(library, lanterns):
    melody, _ = borrowed(lanterns, np.random.default_rng(1))
    report = check(piece(melody), library)
    match = report.matches[0]
    first, last = match.turn.notes
    assert last - first == 6
    assert match.reference_span.notes[0] <= first < last <= match.reference_span.notes[1]
    assert (match.turn.melodies, match.turn.references) == (1, len(library))
    assert "occurs in no other of" in report.verdict.reasons[0]


def test_own_work_never_raises_the_level(library, fixtures):
    # A public-domain tune of the library is followed, reported and no reason for a licence.
    theirs = library.melody("oneills1850/0001-0050#1")
    report = check(piece(theirs), library)
    assert report.matches[0].reference.id == "oneills1850/0001-0050#1"
    assert report.matches[0].identity == 1
    assert report.verdict.level == "clear"
    assert "public domain" in " ".join(report.verdict.reasons)


def test_unrelated_tunes_are_clear(library):
    rng = np.random.default_rng(7)
    levels = [check(piece(random_tune(rng, 60)), library, top=1).verdict.level for _ in range(20)]
    assert levels.count("clear") >= 19
    assert "likely" not in levels


def test_the_rates_move_the_levels(library, lanterns):

    melody = borrowed(lanterns, np.random.default_rng(2), notes=20)[0]
    strict = check(piece(melody), library, rates=Rates(1e-300, 1e-299))
    assert strict.verdict.level == "clear"


def test_a_piece_without_melody_is_not_clear(library):
    with pytest.raises(ReadError, match="no melody was heard"):
        check(Piece("x.wav", "audio", (), 3.0), library)


def test_too_few_notes_are_not_clear(library):
    three = random_tune(np.random.default_rng(0), 3)
    with pytest.raises(ReadError, match="only 3 notes"):
        check(piece(three), library)


def test_recordings_are_heard(library, fixtures):
    report = check(read(fixtures / "copies-paper-lanterns.mp3"), library, threads=2)
    best = report.matches[0]
    assert best.reference.title == "Paper Lanterns"
    assert best.transposition == 3
    assert best.tempo_ratio == pytest.approx(1.18, rel=0.1)
    # The passage begins after 6.5 quarters of another tune at 118 a minute.
    assert best.query.seconds[0] == pytest.approx(6.5 * 60 / 118, abs=1.0)
    assert best.query.seconds[1] == pytest.approx(15.5, abs=1.5)
    assert report.verdict.level in ("review", "likely")


def test_a_changed_note_is_not_said_to_be_heard(library, fixtures):
    """The sixth note of the passage is sung two semitones higher (fixtures/make.py)."""
    report = check(read(fixtures / "copies-paper-lanterns.mp3"), library, threads=2)
    best = report.matches[0]
    heard = dict(zip(best.listening.note.tolist(), best.listening.heard.tolist(), strict=True))
    assert not heard[5]
    assert sum(heard.values()) >= 24
    assert best.notes == sum(heard.values())
    assert best.identity == pytest.approx(best.notes / len(heard))
    passage = passage_of(report.piece, best)
    first = best.path[0, 0]
    assert passage.mine[0] <= first  # what is paired belongs to the passage
    shown = [
        passage.track.onset[passage.mine[i]] if i is not None else passage.placed[j, 0]
        for i, j in columns(passage)
    ]
    assert np.diff(shown).min() > -0.25  # notes that go together begin together, or nearly


def test_a_recording_that_copies_nothing_is_clear(library, fixtures):
    assert check(read(fixtures / "copies-nothing.flac"), library, threads=2).verdict.level == "clear"


def test_comparing_works(library, lanterns):
    rng = np.random.default_rng(3)
    copy = borrowed(lanterns, rng)[0]
    alike = compare(piece(copy), piece(lanterns), library)
    unlike = compare(piece(random_tune(rng, 60)), piece(lanterns), library)
    assert alike.score > unlike.score + 5
    assert alike.verdict.level == "likely"
    assert unlike.verdict.level == "clear"
    assert alike.match.reference.source == "notes"
    assert "That is " in alike.verdict.reasons[0]


def test_what_counts_as_chance_is_not_called_a_tune(library, lanterns):
    report = compare(piece(lanterns), piece(lanterns), library, Rates(1e-30, 1e-30))
    assert report.verdict.level == "clear"
    assert "That is " not in " ".join(report.verdict.reasons)


def test_an_empty_library_clears_nothing(tmp_path):
    from melodysim.library.store import Store

    Store(tmp_path / "empty.db", create=True).close()
    empty = melodysim.Library(tmp_path / "empty.db")
    with pytest.raises(LibraryError, match="holds no melodies"):
        check(piece(random_tune(np.random.default_rng(0), 30)), empty)


def in_another_rhythm(melody, seed=3):
    """The same pitches, their inter-onset intervals shuffled: other words."""
    gaps = np.random.default_rng(seed).permutation(np.diff(melody.onset))
    onset = np.concatenate([[0], np.cumsum(gaps)])
    return Melody.from_notes(onset, np.append(gaps, 0.5), melody.pitch)


def test_the_same_pitches_in_another_rhythm_are_found_and_said_to_be(library, lanterns):
    melody = in_another_rhythm(lanterns)
    report = check(piece(melody), library)
    best = report.matches[0]
    assert best.reference.title == "Paper Lanterns"
    assert not best.in_time
    assert "in another rhythm" in report.verdict.reasons[0]
    same = check(piece(lanterns), library)
    assert same.matches[0].rhythm == 1
    assert "in another rhythm" not in same.verdict.reasons[0]


def test_a_copy_that_is_played_loosely_has_the_same_rhythm(library, lanterns):
    rng = np.random.default_rng(4)
    fast = lanterns.onset * 0.15 / np.median(np.diff(lanterns.onset))
    onset = np.sort(fast + rng.normal(0, 0.02, len(fast)))
    loose = Melody.from_notes(onset, np.full(len(onset), 0.1), lanterns.pitch)
    best = check(piece(loose), library).matches[0]
    assert best.reference.title == "Paper Lanterns"
    assert best.in_time


def test_both_passages_of_the_evidence_go_together_though_the_tempo_changes(library, lanterns):
    half = len(lanterns) // 2
    slower = lanterns.onset.copy()
    slower[half:] = slower[half] + (lanterns.onset[half:] - lanterns.onset[half]) * 1.5
    track = piece(Melody.from_notes(slower + 3, lanterns.duration, lanterns.pitch))
    report = check(track, library, 1)
    (files,) = evidence_files(report)
    mine, theirs = read_midi(Path("evidence.mid"), files.midi).parts
    passage = passage_of(track, report.matches[0])
    assert len(passage.pairs) > 20
    for a, b in passage.pairs:
        assert mine.onset[a] == pytest.approx(theirs.onset[b], abs=0.02)


def test_a_tune_and_a_passage_are_kept_apart(library, lanterns):
    rng = np.random.default_rng(9)
    whole = check(piece(lanterns), library).matches[0]
    assert (whole.likeness, whole.share) == ("tune", 1)
    melody, _ = borrowed(lanterns, rng, notes=14)
    part = check(piece(melody), library).matches[0]
    assert part.reference.title == "Paper Lanterns"
    assert part.likeness == "passage"
    assert part.places == (part.query.seconds,)


def test_refrains_that_follow_each_other_at_once_are_all_found(library, lanterns):
    """Even where notes of one sound on into the next."""
    rng = np.random.default_rng(3)
    cut = slice(4, 24)
    length = float(lanterns.onset[24] - lanterns.onset[4])
    host = random_tune(rng, 24)
    refrains = [lanterns.onset[cut] - lanterns.onset[4] + host.end + k * length for k in range(3)]
    onset = np.concatenate([host.onset, *refrains])
    duration = np.diff(onset, append=onset[-1] + 0.5) * 1.3
    pitch = np.concatenate([host.pitch, *[lanterns.pitch[cut]] * 3])
    best = check(piece(Melody.from_notes(onset, duration, pitch)), library).matches[0]
    assert best.reference.title == "Paper Lanterns"
    assert [begin for begin, _ in best.places] == pytest.approx([r[0] for r in refrains], abs=1.0)


def test_in_compare_no_refrains_are_made_up(library, lanterns):
    rng = np.random.default_rng(6)
    melody, _ = borrowed(lanterns, rng, notes=24)
    report = compare(piece(melody), piece(lanterns), library)
    assert report.match.places == (report.match.query.seconds,)
    assert "comes" not in " ".join(report.verdict.reasons)


def by_hand(query, theirs, match, shelf):
    """E-value of the only protected work of a shelf, measured on its free tunes, step by step."""
    sample = shelf.backgrounds[0]
    unrelated, lengths = shelf.index.corpus(sample), shelf.index.lengths[sample]
    place = np.array([shelf.index.names.index(match.reference.id)])
    corpus, sequence = shelf.index.corpus(place), normalise(query)

    def standardised(passage, costs, score):
        scores = align_scores(passage, unrelated, np.arange(len(sample)), costs=costs)
        fit = fit_background(scores.astype(float), lengths, TYPICAL_NOTES)
        fit = replace(fit, mode=fit.mode + STAND_IN * fit.scale)  # free tunes stand for protected ones
        return float(fit.standardised(score, len(theirs))), fit

    readings = []
    for costs in (IN_TIME, OTHER_RHYTHM):
        score, back = (
            float(align_scores(s, corpus, np.array([0]), costs=costs)[0])
            for s in (sequence, retrograde(sequence))
        )
        fit = standardised(sequence, costs, score)[1]
        score -= BACKWARDS_WEIGHT * max(back - float(fit.expected(len(theirs))), 0)
        readings.append((standardised(sequence, costs, score)[0], costs, score))
    in_time, other = (reading[0] for reading in readings)
    _, costs, score = max(readings, key=lambda reading: reading[0])
    path = align_path(sequence, corpus, 0, costs).path
    cut = slice(int(path[0, 0]), int(path[-1, 0]) + 1)
    passage = normalise(Melody.from_notes(query.onset[cut], query.duration[cut], query.pitch[cut]))
    alone = standardised(passage, costs, score)[0]
    standing = (in_time + max(other, LEAST_BY_PITCH * in_time, LEAST) + alone) / 3
    new = [max(own_freshness(sequence)[i], own_freshness(normalise(theirs))[j]) for i, j in path[1:]]
    if standing > 0:
        standing *= 1 - np.exp(-sum(new) / FEW_DISTINCT)
    if typical_chance(1, len(shelf.backgrounds[0])).log_e(standing) < np.log(TELLING):
        own = beside_own_notes(theirs, sequence, corpus, costs, score)
        trusted = own * (1 - np.exp(-sum(new) / FEW_DISTINCT)) if own > 0 else own
        standing = min(standing, trusted)
    assert match.standardised == pytest.approx(standing, abs=1e-4)
    return float(np.exp(typical_chance(1, len(shelf.backgrounds[0])).log_e(standing)))


def beside_own_notes(theirs, sequence, corpus, costs, score):
    """How far a score stands above those of tunes made of a work's own intervals and lengths."""
    rng = np.random.default_rng(zlib.crc32(corpus.interval.tobytes()))
    steps, gaps = np.diff(theirs.pitch), np.diff(theirs.onset)
    tunes = []
    for _ in range(SHUFFLES):
        order = rng.permutation(len(steps))
        pitch = 64 + np.concatenate([[0], np.cumsum(steps[order])])
        onset = np.concatenate([[0], np.cumsum(gaps[order])])
        tunes.append(normalise(Melody.from_notes(onset, np.full(len(onset), 0.1), pitch)))
    shuffled = corpus_of(lay_melodies(tunes), corpus.rarity)
    scores = align_scores(sequence, shuffled, np.arange(SHUFFLES), costs=costs).astype(float)
    return float(
        fit_background(scores, shuffled.lengths, TYPICAL_NOTES).standardised(score, len(theirs))
    )


def test_free_tunes_beside_a_work_do_not_hide_it(tmp_path, lanterns):
    """Whether a protected work is followed does not depend on how many folk tunes stand beside it."""
    rng = np.random.default_rng(2)
    free = [random_tune(rng, 40) for _ in range(300)]
    e_values = []
    for count in (150, 300):
        path = tmp_path / f"{count}.db"
        with Store(path, create=True) as store, store.transaction():
            for k in range(count):
                entry = Entry(f"free-{k}", f"free {k}", None, f"{k}.mid", Rights("public-domain"))
                store.put([Reference(entry, free[k])], f"{k}.mid", str(k))
            entry = Entry("theirs", "Theirs", None, "theirs.mid", Rights("in-copyright"))
            store.put([Reference(entry, lanterns)], "theirs.mid", "theirs")
        shelf = Library(path).shelf
        assert shelf.comparisons == (count, 1)
        query = random_tune(np.random.default_rng(11), 60)
        matches = find_matches(piece(query), shelf, 400)
        mine = next(m for m in matches if m.reference.id == "theirs")
        assert mine.e_value == pytest.approx(by_hand(query, lanterns, mine, shelf), rel=1e-4)
        e_values.append(mine.e_value)
    assert e_values[0] == pytest.approx(e_values[1], rel=2.0)


def test_a_recording_is_told_from_its_pitch_classes_by_pitch(tmp_path):
    rng = np.random.default_rng(12)
    tune = random_tune(rng, 40, low=60, high=76)
    elsewhere = tune.pitch + rng.choice([-12, 0, 12], len(tune))
    path = tmp_path / "l.db"
    with Store(path, create=True) as store, store.transaction():
        for k in range(300):
            other = random_tune(np.random.default_rng(100 + k), 40, low=60, high=76)
            entry = Entry(f"{k}", "other", None, f"{k}.mid", Rights("public-domain"))
            store.put([Reference(entry, other)], f"{k}.mid", f"{k}")
        octaves = Melody.from_notes(tune.onset, tune.duration, elsewhere)
        for name, melody in (("a-octaves", octaves), ("b-tune", tune)):
            entry = Entry(name, name, None, name, Rights("in-copyright"))
            store.put([Reference(entry, melody)], name, name)
    line = random_tune(rng, 12)  # another tune
    heard = heard_from(tune, rng, faster=2.0, noise=0.3)
    track = Piece("mix", "audio", (line,), tune.end / 2, heard=heard)
    matches = find_matches(track, Library(path).shelf, 302)
    assert matches[0].reference.id == "b-tune"
    said = {match.reference.id: match.standardised for match in matches}
    # By pitch class they are the same, so that all of this is what pitch adds.
    assert said["b-tune"] > said["a-octaves"] + 2


def test_of_a_large_library_the_most_promising_are_listened_to(library, monkeypatch):
    monkeypatch.setattr(by_salience, "LISTENED", (20, 20))
    monkeypatch.setattr(by_salience, "LISTENED_SHARE", 0.0)
    assert by_salience.listened_in_full(library.shelf) == (20, 1)
    rng = np.random.default_rng(5)
    index = library.index
    # Not one that is listened to anyway, to measure chance.
    sampled = sample_references(index.order.key, np.ones(len(index), bool), by_salience.LISTENED_SAMPLE)
    long = np.setdiff1d(np.flatnonzero(index.lengths > 60), [*sampled, *library.shelf.backgrounds[0]])
    name = index.name(int(rng.choice(long)))
    tune = library.shelf.look_up([name])[name].melody
    # The transcribed line is another, which finds nothing.
    track = Piece("mix", "audio", (random_tune(rng, 40),), tune.end, heard=heard_from(tune, rng))
    best = find_matches(track, library.shelf, 1)[0]
    assert best.reference.id == name
    assert best.evidence == "salience"
    # Without the first look it is not among them.
    monkeypatch.setattr(type(index), "first_look", lambda self, *_: np.zeros(len(self), np.uint8))
    assert name not in {match.reference.id for match in find_matches(track, library.shelf, 20)}
    monkeypatch.setattr(index, "everything", True)
    assert sum(by_salience.listened_in_full(library.shelf)) == len(library)
    assert find_matches(track, library.shelf, 1)[0].reference.id == name


def test_a_line_finds_what_listening_misses_among_thousands(library):
    rng = np.random.default_rng(8)
    index = library.index
    long = np.flatnonzero((index.lengths > 60) & ~library.protected)
    for number in rng.choice(long, 4, replace=False):
        name = index.name(int(number))
        line = library.shelf.look_up([name])[name].melody
        line = Melody.from_notes(
            line.onset, line.duration, line.pitch, np.full(len(line), 0.9), "voice"
        )
        heard = heard_from(random_tune(rng, 60), rng, faster=2.0)  # another tune covers it
        track = Piece("mix", "audio", (line,), line.end, heard=heard)
        matches = find_matches(track, library.shelf, 3, 2)
        pitches = [m.reference_melody.pitch.tolist() for m in matches]
        assert line.pitch.tolist() in pitches


def library_of(path, melodies, status="in-copyright"):
    """Make a library of some melodies, all of one kind."""
    with Store(path, create=True) as store, store.transaction():
        for k, melody in enumerate(melodies):
            entry = Entry(f"{k:04d}", f"Song {k}", None, f"{k}.mid", Rights(status))
            store.put([Reference(entry, melody)], f"{k}.mid", str(k))
    return Library(path)


@pytest.mark.parametrize("copies", [1, 8, 30])
def test_a_work_that_a_library_holds_many_times_is_no_background_of_itself(tmp_path, lanterns, copies):
    rng = np.random.default_rng(1)
    songs = [random_tune(rng, int(n)) for n in rng.integers(40, 200, 130)]
    takes = []
    for _ in range(copies):  # each with some notes of its own
        pitch = lanterns.pitch.copy()
        pitch[rng.choice(len(pitch), 3)] += 2
        takes.append(Melody.from_notes(lanterns.onset, lanterns.duration, pitch))
    shelf = library_of(tmp_path / "l.db", [*songs, *takes])
    assert check(piece(lanterns), shelf).verdict.level == "likely"
    query, _ = borrowed(lanterns, np.random.default_rng(2))
    assert check(piece(query), shelf).verdict.level == "likely"
    assert check(piece(random_tune(rng, 60)), shelf).verdict.level == "clear"


def rap(rng, notes=60):
    """One note in some rhythm."""
    gaps = rng.choice([0.25, 0.25, 0.5, 0.5, 1.0], notes)
    return Melody.from_notes(np.cumsum(gaps), gaps * 0.9, np.full(notes, 60))


@pytest.mark.parametrize("raps", [20, 90])
def test_repetitions_are_no_tune_however_many_works_have_them(tmp_path, raps):
    rng = np.random.default_rng(4)
    songs = [random_tune(rng, int(n)) for n in rng.integers(40, 200, 400)]
    shelf = library_of(tmp_path / "l.db", [*songs, *(rap(rng) for _ in range(raps))])
    assert check(piece(rap(np.random.default_rng(5))), shelf).verdict.level == "clear"


@pytest.mark.parametrize("others", [(32, 33), (30, 35)])
def test_one_longer_work_among_many_of_one_length_is_found(tmp_path, others):
    rng = np.random.default_rng(6)
    songs = [random_tune(rng, int(n)) for n in rng.integers(*others, 150)]
    longer = random_tune(rng, 48)
    shelf = library_of(tmp_path / "l.db", [*songs, longer])
    assert check(piece(longer), shelf).verdict.level == "likely"


def test_nothing_is_clear_of_works_that_a_library_does_not_hold(tmp_path, lanterns):
    rng = np.random.default_rng(7)
    shelf = library_of(tmp_path / "l.db", [random_tune(rng, 40) for _ in range(9)], "public-domain")
    verdict = check(piece(lanterns), shelf).verdict
    assert (verdict.level, verdict.grade, verdict.probability) == ("unchecked", "unchecked", None)
    assert verdict.headline.startswith("NOT CHECKED: nothing to compare with")
    assert "melodysim library import" in verdict.reasons[0]


def test_a_few_notes_are_said_to_be_few(library):
    rng = np.random.default_rng(8)
    for notes, few, level in ((7, True, "unchecked"), (8, True, "clear"), (12, False, "clear")):
        verdict = check(piece(random_tune(rng, notes)), library).verdict
        assert any("seldom told from chance" in reason for reason in verdict.reasons) is few
        assert (verdict.level, verdict.few) == (level, few)
        assert not (few and verdict.firm and level == "clear")


def test_fewer_than_eight_notes_have_no_verdict_however_exact(tmp_path):
    rng = np.random.default_rng(9)
    songs = [random_tune(rng, 40) for _ in range(3)]
    shelf = library_of(tmp_path / "l.db", songs)
    rates = Rates(0.5, 0.9)  # that anything reaches
    for notes, level in ((7, "unchecked"), (8, "review")):
        cut = songs[0].pitch[5 : 5 + notes]
        copy = Melody.from_notes(songs[0].onset[:notes], songs[0].duration[:notes], cut)
        verdict = check(piece(copy), shelf, rates=rates).verdict
        assert (verdict.level, verdict.probability is None) == (level, level == "unchecked")
        assert any("seldom told from chance" in reason for reason in verdict.reasons) is (notes < 8)
        assert not any("than chance explains" in reason for reason in verdict.reasons)


def test_a_passage_of_a_few_notes_is_no_more_than_review(library, lanterns):
    found = find_matches(piece(lanterns), library.shelf, 1)[0]
    assert found.e_value < Rates().likely
    for notes, level in ((8, "likely"), (7, "review")):
        match = replace(found, notes=notes)
        verdict = judge(piece(lanterns), [match], 100, Rates(), 50)
        assert verdict.level == level
        assert any("takes 8 notes" in reason for reason in verdict.reasons) is (level == "review")
        assert judge_pair(piece(lanterns), piece(lanterns), match, Rates()).level == level


def test_a_clear_says_how_many_works_are_protected(library):
    melody = piece(random_tune(np.random.default_rng(10), 20))
    for protected, words in ((1, "1 of them protected: it is not"), (7, "7 of them protected: none")):
        verdict = judge(melody, [], 50, Rates(), protected)
        assert any(f"holds 50 melodies, {words}" in reason for reason in verdict.reasons)


def test_rates_that_make_no_sense():
    for likely, review in ((0.01, 0.005), (-0.1, 0.5), (0.1, 1.5)):
        with pytest.raises(RateError, match="no larger than review"):
            Rates(likely, review)


def test_the_rarest_turn_is_one_that_the_track_has(library, lanterns):
    rng = np.random.default_rng(9)
    for _ in range(12):
        pitch = lanterns.pitch.copy()
        pitch[rng.choice(len(pitch), 6, replace=False)] += 1
        changed = Melody.from_notes(lanterns.onset, lanterns.duration, pitch)
        (match, *_) = check(piece(changed), library).matches
        if match.turn is None:
            continue
        first, last = match.turn.notes
        turn = np.diff(match.reference_melody.pitch[first:last])
        assert any(
            np.array_equal(np.diff(pitch[k : k + last - first]), turn) for k in range(len(pitch))
        )


@pytest.mark.parametrize("copies", [1, 20])
def test_a_work_held_many_times_is_heard_all_the_same(tmp_path, lanterns, copies):
    rng = np.random.default_rng(13)
    songs = [random_tune(rng, int(n)) for n in rng.integers(30, 90, 130)]
    shelf = library_of(tmp_path / "l.db", [*songs, *[lanterns] * copies])
    heard = heard_from(lanterns, rng, noise=0.3)
    track = Piece("mix", "audio", (random_tune(rng, 12),), lanterns.end, heard=heard)
    assert check(track, shelf).verdict.level == "likely"


def test_a_drone_is_not_told_from_many_drones(tmp_path):
    rng = np.random.default_rng(14)
    songs = [random_tune(rng, int(n)) for n in rng.integers(30, 90, 200)]
    shelf = library_of(tmp_path / "l.db", [*songs, *(rap(rng) for _ in range(40))])
    mine = rap(np.random.default_rng(15))
    track = Piece("mix", "audio", (mine,), mine.end, heard=heard_from(mine, rng, noise=0.3))
    assert check(track, shelf).verdict.level == "clear"


def test_parts_of_one_name_keep_their_own_notes(library, lanterns):
    """A match shows the notes of its own melody, whatever the others are called."""
    rng = np.random.default_rng(5)
    other = random_tune(rng, 60)
    named = [replace(melody, voice="Lead") for melody in (other, lanterns)]
    track = piece(*named)
    report = check(track, library, top=1)
    (match,) = report.matches
    assert match.melody == 1
    shown = passage_of(track, match)
    assert shown.track is named[1]
    assert report.to_dict()["matches"][0]["melody"] == 1
    assert "<html" in report.to_html()
