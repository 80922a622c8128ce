"""Scans of folders through the real command: killed, resumed, moved, here and on a cluster."""

import csv
import http.server
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, TimeoutError
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import COMMAND, FIXTURES, random_tune, small_library
from test_schema import validator

from melodysim.batch import worker
from melodysim.batch.ledger import Done, Ledger
from melodysim.batch.scan import Scan
from melodysim.batch.settings import Plan, ScanSettings, fingerprint_of
from melodysim.batch.takes import (
    Alike,
    find_alike,
    packed_melodies,
    packed_melody,
    takes,
    unpacked_melody,
)
from melodysim.batch.task_loop import ScanProgress, compared, identified, left_to_do
from melodysim.batch.tracks import find_tracks
from melodysim.batch.transcription_cache import Cache
from melodysim.batch.worker import check_track, moved
from melodysim.errors import MelodysimError, MissingDependencyError, ReadError
from melodysim.judge.verdict import Rates
from melodysim.library import Entry, Library, Reference, WatchList
from melodysim.library.importers import import_paths
from melodysim.library.rights import Rights
from melodysim.library.store import Store
from melodysim.melody import Melody
from melodysim.readers.read import read
from melodysim.report.note_files import midi_bytes
from melodysim.search.pipeline import find_matches
from melodysim.util.atomic_files import TORN
from melodysim.util.worker_processes import LocalPool

