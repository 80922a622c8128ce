import numpy as np
import pytest
import soundfile
import soxr
from test_transcribe import sung

import melodysim
from melodysim.errors import ReadError
from melodysim.readers.audio import mixed, voice_stems
from melodysim.readers.audio.stem_place import CERTAIN, stem_place
from melodysim.transcribe import separator
from melodysim.transcribe.basic_pitch import SAMPLE_RATE
from melodysim.transcribe.transcription import transcribe_recording
from melodysim.transcribe.tuning import deviation_from_concert_pitch


def test_spectra_and_back_are_the_sound():
    sound = np.random.default_rng(1).standard_normal(30_000).astype(np.float32)
    again = separator._sound(separator._spectra(sound), len(sound))
    np.testing.assert_allclose(again, sound, atol=1e-5)
    assert len(separator._sound(separator._spectra(sound[:5]), 5)) == 5


def band(seconds):
    """Struck chords and a bass, as a synthesiser has them."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    out = np.zeros(len(time))
    for k, (root, third) in enumerate(((48, 52), (53, 57), (55, 59), (48, 52)) * int(seconds / 4 + 1)):
        begin = int(k * SAMPLE_RATE)
        if begin >= len(time):
            break
        now = time[begin:] - time[begin]
        for pitch, level in ((root - 12, 0.5), (root, 0.3), (third, 0.3), (root + 7, 0.3)):
            hertz = 440 * 2 ** ((pitch - 69) / 12)
            wave = sum(np.sin(2 * np.pi * hertz * n * now) / n for n in (1, 2, 3))
            out[begin:] += level * wave * np.exp(-3 * now)
    return (out / np.abs(out).max()).astype(np.float32)


@pytest.fixture(scope="module")
def mix():
    voice = sung([64, 67, 69, 67, 64, 62, 60, 62, 64, 67, 72, 71] * 2, 0.6)
    return voice, band(len(voice) / SAMPLE_RATE + 1)[: len(voice)]


def test_a_voice_is_taken_out_of_a_mix(mix):
    voice, others = mix
    found = separator.separated_voice(voice + others, 1)
    assert len(found) == len(voice)

    def decibels(wanted, rest):
        return 10 * np.log10((wanted**2).sum() / (rest**2).sum())

    # What is left of the others is much less than was in the mix.
    assert decibels(voice, found - voice) > decibels(voice, others) + 3
    assert (separator.separated_voice(others, 1) ** 2).sum() < 0.1 * (others**2).sum()


def test_the_voice_is_listened_to_where_somebody_sings(mix, monkeypatch):
    voice, others = mix
    _, heard = transcribe_recording([voice + others], 1)
    assert 0.2 < heard.separated < 1
    _, alone = transcribe_recording([others], 1)
    assert alone.separated == 0
    # As if nobody were heard.
    monkeypatch.setattr(separator, "separated_voice", lambda mix, threads: np.zeros_like(mix))
    _, without = transcribe_recording([voice + others], 1)
    assert without.separated == 0
    # The sung pitch is the strongest more often where the voice was listened to.
    tune = np.array([64, 67, 69, 67, 64, 62, 60, 62, 64, 67, 72, 71] * 2)
    note = (np.arange(len(heard.strength)) * heard.frame / 0.6).astype(int).clip(0, 23)

    def share(found):
        return (found.strength.argmax(axis=1) + 21 == tune[note]).mean()

    assert share(heard) > share(without) + 0.05


def turns(melody):
    """Its pitches without repetitions: a held note may be cut in two."""
    return melody.pitch[np.flatnonzero(np.diff(melody.pitch, prepend=-1))].tolist()


def test_a_stem_is_listened_to_instead(mix, tmp_path):
    voice, others = mix
    for name, sound in (("song", voice + others), ("Lead Vocals", voice), ("drums", others)):
        soundfile.write(tmp_path / f"{name}.wav", sound, SAMPLE_RATE)
    by_file = melodysim.read(tmp_path / "song.wav", 1, stems=[tmp_path / "Lead Vocals.wav"])
    assert turns(by_file.melodies[0]) == [64, 67, 69, 67, 64, 62, 60, 62, 64, 67, 72, 71] * 2
    assert by_file.heard.separated < 1
    assert by_file.remarks == ("the voice was read from “Lead Vocals.wav”",)
    folder = tmp_path / "stems"
    folder.mkdir()
    for name in ("Lead Vocals", "drums"):
        (tmp_path / f"{name}.wav").rename(folder / f"{name}.wav")
    by_folder = melodysim.read(tmp_path / "song.wav", 1, stems=[folder])
    assert np.array_equal(by_folder.heard.strength, by_file.heard.strength)


@pytest.mark.parametrize("seconds", [2, 40])
def test_a_stem_of_another_length_is_remarked_on(mix, tmp_path, seconds):
    voice, others = (sound[: 15 * SAMPLE_RATE] for sound in mix)
    soundfile.write(tmp_path / "song.wav", voice + others, SAMPLE_RATE)
    soundfile.write(tmp_path / "vocals.wav", np.resize(voice, seconds * SAMPLE_RATE), SAMPLE_RATE)
    found = melodysim.read(tmp_path / "song.wav", 1, stems=[tmp_path / "vocals.wav"])
    lasts = f"{len(voice) / SAMPLE_RATE:.0f}"
    wanted = f"the stem lasts {seconds} s, the recording {lasts} s: is it the right one?"
    assert found.remarks[1] == wanted


@pytest.mark.parametrize("shift", [-2.0, 1.5])
def test_a_stem_out_of_step_is_moved_to_its_place(mix, tmp_path, shift):
    """The stem begins 2 s before the mix, or 1.5 s after it, upside down and at another level."""
    voice, others = mix
    moved = np.concatenate([np.zeros(round(2 * SAMPLE_RATE), np.float32), voice])
    if shift > 0:
        moved = voice[round(shift * SAMPLE_RATE) :]
    soundfile.write(tmp_path / "song.wav", voice + others, SAMPLE_RATE)
    soundfile.write(tmp_path / "voice.wav", voice, SAMPLE_RATE)
    soundfile.write(tmp_path / "moved.wav", -0.5 * moved, SAMPLE_RATE)
    one, other = (
        melodysim.read(tmp_path / "song.wav", 1, stems=[tmp_path / f"{name}.wav"])
        for name in ("voice", "moved")
    )
    side = "after" if shift > 0 else "before"
    wanted = f"“moved.wav” begins {abs(shift):.1f} s {side} the recording, and was moved"
    assert wanted in other.remarks
    here = other.heard.strength.argmax(axis=1) == one.heard.strength.argmax(axis=1)
    assert here.mean() > 0.8


def test_the_stem_of_another_track_is_left_aside(mix, tmp_path):
    """It would hide what the mix holds; the voice is separated instead, as without a stem."""
    voice, others = mix
    soundfile.write(tmp_path / "song.wav", voice + others, SAMPLE_RATE)
    rng = np.random.default_rng(5)
    time = np.arange(len(voice)) / SAMPLE_RATE
    tune = 440 * 2 ** (np.repeat(rng.integers(-7, 8, 40), len(time) // 40 + 1)[: len(time)] / 12)
    other = np.sin(2 * np.pi * np.cumsum(tune) / SAMPLE_RATE).astype(np.float32)
    soundfile.write(tmp_path / "vocals.wav", 0.3 * other, SAMPLE_RATE)
    alone = melodysim.read(tmp_path / "song.wav", 1)
    found = melodysim.read(tmp_path / "song.wav", 1, stems=[tmp_path / "vocals.wav"])
    assert any("is not in the recording, so it was left aside" in remark for remark in found.remarks)
    assert np.array_equal(found.heard.strength, alone.heard.strength)


def test_another_tune_of_the_same_samples_is_no_stem():
    """Some of its notes are, sample for sample, in the mix; most are not."""
    rate, rng = 5512, np.random.default_rng(3)
    time = np.arange(round(0.5 * rate)) / rate
    samples = {
        pitch: np.exp(-3 * time) * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time)
        + 0.3 * np.exp(-40 * time) * rng.standard_normal(len(time))
        for pitch in range(60, 73)
    }

    def played(pitches):
        return np.concatenate([samples[pitch] for pitch in pitches]).astype(np.float32)

    tune, other = rng.integers(60, 73, 60), rng.integers(60, 73, 60)
    mix = played(tune) + 0.5 * played(rng.integers(60, 73, 60))
    assert stem_place(mix, played(tune), rate).found
    foreign = stem_place(mix, played(other), rate)
    assert foreign.certainty > CERTAIN  # a note alone would be taken for the stem
    assert not foreign.found


def test_a_voice_deep_in_the_mix_is_read_from_its_stem(mix, tmp_path):
    voice, others = mix
    soundfile.write(tmp_path / "song.wav", 0.15 * voice + others, SAMPLE_RATE, "FLOAT")
    soundfile.write(tmp_path / "vocals.wav", voice, SAMPLE_RATE, "FLOAT")
    found = melodysim.read(tmp_path / "song.wav", 1, stems=[tmp_path / "vocals.wav"])
    assert 0 < found.heard.separated < 0.05  # the separator's voice would be taken for an instrument
    assert turns(found.melodies[0]) == [64, 67, 69, 67, 64, 62, 60, 62, 64, 67, 72, 71] * 2


def test_a_stem_that_is_named_twice_counts_once(mix, tmp_path):
    soundfile.write(tmp_path / "vocals.wav", mix[0], SAMPLE_RATE)
    assert voice_stems([tmp_path / "vocals.wav", tmp_path]) == [tmp_path / "vocals.wav"]


def test_a_louder_or_softer_stem_is_as_loud_as_its_mix_has_it(mix, tmp_path):
    voice, others = mix
    soundfile.write(tmp_path / "song.wav", voice + others, SAMPLE_RATE, "FLOAT")
    share = []
    for gain in (1, 3, 0.3):
        soundfile.write(tmp_path / "vocals.wav", gain * voice, SAMPLE_RATE, "FLOAT")
        found = melodysim.read(tmp_path / "song.wav", 1, stems=[tmp_path / "vocals.wav"])
        share.append(found.heard.separated)
    assert share == pytest.approx([share[0]] * 3, rel=0.02)
    assert 0.1 < share[0] < 1


def test_a_silent_stem_is_said_to_be_of_no_use(mix, tmp_path):
    whole = mix[0] + mix[1]
    soundfile.write(tmp_path / "song.wav", whole, SAMPLE_RATE)
    soundfile.write(tmp_path / "vocals.wav", np.zeros_like(whole), SAMPLE_RATE)
    found = melodysim.read(tmp_path / "song.wav", 1, stems=[tmp_path / "vocals.wav"])
    assert "nothing was heard in “vocals.wav”, so it was of no use" in found.remarks
    assert not any("was read from" in remark for remark in found.remarks)


def test_stems_are_told_by_their_names(tmp_path):
    for name in ("vocals.wav", "backing vocals.wav", "bass.wav", "voice 2.mp3", "notes.txt"):
        (tmp_path / name).touch()
    assert [f.name for f in voice_stems([tmp_path])] == ["vocals.wav", "voice 2.mp3"]
    assert voice_stems([tmp_path / "bass.wav"]) == [tmp_path / "bass.wav"]
    for missing in (["vocals.mp3"], ["bass.wav", "vocals.mp3"]):
        with pytest.raises(ReadError, match=r"vocals\.mp3: no such file"):
            voice_stems([tmp_path / name for name in missing])
    (tmp_path / "drums.wav").touch()
    with pytest.raises(ReadError, match="no stem is named as a voice"):
        voice_stems([tmp_path / "bass.wav", tmp_path / "drums.wav"])


def test_streams_are_added_up_whatever_their_blocks():
    rng = np.random.default_rng(2)
    one, other = (rng.standard_normal(n).astype(np.float32) for n in (1000, 700))
    streams = [iter(np.array_split(one, 7)), iter([*np.array_split(other, 3), other[:0]])]
    total = np.concatenate(list(mixed(streams)))
    assert np.array_equal(total, one + np.pad(other, (0, 300)))
    assert not list(mixed([]))


@pytest.mark.parametrize("cents", [-40, 0, 8, 30, 45])
def test_a_recording_off_concert_pitch_is_known(cents):
    tuned = sung([60, 64, 67, 65, 62] * 4, 0.5, depth=0.1)
    moved = soxr.resample(tuned, SAMPLE_RATE, SAMPLE_RATE * 2 ** (-cents / 1200))
    wanted = cents / 100 if abs(cents) > 10 else 0.0
    assert deviation_from_concert_pitch(moved) == pytest.approx(wanted, abs=0.04)


def test_noise_and_silence_have_no_pitch():
    noise = np.random.default_rng(0).standard_normal(5 * SAMPLE_RATE).astype(np.float32)
    for sound in (noise, np.zeros(5 * SAMPLE_RATE, np.float32), np.zeros(10, np.float32)):
        assert deviation_from_concert_pitch(sound) == 0


def test_a_recording_off_concert_pitch_is_read_on_its_own_grid():
    tuned = sung([60, 64, 67, 65, 62, 60, 59, 60], 0.5, depth=0.1)
    moved = soxr.resample(tuned, SAMPLE_RATE, SAMPLE_RATE * 2 ** (-45 / 1200))
    (line, *_), heard = transcribe_recording([moved], 1)
    (wanted, *_), straight = transcribe_recording([tuned], 1)
    assert turns(line) == turns(wanted)
    assert line.end == pytest.approx(wanted.end * 2 ** (-45 / 1200), abs=0.1)
    assert abs(len(heard.strength) - len(straight.strength) * 2 ** (-45 / 1200)) <= 2
    assert heard.strength.max() == pytest.approx(straight.strength.max(), rel=0.2)


@pytest.mark.parametrize(
    ("share", "said"), [(None, ""), (0.0, "Nobody was heard singing"), (0.4, "apart from the mix")]
)
def test_what_was_not_looked_for_is_not_said_to_be_missing(share, said):
    from melodysim.judge.wording import separation_words
    from melodysim.melody import Piece, SemitoneSalience

    blank = np.zeros((4, 88), np.float32)
    words = separation_words(
        Piece("x", "audio", (), 1.0, heard=SemitoneSalience(blank, blank, 0.06, share))
    )
    assert said in words
    assert bool(said) == bool(words)
