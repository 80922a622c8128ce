"""Time the networks on an accelerator against the processor, in turns, and compare what they answer.

Run with ``python benchmarks/accelerators.py SOUND --accelerator cuda``. What they answer differs in the
last bits; the largest and the mean difference are given beside the times.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from melodysim.transcribe import accelerators, basic_pitch, fcpe, separator

Network = Callable[[], NDArray[np.float32]]
MODULES = (basic_pitch, fcpe, separator)


def networks(path: Path) -> tuple[dict[str, Network], float]:
    """Return what each network is to do with a recording, and the seconds of the recording."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = sound.mean(axis=1)
    low = soxr.resample(mono, rate, basic_pitch.SAMPLE_RATE)
    voice = soxr.resample(mono, rate, fcpe.VOICE_RATE)
    magnitude = np.abs(separator._spectra(low)[:, : separator.BINS])
    jobs: dict[str, Network] = {
        "notes": lambda: basic_pitch.polyphonic_salience(low)[0],
        "voice": lambda: fcpe.voice_salience(voice),
        "separator": lambda: separator.voice_mask(magnitude),
    }
    return jobs, len(mono) / rate


def on(name: str, jobs: dict[str, Network]) -> dict[str, tuple[float, NDArray[np.float32]]]:
    """Run each network once where it is told to: seconds, and what it answers.

    A network is loaded anew and run once before it is timed: CUDA chooses its kernels in the first run.
    """
    os.environ[accelerators.VARIABLE] = name
    found = {}
    for module in MODULES:
        module._session.cache_clear()
    for network, run in jobs.items():
        run()
        begin = time.perf_counter()
        answer = run()
        found[network] = time.perf_counter() - begin, answer
    return found


def main() -> None:
    """Print the times and the differences as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sound", type=Path)
    parser.add_argument("--accelerator", default="cuda", choices=list(accelerators.PROVIDERS))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    jobs, seconds = networks(options.sound)
    rounds = [(on("cpu", jobs), on(options.accelerator, jobs)) for _ in range(options.rounds)]
    report: dict[str, object] = {"accelerator": options.accelerator, "recording": round(seconds, 1)}
    for network in jobs:
        times = [[each[network][0] for each in side] for side in zip(*rounds, strict=True)]
        cpu, other = (statistics.median(side) for side in times)
        difference = np.abs(rounds[0][0][network][1] - rounds[0][1][network][1])
        report[network] = {
            "cpu_seconds": round(cpu, 3),
            "seconds": round(other, 3),
            "ratio": round(cpu / other, 2),
            "times_real_time": round(seconds / other),
            "largest_difference": float(difference.max()),
            "mean_difference": float(difference.mean()),
        }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