FILES = ("results.jsonl", "summary.csv", "summary.json")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A library that opens at once, and a cache of its own for every test of this module."""
    folder = tmp_path_factory.mktemp("small")
    return small_library(folder / "library.db")


@pytest.fixture(scope="module")
def environment(small):
    return {
        **os.environ,
        "MELODYSIM_LIBRARY": str(small),
        "XDG_CACHE_HOME": str(small.parent / "cache"),
        "OMP_NUM_THREADS": "1",
    }


def make_folder(folder, tracks=16):
    """MIDI files, one recording, a copy, and a broken file of every kind."""
    rng = np.random.default_rng(5)
    folder.mkdir()
    (folder / "sub").mkdir()
    for k in range(tracks):
        place = folder / "sub" if k % 3 == 0 else folder
        (place / f"tune {k:02d}.mid").write_bytes(midi_bytes([random_tune(rng, 40)]))
    shutil.copy(FIXTURES / "paper-lanterns.mid", folder / "stolen.mid")
    shutil.copy(FIXTURES / "paper-lanterns.mid", folder / "sub" / "stolen too.mid")
    shutil.copy(FIXTURES / "copies-paper-lanterns.mp3", folder / "sung.mp3")
    whole = (FIXTURES / "paper-lanterns.mid").read_bytes()
    (folder / "empty.mid").write_bytes(b"")
    (folder / "cut.mid").write_bytes(whole[:30])
    (folder / "text.mid").write_text("not music at all")
    (folder / "text.mp3").write_text("not music at all " * 99)
    (folder / "silent.wav").write_bytes(_silence())
    (folder / "broken.musicxml").write_text("<score-partwise><part>")
    (folder / "empty.abc").write_text("\n")
    (folder / "dangling.mid").symlink_to(folder / "nowhere.mid")
    (folder / "notes.txt").write_text("not a track")
    (folder / ".hidden.mid").write_bytes(whole)
    return folder


def _silence():
    import io
    import wave

    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 22050, 0, "NONE", ""))
        file.writeframes(b"\0\0" * 22050 * 3)
    return out.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("tracks") / "album")


def scan(environment, folder, output, *arguments, **more):
    command = [*COMMAND, "scan", str(folder), "--output", str(output), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=300, check=False, **more
    )


def written(output):
    return {name: (Path(output) / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def undisturbed(environment, folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    done = scan(environment, folder, output, "--workers", "2")
    assert done.returncode == 1, done.stderr  # one that cannot be read never hides one that is likely
    return output, done


def lines(output):
    return [json.loads(line) for line in (output / "results.jsonl").read_text().splitlines()]


def test_each_track_has_the_line_that_check_gives(environment, folder, undisturbed):
    output, done = undisturbed
    found = {entry["source"]: entry for entry in lines(output)}
    assert list(found) == sorted(found)
    assert len(found) == 16 + 3 + 8
    names = ["stolen.mid", "sung.mp3", "tune 01.mid", "text.mp3", "silent.wav"]
    checked = subprocess.run(
        [*COMMAND, "check", *(str(folder / name) for name in names), "--format", "json"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    for entry in json.loads(checked.stdout)["tracks"]:
        assert found[entry["source"]] == entry
    assert "2 error" not in done.stdout
    for entry in found.values():
        validator("line").validate(entry)
    summary = json.loads((output / "summary.json").read_text())
    validator("scan").validate(summary)
    assert (summary["verdicts"]["likely"], summary["verdicts"]["review"]) == (3, 0)
    assert len(summary["errors"]) == 8
    assert summary["passed_over"] == {".txt": 1}
    assert "passed over 1 file of a kind that is not read: 1 .txt" in done.stdout
    assert {"tracks": [str(folder / "stolen.mid"), str(folder / "sub" / "stolen too.mid")]}.items() <= (
        summary["groups"][0].items()
    )


def test_the_number_of_workers_does_not_show(environment, folder, undisturbed, tmp_path):
    scan(environment, folder, tmp_path / "out", "--workers", "1")
    assert written(tmp_path / "out") == written(undisturbed[0])


def test_what_is_done_is_not_done_again(environment, folder, undisturbed, tmp_path):
    """With no time at all for a track, whatever were checked again would fail."""
    output = tmp_path / "out"
    shutil.copytree(undisturbed[0], output)
    done = scan(environment, folder, output, "--time-limit", "0.1", "--workers", "1")
    assert written(output) == written(undisturbed[0])
    said, before = (
        result.stdout.replace(str(place), "").split()  # a long path breaks its line
        for result, place in ((done, output), (undisturbed[1], undisturbed[0]))
    )
    assert said == before


def test_moving_a_track_costs_nothing(environment, undisturbed, folder, tmp_path):
    output, other = tmp_path / "out", tmp_path / "moved"
    shutil.copytree(undisturbed[0], output)
    shutil.copytree(folder, other, symlinks=True)
    (other / "dangling.mid").unlink()
    (other / "sung.mp3").rename(other / "sub" / "renamed.mp3")
    scan(environment, other, output, "--time-limit", "0.1", "--workers", "1")
    found = {entry["source"]: entry for entry in lines(output)}
    assert found[str(other / "sub" / "renamed.mp3")]["verdict"] == "likely"
    assert found[str(other / "text.mp3")]["error"].startswith(str(other / "text.mp3"))
    assert len(found) == 26


def test_a_scan_killed_again_and_again_ends_as_one_that_was_not(
    environment, folder, undisturbed, tmp_path
):
    rng, output = random.Random(3), tmp_path / "out"
    command = [*COMMAND, "scan", str(folder), "--output", str(output), "--workers", "2", "-q"]
    environment = {**environment, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for _ in range(6):
        running = subprocess.Popen(
            command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.3, 4.0))
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        if (output / "results.jsonl").exists():
            for line in (output / "results.jsonl").read_text().splitlines():
                json.loads(line)
    done = scan(environment, folder, output, "--workers", "2")
    assert done.returncode == 1
    assert written(output) == written(undisturbed[0])


def test_ctrl_c_stops_and_says_how_to_go_on(environment, folder, tmp_path):
    environment = {**environment, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [*COMMAND, "scan", str(folder), "--output", str(tmp_path / "out"), "--workers", "1"]
    running = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "out" / "scan.db").exists():
        time.sleep(0.05)
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "the same command goes on" in said
    assert "Traceback" not in said


def test_a_track_that_takes_too_long_is_killed_and_the_rest_goes_on(environment, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    folder = tmp_path / "album"
    folder.mkdir()
    hiss = np.random.default_rng(1).standard_normal(22050 * 600).astype(np.float32) * 0.1
    soundfile.write(folder / "long.wav", hiss, 22050)
    shutil.copy(FIXTURES / "paper-lanterns.mid", folder / "stolen.mid")
    done = scan(environment, folder, tmp_path / "out", "--time-limit", "10", "--workers", "1")
    long, stolen = lines(tmp_path / "out")
    assert "time limit" in long["error"]
    assert stolen["verdict"] == "likely"
    assert done.returncode == 1


def test_what_is_no_file_is_said_and_never_opened(environment, tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    os.mkfifo(folder / "pipe.mid")  # reading it would never end
    (folder / os.fsdecode(b"caf\xe9.mid")).write_bytes((FIXTURES / "twinkle.mid").read_bytes())
    shutil.copy(FIXTURES / "paper-lanterns.mid", folder / ("歌" * 80 + ".MID"))
    arguments = ("--html", "--include", "*.mid")
    done = scan(environment, folder, folder / "out", *arguments)
    assert done.returncode == 1, done.stderr
    for _ in range(2):  # the results, inside the folder, are no tracks
        errors = {e["source"]: e.get("error", "") for e in lines(folder / "out")}
        assert len(errors) == 3
        assert "not a regular file" in errors[str(folder / "pipe.mid")]
        assert "rename it" in errors[str(folder / "caf\ufffd.mid")]
        assert errors[str(folder / ("歌" * 80 + ".MID"))] == ""
        scan(environment, folder, folder / "out", "--include", "*")
        scan(environment, folder, folder / "out", *arguments)


def test_pages_and_an_index_are_written_and_made_up_for(environment, folder, undisturbed, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(undisturbed[0], output)
    (output / "tracks").mkdir()
    (output / "tracks" / f".torn.html.x{TORN}").write_text("half a page")
    arguments = ("--html", "--include", "stolen*.mid", "--include", "*.mp3")
    done = scan(environment, folder, output, *arguments)
    assert done.returncode == 1
    pages = sorted(p.name for p in (output / "tracks").iterdir())
    assert len(pages) == 2
    index = (output / "index.html").read_text()
    for name in pages:
        assert f'href="tracks/{name}"' in index
    assert "stolen too.mid" in index


def test_lists_and_playlists_name_tracks(environment, folder, tmp_path):
    (tmp_path / "list.m3u").write_text(f"#EXTM3U\n{folder / 'stolen.mid'}\n\nnot there.mid\n")
    scan(environment, tmp_path / "list.m3u", tmp_path / "out")
    assert [(e["source"], "error" in e) for e in lines(tmp_path / "out")] == sorted(
        [(str(folder / "stolen.mid"), False), (str(tmp_path / "not there.mid"), True)]
    )
    listed = f"{folder / 'stolen.mid'}\n{folder / 'tune 01.mid'}\n"
    scan(environment, "-", tmp_path / "out2", input=listed)
    assert [e["source"] for e in lines(tmp_path / "out2")] == sorted(listed.splitlines())


def test_a_folder_is_compared_with_itself(environment, folder, tmp_path):
    done = scan(environment, folder, tmp_path / "out", "--against-each-other", "--format", "json")
    summary = json.loads(done.stdout)
    assert summary == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["library"] is None
    validator("scan").validate(summary)
    for entry in lines(tmp_path / "out"):
        validator("line").validate(entry)
    pairs = [set(map(os.path.basename, pair["tracks"])) for pair in summary["alike"]]
    assert {"stolen.mid", "stolen too.mid"} in pairs
    assert all("tune" not in name for pair in pairs for name in pair)


def test_watching_takes_what_arrives(environment, tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    shutil.copy(FIXTURES / "twinkle.mid", folder / "one.mid")
    command = [*COMMAND, "scan", str(folder), "--output", str(tmp_path / "out"), "--watch", "-q"]
    running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    def wait_for(count):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            summary = tmp_path / "out" / "summary.json"
            if summary.exists() and json.loads(summary.read_text())["tracks"] == count:
                return
            time.sleep(0.2)
        raise AssertionError("nothing came")

    wait_for(1)
    shutil.copy(FIXTURES / "paper-lanterns.mid", folder / "two.mid")
    wait_for(2)
    time.sleep(1.5)  # until it waits again: a scan that is stopped half way ends otherwise
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 1  # the second one is likely


def test_two_scans_into_one_folder_do_not_mix(environment, folder, tmp_path):
    (tmp_path / "out").mkdir()
    ledger = Ledger(tmp_path / "out" / "scan.db")
    try:
        done = scan(environment, folder, tmp_path / "out")
    finally:
        ledger.close()
    assert done.returncode == 2
    assert "another scan" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_bad_usage_is_said(environment, folder, tmp_path):
    for arguments, words in (
        (["--against-each-other", "--html"], "--html shows"),
        (["--library", tmp_path / "none.db"], "no library there"),
        (["--scheduler", "tcp://127.0.0.1:1"], "no Dask scheduler"),
        (["--scheduler", "foo"], "is no address of a Dask scheduler"),
        (["--scheduler", ""], "is no address of a Dask scheduler"),
        (["--scheduler", "http://127.0.0.1:8786"], "is no address of a Dask scheduler"),
    ):
        done = scan(environment, folder, tmp_path / "out", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    with pytest.raises(ReadError, match="no such file or folder"):
        find_tracks([tmp_path / "nowhere"])


@pytest.fixture(scope="module")
def cluster(environment, tmp_path_factory):
    """A scheduler and four worker processes, as somebody else would have started them."""
    pytest.importorskip("distributed")
    place = tmp_path_factory.mktemp("cluster")
    file = place / "scheduler.json"
    options = {"env": environment, "cwd": place, "stderr": subprocess.DEVNULL}
    module = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    address = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    scheduler = subprocess.Popen([*module, *address], **options)
    module = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file)]
    workers = [
        subprocess.Popen([*module, "--nthreads", "1", "--no-dashboard", "--no-nanny"], **options)
        for _ in range(4)
    ]
    end = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    yield json.loads(file.read_text())["address"], workers
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


def test_a_cluster_gives_the_same(environment, folder, undisturbed, cluster, tmp_path):
    done = scan(environment, folder, tmp_path / "out", "--scheduler", cluster[0])
    assert done.returncode == 1, done.stderr
    assert written(tmp_path / "out") == written(undisturbed[0])


def divided(library, path, most):
    """Copy a library, and pack the copy in parts of so many melodies."""
    with Store(Path(library)) as store, closing(sqlite3.connect(path)) as copy:
        store._connection.backup(copy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("melodysim.library.packed.index_files.MOST", most)
        assert len(Library(path).index.parts) > 2
    return path


def test_a_library_spread_over_the_workers_gives_the_same(cluster, small, tmp_path):
    from distributed import Client

    rng = np.random.default_rng(8)
    shutil.copy(small, tmp_path / "whole.db")
    with Store(tmp_path / "whole.db", writable=True) as store, store.transaction():
        entries = [Entry(f"t{k}", "t", None, "", Rights()) for k in range(200)]
        store.put([Reference(entry, random_tune(rng, 50)) for entry in entries], "tunes", "digest")
    piece = read(FIXTURES / "paper-lanterns.mid")

    def answers(library):
        return [
            (m.reference.id, m.score, m.e_value, m.standardised, m.path.tolist(), m.turn)
            for m in find_matches(piece, library.shelf, 20)
        ]

    expected = answers(Library(tmp_path / "whole.db"))
    path = divided(tmp_path / "whole.db", tmp_path / "divided.db", 60)
    with Client(cluster[0], set_as_default=False) as client:
        spread = Library(path).spread_over(client)
        assert answers(spread) == expected
        spread.index.exhaustive = 0  # seeds choose
        alone = Library(path)
        alone.index.exhaustive = 0
        assert answers(spread) == answers(alone)
        assert answers(alone)[0] == expected[0]


def test_a_scan_with_a_spread_library_gives_the_same(
    environment, folder, undisturbed, cluster, small, tmp_path
):
    library = divided(small, tmp_path / "library.db", 1)
    options = ["--scheduler", cluster[0], "--spread", "--library", library]
    done = scan(environment, folder, tmp_path / "out", *options)
    assert done.returncode == 1, done.stderr
    assert written(tmp_path / "out")["results.jsonl"] == written(undisturbed[0])["results.jsonl"]
    alone = scan(environment, folder, tmp_path / "alone", "--spread")
    assert alone.returncode == 2
    assert "--scheduler" in alone.stderr


def test_a_cluster_that_loses_a_worker_gives_the_same(
    environment, folder, undisturbed, cluster, tmp_path
):
    address, workers = cluster
    environment = {**environment, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [*COMMAND, "scan", str(folder), "--output", str(tmp_path / "out")]
    running = subprocess.Popen(
        [*command, "--scheduler", address], env=environment, stdout=subprocess.DEVNULL
    )
    while not (tmp_path / "out" / "scan.db").exists():
        time.sleep(0.05)
    time.sleep(0.5)
    assert running.poll() is None
    workers[0].kill()
    assert running.wait(120) == 1
    assert written(tmp_path / "out") == written(undisturbed[0])


def test_a_worker_that_dies_costs_its_task_alone():
    pool = LocalPool(1, 30.0, 0)
    try:
        dies, lives = pool.submit(os._exit, 3), pool.submit(len, "abc")
        with pytest.raises(Exception, match=r"(?i)expired|exit|terminated|abnormal"):
            dies.result(30)
        assert lives.result(30) == 3
        hangs = LocalPool(1, 0.5, 0)
        with pytest.raises(TimeoutError):
            hangs.submit(time.sleep, 60).result(30)
        hangs.stop()
    finally:
        pool.stop()


def test_a_worker_is_refused_more_memory_than_it_may_take():
    pool = LocalPool(1, 60.0, 300)
    try:
        with pytest.raises(MemoryError):
            pool.submit(np.ones, 200_000_000).result(60)
        assert pool.submit(len, "abc").result(60) == 3
    finally:
        pool.stop()


def plan(small, tmp_path, version=None, cache=None, **more):
    settings = {
        "places": (), "listed": (), "output": tmp_path, "library": small, "territory": "anywhere",
        "top": 3, "rates": Rates(), "include": (), "exclude": (), "pages": False, "groups": True,
        "workers": 1, "exhaustive": False, "scheduler": None, "spread": False, "seconds": 60.0,
        "megabytes": 0, "retries": 0, "retry_failed": False, "cache_bytes": 10**9, "threads": 1,
    }  # fmt: skip
    folder = tmp_path / "cache" if cache is None else Path(cache)
    version = Library(small).version if version is None else version
    return Plan(ScanSettings(**(settings | more)), version, "", folder)


def test_a_recording_is_listened_to_once_and_comes_out_the_same(small, tmp_path, monkeypatch):
    path = str(FIXTURES / "copies-paper-lanterns.mp3")
    digest = read(path).sha256
    first = check_track(plan(small, tmp_path), path, digest)
    monkeypatch.setattr(worker, "read", lambda *_, **__: pytest.fail("listened to again"))
    assert check_track(plan(small, tmp_path), path, digest) == first
    assert first.level == "likely"


def test_a_damaged_or_swept_cache_costs_time_alone(tmp_path):
    piece = replace(read(FIXTURES / "twinkle-piano.ogg"), remarks=("its sides cancel", "it is odd"))
    cache = Cache(tmp_path / "cache", 10**9)
    cache.put(piece)
    back = cache.get(piece.sha256, piece.source)
    assert back.remarks == piece.remarks
    assert (back.heard.strength == piece.heard.strength).all()
    assert (back.heard.onset == piece.heard.onset).all()
    assert back.heard.separated == piece.heard.separated
    assert [m.voice for m in back.melodies] == [m.voice for m in piece.melodies]
    assert all((a.pitch == b.pitch).all() for a, b in zip(back.melodies, piece.melodies, strict=True))
    (file,) = (tmp_path / "cache").glob("*/*.npz")
    file.write_bytes(file.read_bytes()[:1000])
    assert cache.get(piece.sha256, piece.source) is None
    cache.put(piece)
    Cache(tmp_path / "cache", 10).sweep()
    assert not list((tmp_path / "cache").glob("*/*.npz"))
    assert Cache(tmp_path / "cache", 0).get(piece.sha256, "") is None


def test_a_change_of_library_or_options_makes_a_new_fingerprint(small, tmp_path):
    one = fingerprint_of(plan(small, tmp_path), b"\1")
    assert one == fingerprint_of(plan(small, tmp_path, cache="elsewhere"), b"\1")
    others = [
        fingerprint_of(plan(small, tmp_path, version="2"), b"\1"),
        fingerprint_of(plan(small, tmp_path), b"\0"),
        fingerprint_of(plan(small, tmp_path, top=4), b"\1"),
        fingerprint_of(plan(small, tmp_path, rates=Rates(0.01, 0.05)), b"\1"),
        fingerprint_of(plan(small, tmp_path, territory="us"), b"\1"),
    ]
    assert len({one, *others}) == 6


def test_only_what_changed_is_hashed_and_done(tmp_path, monkeypatch):
    from melodysim.batch import task_loop as loop

    folder = tmp_path / "album"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.mid").write_bytes(name.encode() * 10)
    ledger = Ledger(tmp_path / "scan.db")
    hashed = []
    whole = loop.sha256_of
    monkeypatch.setattr(loop, "sha256_of", lambda path: hashed.append(path) or whole(path))
    tracks = identified(find_tracks([folder]), ledger, 1, lambda *_: None)
    for track in tracks:
        ledger.keep(track.key, "f", Done(track.path, {"source": track.path}, "clear"))
    assert len(hashed) == 3
    (folder / "b.mid").write_bytes(b"other content")
    again = identified(find_tracks([folder]), ledger, 1, lambda *_: None)
    assert hashed[3:] == [str(folder / "b.mid")]
    assert [t.path for t in left_to_do(again, ledger, "f", None, False)] == [str(folder / "b.mid")]
    assert len(left_to_do(again, ledger, "other", None, False)) == 3
    ledger.keep(tracks[0].key, "f", Done("x", {"error": "x"}, "error", failed=True))
    assert len(left_to_do(again, ledger, "f", None, True)) == 2
    ledger.close()


def test_a_moved_error_names_its_own_path():
    done = Done(
        "a/x.mid",
        {"source": "a/x.mid", "error": "a/x.mid: the file is empty"},
        "error",
        why="the file is empty",
    )
    assert moved(done, "b/y.mid").entry == {"source": "b/y.mid", "error": "b/y.mid: the file is empty"}


def test_melodies_are_packed_without_loss():
    tune = random_tune(np.random.default_rng(1), 30)
    back = unpacked_melody(packed_melody(tune))
    assert (back.onset == tune.onset).all()
    assert (back.pitch == tune.pitch).all()


def test_takes_of_one_melody_are_found_whatever_the_order():
    rng = np.random.default_rng(2)
    tunes = [random_tune(rng, 40) for _ in range(12)]
    base = tunes[3]
    for k, shift in ((7, 4), (10, -3)):
        pitch = base.pitch + shift
        pitch[5] += 1
        tunes[k] = Melody.from_notes(base.onset * 1.1, base.duration, pitch)
    assert takes(find_alike(tunes, 1e-4), 12) == [[3, 7, 10]]
    order = rng.permutation(12)
    shuffled = find_alike([tunes[k] for k in order], 1e-4)
    (group,) = takes(shuffled, 12)
    assert sorted(int(order[k]) for k in group) == [3, 7, 10]


def test_a_take_of_a_take_is_in_the_group():
    pairs = [Alike(a, b, 1e-9, 20, 0.9, (0, 1), (0, 1)) for a, b in ((0, 2), (2, 5), (1, 3))]
    pairs.append(Alike(4, 5, 1e-9, 20, 0.1, (0, 1), (0, 1)))
    assert takes(pairs, 6) == [[0, 2, 5], [1, 3]]


def test_a_ledger_that_is_none_is_said(tmp_path):
    (tmp_path / "scan.db").write_text("not a database at all, but long enough to be looked at " * 20)
    with pytest.raises(MelodysimError, match="choose another --output"):
        Ledger(tmp_path / "scan.db")


def test_progress_is_said_in_words():
    from melodysim.cli.commands.scan import _words

    progress = ScanProgress("checking", tracks=100, done=60, before=10)
    progress.began -= 100
    progress.counts.update({"clear": 48, "likely": 2})
    progress.running["a/slow one.mp3"] = time.monotonic() - 30
    # Ten recordings of 12 s each, and thirty files of notes of half a second, on two workers.
    progress.left.update({"recording": 10, "notes": 30})
    progress.spent.update({"recording": 24.0, "notes": 5.0})
    progress.timed.update({"recording": 2, "notes": 10})
    progress.workers = 2
    assert progress.seconds_left() == 10 * 12 / 2 + 30 * 0.5 / 2
    assert _words(progress) == [
        "1,800/h", "1 min left", "48 clear", "2 likely", "slow: slow one.mp3 (30 s)"
    ]  # fmt: skip


def test_large_families_are_groups_too():
    """A family is no measure of what chance does, however large it is."""
    rng = np.random.default_rng(9)
    families, tunes = 10, []
    for _ in range(families):
        base = random_tune(rng, 40)
        for _ in range(12):
            pitch = base.pitch + rng.integers(-5, 6)
            pitch[rng.random(40) < 0.08] += 1
            tunes.append(Melody.from_notes(base.onset, base.duration, pitch))
    groups = takes(find_alike(tunes, 1e-4), len(tunes))
    assert [len(group) for group in groups] == [12] * families
    assert all(k // 12 == group[0] // 12 for group in groups for k in group)


def family(seed=6):
    """Tunes of which a third are takes of the first."""
    rng = np.random.default_rng(seed)
    tunes = [random_tune(rng, 40) for _ in range(30)]
    for k in range(3, 30, 3):
        pitch = tunes[0].pitch + k % 7
        pitch[k] += 1
        tunes[k] = Melody.from_notes(tunes[0].onset, tunes[0].duration, pitch)
    return tunes


def test_workers_find_the_same_takes(tmp_path):
    tunes = family()
    place = tmp_path / "melodies"
    place.write_bytes(packed_melodies([packed_melody(tune) for tune in tunes]))
    done = []
    pool = LocalPool(2, 60, 0)
    try:
        found = find_alike(
            tunes,
            1e-4,
            progress=lambda *how_far: done.append(how_far),
            spread=lambda tasks: compared(pool, place, tasks, lambda: None),
        )
    finally:
        pool.stop()
    assert found == find_alike(tunes, 1e-4)
    assert takes(found, 30) == [[0, *range(3, 30, 3)]]
    assert done[-1][0] == done[-1][1] >= 10


class OutOfMemory:
    in_flight = 3
    asked = 0

    def submit(self, function, *args):
        self.asked += 1
        future = Future()
        future.set_exception(MemoryError())
        return future


class Closed:
    in_flight = 3
    asked = 0

    def submit(self, function, *args):
        self.asked += 1
        raise RuntimeError("the pool is closed")


@pytest.mark.parametrize("pool", [OutOfMemory(), Closed()])
def test_what_workers_fail_at_in_comparing_is_done_all_the_same(tmp_path, pool):
    rng = np.random.default_rng(3)
    tunes = [*family(), *[random_tune(rng, 40) for _ in range(60)]] * 2
    place = tmp_path / "melodies"
    place.write_bytes(packed_melodies([packed_melody(tune) for tune in tunes]))
    found = find_alike(tunes, 1e-4, spread=lambda tasks: compared(pool, place, tasks, lambda: None))
    assert found == find_alike(tunes, 1e-4)
    assert 0 < pool.asked <= pool.in_flight  # and is not asked again for what it cannot do


def test_copies_are_one_group_however_many():
    rng = np.random.default_rng(4)
    copy = random_tune(rng, 30)
    tunes = [copy if k % 5 == 0 else random_tune(rng, 30) for k in range(200)]
    assert list(range(0, 200, 5)) in takes(find_alike(tunes, 1e-4), 200)


def test_what_was_wrong_for_a_moment_is_not_kept(small, tmp_path):
    gone = check_track(plan(small, tmp_path), str(tmp_path / "gone.mid"), "ab" * 32)
    assert gone.level == "error"
    assert not gone.lasting
    replaced = check_track(plan(small, tmp_path), str(FIXTURES / "twinkle.mid"), "ab" * 32)
    assert not replaced.lasting  # not the content that was hashed
    assert check_track(plan(small, tmp_path), str(FIXTURES / "twinkle.mid"), "").lasting
    (tmp_path / "text.mid").write_text("no music")
    assert check_track(plan(small, tmp_path), str(tmp_path / "text.mid"), "").lasting


def test_a_kind_of_sound_that_needs_a_package_costs_its_track_alone(small, tmp_path, monkeypatch):
    """It is tried again, since the package may be there by then; what all sound needs stops a scan."""
    path = tmp_path / "song.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(64))
    monkeypatch.setattr("melodysim.readers.audio.decoding._has_av", lambda: False)
    found = check_track(plan(small, tmp_path), str(path), "")
    assert found.level == "error"
    assert "needs PyAV" in found.why
    assert not found.lasting
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(MissingDependencyError, match="soxr"):
        check_track(plan(small, tmp_path), str(path), "")


def test_a_library_that_changes_during_a_scan_stops_it(small, tmp_path):
    from melodysim.errors import LibraryError

    with pytest.raises(LibraryError, match="changed during the scan"):
        check_track(plan(small, tmp_path, version="another"), str(FIXTURES / "twinkle.mid"), "")


def test_copies_of_a_library_have_versions_of_their_own(tmp_path):
    with Store(tmp_path / "one.db", create=True) as store:
        import_paths(store, [FIXTURES / "twinkle.mid"], Rights("own"))
    shutil.copy(tmp_path / "one.db", tmp_path / "two.db")
    versions = set()
    for name, song in (("one", "paper-lanterns.mid"), ("two", "harbour-band.mid")):
        with Store(tmp_path / f"{name}.db", create=True) as store:
            import_paths(store, [FIXTURES / song], Rights("in-copyright"))
            versions.add(store.version())
    assert len(versions) == 2


def test_the_same_bytes_are_another_track_as_another_kind_of_file(environment, tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    (folder / "song.mid").write_text("X:1\nK:C\nCDEF GABc|cBAG FEDC|\n")
    scan(environment, folder, tmp_path / "out")
    assert "error" in lines(tmp_path / "out")[0]
    (folder / "song.mid").rename(folder / "song.abc")
    scan(environment, folder, tmp_path / "out")
    assert lines(tmp_path / "out")[0]["verdict"] == "clear"


def test_a_folder_that_is_closed_or_empty_is_not_passed_over(tmp_path, monkeypatch, environment):
    (tmp_path / "album").mkdir()

    def walk(top, onerror):
        onerror(PermissionError(13, "Permission denied", f"{top}/secret"))
        return iter([])

    monkeypatch.setattr(os, "walk", walk)
    (found,) = find_tracks([tmp_path / "album"])
    assert "cannot be looked into" in found.why
    monkeypatch.undo()
    done = scan(environment, tmp_path / "album", tmp_path / "out")
    assert done.returncode == 2
    assert "no track of a kind" in done.stderr


def test_a_place_by_two_names_is_one_place(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert len(find_tracks([Path(folder.name), folder])) == len(find_tracks([folder]))


def test_a_spreadsheet_takes_no_name_for_a_formula():
    from melodysim.batch.result_files import table

    text = table([Done("=HYPERLINK(1).mid", {"source": "x"}, "clear")], {})
    assert text.splitlines()[1].startswith("'=HYPERLINK")


def test_files_are_written_with_the_rights_that_the_user_wants(tmp_path):
    from melodysim.util.atomic_files import write_whole

    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


@pytest.fixture
def album(tmp_path):
    """Three tracks, of which one is somebody's."""
    folder = tmp_path / "small album"
    folder.mkdir()
    for name in ("paper-lanterns.mid", "twinkle.mid", "harbour-band.mid"):
        shutil.copy(FIXTURES / name, folder)
    return folder


