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
from melodysim.readers.projects.daw_clips import ClipNote, unrolled
from melodysim.readers.tempo import sloping_tempi


def dawproject(arrangement, tracks="", tempo=90, metadata=None):
    out = io.BytesIO()
    xml = (
        f"<Project version='1.0'><Transport><Tempo value='{tempo}'/></Transport>"
        f"<Structure>{tracks}</Structure><Arrangement>{arrangement}</Arrangement></Project>"
    )
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("project.xml", xml)
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
        gzip.compress(b"<Ableton/>"),
        gzip.compress(b"<Ableton><LiveSet>"),
        gzip.compress(b"x" * 100)[:30],
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
