import numpy as np
import pytest

from melodysim.readers.abc import tunes


def notes(body, header="L:1/4\nM:4/4\nK:C\n"):
    (melody,) = next(tunes(f"X:1\nT:t\n{header}{body}\n")).melodies
    return melody.pitch.astype(int).tolist(), np.diff(melody.beat, append=np.nan)[:-1].tolist()


@pytest.mark.parametrize(
    ("body", "pitches"),
    [
        ("CDE c d' C,", [60, 62, 64, 72, 86, 48]),
        ("^F F | F", [66, 66, 65]),  # an accidental lasts to the bar line
        ("^F f", [66, 78]),  # in every octave (standard 2.1, section 11.3)
        ("_B =B __B ^^C", [70, 71, 69, 62]),
        ("[CEG] c", [67, 72]),  # the top of a chord
        ("{fg}A !trill!B HG", [69, 71, 67]),  # grace notes and decorations, the note stays
        ('"Am"A "^text"B', [69, 71]),
        ("C-C D", [60, 62]),  # a tie
        ("(CD) C", [60, 62, 60]),  # a slur
    ],
)
def test_pitches(body, pitches):
    assert notes(body)[0] == pitches


@pytest.mark.parametrize(
    ("body", "beats"),
    [
        ("C D2 E/ F//", [1, 2, 0.5]),
        ("C3/2 D/2 E", [1.5, 0.5]),
        ("C>D E", [1.5, 0.5]),
        ("C<D E", [0.5, 1.5]),
        ("C>>D E", [1.75, 0.25]),
        ("(3CDE F", [2 / 3, 2 / 3, 2 / 3]),
        ("(3:2:2CD E F", [2 / 3, 2 / 3, 1]),
        ("C z D", [2]),  # a rest belongs to the inter-onset interval
        ("C-C D E", [2, 1]),
        ("C [L:1/8] D E", [1, 0.5]),
        ("C Z D", [5]),
    ],
)
def test_rhythm(body, beats):
    assert notes(body)[1] == pytest.approx(beats)


@pytest.mark.parametrize(
    ("key", "pitches"),
    [
        ("G", [66, 72]),
        ("Am", [65, 72]),
        ("A minor", [65, 72]),
        ("D Mix", [66, 72]),
        ("Edor", [66, 73]),
        ("Bb", [65, 72]),
        ("F#", [66, 73]),
        ("C ^f", [66, 72]),
        ("none", [65, 72]),
    ],
)
def test_key_signatures(key, pitches):
    assert notes("F c", f"L:1/4\nK:{key}\n")[0] == pitches


def test_default_unit_follows_the_metre():
    assert notes("C D", "M:2/4\nK:C\n")[1] == [0.25]
    assert notes("C D", "M:6/8\nK:C\n")[1] == [0.5]


def test_a_book_has_all_its_tunes_and_its_header_counts():
    book = list(tunes("L:1/4\n\nX:1\nT:a\nK:C\nCDEF\n\nX:2\nT:b\nC:me\nK:G\nL:1/8\nFGAB\n"))
    assert [(t.number, t.title, t.creator) for t in book] == [("1", "a", None), ("2", "b", "me")]
    assert book[0].melodies[0].beat.tolist() == [0, 1, 2, 3]
    assert book[1].melodies[0].pitch[0] == 66


def test_voices_are_kept_apart():
    (tune,) = tunes("X:1\nL:1/4\nK:C\nV:1\nCDE\nV:2\nGAB\nV:1\nF\n")
    assert [m.pitch.astype(int).tolist() for m in tune.melodies] == [[60, 62, 64, 65], [67, 69, 71]]


def test_tempo_gives_seconds():
    (tune,) = tunes("X:1\nL:1/4\nQ:1/4=60\nK:C\nCDE\n")
    assert tune.melodies[0].onset.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "text", ["", "hello", "X:1\nK:C\n", "X:1\n\x00\xff|||[[[", "X:1\nK:C\n(3(3(3[C"]
)
def test_rubbish_gives_no_notes_and_no_crash(text):
    assert all(len(m) < 3 for tune in tunes(text) for m in tune.melodies)
