"""Read mutated files of every kind, and say which were read badly.

    uv run python tests/fuzz/fuzz_run.py                        # 20 files of every kind
    uv run python tests/fuzz/fuzz_run.py --inputs 100000        # for an hour
    uv run python tests/fuzz/fuzz_run.py --only .mid --seed 417 --inputs 1   # one of them again

A file is read badly if its reader raises anything but an error of ours, takes over 20 s or a gigabyte,
writes to standard error, or returns neither notes nor a reason. A worker that dies is found too: what it
read last is in --keep, with every other file that was read badly.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_corpus import corpus
from fuzz_mutations import mutated

from melodysim.errors import MelodysimError
from melodysim.readers.audio import SUFFIXES as SOUNDS

SECONDS = 20
MEGABYTES = 1000
FEW = 20


def made(suffix, seed):
    """Return the mutated file with a number: the same at every call."""
    rng = random.Random(f"{suffix} {seed}")
    files = corpus()[suffix]
    return mutated(rng.choice(files), files, rng)


def read_file(path):
    """Read a file as `check` or `library import` would; return what came of it."""
    if path.suffix in SOUNDS:
        from melodysim.readers.audio import audio_blocks

        return "read" if sum(map(len, audio_blocks(path, 22_050))) else "silent"
    if path.suffix in (".json", ".csv", ".gz"):
        return _imported(path)
    from melodysim.readers.read import read

    melodies = read(path).melodies
    if not melodies:
        raise AssertionError("no melody, and no word")
    return "read"


def _imported(path):
    from melodysim.library.importers.jobs import file_jobs, read_job
    from melodysim.library.importers.public_sets import known_set
    from melodysim.library.rights import Rights

    public = known_set(path)
    jobs = file_jobs(path, Rights(), None, None) if public is None else public.jobs(path, Rights())
    results = [read_job(job, frozenset()) for job in jobs]
    return "read" if any(result.references for result in results) else "refused"


def examine(suffix, seed, folder):
    """Read a mutated file; return what came of it, and what was bad about that, if anything."""
    path = folder / f"fuzz{suffix}"
    path.write_bytes(made(suffix, seed))
    noise = os.fstat(2).st_size
    began = time.monotonic()
    signal.alarm(SECONDS)
    try:
        came, bad = read_file(path), ""
    except MelodysimError as error:
        came, bad = "refused", ""
        if "\n" in str(error) or str(path) not in str(error):
            bad = f"says {str(error)!r}"
    except BaseException as error:  # the alarm too
        came, bad = "failed", "".join(traceback.format_exception(error))[-1500:]
    finally:
        signal.alarm(0)
    if time.monotonic() - began > SECONDS:
        bad = bad or f"took {time.monotonic() - began:.0f} s"
    if os.fstat(2).st_size > noise:
        os.lseek(2, noise, os.SEEK_SET)
        bad = bad or f"wrote to standard error: {os.read(2, 500)!r}"
        os.lseek(2, 0, os.SEEK_END)
    return came, bad


def _too_long(*_):
    raise TimeoutError(f"over {SECONDS} s")


def work(suffix, seeds, keep, found):
    """Examine files with some numbers, in a process of its own with limited memory."""
    signal.signal(signal.SIGALRM, _too_long)
    log = tempfile.TemporaryFile()
    os.dup2(log.fileno(), 2)
    for warm in corpus()[suffix]:  # what is imported first is not the file's memory
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / f"fuzz{suffix}").write_bytes(warm)
            with contextlib.suppress(MelodysimError):
                read_file(Path(folder) / f"fuzz{suffix}")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (MEGABYTES << 20), resource.RLIM_INFINITY))
    with tempfile.TemporaryDirectory() as folder:
        for name in ("tune.mid", "beside.mid"):  # what projects refer to
            (Path(folder) / name).write_bytes(corpus()[".mid"][0])
        for seed in seeds:
            (keep / f"last-{os.getpid()}").write_text(f"{suffix} {seed}")
            found.put((suffix, seed, *examine(suffix, seed, Path(folder))))
    (keep / f"last-{os.getpid()}").unlink()


def run(suffixes, inputs, first, keep, workers):
    """Examine files of some kinds; yield suffix, number, what came of it and what was bad."""
    each = -(-inputs // len(suffixes))
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    shares = [
        (suffix, range(first + at, first + min(at + 500, each)))
        for suffix in suffixes
        for at in range(0, each, 500)
    ]
    running = []
    while shares or running:
        while shares and len(running) < workers:
            suffix, seeds = shares.pop(0)
            process = context.Process(target=work, args=(suffix, seeds, keep, found))
            process.start()
            running.append((process, suffix))
        while not found.empty():
            yield found.get()
        for process, suffix in list(running):
            if not process.is_alive():
                running.remove((process, suffix))
                last = keep / f"last-{process.pid}"
                if process.exitcode:
                    seed = int(last.read_text().split()[1]) if last.exists() else -1
                    yield suffix, seed, "failed", f"the process died with status {process.exitcode}"
                    last.unlink(missing_ok=True)
        time.sleep(0.02)
    while not found.empty():
        yield found.get()


def main():
    """Run, keep what was read badly, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--inputs", type=int, default=0, help="files in all; 20 of every kind if left out"
    )
    parser.add_argument("--only", action="append", choices=sorted(corpus()), help="a kind, by suffix")
    parser.add_argument("--seed", type=int, default=0, help="number of the first file of each kind")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "melodysim-fuzz")
    args = parser.parse_args()
    args.keep.mkdir(parents=True, exist_ok=True)
    suffixes = args.only or sorted(corpus())
    counts = {suffix: Counter() for suffix in suffixes}
    bad = 0
    asked = (suffixes, args.inputs or FEW * len(suffixes), args.seed, args.keep, args.workers)
    for suffix, seed, came, why in run(*asked):
        counts[suffix][came] += 1
        if why:
            bad += 1
            if seed >= 0:
                (args.keep / f"{seed}{suffix}").write_bytes(made(suffix, seed))
            print(f"BAD {suffix} --seed {seed}: {why}\n", flush=True)
    print(f"{'kind':12} {'read':>8} {'refused':>8} {'silent':>8} {'failed':>8}")
    for suffix, count in counts.items():
        row = " ".join(f"{count[name]:8,}" for name in ("read", "refused", "silent", "failed"))
        print(f"{suffix:12} {row}")
    total = sum(sum(count.values()) for count in counts.values())
    print(f"{total:,} files, {bad:,} read badly" + (f"; they are in {args.keep}" if bad else ""))
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
