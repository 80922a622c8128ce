"""The actions for REAPER, from start to end, in a host that is made of REAPER's function list."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import FIXTURES, command_file, daemon_of, random_tune, small_library

import melodysim
from melodysim.judge.verdict import LIKELY_RATE, REVIEW_RATE
from melodysim.library import Library

HERE = Path(__file__).parent / "reaper"
SCRIPTS = FIXTURES.parent / "reaper"
LUA = next((found for name in ("lua5.4", "lua5.3", "lua") if (found := shutil.which(name))), None)

needs_lua = pytest.mark.skipif(LUA is None, reason="Lua is not installed")


def test_lua_is_there_where_everything_is_checked():
    if os.environ.get("MELODYSIM_BROWSER"):
        assert LUA


def test_the_actions_have_the_rates_of_check():
    found = re.search(
        r"M\.LIKELY, M\.REVIEW = ([0-9.]+), ([0-9.]+)", (SCRIPTS / "melodysim.lua").read_text()
    )
    assert (float(found[1]), float(found[2])) == (LIKELY_RATE, REVIEW_RATE)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return small_library(tmp_path_factory.mktemp("reaper") / "library.db")


@pytest.fixture
def act(library, tmp_path, monkeypatch):
    """Run an action in a project; gives what happened, a row a line."""
    command = command_file(tmp_path)

    def run(action, project, **more):
        text = {"folder": f'"{tmp_path}"', "command": f'"{more.get("command", command)}"', **project}
        (tmp_path / "project.lua").write_text(
            "return {" + ",".join(f"{key}={value}" for key, value in text.items()) + "}"
        )
        host = [HERE / "host.lua", HERE / "signatures.txt", tmp_path / "project.lua"]
        done = subprocess.run(
            [LUA, *host, SCRIPTS / action],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "melodysim-request.json").exists()
        return [line.split("\t") for line in done.stdout.splitlines()]

    with daemon_of(library, tmp_path, monkeypatch):
        yield run


def lua_notes(melody, pulses):
    return "{" + ",".join(f"{{{a},{b},{p}}}" for (a, b), p in zip(pulses, melody, strict=True)) + "}"


TEMPO = "{{0,120},{16,75}}"
"""Quarter note from which on, beats a minute."""


def seconds_at(quarter):
    return np.where(quarter <= 16, quarter * 0.5, 8 + (quarter - 16) * 0.8)


@needs_lua
@pytest.mark.parametrize(("start", "offset", "rate"), [(0, 0, 1), (6, 0, 1), (6, 4, 1), (5, 4, 1.5)])
def test_regions_lie_where_the_notes_sound(act, library, start, offset, rate):
    """An item with an offset, a take that plays faster, and a tempo that changes under it."""
    song = melodysim.read(FIXTURES / "paper-lanterns.mid").melodies[0]
    quarters = np.stack([song.onset, song.onset + song.duration], axis=1) * 2
    pulses = np.rint(quarters * 960).astype(int)
    project_quarters = start + (pulses / 960 - offset) / rate
    times = seconds_at(project_quarters)
    begin, end = float(seconds_at(np.float64(start))), float(times[30, 1])
    notes = lua_notes(song.pitch.astype(int) + 3, pulses.tolist())
    take = f'{{name="Lead",notes={notes},start={start},offset={offset},rate={rate}}}'
    items = f"{{{{position={begin},length={end - begin},take={take}}}}}"
    rows = act("melodysim_check_midi_item.lua", {"tempo": TEMPO, "items": items})

    sounds = (times[:, 0] >= begin - 1e-6) & (times[:, 0] < end - 1e-6)
    length = np.minimum(times[:, 1], end) - times[:, 0]
    expected = melodysim.check_notes(
        times[sounds, 0], length[sounds], song.pitch[sounds] + 3, library=library
    )
    regions = [row for row in rows if row[0] == "region"]
    first = expected.matches[0]
    assert expected.verdict.level == "likely"
    assert [float(x) for x in regions[0][1:3]] == pytest.approx(first.query.seconds, abs=2e-3)
    assert regions[0][3] == "likely: Paper Lanterns"
    assert int(regions[0][5]) == 200 | 60 << 8 | 50 << 16 | 0x1000000
    # The passage begins with the item's own first notes.
    assert float(regions[0][1]) == pytest.approx(times[sounds, 0][first.query.notes[0]], abs=2e-3)
    assert ["undo", "melodysim: check selected items", str(len(regions))] in rows
    assert any(row[0] == "table" and row[1].startswith("Lead: LIKELY") for row in rows)


@needs_lua
def test_muted_notes_and_drums_do_not_count(act):
    song = melodysim.read(FIXTURES / "paper-lanterns.mid").melodies[0]
    pulses = np.rint(np.stack([song.onset, song.onset + song.duration], axis=1) * 1920).astype(int)
    notes = ",".join(
        f"{{{a},{b},{int(p)},{'muted=true' if k % 2 else 'channel=9'}}}"
        for k, ((a, b), p) in enumerate(zip(pulses.tolist(), song.pitch, strict=True))
    )
    take = f'{{name="Kit",notes={{{notes}}},start=0,offset=0,rate=1}}'
    items = f"{{{{position=0,length=600,take={take}}}}}"
    rows = act("melodysim_check_midi_item.lua", {"tempo": "{{0,120}}", "items": items})
    assert [row[0] for row in rows] == ["message", "undo"]
    assert "notes" in rows[0][1]


@needs_lua
def test_audio_items(act, tmp_path):
    """The item shows seconds 2 to 14 of the source at 1.25 times its speed, 30 s into the project."""
    path = FIXTURES / "copies-paper-lanterns.mp3"
    source = f'{{parent={{file="{path}"}}}}'
    take = f'{{name="Take 1",source={source},offset=2,rate=1.25}}'
    items = f"{{{{position=30,length={12 / 1.25},take={take}}}}}"
    rows = act("melodysim_check_audio_item.lua", {"tempo": "{{0,120}}", "items": items})
    (region,) = [row for row in rows if row[0] == "region" and row[3].startswith("likely")]
    begin, end = melodysim.check(
        melodysim.read(path), Library(os.environ["MELODYSIM_LIBRARY"])
    ).matches[0].query.seconds  # fmt: skip
    assert float(region[1]) == pytest.approx(30 + (max(begin, 2) - 2) / 1.25, abs=0.01)
    assert float(region[2]) == pytest.approx(30 + (min(end, 14) - 2) / 1.25, abs=0.01)


@needs_lua
def test_items_are_added_to_the_library(act, library, tmp_path, monkeypatch):
    own = tmp_path / "own.db"
    shutil.copy(library, own)
    monkeypatch.setenv("MELODYSIM_LIBRARY", str(own))
    hook = random_tune(np.random.default_rng(1), 24)
    pulses = np.rint(np.stack([hook.onset, hook.onset + hook.duration], axis=1) * 1920).astype(int)
    notes = lua_notes(hook.pitch.astype(int), pulses.tolist())
    take = f'{{name="My \\"hook\\"",notes={notes},start=0,offset=0,rate=1}}'
    items = f"{{{{position=0,length=600,take={take}}}}}"
    rows = act("melodysim_add_items.lua", {"tempo": "{{0,120}}", "items": items})
    assert rows[0][1] == 'added as “My "hook"”, your own'
    added = Library(own).shelf.look_up(['My "hook"'])['My "hook"'].entry
    assert added.rights.status == "own"


@needs_lua
def test_nothing_selected_and_no_command(act):
    rows = act("melodysim_check_midi_item.lua", {"tempo": "{{0,120}}", "items": "{}"})
    assert rows == [["message", "Select a MIDI item first."]]
    take = '{name="x",notes={{0,960,60}},start=0,offset=0,rate=1}'
    items = f"{{{{position=0,length=9,take={take}}}}}"
    rows = act(
        "melodysim_check_midi_item.lua",
        {"tempo": "{{0,120}}", "items": items},
        command="/nowhere/melodysim",
    )
    assert "cannot be started" in rows[0][1]


class FakeReaper:
    """REAPER's functions as its Python has them, over one item of notes."""

    def __init__(self, notes):
        self.notes, self.regions, self.shown, self.open = notes, [], [], 0

    def functions(self):
        return {f"RPR_{name}": getattr(self, name) for name in dir(self) if name[0].isupper()}

    def CountSelectedMediaItems(self, project):
        return 1

    def GetSelectedMediaItem(self, project, k):
        return "item"

    def GetActiveTake(self, item):
        return "take"

    def TakeIsMIDI(self, take):
        return True

    def GetMediaItemInfo_Value(self, item, name):
        return {"D_POSITION": 10.0, "D_LENGTH": 100.0}[name]

    def MIDI_CountEvts(self, take, notes, controllers, texts):
        return True, take, len(self.notes), 0, 0

    def MIDI_GetNote(self, take, k, *_):
        return True, take, k, False, False, *self.notes[k][:2], 0, self.notes[k][2], 96

    def MIDI_GetProjTimeFromPPQPos(self, take, pulses):
        return 10 + pulses / 1920

    def ColorToNative(self, red, green, blue):
        return red | green << 8 | blue << 16

    def AddProjectMarker2(self, project, region, first, last, name, wanted, colour):
        assert self.open == 1
        self.regions.append((first, last, name, colour))

    def Undo_BeginBlock(self):
        self.open += 1

    def Undo_EndBlock(self, words, flags):
        self.open -= 1

    def ShowMessageBox(self, words, title, kind):
        self.shown.append(words)


