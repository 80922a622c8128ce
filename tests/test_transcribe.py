import itertools
import sys

import librosa
import numpy as np
import pytest
from conftest import tune

from melodysim.errors import MissingDependencyError
from melodysim.melody import Melody
from melodysim.report.sonify import RELEASE, melody_audio, tone
from melodysim.transcribe import fcpe
from melodysim.transcribe.basic_pitch import BINS_PER_SEMITONE, FRAME_SECONDS, LOWEST_PITCH, SAMPLE_RATE
from melodysim.transcribe.onnx_networks import inference_session
from melodysim.transcribe.pitch_tracker import voice_line
from melodysim.transcribe.salience import Salience, by_semitone, salience
from melodysim.transcribe.transcription import transcribe_recording


def sung(pitches, seconds=0.6, rate=SAMPLE_RATE, depth=0.4):
    """A voice-like tone with vibrato: harmonics of a source through two formants."""
    samples = int(seconds * rate)
    time = np.arange(samples * len(pitches)) / rate
    note = np.repeat(np.asarray(pitches, float), samples)
    within = time % seconds
    bend = depth * np.sin(2 * np.pi * 5.5 * time) * np.clip((within - 0.15) / 0.2, 0, 1)
    phase = 2 * np.pi * np.cumsum(440 * 2 ** ((note + bend - 69) / 12)) / rate
    hertz = 440 * 2 ** ((note - 69) / 12)
    out = np.zeros(len(time))
    for number in range(1, 20):
        at = hertz * number
        gain = sum(1 / (1 + ((at - f) / w) ** 2) for f, w in ((700, 110), (1150, 130), (2600, 200)))
        out += gain / number * np.sin(number * phase)
    fade = np.clip(np.minimum(within, seconds - within) / 0.03, 0, 1)
    return (0.5 * out / np.abs(out).max() * fade).astype(np.float32)


def test_mel_filters_are_librosas():
    theirs = librosa.filters.mel(sr=fcpe.VOICE_RATE, n_fft=fcpe.WINDOW, n_mels=fcpe.MELS).T
    np.testing.assert_allclose(fcpe._mel_filters(), theirs, atol=1e-8)


def test_mel_filters_cover_the_band_with_slaney_areas():
    filters = fcpe._mel_filters()
    assert filters.shape == (513, 128)
    # Area-normalised: a flat spectrum gives each wide filter 2 / width * width / 2 bins' worth.
    bin_width = fcpe.VOICE_RATE / fcpe.WINDOW
    assert filters[:, 40:].sum(axis=0) * bin_width == pytest.approx(1.0, abs=0.1)
    # 1 kHz is mel 15 by Slaney's definition; 8 kHz is mel 45.245.
    peak = filters[64].argmax()  # bin 64 is 1,000 Hz
    assert peak == pytest.approx(15 / 45.245 * 129 - 1, abs=1)


def test_mel_spectrogram_frames():
    audio = np.zeros(16000, np.float32)
    mel = fcpe.mel_spectrogram(audio)
    assert mel.shape == (100, 128)
    assert mel.max() <= np.log(1e-2)
    assert fcpe.mel_spectrogram(audio[:50]).shape == (1, 128)


def test_voice_pitch_of_a_sung_tone():
    audio = sung([64], 2.0, fcpe.VOICE_RATE, depth=0.0)
    found = fcpe.voice_salience(audio)
    assert found.shape == (200, 360)
    loudest = fcpe.bin_pitches()[found[40:160].argmax(axis=1)]
    assert np.median(loudest) == pytest.approx(64, abs=0.2)
    assert np.median(found[40:160].max(axis=1)) > 0.5


def test_windows_join_without_a_seam():
    audio = sung([60, 64, 67, 65, 62, 60, 59, 60] * 10, 0.5, fcpe.VOICE_RATE)
    whole = fcpe.voice_salience(audio)
    assert len(whole) == 4000
    seam = slice(fcpe.WINDOW_FRAMES - 20, fcpe.WINDOW_FRAMES + 20)
    alone = fcpe.voice_salience(audio[(fcpe.WINDOW_FRAMES - 500) * fcpe.HOP :][: 1000 * fcpe.HOP])
    assert np.abs(whole[seam] - alone[480:520]).mean() < 0.01


def test_missing_networks_say_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "melodysim_models", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'melodysim\[audio\]'"):
        inference_session("fcpe", 1)


def test_both_networks_on_one_grid():
    pitches = [62, 65, 69, 67]
    heard = salience(sung(pitches))
    assert heard.voice.shape == heard.contour.shape
    for k, pitch in enumerate(pitches):
        middle = slice(round((0.6 * k + 0.25) / FRAME_SECONDS), round((0.6 * k + 0.5) / FRAME_SECONDS))
        for found in (by_semitone(heard.voice), heard.note):
            assert found[middle].mean(axis=0).argmax() + LOWEST_PITCH == pitch