def test_an_accepted_finding_is_checked_again_alone_and_alarms_no_more(
    environment, album, small, tmp_path
):
    library = tmp_path / "library.db"
    shutil.copy(small, library)
    asked = ("--library", library, "--html")
    output = tmp_path / "out"
    assert scan(environment, album, output, *asked).returncode == 1
    before = {Path(e["source"]).name: e for e in lines(output)}
    finding = before["paper-lanterns.mid"]["closest"]["finding"]
    pages = {path.name: path.stat().st_mtime_ns for path in (output / "tracks").glob("*.html")}
    command = [*COMMAND, "scan", "accept", finding, "--note", "licence 7", "-o", str(output)]
    command += ["--library", str(library)]
    settled = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert settled.returncode == 0, settled.stderr
    with WatchList(library) as watched:
        assert watched.accepted()[finding].about == "paper-lanterns.mid follows “Paper Lanterns”"
    done = scan(environment, album, output, *asked)
    assert done.returncode != 1
    after = {Path(e["source"]).name: e for e in lines(output)}
    assert after["paper-lanterns.mid"]["accepted"][0]["note"] == "licence 7"
    assert after["twinkle.mid"] == before["twinkle.mid"]
    changed = {n for n, t in pages.items() if (output / "tracks" / n).stat().st_mtime_ns != t}
    assert {name.split("-")[0] for name in changed} == {"paper"}
    assert "licence 7" in (output / "index.html").read_text()
    table = (output / "summary.csv").read_text()
    assert "licence 7" in table