@pytest.mark.parametrize("there", [True, False])
def test_the_python_action(library, tmp_path, monkeypatch, there):
    import runpy
    import types

    song = melodysim.read(FIXTURES / "paper-lanterns.mid").melodies[0]
    pulses = np.rint(np.stack([song.onset, song.onset + song.duration], axis=1) * 1920)
    host = FakeReaper([(a, b, int(p)) for (a, b), p in zip(pulses.tolist(), song.pitch, strict=True)])
    module = types.ModuleType("reaper_python")
    module.__dict__.update(host.functions())
    monkeypatch.setitem(sys.modules, "reaper_python", module)
    monkeypatch.setenv("MELODYSIM_LIBRARY", str(library if there else tmp_path / "none.db"))
    runpy.run_path(str(SCRIPTS / "melodysim_check_midi_item.py"))
    assert host.open == 0
    (shown,) = host.shown
    if there:
        first, last, name, colour = host.regions[0]
        assert (first, name) == (pytest.approx(10 + song.onset[0], abs=1e-3), "likely: Paper Lanterns")
        assert last == pytest.approx(10 + song.end, abs=0.01)
        assert colour == 200 | 60 << 8 | 50 << 16 | 0x1000000
        assert shown.startswith("LIKELY")
    else:
        assert "no library there" in shown


def test_the_package_index_names_every_file():
    named = {e.get("file") for e in ElementTree.parse(SCRIPTS / "index.xml").iter("source")}
    assert named == {path.name for path in SCRIPTS.glob("*.lua")}
