"""The compiled kernels on other processors and under other compilers.

Calls are recorded while numba makes them, and made again by a C program (`native/replay.c`). It is
compiled with clang and its sanitizers, or for ARM and run by an emulator; skipped if these are missing.
"""

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import build_corpus, random_tune
from test_kernels import SETS, sung, tunes
from test_salience_dtw import heard_from

from melodysim.align import dtw, first_look, prefilter, salience_dtw
from melodysim.align.salience_evidence import COARSE, PITCHES, prepare_evidence
from melodysim.intervals import normalise
from melodysim.kernels import fallback
from melodysim.transcribe import pitch_tracker

HERE = Path(__file__).parent / "native"
KERNELS = HERE.parent.parent / "melodysim" / "kernels" / "native"
FUNCTIONS = [
    "scan", "align_scores", "align_path", "listen_many", "transpositions", "first_look", "pitch_path",
]  # fmt: skip
FLAGS = ["-std=c11", "-O2", "-ffp-contract=off", f"-I{KERNELS}", "-Wall", "-Wextra", "-Werror"]
UNROLLED = ["-Wno-pass-failed"]
"""Clang, which `cc` is on a Mac, would say which loops it cannot unroll; others ignore it."""


class _Recorder:
    """The kernels of numba, whose calls are written down."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        def call(*given):
            # Rules come as tuples, which C takes one by one; what is filled in is the last array.
            flat = [x for value in given for x in (value if isinstance(value, tuple) else (value,))]
            (last,) = [k for k, x in enumerate(flat) if isinstance(x, np.ndarray)][-1:]
            before = [x.copy() if isinstance(x, np.ndarray) else x for x in flat]
            answer = getattr(fallback, name)(*given)
            out = before.pop(last)
            if answer is not None:
                before.append(np.array(answer, np.float64))
            self.calls.append((FUNCTIONS.index(name), [*before, out], flat[last].copy()))
            return answer

        return call

    def file(self):
        def value(x):
            if isinstance(x, np.ndarray):
                return struct.pack("<q", x.nbytes) + x.tobytes()
            return struct.pack("<qd" if isinstance(x, float) else "<qq", -1, x)

        parts = [struct.pack("<qq", len(self.calls), prefilter.CEILING)]
        for function, values, result in self.calls:
            parts += [struct.pack("<qq", function, len(values)), *map(value, values), value(result)]
        return b"".join(parts)


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Calls of every kernel, in a file."""
    recorder, rng = _Recorder(), np.random.default_rng(7)
    references = tunes(rng, 60, 60)
    corpus, every = build_corpus(references), np.arange(len(references))
    heard = heard_from(random_tune(rng, 50), rng, noise=0.5)
    coarse, fine = prepare_evidence(heard, resolution=COARSE), prepare_evidence(heard, PITCHES)
    with pytest.MonkeyPatch.context() as patch:
        for module in (dtw, first_look, pitch_tracker, prefilter, salience_dtw):
            patch.setattr(module, "kernels", lambda: recorder)
        lanes = prefilter.lay_in_lanes(corpus)
        for query in (references[0], normalise(random_tune(rng, 70))):
            prefilter.scan(query, lanes, len(references))
            dtw.align_scores(query, corpus, every, 1)
            for k in every[:20]:
                dtw.align_path(query, corpus, int(k))
        salience_dtw.scan_heard(corpus, coarse, every)
        salience_dtw.scan_octaves(corpus, coarse, fine, every)
        first_look.first_look(
            first_look.symbols_of(corpus), corpus.start, first_look.glimpses_of(heard), 1
        )
        pitch_tracker.voice_line(sung(rng))
    assert {function for function, *_ in recorder.calls} == set(range(len(FUNCTIONS)))
    path = tmp_path_factory.mktemp("calls") / "calls.bin"
    path.write_bytes(recorder.file())
    return path


def replayed(folder, compiler, flags, calls, sets, emulator=()):
    """Compile the program and run it with each instruction set; give what it says."""
    sources = [path for path in KERNELS.glob("*.c") if path.name != "module.c"]
    program = folder / "replay"
    made = subprocess.run(
        [compiler, *FLAGS, *flags, HERE / "replay.c", *sources, "-o", program, "-lm"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    for name in sets:
        done = subprocess.run(
            [*emulator, program, calls, name], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith(f"{name}: ")
        assert done.stdout.endswith(" 0 differ\n")


@pytest.mark.skipif(sys.platform == "win32", reason="the flags are those of clang on Unix")
@pytest.mark.skipif(not shutil.which("clang"), reason="clang is not installed")
@pytest.mark.skipif(not SETS, reason="there are no kernels for this processor")
def test_clang_and_its_sanitizers_find_nothing(tmp_path, calls):
    flags = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *UNROLLED]
    replayed(tmp_path, "clang", flags, calls, SETS)


@pytest.mark.skipif(not shutil.which("aarch64-linux-gnu-gcc"), reason="there is no compiler for ARM")
@pytest.mark.skipif(not shutil.which("qemu-aarch64"), reason="there is no emulator of ARM")
def test_arm_answers_alike(tmp_path, calls):
    replayed(tmp_path, "aarch64-linux-gnu-gcc", ["-static"], calls, ["neon"], ["qemu-aarch64"])


def test_a_difference_is_seen(tmp_path, calls):
    if not (compiler := shutil.which("cc")) or not SETS:
        pytest.skip("there is no C compiler, or no kernel for this processor")
    content = bytearray(calls.read_bytes())
    content[-1] ^= 1
    (tmp_path / "changed.bin").write_bytes(content)
    with pytest.raises(AssertionError, match="function 6 differs"):
        replayed(tmp_path, compiler, UNROLLED, tmp_path / "changed.bin", SETS[:1])