def test_only_what_is_new_counts(environment, album, small, tmp_path):
    output, asked = tmp_path / "out", ("--library", small, "--only-new", "--html")
    (album / "damaged.mid").write_bytes(b"MThd")
    first = scan(environment, album, output, *asked)
    assert first.returncode == 1
    assert "not checked:" in first.stdout
    assert "new since the last run: 1 likely" in first.stdout
    again = scan(environment, album, output, *asked)
    assert again.returncode == 0
    assert "new since the last run: nothing" in again.stdout
    assert "paper-lanterns" not in again.stdout
    assert "not checked:" not in again.stdout
    shutil.copy(FIXTURES / "copies-paper-lanterns.mp3", album)
    third = scan(environment, album, output, *asked, "--format", "json")
    assert third.returncode == 1
    answer = json.loads(third.stdout)
    validator("scan").validate(answer)
    assert answer["new"]["likely"] == 1
    assert answer["verdicts"]["likely"] == 2
    assert (output / "index.html").read_text().count('data-n="1"') == 1
    assert scan(environment, album, output, "--library", small).returncode == 1


def test_whoever_asked_is_told_once_it_is_done(environment, album, small, tmp_path):
    told = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/hook"
    own = environment | {"NO_PROXY": "127.0.0.1"}
    done = scan(own, album, tmp_path / "out", "--library", small, "--notify", address)
    server.shutdown()
    assert done.returncode == 1
    (answer,) = told
    assert answer["status"] == 1
    assert answer["verdicts"]["likely"] == 1
    assert answer["flagged"][0]["closest"]["title"] == "Paper Lanterns"
    # Whoever cannot be told changes nothing but a line.
    again = scan(own, album, tmp_path / "out", "--library", small, "--notify", "http://127.0.0.1:9/")
    assert again.returncode == 1
    assert "could not be told" in again.stderr
    for odd in ("http://[bad", "http://127.0.0.1:9/a b"):
        again = scan(own, album, tmp_path / "out", "--library", small, "--notify", odd)
        assert (again.returncode, "could not be told" in again.stderr) == (1, True), again.stderr
    wrong = scan(own, album, tmp_path / "out", "--library", small, "--notify", "file:///etc/passwd")
    assert wrong.returncode == 2


