import io

import mido
import pytest

from melodysim.errors import ReadError
from melodysim.readers.midi import read_midi
from melodysim.readers.read import read


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
        (midi([scale(9, (36, 42, 38, 42, 36, 42))]), "no notes other than drums"),
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
