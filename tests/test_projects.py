"""Projects of workstations, made here from the formats' public descriptions."""

import gzip
import io
import json
import zipfile

import numpy as np
import pytest
from conftest import FIXTURES, small_library
from hypothesis import given
from hypothesis import strategies as st

import melodysim
from melodysim.errors import ReadError
from melodysim.readers.projects.ardour_session import read_ardour_session
from melodysim.readers.projects.daw_clips import ClipNote, unrolled
from melodysim.readers.projects.dawproject import read_dawproject
from melodysim.readers.projects.reaper_project import read_reaper_project
from melodysim.readers.tempo import sloping_tempi


def dawproject(arrangement, tracks="", tempo=90, metadata=None):
    out = io.BytesIO()
    xml = (
        f"<Project version='1.0'><Transport><Tempo value='{tempo}'/></Transport>"
        f"<Structure>{tracks}</Structure><Arrangement>{arrangement}</Arrangement></Project>"
    )
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("project.xml"), xml)  # whatever the time is
        if metadata:
            archive.writestr("metadata.xml", metadata)
    return out.getvalue()


def clip(track, notes, attributes):
    rows = "".join(f'<Note time="{t}" duration="{d}" key="{k}"/>' for t, d, k in notes)
    inner = f"<Clips><Clip {attributes}><Notes>{rows}</Notes></Clip></Clips>"
    return f'<Lanes track="{track}">{inner}</Lanes>'


def live(tracks, tempo=90, envelope=""):
    xml = (
        f"<Ableton><LiveSet><Tracks>{tracks}</Tracks><MasterTrack><AutomationEnvelopes><Envelopes>"
        f"{envelope}</Envelopes></AutomationEnvelopes><DeviceChain><Mixer><Tempo>"
        f'<Manual Value="{tempo}"/><AutomationTarget Id="8"/></Tempo></Mixer></DeviceChain>'
        "</MasterTrack></LiveSet></Ableton>"
    )
    return gzip.compress(xml.encode())


def live_clip(notes, start, end, loop, relative=0, looped=False, disabled=False):
    def value(name, what):
        said = str(what).lower() if isinstance(what, bool) else what
        return f'<{name} Value="{said}"/>'

    keys = "".join(
        f'<KeyTrack><Notes><MidiNoteEvent Time="{t}" Duration="{d}" IsEnabled="true"/></Notes>'
        f"{value('MidiKey', k)}</KeyTrack>"
        for t, d, k in notes
    )
    parts = [value("LoopStart", loop[0]), value("LoopEnd", loop[1]), value("StartRelative", relative)]
    return (
        f"<MidiClip>{value('CurrentStart', start)}{value('CurrentEnd', end)}"
        f"<Loop>{''.join(parts)}{value('LoopOn', looped)}</Loop>{value('Name', 'Idea')}"
        f"{value('Disabled', disabled)}<Notes><KeyTracks>{keys}</KeyTracks></Notes></MidiClip>"
    )


def live_track(name, arranged="", session=""):
    return (
        f'<MidiTrack><Name><EffectiveName Value="{name}"/></Name><DeviceChain><MainSequencer>'
        f"<ClipTimeable><ArrangerAutomation><Events>{arranged}</Events></ArrangerAutomation>"
        f"</ClipTimeable><ClipSlotList><ClipSlot><ClipSlot><Value>{session}</Value></ClipSlot></ClipSlot>"
        "</ClipSlotList></MainSequencer></DeviceChain></MidiTrack>"
    )


def song():
    """Paper Lanterns in quarter notes."""
    tune = melodysim.read(FIXTURES / "paper-lanterns.mid").melodies[0]
    rows = zip(tune.beat, np.diff(tune.beat, append=tune.beat[-1] + 1), tune.pitch, strict=True)
    return [(float(b), float(d), int(p)) for b, d, p in rows]


BASS = [(k, 1.0, 36 + k % 5) for k in range(32)]
STEPS = [(float(k), 1.0, 60 + k) for k in range(9)]
TRACKS = '<Track id="a" name="Lead"/><Track id="b" name="Bass"/>'


