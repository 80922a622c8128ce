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


# What the standard says, piece by piece


HEAD = "X:1\nM:4/4\nL:1/4\nK:C\n"


def read_tune(text):
    """The voices of the first tune: name, and (beat, pitch) of its notes."""
    tune = next(iter(tunes(text)))
    return {m.voice: list(zip(m.beat.tolist(), m.pitch.tolist(), strict=True)) for m in tune.melodies}


def pitches(text, voice="1"):
    return [pitch for _, pitch in read_tune(text)[voice]]


def beats(text, voice="1"):
    return [beat for beat, _ in read_tune(text)[voice]]


@pytest.mark.parametrize(
    ("key", "notes", "expected"),
    [
        ("K:F clef=bass", "B", [70]),
        ("K:D exp _b ^f", "cfb", [72, 78, 82]),
        ("K:Dexp_b_e", "ceb", [72, 75, 82]),
        ("K:none ^f", "cf", [72, 78]),
        ("K:Dmix=c", "fc", [78, 72]),
        ("K:Amin", "fc", [77, 72]),
        ("K:am", "fc", [77, 72]),
        ("K:D dorian", "fc", [77, 72]),
        ("K:HP", "fcg", [78, 73, 79]),
        ("K:G octave=-1", "f", [66]),
        ("K:C transpose=2", "c", [74]),
        ("K:C clef=treble-8", "c", [60]),
        ("K:C middle=d", "c", [72]),
        ("K:C", "^c c | c", [73, 73, 72]),
        ("K:C", "^3/2c _/d", [73.5, 73.5]),
        ("K:C\nI:propagate-accidentals not", "^c c", [73, 72]),
        ("K:C\nI:propagate-accidentals octave", "^c C c", [73, 60, 73]),
        ("K:C", "^f-|f f", [78, 77]),
    ],
)
def test_keys_clefs_and_accidentals(key, notes, expected):
    assert pitches(f"X:1\nM:4/4\nL:1/4\n{key}\n{notes}|") == expected


def test_a_clef_without_its_8_ends_it_and_a_name_is_no_clef():
    assert pitches(
        HEAD + "V:1 clef=treble-8\nc\nV:1 clef=treble\nc|[K:clef=treble-8]c[K:C bass]c|"
    ) == [60, 72, 60, 72]
    assert read_tune(HEAD + 'V:1 name="for bass-8"\nc|') == {"for bass-8": [(0.0, 72.0)]}
    assert pitches("X:1\nL:1/4\nK:C octave=-1\nV:1 transpose=2\nc|") == [62]


@pytest.mark.parametrize(
    ("fields", "notes", "expected"),
    [
        ("M:3+2+3/8", "CD", [0, 0.5]),
        ("M:2/4", "CD", [0, 0.25]),
        ("M:2/4 % march", "CD", [0, 0.25]),
        ("M:6/8\nL:1/8", "(3CDE F", [0, 1 / 3, 2 / 3, 1]),
        ("M:6/8\nL:1/8", "(5CDEFG A", [0, 0.3, 0.6, 0.9, 1.2, 1.5]),
        ("M:4/4\nL:1/16", "(9:12:9CDEFGABcd e", [k / 3 for k in range(9)] + [3]),
        ("M:4/4\nL:1/8", "(10:8:10CDEFGABcde f", [k * 0.4 for k in range(10)] + [4]),
        ("M:3/4\nL:1/4", "C Z2 D", [0, 7]),
        ("M:5/4 (3+2)\nL:1/4", "C Z D", [0, 6]),
        ("M:4/4\nL:1/4", "C3/2>D E//F", [0, 2.25, 2.75, 3]),
        ("M:4/4\nL:1/4", "[z2]C [C2E]D", [0 + 2, 3, 5]),
        ("M:4/4\nL:1/4", "+CEG+ D", [0, 1]),
    ],
)
def test_lengths(fields, notes, expected):
    assert beats(f"X:1\n{fields}\nK:C\n{notes}|") == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        "CDEF|\nw: a bad egg\n+:faced a cab\nGABc|",
        "CDEF|\nw: a bad egg\\\nfaced a cab\nGABc|",
        "CDEF|\nw:|a bad egg\nGABc|",
        "CDEF|\n%%begintext\nabc def\n%%endtext\nGABc|",
        "CDEF|\n%% begintext\nabc def\n%% endtext\nGABc|",
        "CDEF|\n% abc\nGABc|\n\nA bad egg, faced by a dad",
        "CDEF|\nGABc|\n</pre></body></html>",
        "CDEF|[1 GABc|",
        "CDEF|1,3 GABc|",
        "CDEF!D.C. al fine!|GABc!fine!|",
        '"^a]b|c"CDEF|"Am7"GAB[c"x"]|',
        "I:linebreak !\nCDEF|!GABc|",
        "{gab}CDEF|~G.AHBvc|",
        "CDEF y2|GABc y|",
        "C D`E F|GABc|",
    ],
)
def test_what_is_no_note_is_passed_over(text):
    assert pitches(HEAD + text) == [60, 62, 64, 65, 67, 69, 71, 72]


