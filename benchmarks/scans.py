"""How fast folders are scanned, and how little a second look costs.

``uv run python benchmarks/scans.py throughput --songs FOLDER --track three-minutes.mp3``
``uv run python benchmarks/scans.py unchanged --files 100000``
``uv run python benchmarks/scans.py kills --songs FOLDER --track three-minutes.mp3``

`throughput`: MIDI files of a folder, and copies of a recording that differ by a byte at the end, with
one and with two workers, beside a shell loop of ``melodysim check``. `unchanged`: small MIDI files of
which all are done. `kills`: 200 files, stopped by ``kill -9`` of the process group at 20 random
moments.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import resource
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from builtin import builtin_library

from melodysim.melody import Melody
from melodysim.report.note_files import midi_bytes

COMMAND = [sys.executable, "-c", "from melodysim.cli import main; main()"]
FILES = ("results.jsonl", "summary.csv", "summary.json")


def run(place: Path, library: Path, folder: Path, *more: str, cache: str = "cache") -> float:
    """Scan a folder into a new output folder, with an empty cache; gives seconds."""
    shutil.rmtree(place / "out", ignore_errors=True)
    shutil.rmtree(place / cache, ignore_errors=True)
    environment = {**os.environ, "XDG_CACHE_HOME": str(place / cache)}
    began = time.perf_counter()
    command = [*COMMAND, "scan", str(folder), "--library", str(library)]
    command += ["--output", str(place / "out"), "-q", *more]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - began


def copies(source: Path, folder: Path, count: int) -> None:
    """Copy a recording, each copy with another content."""
    folder.mkdir(parents=True)
    whole = source.read_bytes()
    for k in range(count):
        (folder / f"{source.stem} {k:04d}{source.suffix}").write_bytes(
            whole + bytes([k % 256, k // 256])
        )


def throughput(given: argparse.Namespace, place: Path, library: Path) -> None:
    """Print tracks per hour."""
    midi = place / "midi"
    midi.mkdir()
    songs = sorted(given.songs.rglob("*.mid"))[: given.midi]
    for k, song in enumerate(songs):
        shutil.copy(song, midi / f"{k:04d}.mid")
    copies(given.track, place / "mp3", given.recordings)
    for name, folder in (("MIDI", midi), (given.track.suffix[1:], place / "mp3")):
        count = len(list(folder.iterdir()))
        times: dict[str, list[float]] = {"1 worker": [], "2 workers": []}
        for _ in range(given.rounds):
            for workers in (1, 2):
                seconds = run(place, library, folder, "--workers", str(workers))
                times[f"{workers} worker{'s' * (workers > 1)}"].append(seconds)
        some = sorted(folder.iterdir())[: max(4, count // 10)]
        began = time.perf_counter()
        for file in some:
            command = [*COMMAND, "check", str(file), "--library", str(library), "-q"]
            subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        loop = (time.perf_counter() - began) / len(some) * count
        print(f"{count} {name} files")
        for label, taken in (*times.items(), ("shell loop (extrapolated)", [loop])):
            rate = count / statistics.median(taken) * 3600
            print(f"  {label:<26}{rate:>10,.0f} tracks an hour  ({min(taken):.1f} s at best)")
        one, two = (statistics.median(times[k]) for k in ("1 worker", "2 workers"))
        print(f"  two workers beside one     {one / two:>9.2f} times")


def unchanged(given: argparse.Namespace, place: Path, library: Path) -> None:
    """Print what a scan costs in which nothing has changed."""
    folder, rng = place / "many", np.random.default_rng(1)
    for k in range(given.files):
        part = folder / f"{k // 1000:04d}"
        part.mkdir(parents=True, exist_ok=True)
        steps = rng.integers(-4, 5, 20)
        tune = Melody.from_notes(np.arange(20.0), np.full(20, 0.9), 64 + np.cumsum(steps) % 12)
        (part / f"{k:06d}.mid").write_bytes(midi_bytes([tune]))
    first = folder / "0000" / "000000.mid"
    run(place, library, first)
    # Checking them all would take hours: each gets the result of the first.
    db = sqlite3.connect(place / "out" / "scan.db")
    row = db.execute("SELECT fingerprint, entry, level, closest, page, failed, melody FROM result")
    template = row.fetchone()
    from melodysim.batch.tracks import find_tracks, sha256_of

    for file in find_tracks([folder]):
        digest = sha256_of(file.path)
        values = (digest, template[0], file.path, *template[1:6], None)
        db.execute("INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    db.commit()
    db.close()
    for label in ("hashing all", "nothing changed"):
        command = [*COMMAND, "scan", str(folder), "--library", str(library)]
        command += ["--output", str(place / "out"), "-q"]
        began = time.perf_counter()
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
        print(f"{given.files:,} files, {label}: {seconds:.1f} s, at most {peak:,.0f} MB")


def kills(given: argparse.Namespace, place: Path, library: Path) -> None:
    """Kill a scan again and again, and compare with one that was left alone."""
    folder = place / "album"
    copies(given.track, folder, 10)
    for k, song in enumerate(sorted(given.songs.rglob("*.mid"))[:180]):
        shutil.copy(song, folder / f"song {k:03d}.mid")
    whole = (folder / "song 000.mid").read_bytes()
    broken = {
        "empty.mid": b"", "cut.mid": whole[:99], "text.mid": b"no music", "text.mp3": b"no music" * 99,
        "cut.mp3": given.track.read_bytes()[:900], "zero.wav": bytes(5000), "xml.musicxml": b"<a>",
        "empty.abc": b"\n", "head.mid": whole[:14], "noise.flac": random.Random(1).randbytes(9000),
    }  # fmt: skip
    for name, content in broken.items():
        (folder / name).write_bytes(content)
    print(f"{len(list(folder.iterdir()))} files; undisturbed: {run(place, library, folder):.0f} s")
    wanted = {name: (place / "out" / name).read_bytes() for name in FILES}
    shutil.rmtree(place / "out")
    rng, environment = random.Random(7), {**os.environ, "XDG_CACHE_HOME": str(place / "other")}
    command = [*COMMAND, "scan", str(folder), "--library", str(library)]
    command += ["--output", str(place / "out"), "-q"]
    killed = 0
    for attempt in itertools.count(1):
        running = subprocess.Popen(
            command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL
        )
        try:
            running.wait(rng.uniform(0.5, given.longest) if attempt <= given.kills else None)
            break
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            killed += 1
    same = {name: (place / "out" / name).read_bytes() == wanted[name] for name in FILES}
    print(f"killed {killed} times; the same bytes: {same}")


def main() -> None:
    """Parse what to measure, and measure it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("what", choices=["throughput", "unchanged", "kills"])
    options.add_argument("--songs", type=Path, help="folder of MIDI files")
    options.add_argument("--track", type=Path, help="a recording")
    options.add_argument("--library", type=Path, help="made if it does not exist")
    options.add_argument("--midi", type=int, default=200)
    options.add_argument("--recordings", type=int, default=12)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--files", type=int, default=100_000)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--longest", type=float, default=12.0, help="seconds until a kill")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, builtin_library(given.library) as library:
        measure = {"throughput": throughput, "unchanged": unchanged, "kills": kills}[given.what]
        measure(given, Path(folder), library.path.absolute())


if __name__ == "__main__":
    main()
