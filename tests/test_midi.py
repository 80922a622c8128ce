import io

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from melodysim.errors import ReadError
from melodysim.readers.midi import read_midi
from melodysim.readers.midi.events import TrackEvents
from melodysim.readers.midi.note_pairing import pair_notes
from melodysim.readers.parts.drums import beats_time
from melodysim.readers.parts.melody_parts import MAX_MELODIES
from melodysim.readers.parts.part_line import part_melody
from melodysim.readers.parts.part_names import names_drums, sings
from melodysim.readers.parts.score import Part
from melodysim.readers.parts.transcribed_line import is_transcribed
from melodysim.readers.read import read
from melodysim.readers.text_encoding import decode_names


def midi(tracks, ticks=480, **kwargs):
    file = mido.MidiFile(ticks_per_beat=ticks, **kwargs)
    for track in tracks:
        file.tracks.append(mido.MidiTrack(track))
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def scale(channel=0, notes=(60, 62, 64, 65, 67), name="x", length=480):
    out = [mido.MetaMessage("track_name", name=name)]
    for note in notes:
        out.append(mido.Message("note_on", channel=channel, note=note, velocity=80))
        out.append(mido.Message("note_off", channel=channel, note=note, time=length))
    return out


def test_tempo_map_is_honoured(tmp_path):
    tempo = [
        mido.MetaMessage("set_tempo", tempo=500_000),
        mido.MetaMessage("set_tempo", tempo=1_000_000, time=960),  # after two quarters
        mido.MetaMessage("set_tempo", tempo=250_000, time=480),  # and one more
    ]
    (part,) = read_midi(tmp_path, midi([tempo, scale()])).parts
    assert part.onset.tolist() == pytest.approx([0, 0.5, 1.0, 2.0, 2.25])
    assert part.duration.tolist() == pytest.approx([0.5, 0.5, 1.0, 0.25, 0.25])
    assert part.beat.tolist() == [0, 1, 2, 3, 4]


def test_drums_are_left_out_and_channels_kept(tmp_path):
    beat = scale(9, (36, 42, 38, 42, 36, 42), name="x")
    score = read_midi(tmp_path, midi([beat, scale(1, name="a"), scale(3, name="b")]))
    assert [part.name for part in score.parts] == ["a", "b"]


def test_riff_is_unwrapped(tmp_path):
    inner = midi([scale()])
    wrapped = b"RIFF" + len(inner).to_bytes(4, "little") + b"RMIDdata" + b"\0\0\0\0" + inner
    assert len(read_midi(tmp_path, wrapped).parts[0]) == 5


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hello, this is text", "not a MIDI file"),
        (midi([scale()])[:40], "damaged|no notes|too few"),
        (b"MThd" + bytes(100), "damaged|no notes"),
        (midi([[]]), "no notes"),
        (midi([scale(9, (36, 42, 38, 42, 36, 42))]), "no notes, or only drums"),
        (midi([scale(notes=(60, 62))]), "too few"),
        (b"", "empty"),
    ],
)
def test_bad_files_are_refused_with_the_name_and_a_reason(tmp_path, content, says):
    path = tmp_path / "bad file ü.mid"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=says) as error:
        read(path)
    assert "bad file ü.mid" in str(error.value)
    assert "\n" not in str(error.value)


def test_every_truncation_reads_or_says_why(tmp_path):
    whole = midi([scale(), scale(1)])
    path = tmp_path / "cut.mid"
    for length in range(1, len(whole), 7):
        path.write_bytes(whole[:length])
        try:
            piece = read(path)
        except ReadError as error:
            assert str(path) in str(error)
        else:
            assert piece.melodies


# Notes from note-ons and note-offs

QUARTER = 480