def test_an_overlay_goes_back_to_its_bar():
    found = read_tune(HEAD + "CDEF|G4&E4|A4|")
    assert found["1"] == [(0, 60), (1, 62), (2, 64), (3, 65), (4, 67), (8, 69)]
    assert found["1 & 2"] == [(4, 64)]
    behind = read_tune(HEAD + "c4|&E4|d4|")
    assert behind == {"1": [(0, 72), (4, 74)], "1 & 2": [(0, 64)]}
    two_bars = read_tune("X:1\nM:4/4\nL:1/8\nK:C\ng4 f4|e6 e2|\n&& (d8|c6) c2|")
    assert two_bars["1 & 2"] == [(0, 74), (4, 72), (7, 72)]
    assert len(two_bars["1"]) == 4
    tied = read_tune(HEAD + "c4&^C4-|d4&C4|")
    assert tied["1 & 2"] == [(0, 61)]


def test_a_tempo_change_moves_what_follows():
    tune = next(iter(tunes(HEAD.replace("K:C", "Q:1/4=60\nK:C") + "CD[Q:1/4=120]EF|")))
    assert tune.melodies[0].onset.tolist() == [0, 1, 2, 2.5]


def test_fields_of_a_voice_are_its_own():
    found = read_tune("X:1\nL:1/4\nK:D\nV:1\nCF|[K:C]CF|\nV:2\nL:1/8\nCF|\nV:1\nF|")
    assert found["1"] == [(0, 61), (1, 66), (2, 60), (3, 65), (4, 65)]
    assert found["2"] == [(0, 61), (0.5, 66)]
    late = read_tune("X:1\nM:4/4\nL:1/8\nK:C\nL:1/4\nV:1\nCD\nV:2\nEF")
    assert late["2"] == [(0, 64), (1, 65)]


def test_a_book_is_taken_apart_at_its_tunes_whatever_its_line_ends():
    book = "M:2/4\n\nL:1/2 is said in free text\n\nX:1\nK:C\nCD|\n\nfree text\n X:2\nK:C\nEF|\n"
    for text in (book, book.replace("\n", "\r\n"), book.replace("\n", "\r"), "\ufeff" + book):
        found = list(tunes(text))
        assert [tune.number for tune in found] == ["1", "2"]
        assert found[0].melodies[0].beat.tolist() == [0, 0.25]
    assert len(list(tunes("T:pasted\nL:1/4\nK:C\nCDEF|"))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "L:1/8\n" * 15_000 + "X:\n" * 15_000,
        HEAD + "&" * 20_000 + "C\n" * 20_000,
        HEAD + "".join(f"V:{k}\nC\n" for k in range(20_000)),
        HEAD + "".join(f"[Q:1/4={60 + k % 90}]C" for k in range(20_000)),
        HEAD + "C&" * 50_000,
    ],
)
def test_a_long_book_takes_time_in_proportion(text):
    import time

    began = time.monotonic()
    list(tunes(text))
    assert time.monotonic() - began < 15
