"""MusicXML and kern: values worked out by hand, and music21 as a second reader of its own corpus."""

import contextlib
import importlib.util
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from melodysim.errors import ReadError
from melodysim.readers.read import read
from melodysim.readers.scores.kern_score import read_kern
from melodysim.readers.scores.musicxml_score import read_musicxml
from melodysim.readers.scores.playing_order import Signs, playing_order

CORPUS = Path(importlib.util.find_spec("music21").origin).parent / "corpus"


def note(name, duration=4, extra="", octave=4):
    return (
        f"<note>{'<chord/>' if 'chord' in extra else ''}<pitch><step>{name}</step><octave>{octave}</octave></pitch>"
        f"<duration>{duration}</duration>{extra.replace('chord', '')}</note>"
    )


def score(*bars, attributes="", parts=None):
    first = f"<attributes><divisions>4</divisions>{attributes}</attributes>"
    parts = parts or [bars]
    body = "".join(
        f'<part id="P{k}">'
        + "".join(f"<measure>{first if not j else ''}{bar}</measure>" for j, bar in enumerate(bars))
        + "</part>"
        for k, bars in enumerate(parts)
    )
    listed = "".join(
        f'<score-part id="P{k}"><part-name>p{k}</part-name></score-part>' for k in range(len(parts))
    )
    return f"<score-partwise><part-list>{listed}</part-list>{body}</score-partwise>".encode()


def notes(content, part=0):
    found = read_musicxml(Path("x.musicxml"), content).parts[part]
    return list(zip(found.beat.tolist(), found.pitch.tolist(), strict=True))


def names(content):
    return "".join("CCDDEFFGGAAB"[int(pitch) % 12] for _, pitch in notes(content))


BAR = note("C") + note("D") + note("E") + note("F")


def test_offsets_and_empty_forwards_move_nothing():
    words = (
        "<direction><direction-type><words>x</words></direction-type><offset>48</offset></direction>"
    )
    bars = [BAR + words + "<forward><duration>0</duration></forward>", note("G", 16)]
    assert notes(score(*bars))[-1] == (4.0, 67.0)


def test_ties_join_within_a_voice_and_end_where_they_lead():
    start, stop = '<tie type="start"/><voice>1</voice>', '<tie type="stop"/><voice>1</voice>'
    tied = score(note("C", 16, start), note("C", 8, stop) + note("C", 8, "<voice>1</voice>"))
    found = read_musicxml(Path("x"), tied).parts[0]
    assert found.beat.tolist() == [0.0, 6.0]
    duration = found.duration * 2  # at 120 a minute
    assert duration.tolist() == [6.0, 2.0]
    other_voice = score(
        note("C", 16, start)
        + "<backup><duration>16</duration></backup>"
        + note("C", 16, "<voice>2</voice>")
    )
    assert len(notes(other_voice)) == 2


def test_transposition_may_change_on_the_way_and_differ_by_staff():
    changed = "<attributes><transpose><chromatic>-3</chromatic><octave-change>-1</octave-change></transpose></attributes>"
    bars = [note("C", 16), changed + note("C", 16)]
    content = score(*bars, attributes="<transpose><chromatic>-2</chromatic></transpose>")
    assert [pitch for _, pitch in notes(content)] == [58.0, 45.0]
    by_staff = '<staves>2</staves><transpose number="2"><chromatic>-2</chromatic></transpose>'
    two = score(
        note("C", 16, "<staff>1</staff>")
        + "<backup><duration>16</duration></backup>"
        + note("C", 16, "<staff>2</staff>"),
        attributes=by_staff,
    )
    assert [notes(two, k)[0][1] for k in (0, 1)] == [60.0, 58.0]


def test_what_does_not_sound_takes_its_time():
    cue = note("B").replace("<note>", "<note><cue/>")
    grace = "<note><grace/><pitch><step>B</step><octave>4</octave></pitch></note>"
    slash = note("B", 4, "<notehead>slash</notehead>")
    unpitched = "<note><unpitched/><duration>4</duration></note>"
    assert notes(score(grace + note("C") + cue + slash + unpitched + note("D"))) == [
        (0.0, 60.0),
        (4.0, 62.0),
    ]
    region = '<attributes><measure-style><slash type="{}"/></measure-style></attributes>'
    bars = [region.format("start") + BAR, region.format("stop") + note("G", 16)]
    assert notes(score(*bars)) == [(4.0, 67.0)]