@pytest.fixture
def both(tmp_path):
    """The same project in both formats: the song from bar 9 on, after a bass, at 90 to the minute."""
    one, two = tmp_path / "project.dawproject", tmp_path / "project.als"
    clips = clip("a", song(), 'time="32" duration="80"') + clip("b", BASS, 'time="0" duration="32"')
    about = "<MetaData><Title>Demo</Title><Artist>Me</Artist></MetaData>"
    one.write_bytes(dawproject(f'<Lanes timeUnit="beats">{clips}</Lanes>', TRACKS, metadata=about))
    lead = live_track("Lead", live_clip(song(), 32, 112, (0, 80)))
    two.write_bytes(live(lead + live_track("Bass", live_clip(BASS, 0, 32, (0, 32)))))
    return one, two


def test_both_formats_say_the_same(both):
    pieces = [melodysim.read(path) for path in both]
    for piece in pieces:
        assert {m.voice for m in piece.melodies} == {"Lead", "Bass"}
        melody = next(m for m in piece.melodies if m.voice == "Lead")
        assert melody.beat.tolist() == [t + 32 for t, _, _ in song()]
        assert melody.onset == pytest.approx(melody.beat * 60 / 90)
    assert (pieces[0].title, pieces[0].creator) == ("Demo", "Me")


def test_a_check_names_the_track_and_the_bars(both, run, tmp_path):
    library = small_library(tmp_path / "library.db")
    for path in both:
        done = run("check", path, "--library", library, "--format", "json")
        assert done.returncode == 1, done.stderr
        track = json.loads(done.stdout)["tracks"][0]
        first = track["matches"][0]
        last = int(first["query"]["beats"][1] // 4) + 1
        assert f"It lies in track “Lead”, bars 9 to {last}." in track["reasons"][0]
        assert first["reference"]["title"] == "Paper Lanterns"
        assert first["query"]["seconds"][0] == pytest.approx(32 * 60 / 90, abs=0.01)


def test_every_track_is_imported(both, run, tmp_path):
    library = ("--library", tmp_path / "l.db")
    done = run("library", "import", "--from-daw", both[1], "--rights", "own", *library)
    assert done.returncode == 0, done.stderr
    listed = json.loads(run("library", "list", *library, "--format", "json").stdout)
    assert [e["id"] for e in listed["entries"]] == ["project.als#Bass", "project.als#Lead"]
    assert run("library", "import", *library).returncode == 2


def test_loops_offsets_and_clips_that_are_off(tmp_path):
    notes = [(0, 1, 60), (1, 1, 62), (2, 3, 64), (4, 1, 65)]
    one, two = tmp_path / "set.als", tmp_path / "project.dawproject"
    options = {"loop": (1, 4), "relative": 1, "looped": True}
    clips = live_clip(notes, 8, 16, **options) + live_clip(notes, 20, 24, **options, disabled=True)
    one.write_bytes(live(live_track("Lead", clips)))
    where = 'time="8" duration="8" playStart="2" loopStart="1" loopEnd="4"'
    two.write_bytes(dawproject(f'<Lanes timeUnit="beats">{clip("a", notes, where)}</Lanes>', TRACKS))
    for path in (one, two):
        melody = melodysim.read(path).melodies[0]
        # From 2 in the clip to its loop's end at 4, then 1 to 4 again and again, until the clip ends.
        assert melody.beat.tolist() == [8, 10, 11, 13, 14]
        assert melody.pitch.tolist() == [64, 62, 64, 62, 64]
        assert (melody.duration * 90 / 60).tolist() == pytest.approx([2, 1, 2, 1, 2])


def test_session_clips_are_parts_of_their_own(tmp_path):
    path = tmp_path / "set.als"
    path.write_bytes(live(live_track("Lead", session=live_clip(song(), 0, 80, (0, 80), looped=True))))
    (melody,) = melodysim.read(path).melodies
    assert (melody.voice, len(melody)) == ("Lead: Idea", len(song()))


def test_tempo_changes_and_tracks_of_the_same_name(tmp_path):
    one, two = tmp_path / "project.dawproject", tmp_path / "set.als"
    points = '<RealPoint time="0" value="60"/><RealPoint time="4" value="120"/>'
    lanes = clip("a", STEPS, 'time="0" duration="9"') + clip("c", STEPS, 'time="0" duration="9"')
    arrangement = f'<Lanes timeUnit="beats">{lanes}</Lanes><TempoAutomation>{points}</TempoAutomation>'
    one.write_bytes(dawproject(arrangement, TRACKS + '<Track id="c" name="Lead"/>', tempo=60))
    events = "".join(
        f'<FloatEvent Time="{t}" Value="{v}"/>' for t, v in ((-63072000, 60), (4, 60), (4, 120))
    )
    envelope = (
        '<AutomationEnvelope><EnvelopeTarget><PointeeId Value="8"/></EnvelopeTarget><Automation>'
        f"<Events>{events}</Events></Automation></AutomationEnvelope>"
    )
    track = live_track("Lead", live_clip(STEPS, 0, 9, (0, 9)))
    two.write_bytes(live(track + track, envelope=envelope))
    for path in (one, two):
        melodies = melodysim.read(path).melodies
        assert melodies[0].onset == pytest.approx([0, 1, 2, 3, 4, 4.5, 5, 5.5, 6])
        assert sorted(m.voice for m in melodies) == ["Lead", "Lead (2)"]


@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(20, 300)), min_size=1, max_size=5),
    st.lists(st.floats(0, 60), min_size=1, max_size=5),
)
def test_time_is_the_integral_of_tempo(points, places):
    points.sort()
    beats, tempi = np.array(points, float).T
    tempo = sloping_tempi(beats, tempi)
    grid = np.linspace(0, 60, 60_001)
    at = np.interp(grid, beats, tempi)
    slow = np.concatenate([[0], np.cumsum(60 / ((at[1:] + at[:-1]) / 2) * np.diff(grid))])
    assert tempo.seconds(np.array(places)) == pytest.approx(np.interp(places, grid, slow), abs=0.02)
    there = tempo.seconds(np.array(places))
    assert tempo.places(there) == pytest.approx(places, abs=1e-6)


