import os
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from melodysim.align.corpus import corpus_of, counts_of, lay_melodies
from melodysim.align.surprisal import rarity_of
from melodysim.daemon import client
from melodysim.library import Library
from melodysim.library.importers import import_builtin, import_paths
from melodysim.library.rights import Rights
from melodysim.library.store import Store
from melodysim.melody import Melody

# In CI the same examples every time: a change is judged by itself, not by luck.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"
COMMAND = [sys.executable, "-c", "from melodysim.cli import main; main()"]
"""The command line as it is in this tree, wherever it is installed."""


@pytest.fixture(scope="session")
def fixtures():
    return FIXTURES


@pytest.fixture(scope="session")
def library_path(tmp_path_factory):
    """The built-in tunes, and one song that is somebody's."""
    path = tmp_path_factory.mktemp("library") / "library.db"
    with Store(path, create=True) as store:
        import_builtin(store)
        import_paths(
            store, [FIXTURES / "paper-lanterns.mid"], Rights("in-copyright"), title="Paper Lanterns"
        )
    Library(path)
    return path


def small_library(path):
    """Some free tunes and one song that is somebody's: opens at once."""
    with Store(path, create=True) as store:
        import_paths(store, [FIXTURES / "tunes.abc"], Rights("public-domain"))
        import_paths(store, [FIXTURES / "paper-lanterns.mid"], Rights("in-copyright"), "Paper Lanterns")
    Library(path)
    return path


@pytest.fixture(scope="session")
def library(library_path):
    return Library(library_path)


@pytest.fixture
def run(tmp_path):
    """The real command, as a user runs it: (arguments) -> completed process."""

    def command(*args, **env):
        return subprocess.run(
            [*COMMAND, *map(str, args)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "MELODYSIM_LIBRARY": str(tmp_path / "none.db"), **env},
            timeout=300,
            check=False,
        )

    return command


def command_file(folder):
    """The command as a program in a folder, for hosts that start it by its path."""
    program = folder / "melodysim"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    return program


@contextmanager
def daemon_of(library, folder, monkeypatch):
    """A place of its own for the daemon of a library; whatever was started is stopped."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("MELODYSIM_LIBRARY", str(library))
    monkeypatch.setenv(client.COMMAND, shlex.join(COMMAND))
    yield
    if client.running():
        client.ask("stop")


def tune(pitches, lengths=None, start=0.0, voice=""):
    """A melody without rests."""
    lengths = np.ones(len(pitches)) if lengths is None else np.asarray(lengths, float)
    onset = start + np.concatenate([[0.0], np.cumsum(lengths)])[: len(lengths)]
    return Melody.from_notes(onset, lengths, pitches, voice=voice)


def random_tune(rng, notes, low=55, high=80):
    """A wandering melody with plain rhythms."""
    steps = rng.choice([-7, -5, -4, -3, -2, -2, -1, 0, 0, 1, 2, 2, 3, 4, 5, 7], notes)
    pitch = [65]
    for step in steps[1:]:
        nxt = pitch[-1] + int(step)
        pitch.append(nxt if low <= nxt <= high else pitch[-1] - int(step))
    return tune(pitch, rng.choice([0.5, 0.5, 1.0, 1.0, 1.5, 2.0], notes))


def _chromium():
    return next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; without one, tests are skipped unless MELODYSIM_BROWSER asks for it."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if _chromium() is None:
        if os.environ.get("MELODYSIM_BROWSER"):
            pytest.fail("MELODYSIM_BROWSER is set, but there is no Chromium")
        pytest.skip("no Chromium: install it to test what pages do")
    with sync_api.sync_playwright() as playwright:
        instance = playwright.chromium.launch(
            executable_path=_chromium(),
            args=[
                "--no-sandbox",
                "--autoplay-policy=no-user-gesture-required",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield instance
        instance.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def build_corpus(sequences):
    """Lay melodies end to end, under the model that they make among each other."""
    notes = lay_melodies(sequences)
    return corpus_of(notes, rarity_of(counts_of(notes)))
