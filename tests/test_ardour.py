"""The action for Ardour, run by Ardour's own Lua host, without a display, on a session of its own."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import mido
import pytest
from conftest import FIXTURES, command_file, daemon_of, small_library

import melodysim
from melodysim.daemon import client
from melodysim.judge.verdict import LIKELY_RATE, REVIEW_RATE

HERE = Path(__file__).parent / "ardour"
SCRIPT = FIXTURES.parent / "ardour" / "melodysim_check_midi.lua"
HOST = next((found for version in (9, 8, 7) if (found := shutil.which(f"ardour{version}-lua"))), None)
TICKS, RATE = 1920, 48000

needs_ardour = pytest.mark.skipif(HOST is None, reason="Ardour is not installed")


def test_ardour_is_there_where_everything_is_checked():
    if os.environ.get("MELODYSIM_BROWSER"):
        assert HOST


def test_the_action_has_the_rates_of_check():
    found = re.search(r"LIKELY, REVIEW = ([0-9.]+), ([0-9.]+)", SCRIPT.read_text())
    assert (float(found[1]), float(found[2])) == (LIKELY_RATE, REVIEW_RATE)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return small_library(tmp_path_factory.mktemp("ardour") / "library.db")


@pytest.fixture
def environment(library, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with daemon_of(library, tmp_path, monkeypatch):
        yield


def host(*arguments):
    done = subprocess.run(
        [HOST, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )
    said = done.stdout + done.stderr
    assert "Error:" not in said and "FATAL" not in said, said
    return done.stdout


def session(folder, notes, place, start=0, length=99999, channel=0):
    """A session of Ardour's with one region: its place and its start in its source, in ticks.

    The host cannot import, so the region is written into the session as Ardour writes it.
    """
    host(HERE / "make_session.lua", folder)
    track = mido.MidiTrack()
    events = [(on, "note_on", p) for on, _, p in notes] + [(off, "note_off", p) for _, off, p in notes]
    now = 0
    for at, kind, pitch in sorted(events, key=lambda event: (event[0], event[1] == "note_on")):
        track.append(mido.Message(kind, note=pitch, velocity=90, time=round(at - now), channel=channel))
        now = at
    file = mido.MidiFile(ticks_per_beat=TICKS)
    file.tracks.append(track)
    sources = folder / "interchange" / folder.name / "midifiles"
    sources.mkdir(parents=True, exist_ok=True)
    file.save(sources / "lead.mid")
    path = folder / "song.ardour"
    text = path.read_text()
    region = (
        'muted="0" opaque="1" locked="0" video-locked="0" automatic="0" whole-file="{whole}" import="0" '
        'external="0" sync-marked="0" left-of-split="0" right-of-split="0" hidden="0" position-locked="0" '
        'valid-transients="0" start="b{start}" length="b{length}@b{place}" sync-position="b0" '
        'ancestral-start="b0" ancestral-length="b0@b0" stretch="1" shift="1" layering-index="0" tags="" '
        'contents="0" id="{id}" type="midi" first-edit="nothing" source-0="900" master-source-0="900"/>'
    )
    whole = '<Region name="lead" ' + region.format(whole=1, start=0, length=99999, place=0, id=899)
    part = '<Region name="hook" ' + region.format(
        whole=0, start=start, length=length, place=place, id=901
    )
    source = (
        '<Source name="lead.mid" take-id="" type="midi" flags="Writable,CanRename" id="900" origin=""/>'
    )
    text = re.sub(r"<Sources ?/>", f"<Sources>{source}</Sources>", text)
    text = re.sub(r"<Regions ?/>", f"<Regions>{whole}</Regions>", text)
    text = re.sub(r'(<Playlist [^>]*type="midi"[^>]*)/>', rf"\1>{part}</Playlist>", text)
    path.write_text(text)
    return folder


def markers(folder):
    """Range markers of ours: name, and seconds."""
    whole = ElementTree.parse(folder / "song.ardour")
    per_second = 282_240_000  # superclocks, in which audio time is kept
    found = []
    for each in whole.iter("Location"):
        if each.get("name").startswith("melodysim"):
            seconds = [int(each.get(side).removeprefix("a")) / per_second for side in ("start", "end")]
            found.append((each.get("name"), *seconds))
    return found


def protected(factor=1.0):
    """The song that is somebody's, in ticks at Ardour's 120 a minute."""
    melody = melodysim.read(FIXTURES / "paper-lanterns.mid").melodies[0]
    per_second = 2 * TICKS * factor
    return [
        (on * per_second, (on + length * 0.95) * per_second, int(pitch))
        for on, length, pitch in zip(melody.onset, melody.duration, melody.pitch, strict=True)
    ], melody


@needs_ardour
def test_a_copy_is_marked_where_it_sounds_once(tmp_path, environment):
    notes, melody = protected()
    first_heard = 4  # the region begins in the middle of its source, at its fifth note
    start = round(notes[first_heard][0])
    place = 4 * TICKS
    folder = session(tmp_path / "song", notes, place, start, 200_000)
    said = host(HERE / "act.lua", folder, SCRIPT, 2)
    assert said.count("hook: LIKELY") == 2
    assert "Paper Lanterns" in said
    (name, begin, end) = markers(folder)[0]
    assert len(markers(folder)) == 1  # the second check took away the marker of the first
    assert name == "melodysim likely: Paper Lanterns"
    offset = 2.0 - start / (2 * TICKS)
    assert begin == pytest.approx(melody.onset[first_heard] + offset, abs=0.01)
    assert end == pytest.approx(melody.end + offset, abs=0.2)


@needs_ardour
def test_a_session_that_copies_nothing_gets_no_markers(tmp_path, environment):
    notes = [(480 * k, 480 * k + 400, 60 + (7 * k * k + 3 * k) % 13) for k in range(40)]
    folder = session(tmp_path / "song", notes, 0)
    said = host(HERE / "act.lua", folder, SCRIPT, 1)
    assert "hook: CLEAR" in said
    assert not markers(folder)
    drums = session(tmp_path / "drums", notes, 0, channel=9)
    assert "No notes to check." in host(HERE / "act.lua", drums, SCRIPT, 1)


@needs_ardour
def test_what_goes_wrong_is_said(tmp_path, environment, monkeypatch):
    folder = session(tmp_path / "song", protected()[0], 0)
    monkeypatch.setenv("MELODYSIM_LIBRARY", str(tmp_path / "nothing.db"))
    assert "no library there" in host(HERE / "act.lua", folder, SCRIPT, 1)
    host(HERE / "make_session.lua", tmp_path / "empty")
    assert "has no MIDI regions" in host(HERE / "act.lua", tmp_path / "empty", SCRIPT, 1)


@needs_ardour
def test_a_region_of_a_few_notes_is_named(tmp_path, environment):
    """It says why it was not checked, and is in the way of no other."""
    folder = session(tmp_path / "song", protected()[0][:3], 0)
    assert "hook: only 3 notes, too few" in host(HERE / "act.lua", folder, SCRIPT, 1)


@needs_ardour
@pytest.mark.parametrize("name", ["plain", 'it\'s $HOME `id` of "me"'])
def test_the_command_may_lie_in_any_folder(name, tmp_path, environment, monkeypatch):
    folder = session(tmp_path / "song", protected()[0], 0)
    (tmp_path / name).mkdir()
    settings = tmp_path / "config" / f"ardour{re.search(r'[0-9]+', HOST)[0]}" / "melodysim-command.txt"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f"{command_file(tmp_path / name)}\n")
    monkeypatch.delenv(client.COMMAND)
    assert "hook: LIKELY" in host(HERE / "act.lua", folder, SCRIPT, 1)


@needs_ardour
def test_where_there_is_no_answer_the_marks_of_the_last_check_stay(tmp_path, environment, monkeypatch):
    folder = session(tmp_path / "song", protected()[0], 0)
    host(HERE / "act.lua", folder, SCRIPT, 1)
    assert len(markers(folder)) == 1
    monkeypatch.setenv("MELODYSIM_LIBRARY", str(tmp_path / "nothing.db"))
    host(HERE / "act.lua", folder, SCRIPT, 1)
    assert len(markers(folder)) == 1