@given(st.integers(0, 8), st.integers(1, 40), st.integers(0, 6), st.integers(0, 4), st.integers(1, 6))
def test_loops_play_what_a_player_would(start, length, play_from, first, loop_length):
    notes = [ClipNote(k, 0.5, 60 + k) for k in range(12)]
    last = first + loop_length
    # A player that goes on by quarter notes, and jumps back where the loop ends.
    place, expected = play_from, []
    if place >= last:
        place = first
    for k in range(length):
        expected += [(start + k, 60 + place)] if place < 12 else []
        place = first if place + 1 == last else place + 1
    found = unrolled(notes, start, length, play_from, (first, last))
    assert [(note.onset, note.pitch) for note in found] == expected


@pytest.mark.parametrize("suffix", [".als", ".dawproject"])
@pytest.mark.parametrize(
    "content",
    [
        b"not a project",
        gzip.compress(b"<Ableton/>", mtime=0),
        gzip.compress(b"<Ableton><LiveSet>", mtime=0),
        gzip.compress(b"x" * 100, mtime=0)[:30],
        dawproject("")[:50],
        dawproject("<Lanes>" + clip("a", STEPS, 'time="x"') + "</Lanes>"),
        dawproject(
            "<Lanes><Lanes track='a'><Notes><Note time='nan' key='60'/></Notes></Lanes></Lanes>"
        ),
        b"",
    ],
)
def test_damaged_projects_say_so(tmp_path, suffix, content):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(ReadError, match="bad"):
        melodysim.read(path)


def rpp(items, head="TEMPO 120 4 4"):
    return f'<REAPER_PROJECT 0.1 "7.0" 1\n  {head}\n  <TRACK {{1}}\n    NAME "Lead"\n{items}\n  >\n>\n'.encode()


def rpp_item(lines, source="", pitches=(60, 62, 64, 65)):
    events = "\n".join(f"        E 0 90 {p:02x} 60\n        E 480 80 {p:02x} 00" for p in pitches)
    return (
        f"    <ITEM\n{lines}\n      <SOURCE MIDI\n        HASDATA 1 480 QN\n{events}\n        E 0 b0 7b 00\n"
        f"{source}\n      >\n    >"
    )


def rpp_notes(tmp_path, items, head="TEMPO 120 4 4"):
    found = read_reaper_project(tmp_path / "song.rpp", rpp(items, head)).parts[0]
    return [(round(float(t), 3), int(p)) for t, p in zip(found.onset, found.pitch, strict=True)]