def test_a_song_that_is_named_is_looked_for_in_a_scan(environment, album, small, tmp_path):
    library, output = tmp_path / "library.db", tmp_path / "out"
    shutil.copy(small, library)
    assert scan(environment, album, output, "--library", library).returncode == 1
    with WatchList(library, writable=True) as watched:
        watched.add(read(FIXTURES / "twinkle.mid"), "Feared")
    scan(environment, album, output, "--library", library)
    found = {Path(e["source"]).name: e for e in lines(output)}
    assert found["twinkle.mid"]["verdict"] in {"review", "likely"}
    assert found["twinkle.mid"]["closest"]["title"] == "Feared"
    rows = {r["source"]: r for r in csv.DictReader((output / "summary.csv").open())}
    row = next(r for source, r in rows.items() if source.endswith("twinkle.mid"))
    assert (row["closest"], row["id"], row["firm"]) == ("Feared", "suspect:Feared", "True")


def test_errors_may_be_ignored(environment, album, small, tmp_path):
    (album / "paper-lanterns.mid").unlink()
    (album / "broken.mid").write_bytes(b"nothing")
    asked = ("--library", small)
    assert scan(environment, album, tmp_path / "out", *asked).returncode == 2
    assert scan(environment, album, tmp_path / "out", *asked, "--errors", "ignore").returncode == 0