def by_a_player(events, quarter=QUARTER):
    """Play events one by one, as slowly as obvious: {(onset, pitch, channel): end}."""
    onsets = sorted({tick for tick, _, _, on in events if on})
    sounding, found = {}, {}

    def end(key, tick):
        found[sounding.pop(key), *key] = tick

    for tick in sorted({event[0] for event in events}):
        now = [((pitch, channel), on) for t, channel, pitch, on in events if t == tick]
        for key in {key for key, _ in now}:
            kinds = [on for other, on in now if other == key]
            ended = not kinds[0] or (kinds == [True, False] and key in sounding)
            if ended and key in sounding:
                end(key, tick)
            if True in kinds:
                if key in sounding:  # it comes again, and what sounded had no end
                    begun = sounding[key]
                    following = min((t for t in onsets if t > begun), default=tick)
                    end(key, min(following, begun + 4 * quarter, tick))
                sounding[key] = tick
                if kinds == [True, False] and not ended:
                    end(key, tick)  # a note of no length
    for key, begun in list(sounding.items()):
        following = min((t for t in onsets if t > begun), default=begun + 4 * quarter)
        end(key, min(following, begun + 4 * quarter))
    return found


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 1), st.integers(60, 63), st.booleans()),
        max_size=24,
        unique=True,
    )
)
def test_notes_are_paired_as_a_patient_player_would(events):
    events = sorted(((tick * 120, *rest) for tick, *rest in events), key=lambda event: event[0])
    rows = [(tick, channel, pitch, 80 * on) for tick, channel, pitch, on in events]
    track = TrackEvents(np.array(rows, np.int64).reshape(-1, 4), (), (), b"", "")
    notes = pair_notes((track,), QUARTER)
    columns = (notes.onset, notes.pitch, notes.channel, notes.end)
    found = {(a, b, c): end for a, b, c, end in zip(*(x.tolist() for x in columns), strict=True)}
    assert found == by_a_player(events)


def test_an_end_that_comes_just_after_the_next_note_is_of_the_note_before():
    rows = [(0, 60, 80), (480, 60, 80), (490, 60, 0), (960, 60, 80), (970, 60, 0), (1440, 60, 0)]
    track = TrackEvents(np.array([(t, 0, p, v) for t, p, v in rows]), (), (), b"", "")
    notes = pair_notes((track,), QUARTER)
    assert notes.end.tolist() == [480, 960, 1440]
    assert notes.unended == 0


def test_an_end_in_another_track_of_the_channel_counts():
    on = TrackEvents(np.array([[0, 3, 60, 80], [960, 3, 62, 80]]), (), (), b"", "")
    off = TrackEvents(np.array([[480, 3, 60, 0], [900, 4, 62, 0], [1000, 3, 62, 0]]), (), (), b"", "")
    notes = pair_notes((on, off), QUARTER)
    assert notes.end.tolist() == [480, 1000]
    assert notes.unended == 0


def test_what_is_odd_is_said(tmp_path):
    hanging = [
        mido.Message("note_on", note=60, velocity=80),
        *[
            mido.Message(kind, note=n, velocity=80, time=240)
            for n in (62, 64, 65, 67)
            for kind in ("note_on", "note_off")
        ],
    ]
    path = tmp_path / "odd.mid"
    path.write_bytes(midi([hanging], type=0)[:-8])
    piece = read(path)
    assert piece.melodies[0].pitch.tolist() == [60, 62, 64, 65, 67][: len(piece.melodies[0])]
    said = " ".join(piece.remarks)
    assert "cut off" in said
    assert "without an end" in said


def test_many_parts_are_compared_and_the_rest_named(tmp_path):
    rng = np.random.default_rng(1)
    tracks = [scale(k % 9, rng.integers(55, 80, 20).tolist(), name=f"part {k}") for k in range(20)]
    path = tmp_path / "band.mid"
    path.write_bytes(midi([*tracks, scale(0, rng.integers(60, 72, 20).tolist(), name="Gesang")]))
    piece = read(path)
    assert len(piece.melodies) == MAX_MELODIES
    assert piece.melodies[0].voice == "Gesang"
    (said,) = piece.remarks
    missing = {f"part {k}" for k in range(20)} - {melody.voice for melody in piece.melodies}
    assert {f"part {k}" for k in range(20) if f"“part {k}”" in said} == missing