def test_items_of_reaper_lie_where_they_play(tmp_path):
    plain = rpp_notes(tmp_path, rpp_item("      POSITION 1\n      LENGTH 2"))
    assert plain == [(1.0, 60), (1.5, 62), (2.0, 64), (2.5, 65)]
    cut = rpp_notes(tmp_path, rpp_item("      POSITION 1\n      LENGTH 1\n      SOFFS 0.5"))
    assert cut == [(1.0, 62), (1.5, 64)]
    looped = rpp_notes(tmp_path, rpp_item("      POSITION 0\n      LENGTH 3\n      LOOP 1"))
    assert looped == [(0.0, 60), (0.5, 62), (1.0, 64), (1.5, 65), (2.0, 60), (2.5, 62)]
    faster = rpp_notes(tmp_path, rpp_item("      POSITION 0\n      LENGTH 1\n      PLAYRATE 2 1 3"))
    assert faster == [(0.0, 63), (0.25, 65), (0.5, 67), (0.75, 68)]
    own = rpp_notes(tmp_path, rpp_item("      POSITION 0\n      LENGTH 4", "        IGNTEMPO 1 60 4 4"))
    assert own == [(0.0, 60), (1.0, 62), (2.0, 64), (3.0, 65)]


def test_the_tempo_envelope_of_reaper_is_in_seconds(tmp_path):
    square = "TEMPO 120 4 4\n  <TEMPOENVEX\n    PT 0 120 1\n    PT 1 60 1\n  >"
    assert rpp_notes(tmp_path, rpp_item("      POSITION 0\n      LENGTH 9"), square) == [
        (0.0, 60), (0.5, 62), (1.0, 64), (2.0, 65),
    ]  # fmt: skip
    # From 60 to 180 in two seconds: t + t^2/2 quarter notes after t seconds.
    slope = "TEMPO 60 4 4\n  <TEMPOENVEX\n    PT 0 60 0\n    PT 2 180 1\n  >"
    found = rpp_notes(tmp_path, rpp_item("      POSITION 0\n      LENGTH 9"), slope)
    assert [t for t, _ in found] == pytest.approx([0, 3**0.5 - 1, 5**0.5 - 1, 7**0.5 - 1], abs=0.01)


def test_the_selected_take_of_reaper_plays_and_a_missing_file_is_named(tmp_path):
    takes = rpp_item("      POSITION 0\n      LENGTH 2").replace(
        "      >\n    >",
        "      >\n      TAKE SEL\n      <SOURCE MIDI\n        HASDATA 1 480 QN\n        E 0 90 48 60\n"
        '        E 480 80 48 00\n      >\n      TAKE\n      <SOURCE MIDI\n        FILE "C:\\\\no.mid"\n      >\n    >',
    )
    assert rpp_notes(tmp_path, takes) == [(0.0, 72)]
    beside = '    <ITEM\n      POSITION 0\n      LENGTH 2\n      <SOURCE MIDI\n        FILE "gone.mid"\n      >\n    >'
    score = read_reaper_project(tmp_path / "song.rpp", rpp(beside))
    assert any("gone.mid" in remark for remark in score.remarks)


def test_tempo_automation_goes_on_as_its_first_point_says():
    def onsets(first, second):
        points = f"<RealPoint time='0' value='60' interpolation='{first}'/>"
        points += f"<RealPoint time='4' value='120' interpolation='{second}'/>"
        lanes = clip("a", [(k, 1, 60 + k) for k in range(6)], 'time="0" duration="9"')
        content = dawproject(
            f"<TempoAutomation>{points}</TempoAutomation><Lanes>{lanes}</Lanes>", "", 60
        )
        return read_dawproject("x", content).parts[0].onset.tolist()

    assert onsets("hold", "linear")[:5] == pytest.approx([0, 1, 2, 3, 4])
    sloping = onsets("linear", "hold")
    assert sloping[1] == pytest.approx(4 * np.log(75 / 60), abs=1e-6)  # 60 to 120 in four quarter notes
    assert sloping[5] - sloping[4] == pytest.approx(0.5)


def test_an_ardour_session_of_version_5_counts_in_samples(tmp_path):
    place = tmp_path / "interchange" / "S" / "midifiles"
    place.mkdir(parents=True)
    (place / "a.mid").write_bytes((FIXTURES / "twinkle.mid").read_bytes())
    session = (
        '<Session sample-rate="48000"><Sources><Source name="a.mid" type="midi" id="9"/></Sources><Playlists>'
        '<Playlist id="7" name="Lead" type="midi"><Region position="96000" length="48000" start="24000" source-0="9"/>'
        "</Playlist></Playlists></Session>"
    )
    found = read_ardour_session(tmp_path / "s.ardour", session.encode()).parts[0]
    whole = melodysim.read(FIXTURES / "twinkle.mid").melodies[0]
    # At 120 a minute the region begins at 4, plays two quarter notes, from the second on.
    assert found.beat.tolist() == [4.0, 5.0]
    assert found.pitch.tolist() == whole.pitch[1:3].tolist()
