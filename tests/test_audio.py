"""What recordings hold, taken apart and mended: streams one after another, sizes that are missing."""

import contextlib
import io
import os
import struct

import numpy as np
import pytest
import soundfile

from melodysim.errors import ReadError
from melodysim.readers.audio import ChannelLevels, audio_blocks
from melodysim.readers.audio.streams import (
    is_cut_off,
    kind_of_sound,
    mended_wav,
    mp3_streams,
    ogg_streams,
)
from melodysim.readers.read import read
from melodysim.readers.signatures import suffix_by_content
from melodysim.util.quiet_stderr import quiet_stderr

RATE = 22_050


def sine(seconds=1.0, hertz=440.0, rate=RATE, channels=1):
    time = np.arange(round(seconds * rate)) / rate
    return np.tile(0.3 * np.sin(2 * np.pi * hertz * time)[:, None], (1, channels))


def encoded(samples, form, subtype=None, rate=RATE):
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=form, subtype=subtype)
    return out.getvalue()


def decoded(tmp_path, name, content, **asked):
    path = tmp_path / name
    path.write_bytes(content)
    return np.concatenate([np.zeros(0, np.float32), *audio_blocks(path, RATE, **asked)])


def pitch_of(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * RATE / len(samples)


@pytest.mark.parametrize(
    ("name", "form", "subtype"), [("a.ogg", "OGG", "VORBIS"), ("a.mp3", "MP3", None)]
)
def test_joined_files_are_decoded_to_the_end(tmp_path, name, form, subtype):
    parts = [encoded(sine(1.0, 440), form, subtype), encoded(sine(1.5, 880), form, subtype)]
    found = decoded(tmp_path, name, b"".join(parts))
    assert len(found) == pytest.approx(2.5 * RATE, abs=0.1 * RATE)
    assert pitch_of(found[: RATE // 2]) == pytest.approx(440, abs=5)
    assert pitch_of(found[-RATE:]) == pytest.approx(880, abs=5)


def test_joined_files_of_two_rates_are_each_resampled(tmp_path):
    parts = [
        encoded(sine(1.0, 440), "OGG", "VORBIS"),
        encoded(sine(1.0, 880, 44_100), "OGG", "VORBIS", 44_100),
    ]
    found = decoded(tmp_path, "a.ogg", b"".join(parts))
    assert len(found) == pytest.approx(2 * RATE, abs=0.05 * RATE)
    assert pitch_of(found[-RATE // 2 :]) == pytest.approx(880, abs=5)


def test_one_file_is_one_stream():
    for form, subtype, split in (("OGG", "VORBIS", ogg_streams), ("MP3", None, mp3_streams)):
        content = encoded(sine(3.0), form, subtype)
        assert split(content) == [content]


def test_a_tag_between_two_files_is_passed_over():
    tag = b"ID3\3\0\0\0\0\0\x64" + bytes(100)
    one, two = encoded(sine(1.0), "MP3"), encoded(sine(2.0), "MP3")
    assert len(mp3_streams(tag + one + tag + two + b"TAG" + bytes(125))) == 2


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_wav_without_a_size_goes_to_its_end(tmp_path, size):
    content = bytearray(encoded(sine(1.0), "WAV"))
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", size)
    assert len(decoded(tmp_path, "a.wav", bytes(content))) == pytest.approx(RATE, abs=2)
    whole = encoded(sine(1.0), "WAV")
    assert mended_wav(whole) is whole


def test_what_is_not_finite_is_silence(tmp_path):
    samples = sine(1.0, channels=2)
    samples[1000:1100, 0] = np.nan
    samples[2000:2100, 1] = np.inf
    samples[3000:3100] = 3e38
    found = decoded(tmp_path, "a.wav", encoded(samples, "WAV", "FLOAT"))
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 1
    assert np.abs(found[3020:3080]).max() < 0.05


def test_sides_that_cancel_are_noticed(tmp_path):
    left, right = sine(1.0, 440), sine(1.0, 660)
    for samples, cancels in (
        (np.hstack([left, -left]), True),
        (np.hstack([left, left]), False),
        (np.hstack([left + 0.5 * right, -left + 0.5 * right]), True),
        (np.hstack([left, right]), False),
    ):
        levels = ChannelLevels()
        decoded(tmp_path, "a.flac", encoded(0.5 * samples, "FLAC"), levels=levels)
        assert levels.cancelling == cancels
    loud = np.hstack([0.2 * left, -left])
    levels = ChannelLevels()
    decoded(tmp_path, "a.flac", encoded(loud, "FLAC"), levels=levels)
    assert levels.louder == 1
    assert np.abs(decoded(tmp_path, "a.flac", encoded(loud, "FLAC"), side=1)).max() > 0.2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (encoded(sine(1.0), "WAV", rate=1000), "1,000 samples a second"),
        (b"ID3" + bytes(200), "cannot be decoded"),
        (b"fLaC" + bytes(200), "cannot be decoded"),
        (b"", "empty"),
    ],
)
def test_what_is_no_sound_is_said_in_a_line(tmp_path, content, says):
    path = tmp_path / "bad.mp3"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=says) as error:
        read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_decoders_do_not_write_to_the_terminal(tmp_path, capfd):
    content = bytearray(encoded(sine(2.0), "MP3"))
    for at in range(900, len(content), 700):
        content[at : at + 40] = b"\xff\xfb" * 20
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    with contextlib.suppress(ReadError):
        list(audio_blocks(path, RATE))
    with quiet_stderr():
        os.write(2, b"not seen")
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (encoded(sine(0.2), "WAV"), ".wav"),
        (encoded(sine(0.2), "FLAC"), ".flac"),
        (encoded(sine(0.2), "OGG", "VORBIS"), ".ogg"),
        (b"MThd\0\0\0\6", ".mid"),
        (b'<REAPER_PROJECT 0.1 "7"', ".rpp"),
        (b"!!!COM: x\n**kern\t**text\n", ".krn"),
        (b'<?xml version="1.0"?>\n<score-partwise version="4.0">', ".musicxml"),
        (b"X:1\nK:C\n", ".xyz"),
    ],
)
def test_a_file_is_known_by_what_it_holds(content, suffix):
    assert suffix_by_content(content, ".xyz") == suffix