def test_a_vibrato_is_no_new_note_and_a_bend_is(tmp_path):
    def wheel(value, time):
        return mido.Message("pitchwheel", pitch=value, time=time)

    wide = [
        mido.Message("control_change", control=c, value=v) for c, v in ((101, 0), (100, 0), (6, 12))
    ]
    swaying = [mido.Message("note_on", note=60, velocity=80)]
    swaying += [wheel(((-1) ** k) * 250, 20) for k in range(60)]
    swaying += [wheel(0, 0), mido.Message("note_off", note=60, time=10)]
    bent = [mido.Message("note_on", note=64, velocity=80), wheel(round(8192 * 3 / 12), 480)]
    bent += [mido.Message("note_off", note=64, time=480), wheel(0, 0)]
    score = read_midi(tmp_path, midi([[*wide, *swaying, *bent]], type=0))
    (part,) = score.parts
    assert part.pitch.tolist() == [60, 64, 67]


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("メロディ", "cp932"),
        ("ボーカル", "cp932"),
        ("主旋律", "gb18030"),
        ("人声", "gb18030"),
        ("主旋律", "big5"),
        ("멜로디", "euc_kr"),
        ("Mélodie", "latin-1"),
        ("Singstimme für Frauen", "latin-1"),
        ("メロディ", "utf-16"),
        ("Melody", "utf-16-le"),
        ("Voz", "utf-8"),
        ("Вокал", "cp1251"),
    ],
)
def test_names_of_melodies_are_read_in_their_encodings(name, encoding):
    (found,) = decode_names([name.encode(encoding)])
    assert found == name
    assert sings(found)


@pytest.mark.parametrize(
    ("name", "drums"),
    [
        ("Drums", True),
        ("Steel Drums Lead", False),
        ("Hang Drum", False),
        ("ドラム", True),
        ("Perc", True),
        ("Lead", False),
    ],
)
def test_drums_by_name(name, drums):
    assert names_drums(name) == drums


def test_a_beat_is_drums_and_a_tune_is_not():
    rng = np.random.default_rng(0)
    hits = np.repeat(np.arange(64) * 0.25, 2)
    kit = np.stack([np.tile([36, 38], 32), np.full(64, 42)], axis=1).ravel()
    assert beats_time("", hits, kit.astype(float))
    assert beats_time("", np.arange(40) * 0.25, np.tile([62.0, 63.0, 64.0, 62.0], 10))  # congas
    tune = 60 + np.cumsum(rng.choice([-2, -1, 1, 2], 40)).astype(float)
    assert not beats_time("", np.arange(40) * 0.5, tune)
    assert not beats_time("Drums", np.arange(40) * 0.5, tune)
    assert not beats_time("Violoncello", np.arange(40) * 0.5, tune - 24)
    assert beats_time("Drums", np.arange(40) * 0.5, tune - 24)


def test_the_line_of_notes_transcribed_from_sound_leaves_ghosts_out():
    rng = np.random.default_rng(2)
    pitch = 60 + np.abs((np.cumsum(rng.choice([-2, -1, 1, 2, 3], 60)) % 24) - 12)
    onset = np.cumsum(rng.uniform(0.2, 0.6, 60))
    ghosts = rng.random(60) < 0.5
    part = Part(
        "",
        np.concatenate([onset, onset[ghosts] + 0.02]),
        np.full(60 + ghosts.sum(), 0.19),
        np.concatenate([pitch, pitch[ghosts] + rng.choice([12, 19, 24], ghosts.sum())]).astype(float),
        np.concatenate([onset, onset[ghosts] + 0.02]) * 2,
        np.concatenate([rng.uniform(80, 100, 60), rng.uniform(30, 50, ghosts.sum())]),
    )
    assert is_transcribed(part)
    line = part_melody(part)
    assert line.pitch.tolist() == pitch.tolist()


def test_what_is_odd_is_said_whatever_the_kind_of_file(tmp_path):
    tune = "CDEF GABc|cBAG FEDC|"
    oddities = {
        "behind.abc": (f"X:1\nL:1/4\nK:C\n{tune}\n\n{tune}\n", "behind the empty line"),
        "section.krn": ("**kern\n*>[A,Z]\n*>A\n4c\n4d\n4e\n4f\n*-\n", "does not have (Z)"),
        "cut.rpp": (
            '<REAPER_PROJECT 0.1 "7" 1\n<TRACK\n<ITEM\nPOSITION 0\nLENGTH 9\n'
            "<SOURCE MIDI\nHASDATA 1 480 QN\n"
            + "".join(f"E 0 90 {p:02x} 50\nE 480 80 {p:02x} 00\n" for p in (60, 62, 64, 65)),
            "ends in the middle",
        ),
    }
    for name, (content, says) in oddities.items():
        path = tmp_path / name
        path.write_text(content)
        assert says in " ".join(read(path).remarks), name


def test_a_part_that_is_cut_off_early_says_so(tmp_path):
    path = tmp_path / "cut.mid"
    path.write_bytes(midi([scale()])[:42])
    with pytest.raises(ReadError, match="cut off"):
        read(path)