def test_columns_fold_into_the_nearest_semitone():
    thirds = np.zeros((1, 88 * BINS_PER_SEMITONE), np.float32)
    thirds[0, [3 * 10 - 1, 3 * 20 + 1, 3 * 30]] = 0.2, 0.3, 0.4
    folded = by_semitone(thirds)
    assert np.flatnonzero(folded[0]).tolist() == [10, 20, 30]


def made_salience(path, rng):
    """Salience of a voice along a path of pitches (NaN: silent), over a steady louder chord."""
    frames = len(path)
    voice_ = rng.random((frames, 264)).astype(np.float32) * 0.005
    contour = rng.random((frames, 264)).astype(np.float32) * 0.02
    note = rng.random((frames, 88)).astype(np.float32) * 0.02
    onset = np.zeros((frames, 88), np.float32)
    contour[:, [3 * (52 - 21), 3 * (57 - 21)]] = 0.9
    note[:, [52 - 21, 57 - 21]] = 0.9
    for k, pitch in enumerate(path):
        if not np.isnan(pitch):
            column = round((pitch - 21) * 3)
            voice_[k, column] = 0.8
            contour[k, column] = 0.4
            note[k, round(pitch) - 21] = 0.4
    return Salience(note, onset, contour, voice_)


def test_the_voice_line_follows_the_voice_past_louder_notes_and_through_vibrato():
    rng = np.random.default_rng(3)
    frames = np.arange(60)
    wobble = 0.4 * np.sin(2 * np.pi * frames / 16)
    path = np.concatenate([64 + wobble, np.full(30, np.nan), 67 + wobble, 66.7 + 0 * frames])
    line = voice_line(made_salience(path, rng))
    assert line.pitch.tolist() == [64, 67]
    assert line.onset == pytest.approx(np.array([0, 90]) * FRAME_SECONDS, abs=0.05)
    assert line.duration[0] == pytest.approx(60 * FRAME_SECONDS, abs=0.06)
    assert (line.confidence > 0.5).all()


def test_a_recording_in_blocks_is_one_piece(monkeypatch):
    from melodysim.transcribe import transcription

    audio = sung([60, 64, 67, 65] * 8, 0.5)
    (whole, *_), heard = transcribe_recording([audio])
    monkeypatch.setattr(transcription, "BLOCK_SECONDS", 6.0)
    (parts, *_), again = transcribe_recording(np.array_split(audio, 7))
    # Windows of the model fall elsewhere, so that a held note may be cut in two; the tune is the same.
    first_of = [np.flatnonzero(np.diff(m.pitch, prepend=-1)) for m in (parts, whole)]
    assert parts.pitch[first_of[0]].tolist() == whole.pitch[first_of[1]].tolist()
    assert parts.onset[first_of[0]] == pytest.approx(whole.onset[first_of[1]], abs=0.05)
    assert abs(len(again.strength) - len(heard.strength)) <= 1


def test_tones_have_their_pitch():
    rate = 8000
    wave = tone(69, 1.0, rate)
    assert len(wave) == round((1 + RELEASE) * rate)
    spectrum = np.abs(np.fft.rfft(wave[:rate]))
    assert spectrum.argmax() == pytest.approx(440, abs=1)
    assert np.abs(wave).max() <= 0.3
    assert wave[0] == 0
    assert abs(wave[-1]) < 1e-3


def test_stretches_of_a_melody_make_the_whole():
    melody = tune([60, 64, 67, 72], [0.5, 0.25, 1.0, 0.5], start=0.2)
    whole = melody_audio(melody, 0.0, 3.0, 8000)
    cuts = [0.0, 0.31, 0.9, 1.1, 3.0]
    parts = [melody_audio(melody, a, b, 8000) for a, b in itertools.pairwise(cuts)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert len(whole) == 24000
    assert not len(melody_audio(Melody.from_notes([], [], []), 1.0, 1.0, 8000))


def test_only_what_is_wanted_is_listened_to():
    line = sung([60, 64, 67, 65, 62, 60, 59, 62] * 2)
    whole = salience(line, threads=1)
    wanted = np.zeros(whole.frames, bool)
    wanted[200:420], wanted[700:] = True, True
    some = salience(line, threads=1, wanted=wanted)
    for name in ("note", "onset", "contour", "voice"):
        here, there = getattr(some, name), getattr(whole, name)
        assert here.shape == there.shape
        assert not here[~wanted].any()
        # The networks' windows lie elsewhere, and what they hear is the same.
        assert np.abs(here - there)[wanted].mean() < 0.01
        if name in {"note", "voice"}:
            assert (here[wanted].argmax(axis=1) == there[wanted].argmax(axis=1)).mean() > 0.8
    nothing = salience(line, threads=1, wanted=np.zeros(whole.frames, bool))
    assert not nothing.note.any()
    assert not nothing.voice.any()