def test_results_come_though_the_first_track_is_slow(environment, album, small, tmp_path):
    shutil.copy(FIXTURES / "copies-nothing.flac", album / "a first.flac")
    output = tmp_path / "out"
    command = [*COMMAND, "scan", str(album), "-o", str(output), "--library", str(small), "--html"]
    running = subprocess.Popen([*command, "--workers", "2"], env=environment, stderr=subprocess.PIPE)
    seen, end = [], time.monotonic() + 120
    while running.poll() is None and time.monotonic() < end:
        if (output / "results.jsonl").exists():
            text = (output / "results.jsonl").read_text()
            seen = [json.loads(line)["source"] for line in text.splitlines() if line.endswith("}")]
            if any(source.endswith("twinkle.mid") for source in seen):  # which the page is to show
                break
        time.sleep(0.05)
    assert seen, "nothing came before all was done"
    assert not seen[0].endswith("a first.flac")
    # Stopped there, the index has what is done.
    running.send_signal(signal.SIGINT)
    running.wait(60)
    if running.returncode == 130:
        page = (output / "index.html").read_text()
        assert "so far: the scan was stopped" in page
        assert "twinkle.mid" in page
    scan(environment, album, output, "--library", small)
    assert [Path(e["source"]).name for e in lines(output)] == [
        "a first.flac", "harbour-band.mid", "paper-lanterns.mid", "twinkle.mid"
    ]  # fmt: skip