def test_repeats_and_endings_are_played():
    left = '<barline location="left"><repeat direction="forward"/></barline>'
    right = '<barline location="right">{}<repeat direction="backward"{}/></barline>'
    one = '<barline><ending number="1" type="start"/></barline>'
    two = '<barline><ending number="2" type="start"/></barline>'
    end = '<ending number="1" type="stop"/>'
    bars = [
        note("C"),
        left + note("D"),
        one + note("E") + right.format(end, ""),
        two + note("F"),
        note("G"),
    ]
    assert names(score(*bars)) == "CDEDFG"
    assert names(score(note("C"), note("D") + right.format("", ' times="3"'))) == "CDCDCD"


@pytest.mark.parametrize(
    ("signs", "order"),
    [
        ([Signs(), Signs(fine=True), Signs(jump="da capo")], [0, 1, 2, 0, 1]),
        ([Signs(), Signs(segno=True), Signs(jump="dal segno")], [0, 1, 2, 1, 2]),
        (
            [
                Signs(),
                Signs(segno=True),
                Signs(to_coda=True),
                Signs(jump="dal segno"),
                Signs(coda=True),
            ],
            [0, 1, 2, 3, 1, 2, 4],
        ),
        ([Signs(times=2), Signs(jump="da capo")], [0, 0, 1, 0, 1]),
        ([Signs(), Signs(endings=(1, 2), times=3), Signs(endings=(3,))], [0, 1, 0, 1, 0, 2]),
        (
            [Signs(), Signs(endings=(1, 2), times=2), Signs(endings=(3,)), Signs()],
            [0, 1, 0, 1, 0, 2, 3],
        ),
        (
            [Signs(), *(Signs(endings=(k,), times=2) for k in (1, 2)), Signs(endings=(3,)), Signs()],
            [0, 1, 0, 2, 0, 3, 4],
        ),
        (
            [Signs(), Signs(endings=(1,), times=2), Signs(endings=(2, 3), times=2), Signs()],
            [0, 1, 0, 2, 0, 2, 3],
        ),
        ([Signs(), Signs(endings=(1,), times=2), Signs(), Signs()], [0, 1, 0, 2, 3]),
    ],
)
def test_the_order_of_playing(signs, order):
    assert playing_order(signs) == order


def test_the_first_of_two_printed_coda_signs_is_the_way_to_the_coda():
    to, jump, coda = Signs(coda=True), Signs(jump="dal segno"), Signs(coda=True)
    signs = [Signs(), Signs(segno=True), to, jump, coda]
    assert playing_order(signs) == [0, 1, 2, 3, 1, 2, 4]


def test_signs_that_repeat_a_measure_are_played():
    sign = '<measure-style><measure-repeat type="{}">1</measure-repeat></measure-style>'
    start, stop = (f"<attributes>{sign.format(kind)}</attributes>" for kind in ("start", "stop"))
    rest = "<note><rest/><duration>16</duration></note>"
    content = score(BAR, start + rest, rest, stop + note("G", 16))
    assert names(content) == "CDEF" * 3 + "G"
    assert notes(content)[-1] == (12.0, 67.0)


def test_passages_stand_in_measures_of_the_page(tmp_path):
    """Behind a repeat, beats as they are played lead to the measure that is printed there."""
    back = '<barline location="right"><repeat direction="backward"/></barline>'
    path = tmp_path / "x.musicxml"
    path.write_bytes(
        score(BAR, BAR + back, note("G", 16), BAR).replace(b"<measure>", b"<measure number='7'>", 1)
    )
    measures = read(path).measures
    assert [measures.at(beat) for beat in (0, 3.5, 4, 8, 12, 16, 19.9, 20, 99)] == [
        0,
        0,
        1,
        0,
        1,
        2,
        2,
        3,
        3,
    ]
    assert measures.number == ("7", "2", "3", "4")


def test_a_tie_out_of_a_repeat_does_not_lead_back_into_it():
    right = '<barline location="right"><repeat direction="backward"/></barline>'
    tied = note("C", 4, '<tie type="start"/>')
    bars = [note("C") + note("D") + note("E") + tied + right, note("C", 4, '<tie type="stop"/>')]
    assert [beat for beat, _ in notes(score(*bars))] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_signs_are_read_as_they_are_printed():
    def printed(inner):
        return f"<direction><direction-type>{inner}</direction-type></direction>"

    bars = [
        note("C"), printed("<segno/>") + note("D"), note("E") + printed("<words>To Coda</words>"),
        note("F") + printed("<words>D.S. al Coda</words>"), printed("<coda/>") + note("G"),
    ]  # fmt: skip
    assert names(score(*bars)) == "CDEFDEG"
    assert names(score(note("C") + printed("<words>arr. D.C. Smith</words>"), note("D"))) == "CD"