def test_kinds_of_sound():
    assert kind_of_sound(b"\0\0\0\x18ftypM4A ") == "av"
    assert kind_of_sound(encoded(sine(0.3), "MP3")) == "mp3"
    assert kind_of_sound(b"\xff\xfeX\0:\0001\0") == ""  # UTF-16


@pytest.mark.parametrize(
    ("form", "subtype"), [("WAV", None), ("OGG", "VORBIS"), ("MP3", None), ("AIFF", None)]
)
def test_a_file_that_ends_before_its_sound_is_noticed(tmp_path, form, subtype):
    whole = encoded(sine(4.0), form, subtype)
    for content, cut in ((whole, False), (whole[: len(whole) // 2], True)):
        levels = ChannelLevels()
        try:
            decoded(tmp_path, f"a.{form.lower()}", content, levels=levels)
        except ReadError:
            assert cut
        else:
            assert levels.cut_off == cut


def test_pages_that_are_missing_are_noticed():
    whole = encoded(
        sine(30.0, 440) + 0.1 * np.random.default_rng(0).normal(size=(30 * RATE, 1)), "OGG", "VORBIS"
    )
    pages = [k for k in range(len(whole)) if whole.startswith(b"OggS", k)]
    assert not is_cut_off("ogg", whole)
    assert is_cut_off("ogg", whole[: pages[4]] + whole[pages[5] :])


@pytest.mark.parametrize("content", [b"not music at all\n" * 40, bytes(range(256)) * 20])
def test_what_is_no_sound_is_not_told_to_install_anything(tmp_path, content):
    for name in ("text.mp3", "text.wav"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ReadError, match="it holds no sound that could be found") as raised:
            read(tmp_path / name)
        assert "pip install" not in str(raised.value)
        assert "if it plays elsewhere" in str(raised.value)


@pytest.mark.parametrize("samples", [1, 10, 255, 256, 1_000, 5_000])
def test_hardly_any_sound_is_said_to_be_too_short(tmp_path, samples):
    soundfile.write(tmp_path / "tiny.wav", sine()[:samples], RATE)
    with pytest.raises(ReadError, match="too short to hold a melody"):
        read(tmp_path / "tiny.wav")


def test_an_offset_of_the_samples_is_taken_off(tmp_path):
    """A fault of a converter: it is no sound, and hides what is."""
    time = np.arange(3 * 22050) / 22050
    tone = (0.2 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    for name, sound in (("plain", tone), ("offset", tone + np.float32(0.3))):
        soundfile.write(tmp_path / f"{name}.wav", sound, 22050, "FLOAT")
    plain, offset = (
        np.concatenate(list(audio_blocks(tmp_path / f"{name}.wav", 22050)))
        for name in ("plain", "offset")
    )
    assert abs(offset[2000:-2000] - plain[2000:-2000]).max() < 1e-3