def test_a_scan_touches_nothing_that_is_not_its_own(environment, album, tmp_path):
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    (project / "tracks").mkdir()
    mine = [project / ".env", project / "tracks" / "mine.html", project / "tracks" / ".hidden"]
    for file in mine:
        file.write_text("mine")
    torn = project / f".results.jsonl.12345678{TORN}"
    torn.write_text("half")
    done = scan(environment, album, project, "--html")
    assert done.returncode == 1, done.stderr
    assert all(file.read_text() == "mine" for file in mine)
    assert (project / ".git").is_dir()
    assert not torn.exists()


def test_a_copy_is_checked_where_its_twin_has_gone(environment, small, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", environment["XDG_CACHE_HOME"])
    folder = tmp_path / "copies"
    folder.mkdir()
    for name in ("a", "b", "c", "d"):
        shutil.copy(FIXTURES / "paper-lanterns.mid", folder / f"{name}.mid")
    shutil.copy(FIXTURES / "twinkle.mid", folder / "e.mid")
    settings = plan(small, tmp_path).settings
    told = []
    for top in (2, 3):  # the first run makes the checksums known
        asked = replace(settings, places=(folder,), output=tmp_path / "out", top=top, workers=1)
        with closing(Scan(asked, lambda progress: told.append(sum(progress.counts.values())))) as run:
            found = run.found()
            if top == 3:
                (folder / "a.mid").unlink()
                (folder / "b.mid").unlink()
            outcome = run.run(found)
    lines = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").open()]
    levels = {Path(line["source"]).stem: line.get("verdict", "error") for line in lines}
    assert levels == {"a": "error", "b": "error", "c": "likely", "d": "likely", "e": "clear"}
    assert outcome.answer["tracks"] == 5
    assert max(told) == 5


def test_include_and_exclude_are_for_named_and_listed_files_too(environment, album, tmp_path):
    output = tmp_path / "out"
    song, other = album / "paper-lanterns.mid", album / "twinkle.mid"
    done = scan(environment, song, output, other, "--exclude", "paper*")
    assert [Path(line["source"]).name for line in lines(output)] == ["twinkle.mid"], done.stderr
    scan(environment, "-", output, "--include", "paper*", input=f"{song}\n{other}\n")
    assert [Path(line["source"]).name for line in lines(output)] == ["paper-lanterns.mid"]
    done = scan(environment, album, output, "--exclude", "*")
    assert "no track that --include and --exclude leave" in done.stderr


def test_results_that_cannot_be_written_are_said(environment, album, tmp_path):
    (tmp_path / "out" / "results.jsonl").mkdir(parents=True)
    done = scan(environment, album, tmp_path / "out")
    assert done.returncode == 2
    assert "results.jsonl: cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_page_that_cannot_be_written_stops_a_scan_and_costs_no_track(environment, album, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "tracks").touch()  # where the folder of the pages belongs
    done = scan(environment, album, output, "--html")
    assert done.returncode == 2 and "cannot be" in done.stderr, done.stderr
    (output / "tracks").unlink()
    scan(environment, album, output, "--html")
    again = tmp_path / "undisturbed"
    scan(environment, album, again, "--html")
    assert [line["verdict"] for line in lines(output)] == [line["verdict"] for line in lines(again)]
    assert not [line for line in lines(output) if line["verdict"] == "error"]