def test_drums_with_pitches_are_no_part_unless_they_play_a_tune():
    beat = "".join(note(name, 4, octave=2) for name in "CDCDCDCD")
    clef = "<clef><sign>percussion</sign></clef>"
    assert not read_musicxml(Path("x"), score(beat, attributes=clef)).parts
    tune = "".join(note(name) for name in "CDEFGFEDC")
    assert read_musicxml(Path("x"), score(tune, attributes=clef)).parts


def test_a_tempo_that_is_no_number_costs_the_tempo():
    odd = '<direction><sound tempo="Allegro"/></direction><direction><sound tempo="92,5"/></direction>'
    found = read_musicxml(Path("x"), score(odd + BAR)).parts[0]
    assert found.onset[1] == pytest.approx(60 / 92.5)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "shift_jis", "gb2312", "latin-1"])
def test_scores_are_read_in_the_encoding_that_they_declare(encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n' + score(BAR).decode()
    assert names(text.encode(encoding)) == "CDEF"
    assert (
        names(b"\n\n" + text.encode(encoding) if encoding != "utf-16" else text.encode(encoding))
        == "CDEF"
    )


def test_a_part_that_only_rests_does_not_lengthen_an_upbeat():
    rest = "<note><rest measure='yes'/><duration>16</duration></note>"
    content = score(parts=[(note("G"), note("C", 16)), (rest, note("C", 16, octave=2))])
    assert notes(content) == [(0.0, 67.0), (1.0, 60.0)]
    assert notes(content, 1) == [(1.0, 36.0)]


def test_tempi_are_heard():
    slow = '<direction><sound tempo="60"/></direction>'
    mark = (
        "<direction><direction-type><metronome><beat-unit>half</beat-unit><beat-unit-dot/>"
        "<per-minute>40</per-minute></metronome></direction-type></direction>"
    )
    found = read_musicxml(
        Path("x"), score(slow + note("C", 16), mark + note("D", 16) + note("E"))
    ).parts[0]
    assert found.onset.tolist() == [0.0, 4.0, 6.0]  # 60, then 120 a minute


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html/>", "no MusicXML"),
        (b"<score-partwise", "damaged"),
        (b"<!DOCTYPE a [<!ENTITY x 'y'>]><score-partwise/>", "entities"),
        (score(note("C", "1e9")).replace(b"1e9", b"nan"), "nan"),
        (score(note("H")), "damaged"),
        (b"PK\3\4" + bytes(40), "damaged"),
    ],
)
def test_damaged_scores_say_so_in_a_line(content, says):
    with pytest.raises(ReadError, match=says) as error:
        read_musicxml(Path("bad ü.musicxml"), content)
    assert "bad ü.musicxml" in str(error.value)
    assert "\n" not in str(error.value)


# kern


def kern(*lines):
    return "\n".join(lines).encode()


def kern_notes(content, part=0):
    found = read_kern(Path("x.krn"), content).parts[part]
    return sorted(zip(found.beat.tolist(), found.pitch.tolist(), strict=True))


def test_spines_split_join_swap_and_end():
    content = kern(
        "**kern\t**kern", "4C\t4c", "*\t*^", "2D\t4d\t2b", ".\t4e\t.", "*\t*v\t*v", "*x\t*x", "4f\t4E", "*-\t*",
        "4F", "*-",
    )  # fmt: skip
    lead, bass = (kern_notes(content, k) for k in (0, 1))
    assert lead == [(0.0, 60.0), (1.0, 62.0), (1.0, 71.0), (2.0, 64.0), (3.0, 65.0)]
    assert bass == [(0.0, 48.0), (1.0, 50.0), (3.0, 52.0), (4.0, 53.0)]


def test_durations_ties_graces_and_chords_of_kern():
    content = kern("**kern", "4.c [8d", "8qe", "[2d#", "4d#]", "3%2g-", "0r", "1r;", "4ccc 4e-", "*-")
    assert kern_notes(content) == [
        (0.0, 60.0), (0.0, 62.0), (1.5, 63.0), (4.5, 66.0), (4.5 + 8 / 3 + 8 + 4, 63.0), (4.5 + 8 / 3 + 8 + 4, 84.0),
    ]  # fmt: skip


