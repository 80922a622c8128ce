"""The compiled kernels and those in numba must agree to the bit, in every instruction set."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import build_corpus, random_tune, tune
from hypothesis import given, settings
from hypothesis import strategies as st
from test_salience_dtw import heard_from

from melodysim import kernels
from melodysim.align import dtw, first_look, prefilter, salience_dtw
from melodysim.align.salience_evidence import COARSE, MAX_NOTE_SECONDS, PITCHES, prepare_evidence
from melodysim.intervals import normalise
from melodysim.kernels import fallback
from melodysim.transcribe import pitch_tracker
from melodysim.transcribe.salience import Salience

native = kernels.compiled()
SETS = [
    name for name in ("avx512", "avx2", "sse4.1", "neon") if native and native.instruction_set(name)
]

needs_native = pytest.mark.skipif(native is None, reason="the kernels were not compiled")


def test_the_kernels_were_compiled_where_there_is_a_compiler():
    """Without this the tests below could all be skipped unseen."""
    if os.environ.get("MELODYSIM_BROWSER"):  # set by the checks that every change goes through
        assert native is not None
        assert SETS


class _Set:
    """The compiled kernels, held to one instruction set."""

    def __init__(self, name):
        self.name = name

    def scan(self, *arrays):
        native.scan(*arrays, self.name)

    def listen_many(self, *arrays):
        native.listen_many(*arrays, self.name)

    def transpositions(self, *arrays):
        native.transpositions(*arrays, self.name)

    def first_look(self, *arrays):
        native.first_look(*arrays, self.name)


def tunes(rng, count, most):
    found = [random_tune(rng, int(rng.integers(1, most))) for _ in range(count)]
    whole = [normalise(t) for t in found]
    # Long copies saturate, and repeated notes and wide leaps are there too.
    return [*whole, normalise(tune([60] * 50)), normalise(tune([40, 90] * 20)), whole[0]]


def sung(rng, frames=300):
    """Salience in which something may be sung."""
    thirds = (rng.random((frames, 264)) ** 6).astype(np.float32)
    thirds[50:200, 120:140] *= 3
    notes = np.ascontiguousarray(thirds[:, ::3])
    return Salience(notes, notes, thirds, np.minimum(thirds, 1))


@needs_native
@given(seed=st.integers(0, 2**32), frames=st.integers(1, 300))
@settings(max_examples=20, deadline=None)
def test_the_path_of_a_melody_is_the_same(seed, frames):
    salience = sung(np.random.default_rng(seed), frames)
    found = []
    for used in (native, fallback):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pitch_tracker, "kernels", lambda used=used: used)
            lines = pitch_tracker.voice_line(salience), pitch_tracker.tracked_line(salience)
            found.append([[line.onset.tolist(), line.pitch.tolist()] for line in lines])
    assert found[0] == found[1]


@needs_native
def test_a_path_refuses_what_would_read_outside_its_arrays():
    costs = (0.6, 5.0, 4.5, 2.0, 1.0, 36)
    good = [np.zeros((10, 30), np.float32), costs, np.zeros(10, np.int16)]
    native.pitch_path(*good)
    for place, wrong in (
        (0, np.zeros((10, 30))), (0, np.zeros((0, 30), np.float32)), (0, np.zeros(299, np.float32)),
        (1, (*costs[:5], -1)), (2, np.zeros(0, np.int16)), (2, np.zeros(10, np.int32)),
        (2, np.zeros(7, np.int16)), (0, np.zeros((10, 40000), np.float32)),
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError)):
            native.pitch_path(*[wrong if k == place else each for k, each in enumerate(good)])


@needs_native
@pytest.mark.parametrize("name", SETS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_the_first_pass_is_the_same_in_every_set(name, seed):
    rng = np.random.default_rng(seed)
    references = tunes(rng, int(rng.integers(1, 300)), 90)
    lanes = prefilter.lay_in_lanes(build_corpus(references))
    for query in (references[0], references[-2], normalise(random_tune(rng, 120))):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(prefilter, "kernels", lambda: _Set(name))
            mine = prefilter.scan(query, lanes, len(references))
            patch.setattr(prefilter, "kernels", lambda: fallback)
            assert mine.tolist() == prefilter.scan(query, lanes, len(references)).tolist()


@needs_native
@pytest.mark.parametrize("name", SETS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=5, deadline=None)
def test_a_recording_is_listened_to_alike_in_every_set(name, seed):
    rng = np.random.default_rng(seed)
    references = tunes(rng, 12, 40)
    corpus, every = build_corpus(references), np.arange(len(references))
    heard = heard_from(random_tune(rng, int(rng.integers(1, 60))), rng, noise=0.5)
    coarse, fine = prepare_evidence(heard, resolution=COARSE), prepare_evidence(heard, PITCHES)
    found = []
    for used in (_Set(name), fallback):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(salience_dtw, "kernels", lambda used=used: used)
            scanned = salience_dtw.scan_heard(corpus, coarse, every)
            octaves = salience_dtw.scan_octaves(corpus, coarse, fine, every)
            found.append([values.tolist() for values in (scanned, *octaves)])
    assert found[0] == found[1]


@needs_native
@pytest.mark.parametrize("name", SETS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=5, deadline=None)
def test_the_first_look_is_the_same_in_every_set(name, seed):
    rng = np.random.default_rng(seed)
    notes = build_corpus(tunes(rng, 40, 60))
    heard = heard_from(random_tune(rng, int(rng.integers(1, 300))), rng, noise=0.5)
    symbols, glimpses = first_look.symbols_of(notes), first_look.glimpses_of(heard)
    found = []
    for used in (_Set(name), fallback):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(first_look, "kernels", lambda used=used: used)
            found.append(first_look.first_look(symbols, notes.start, glimpses, 2).tolist())
    assert found[0] == found[1]
    assert max(found[0]) > 0


@needs_native
def test_the_first_look_refuses_what_would_read_outside_its_arrays():
    rng = np.random.default_rng(0)
    notes = build_corpus(tunes(rng, 3, 20))
    glimpse = first_look.glimpses_of(heard_from(random_tune(rng, 20), rng))[0]
    symbols, out = first_look.symbols_of(notes), np.zeros(2, np.uint8)
    rules = first_look.BIAS, first_look.SKIP_COST
    good = [
        glimpse.heard,
        first_look.LONGEST,
        glimpse.length,
        1,
        rules,
        symbols,
        notes.start,
        0,
        2,
        out,
    ]
    native.first_look(*good)
    for place, wrong in (
        (0, glimpse.heard[:, :, :-1].copy()), (1, 11), (2, glimpse.length + np.uint8(12)),
        (2, glimpse.length * np.uint8(0)), (3, 2), (4, (-1, 3)), (5, symbols[:3]),
        (5, np.full_like(symbols, 255)), (6, -notes.start), (7, -1), (8, 99),
        (9, np.zeros(3, np.uint8)), (9, np.zeros(2, np.int16)),
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError)):
            native.first_look(*good[:place], wrong, *good[place + 1 :])


@needs_native
def test_listening_refuses_what_would_read_outside_its_arrays():
    rng = np.random.default_rng(0)
    corpus = build_corpus(tunes(rng, 3, 20))
    evidence = prepare_evidence(heard_from(random_tune(rng, 20), rng), resolution=COARSE)
    notes = salience_dtw._Notes.of(corpus, evidence.space)
    tempi, out = np.array([2.0]), np.zeros((2, 2), np.int32)
    good = list(salience_dtw._given(notes, evidence, 0)(np.arange(2), tempi, out))
    native.listen_many(*good)
    row, longest = notes.row.copy(), MAX_NOTE_SECONDS / evidence.step
    row[3] = 12
    for place, wrong in (
        (2, 0), (3, 11), (4, good[4] + np.int16(1)), (5, 0), (6, row), (7, -notes.gap),
        (9, np.array([0, 99])), (10, np.zeros(len(corpus))), (12, 3 * longest),
        (15, np.zeros(2, np.int32)),
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError)):
            native.listen_many(*good[:place], wrong, *good[place + 1 :])
    with pytest.raises(ValueError, match="go together"):
        native.transpositions(*good)


@needs_native
@given(
    seed=st.integers(0, 2**32),
    costs=st.sampled_from([dtw.IN_TIME, dtw.OTHER_RHYTHM, dtw.PITCH_ALONE]),
)
@settings(max_examples=10, deadline=None)
def test_the_second_pass_is_the_same_to_the_bit(seed, costs):
    rng = np.random.default_rng(seed)
    references = tunes(rng, 20, 60)
    corpus = build_corpus(references)
    every = np.arange(len(references))
    for query in (references[0], normalise(random_tune(rng, 70))):
        with pytest.MonkeyPatch.context() as patch:
            found = []
            for used in (native, fallback):
                patch.setattr(dtw, "kernels", lambda used=used: used)
                paths = [dtw.align_path(query, corpus, k, costs) for k in every]
                scores = dtw.align_scores(query, corpus, every, 1, costs)
                assert scores.tolist() == [path.score for path in paths]
                found.append((scores.tobytes(), [path.path.tolist() for path in paths]))
            assert found[0] == found[1]


@needs_native
def test_arrays_that_do_not_go_together_are_refused():
    """A wrong size would read foreign memory."""
    corpus = build_corpus([normalise(tune([60, 62, 64, 65]))])
    query = normalise(tune([60, 62, 64]))
    pair = list(dtw._prepared(query, corpus, dtw.IN_TIME))
    out = np.zeros(1, np.float32)
    native.align_scores(*pair, corpus.start, np.array([0]), out)
    for wrong in (np.array([1]), np.array([-1])):
        with pytest.raises(ValueError, match="outside"):
            native.align_scores(*pair, corpus.start, wrong, out)
    with pytest.raises(ValueError, match="go together"):
        native.align_scores(*pair, corpus.start, np.array([0, 0]), out)
    with pytest.raises(TypeError, match="2 bytes expected"):
        native.align_scores(pair[0].astype(np.int32), *pair[1:], corpus.start, np.array([0]), out)
    with pytest.raises(ValueError, match="go together"):
        native.align_scores(pair[0][:2], *pair[1:], corpus.start, np.array([0]), out)
    with pytest.raises(ValueError, match="outside"):
        native.align_path(*pair, 0, 9, np.zeros((3, 9), np.int8))
    read_only = out.copy()
    read_only.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        native.align_scores(*pair, corpus.start, np.array([0]), read_only)


def test_numba_serves_where_it_is_asked_for():
    said = subprocess.run(
        [sys.executable, "-c", "from melodysim import kernels as k; print(k.description())"],
        env=os.environ | {"MELODYSIM_KERNELS": "numba"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.startswith("numba")