def test_sections_of_kern_are_played_in_their_order():
    listed = kern("**kern", "*>[A,B,A]", "*>A", "4c", "*>B", "4d", "4e", "*-")
    assert [pitch for _, pitch in kern_notes(listed)] == [60, 62, 64, 60]
    barred = kern("**kern", "4c", "=:|!|:", "4d", "=:|!", "4e", "*-")
    assert [pitch for _, pitch in kern_notes(barred)] == [60, 60, 62, 62, 64]


def test_columns_that_do_not_match_are_said(tmp_path):
    with pytest.raises(ReadError, match="line 3"):
        read_kern(tmp_path, kern("**kern\t**kern", "4c\t4d", "4c\t4d\t4e"))
    with pytest.raises(ReadError, match="no kern"):
        read_kern(tmp_path, kern("**text", "la", "*-"))


# A second reader


def _by_music21(path):
    from music21 import converter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stream = converter.parse(path, forceSource=True, storePickle=False)
        with contextlib.suppress(Exception):  # it has none
            stream = stream.expandRepeats()
        found = Counter()
        for part in stream.parts:
            for sounding in part.toSoundingPitch().stripTies().recurse().notes:
                if sounding.quarterLength > 0 and hasattr(sounding, "pitches"):
                    place = round(float(sounding.getOffsetInHierarchy(part)), 2)
                    found.update((place, round(pitch.ps)) for pitch in sounding.pitches)
        return found


def _some(pattern, count):
    files = sorted(CORPUS.glob(pattern))
    return [files[k] for k in np.linspace(0, len(files) - 1, count).astype(int)]


@pytest.mark.parametrize(
    "path",
    [*_some("bach/bwv2*.mxl", 12), *_some("palestrina/*.krn", 6)],
    ids=lambda path: path.name,
)
def test_music21_reads_the_same(path):
    reader = read_kern if path.suffix == ".krn" else read_musicxml
    found = reader(path, path.read_bytes())
    ours = Counter(
        (round(float(beat), 2), round(float(pitch)))
        for part in found.parts
        for beat, pitch in zip(part.beat, part.pitch, strict=True)
    )
    assert ours == _by_music21(path)


def test_a_score_has_its_melody(fixtures):
    piece = read(fixtures / "greensleeves.musicxml")
    assert piece.kind == "score"
    assert len(piece.melodies[0]) == 19


TUNE = "CDEFGFEDCEGCEFDC"
LEADS = "GEGAGEFGAGEFGAGE"
"""Over the tune, and as smooth."""


def test_each_voice_of_a_staff_is_a_candidate(tmp_path):
    """The tune in the second voice: the top line and the smoothest one are both the first."""
    bars = [
        "".join(note(name, 4, "<voice>1</voice>", 5) for name in LEADS[k : k + 4])
        + "<backup><duration>16</duration></backup>"
        + "".join(note(name, 4, "<voice>2</voice>") for name in TUNE[k : k + 4])
        for k in range(0, 16, 4)
    ]
    path = tmp_path / "closed.musicxml"
    path.write_bytes(score(*bars))
    lines = {line.voice: line.pitch.tolist() for line in read(path).melodies}
    expected = [60.0 + "C.D.EF.G.A.B".index(name) for name in TUNE]
    assert lines["p0, voice 2"] == expected
    assert "p0, voice 1" not in lines  # the top line, which is there already


def test_voices_that_split_off_again_and_again_are_one(tmp_path):
    """What a spine of kern splits into has one name, whenever it does."""
    lines = ["**kern"]
    for k in range(0, 16, 4):
        lines += ["*^"]
        pairs = zip(LEADS[k : k + 4], TUNE[k : k + 4], strict=True)
        lines += [f"4{top.lower() * 2}\t4{low.lower()}" for top, low in pairs]
        lines += ["*v\t*v", "=" if k < 12 else "=="]
    path = tmp_path / "split.krn"
    path.write_text("\n".join([*lines, "*-"]))
    found = {line.voice: line.pitch.tolist() for line in read(path).melodies}
    assert found["spine 1, voice 2"] == [60.0 + "C.D.EF.G.A.B".index(name) for name in TUNE]
