"""A protected song, rewritten in every way that files are written: the verdict is the same."""

import difflib
import gzip
import io
import random
import struct
import zipfile

import mido
import numpy as np
import pytest
import soundfile
from conftest import FIXTURES, random_tune

from melodysim.checking import check
from melodysim.readers.audio import audio_blocks
from melodysim.readers.read import read

TICKS = 480


@pytest.fixture(scope="module")
def song():
    """The song as (onset, duration, pitch), in quarter notes."""
    melody = read(FIXTURES / "paper-lanterns.mid").melodies[0]
    length = np.diff(melody.beat, append=melody.beat[-1] + 1.0)
    return [
        (float(b), float(d), int(p)) for b, d, p in zip(melody.beat, length, melody.pitch, strict=True)
    ]


# MIDI


def events_of(notes, channel=lambda k: 0, length=0.95):
    """Note-ons and note-offs as (tick, order, message); channel gives the channel of note k."""
    found = []
    for k, (onset, duration, pitch) in enumerate(notes):
        on = mido.Message("note_on", channel=channel(k), note=pitch, velocity=90)
        off = mido.Message("note_off", channel=channel(k), note=pitch, velocity=64)
        found += [(round(onset * TICKS), 1, on), (round((onset + duration * length) * TICKS), 0, off)]
    return found


def track(events, name=None, setup=()):
    out = mido.MidiTrack([mido.MetaMessage("track_name", name=name)] if name else [])
    out.extend(setup)
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        out.append(message.copy(time=tick - now))
        now = tick
    return out


def midi(*tracks, kind=1):
    out = io.BytesIO()
    mido.MidiFile(type=kind, ticks_per_beat=TICKS, tracks=list(tracks)).save(file=out)
    return out.getvalue()


def chords(beats):
    """An accompaniment: a triad every two beats."""
    return [
        (2.0 * k, 2.0, root + step)
        for k in range(int(beats // 2))
        for root in [(48, 53, 55)[k % 3]]
        for step in (0, 4, 7)
    ]


def piano(song):
    return track(events_of(chords(song[-1][0]), lambda _: 2), "Piano")


def offs_without(events, missing):
    """Leave out the note-offs of some notes, counted from 0."""
    kept, count = [], -1
    for event in events:
        count += event[2].type == "note_on"
        if not (event[2].type == "note_off" and missing(count)):
            kept.append(event)
    return kept


def zone(members=15):
    """Set up a lower zone of MPE."""
    return [
        mido.Message("control_change", channel=0, control=control, value=value)
        for control, value in ((101, 0), (100, 6), (6, members))
    ]


def bent(song):
    """One long note after another, each bent to several notes of the song."""
    events = []
    for k in range(0, len(song), 8):
        part = song[k : k + 8]
        base = part[0][2]
        events.append((round(part[0][0] * TICKS), 1, mido.Message("note_on", note=base, velocity=90)))
        for onset, _, pitch in part:
            wheel = max(-8192, min(8191, round((pitch - base) / 24 * 8192)))
            events.append((round(onset * TICKS), 2, mido.Message("pitchwheel", pitch=wheel)))
        end = part[-1][0] + part[-1][1]
        events.append((round(end * TICKS) - 1, 0, mido.Message("note_off", note=base)))
    sensitivity = [
        mido.Message("control_change", control=control, value=value)
        for control, value in ((101, 0), (100, 0), (6, 24))
    ]
    return midi(track(events, setup=sensitivity), kind=0)


def switched(song, every, held=False):
    """Add key switches far below the line: in gaps, or held."""
    extra = []
    for k, (onset, _, _) in enumerate(song):
        if k % every == 0:
            extra.append(
                (max(onset - 0.06, 0.0) if not held else onset, 3.0 if held else 0.05, 24 + k % 4)
            )
    return midi(piano(song), track(events_of(song) + events_of(extra), "Violin"))


def smpte(song):
    """Count in milliseconds instead of ticks of a beat."""
    content = bytearray(
        midi(track([(round(t * 1000 / 960), o, m) for t, o, m in events_of(song)]), kind=0)
    )
    content[12:14] = bytes([256 - 25, 40])
    return bytes(content)


def with_header(content, tracks=None, extra=b""):
    header = bytearray(content[8:14])
    if tracks is not None:
        header[2:4] = struct.pack(">H", tracks)
    return b"MThd" + struct.pack(">I", 6 + len(extra)) + bytes(header) + extra + content[14:]


def rmid(content):
    data = b"data" + struct.pack("<I", len(content)) + content
    info = b"LIST" + struct.pack("<I", 4) + b"INFO"
    return b"RIFF" + struct.pack("<I", 4 + len(info) + len(data)) + b"RMID" + info + data


def renamed(content, name, replacement):
    """Put bytes that are no ASCII in the place of a name."""
    old = b"\xff\x03" + bytes([len(name)]) + name
    new = b"\xff\x03" + bytes([len(replacement)]) + replacement
    at = content.index(old)
    start = content.rindex(b"MTrk", 0, at)
    size = struct.unpack(">I", content[start + 4 : start + 8])[0] + len(new) - len(old)
    return (
        content[:start]
        + b"MTrk"
        + struct.pack(">I", size)
        + content[start + 8 : at]
        + new
        + content[at + len(old) :]
    )


def band(song, parts=20):
    """The song as the last of many parts that all look like tunes."""
    rng = np.random.default_rng(8)
    tracks = []
    for k in range(parts):
        other = random_tune(rng, 60)
        notes = zip(other.onset.tolist(), other.duration.tolist(), map(int, other.pitch), strict=True)
        tracks.append(track(events_of(list(notes), lambda _, k=k: k % 9), f"part {k}"))
    return midi(*tracks, track(events_of(song), "Lead"))


MIDI_WAYS = {
    "plain": lambda song: midi(track(events_of(song)), kind=0),
    "two channels by turns": lambda song: midi(
        piano(song), track(events_of(song, lambda k: k % 2), "Lead")
    ),
    "two channels of format 0": lambda song: midi(track(events_of(song, lambda k: k % 2)), kind=0),
    "a guitar's strings": lambda song: midi(
        piano(song), track(events_of(song, lambda k: 3 + song[k][2] % 6))
    ),
    "MPE": lambda song: midi(piano(song), track(events_of(song, lambda k: 1 + k % 15), "Lead", zone())),
    "MPE without a name": lambda song: midi(
        piano(song), track(events_of(song, lambda k: 1 + k % 15), None, zone())
    ),
    "MPE of format 0": lambda song: midi(
        track(events_of(song, lambda k: 1 + k % 15), None, zone()), kind=0
    ),
    "other sounds on the way": lambda song: midi(
        piano(song),
        track(
            events_of(song)
            + [(k * 4 * TICKS, 0, mido.Message("program_change", program=k % 90)) for k in range(20)],
            "Melody",
        ),
    ),
    "all on channel 10": lambda song: midi(track(events_of(song, lambda _: 9)), kind=0),
    "the first note-offs missing": lambda song: midi(
        piano(song), track(offs_without(events_of(song), lambda k: k < 2), "Lead")
    ),
    "every third note-off missing": lambda song: midi(
        track(offs_without(events_of(song), lambda k: k % 3 == 0)), kind=0
    ),
    "no note-off at all": lambda song: midi(
        track(offs_without(events_of(song), lambda _: True)), kind=0
    ),
    "note-ons doubled": lambda song: midi(
        piano(song),
        track(events_of(song) + [e for e in events_of(song) if e[2].type == "note_on"], "Lead"),
    ),
    "note-offs in another track": lambda song: midi(
        track([e for e in events_of(song) if e[2].type == "note_on"], "Lead"),
        track([e for e in events_of(song) if e[2].type == "note_off"]),
    ),
    "a legato of half a note": lambda song: midi(
        piano(song), track(events_of(song, length=1.5), "Strings")
    ),
    "strings left ringing": lambda song: midi(track(events_of(song, length=3.5)), kind=0),
    "key switches before every second note": lambda song: switched(song, 2),
    "key switches before every note": lambda song: switched(song, 1),
    "key switches held": lambda song: switched(song, 6, held=True),
    "by pitch bend": bent,
    "more tracks than the header says": lambda song: with_header(
        midi(piano(song), track(events_of(song), "Lead")), tracks=1
    ),
    "a header of eight bytes": lambda song: with_header(
        midi(track(events_of(song)), kind=0), extra=b"\0\0"
    ),
    "inside RIFF, behind a list": lambda song: rmid(midi(track(events_of(song)), kind=0)),
    "packed with gzip": lambda song: gzip.compress(midi(track(events_of(song)), kind=0)),
    "a tempo of 0": lambda song: midi(
        track(events_of(song), setup=[mido.UnknownMetaMessage(0x51, data=[0, 0, 0])]), kind=0
    ),
    "times of SMPTE": smpte,
    "a name in Shift-JIS": lambda song: renamed(
        midi(piano(song), track(events_of(song), "XXXXXXXX")), b"XXXXXXXX", "メロディ".encode("cp932")
    ),
    "the last of twenty parts": band,
}


def verdict(tmp_path, library, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    report = check(path, library, top=3)
    assert report.error is None, report.error
    return report.verdict.level


@pytest.mark.parametrize("way", MIDI_WAYS)
def test_midi_is_likely_however_it_is_written(tmp_path, library, song, way):
    assert verdict(tmp_path, library, "song.mid", MIDI_WAYS[way](song)) == "likely"


# ABC

NAMES = ["C", "^C", "D", "^D", "E", "F", "^F", "G", "^G", "A", "^A", "B"]


def abc_note(pitch, length):
    name = NAMES[pitch % 12] if NAMES[pitch % 12][0] == "^" else "=" + NAMES[pitch % 12]
    octave = pitch // 12 - 5
    return name + ("'" * octave if octave >= 0 else "," * -octave) + str(round(length * 4))


def abc_bars(song, notes=8):
    return [
        " ".join(abc_note(p, d) for _, d, p in song[k : k + notes]) for k in range(0, len(song), notes)
    ]


HEAD = "X:1\nT:t\nM:4/4\nL:1/16\n"
ABC_WAYS = {
    "plain": lambda bars: HEAD + "K:C\n" + "|\n".join(bars),
    "in UTF-16": lambda bars: (HEAD + "K:C\n" + "|\n".join(bars)).encode("utf-16"),
    "words that go on": lambda bars: HEAD + "K:C\n" + "|\nw: a b\n+: bad egg faced\n".join(bars),
    "blocks of text": lambda bars: HEAD + "K:C\n" + "|\n%%begintext\nabc def\n%%endtext\n".join(bars),
    "words after the tune": lambda bars: (
        HEAD + "K:C\n" + "|".join(bars) + "\n\nA bad egg, faced by a dad.\n"
    ),
    "endings before chords": lambda bars: (
        HEAD + "K:C\n" + "".join(f"[1 {bar} [CE]4 |\n" for bar in bars)
    ),
    "breaks with !": lambda bars: HEAD + "I:linebreak !\nK:C\n" + "|!".join(bars),
    "overlays": lambda bars: HEAD + "K:C\n" + "".join(f"{bar} & C,16 |\n" for bar in bars),
    "ties over bars": lambda bars: HEAD + "K:C\n" + "".join(f"{bar} ^f2-|f2 |\n" for bar in bars),
    "a voice an octave up": lambda bars: (
        HEAD + "V:1 octave=1 transpose=-12\nK:C clef=bass\n" + "|\n".join(bars)
    ),
    "another voice in another key": lambda bars: (
        HEAD + "K:C\nV:2\n[K:E]" + "GABG " * 40 + "|\nV:1\n" + "|\n".join(bars)
    ),
}


@pytest.mark.parametrize("way", ABC_WAYS)
def test_abc_is_likely_however_it_is_written(tmp_path, library, song, way):
    text = ABC_WAYS[way](abc_bars(song))
    assert (
        verdict(tmp_path, library, "song.abc", text if isinstance(text, bytes) else text.encode())
        == "likely"
    )


# MusicXML and kern


def xml_note(pitch, duration, extra=""):
    step = NAMES[pitch % 12]
    return (
        f"<note><pitch><step>{step[-1]}</step><alter>{len(step) - 1}</alter><octave>{pitch // 12 - 1}</octave>"
        f"</pitch><duration>{round(duration * 4)}</duration><voice>1</voice>{extra}</note>"
    )


def xml_rest(duration):
    return f"<note><rest/><duration>{round(duration * 4)}</duration><voice>1</voice></note>"


def bars_of(song, size=8):
    return [song[k : k + size] for k in range(0, len(song), size)]


def xml(parts, kind="partwise", attributes=""):
    """Write parts, each a name and a list of bars."""
    listed = "".join(
        f'<score-part id="P{k}"><part-name>{n}</part-name></score-part>'
        for k, (n, _) in enumerate(parts)
    )
    first = f"<attributes><divisions>4</divisions>{attributes}</attributes>"
    filled = [[(first if not j else "") + bar for j, bar in enumerate(bars)] for _, bars in parts]
    if kind == "timewise":
        body = "".join(
            "<measure>"
            + "".join(f'<part id="P{k}">{bars[j]}</part>' for k, bars in enumerate(filled))
            + "</measure>"
            for j in range(len(filled[0]))
        )
    else:
        body = "".join(
            f'<part id="P{k}">' + "".join(f"<measure>{bar}</measure>" for bar in bars) + "</part>"
            for k, bars in enumerate(filled)
        )
    return f"<score-{kind}><part-list>{listed}</part-list>{body}</score-{kind}>".encode()


def plain_bars(song, shift=0, extra=""):
    return ["".join(xml_note(p + shift, d, extra) for _, d, p in bar) for bar in bars_of(song)]


def passed_on(song):
    """Two instruments take turns, bar by bar; the second is a clarinet in B flat."""
    mine, theirs = [], []
    for k, bar in enumerate(bars_of(song)):
        written = "".join(xml_note(p + 2 * (k % 2), d) for _, d, p in bar)
        rest = xml_rest(sum(d for _, d, _ in bar))
        mine.append(rest if k % 2 else written)
        theirs.append(written if k % 2 else rest)
    content = xml([("Flute", mine), ("Clarinet in Bb", theirs)]).decode()
    at = content.index('<part id="P1">')
    transposed = content[at:].replace(
        "<divisions>4</divisions>",
        "<divisions>4</divisions><transpose><chromatic>-2</chromatic></transpose>",
        1,
    )
    return (content[:at] + transposed).encode()


OFFSET = (
    "<direction><direction-type><words>cresc.</words></direction-type><offset>32</offset></direction>"
    "<harmony><root><root-step>C</root-step></root><kind>major</kind><offset>16</offset></harmony>"
)
BACKWARD = '<barline><repeat direction="backward"/></barline>'
XML_WAYS = {
    "plain": lambda song: xml([("", plain_bars(song))]),
    "by time": lambda song: xml([("", plain_bars(song))], "timewise"),
    "words behind every bar": lambda song: xml([("", [bar + OFFSET for bar in plain_bars(song)])]),
    "forwards of no length": lambda song: xml(
        [("", [bar + "<forward><duration>0</duration></forward>" for bar in plain_bars(song)])]
    ),
    "a cue bar after every bar": lambda song: xml(
        [
            (
                "",
                [
                    b
                    for bar in plain_bars(song)
                    for b in (bar, xml_note(90, 2, "").replace("<note>", "<note><cue/>"))
                ],
            )
        ]
    ),
    "a bar of slashes in between": lambda song: xml(
        [
            (
                "",
                [
                    *plain_bars(song)[:2],
                    xml_note(71, 1, "<notehead>slash</notehead>") * 4,
                    *plain_bars(song)[2:],
                ],
            )
        ]
    ),
    "a clarinet in B flat": lambda song: xml(
        [("Clarinet", plain_bars(song, 2))],
        attributes="<transpose><chromatic>-2</chromatic></transpose>",
    ),
    "passed between two instruments": passed_on,
    "every note in two that are tied": lambda song: xml(
        [
            (
                "",
                [
                    "".join(
                        xml_note(p, d / 2, '<notations><tied type="start"/></notations>')
                        + xml_note(p, d / 2, '<notations><tied type="stop"/></notations>')
                        for _, d, p in bar
                    )
                    for bar in bars_of([(a, max(d, 0.5), p) for a, d, p in song])
                ],
            )
        ]
    ),
    "two voices on a staff": lambda song: xml(
        [
            (
                "",
                [
                    bar
                    + f"<backup><duration>{round(sum(d for _, d, _ in notes) * 4)}</duration></backup>"
                    + xml_note(45, sum(d for _, d, _ in notes)).replace("<voice>1", "<voice>2")
                    for bar, notes in zip(plain_bars(song), bars_of(song), strict=True)
                ],
            )
        ]
    ),
    "with repeats": lambda song: xml(
        [("", [bar + BACKWARD * (k == 4) for k, bar in enumerate(plain_bars(song))])]
    ),
}


def zipped(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def mxl(song):
    other = xml([("", [xml_note(48, 1) * 4] * 4)])
    container = '<container><rootfiles><rootfile full-path="b.xml"/></rootfiles></container>'
    return zipped(
        {"META-INF/container.xml": container, "a.xml": other, "b.xml": xml([("", plain_bars(song))])}
    )


@pytest.mark.parametrize("way", XML_WAYS)
def test_musicxml_is_likely_however_it_is_written(tmp_path, library, song, way):
    assert verdict(tmp_path, library, "song.musicxml", XML_WAYS[way](song)) == "likely"


@pytest.mark.parametrize("name", ["song.mxl", "song.musicxml"])
def test_a_compressed_score_is_likely_whatever_its_name(tmp_path, library, song, name):
    assert verdict(tmp_path, library, name, mxl(song)) == "likely"


def kern_note(pitch, duration):
    step = NAMES[pitch % 12]
    letter = step[-1].lower()
    octave = pitch // 12 - 5
    name = letter * (octave + 1) if octave >= 0 else letter.upper() * -octave
    return f"16%{round(duration * 4)}{name}{'#' * (len(step) - 1)}"


def test_kern_is_likely_with_spines_that_split_and_join(tmp_path, library, song):
    lines = ["**kern", "*M4/4"]
    for k, (_, d, p) in enumerate(song):
        if k % 8 == 3:  # a chord of three voices for one note
            lower = [kern_note(p - s, d) for s in (12, 24)]
            lines += ["*^", "*\t*^", f"{kern_note(p, d)}\t{lower[0]}\t{lower[1]}", "*v\t*v\t*v"]
        else:
            lines.append(kern_note(p, d))
    lines += ["==", "*-"]
    assert verdict(tmp_path, library, "song.krn", "\n".join(lines).encode()) == "likely"


# Projects


def daw_notes(song, factor=1.0, unit=""):
    rows = "".join(
        f'<Note time="{a * factor}" duration="{d * factor * 0.9}" key="{p}"/>' for a, d, p in song
    )
    return f"<Notes{unit}>{rows}</Notes>"


def dawproject(arrangement="", scenes="", name="Lead", extra=""):
    return zipped(
        {
            "project.xml": f'<Project><Transport><Tempo value="90"/></Transport><Structure><Track id="t" name="{name}"/>'
            f"{extra}</Structure><Arrangement><Lanes>{arrangement}</Lanes></Arrangement><Scenes>{scenes}</Scenes></Project>"
        }
    )


def lane(inner, attributes='time="4" duration="400"', track="t"):
    return f'<Lanes track="{track}"><Clips><Clip {attributes}>{inner}</Clip></Clips></Lanes>'


DAW_WAYS = {
    "an alias of another clip": lambda song: dawproject(
        lane(daw_notes(song, 1.0, ' id="n"'), 'time="0" duration="400" enable="false"')
        + lane("", 'time="8" duration="400" reference="n"')
    ),
    "content in seconds": lambda song: dawproject(
        lane(
            daw_notes(song, 60 / 90, ' timeUnit="seconds"'),
            'time="4" duration="400" contentTimeUnit="seconds"',
        )
    ),
    "a launcher clip": lambda song: dawproject(
        scenes=f'<Scene><Lanes><ClipSlot track="t"><Clip time="0" duration="400">{daw_notes(song)}</Clip></ClipSlot></Lanes></Scene>'
    ),
    "steel drums": lambda song: dawproject(lane(daw_notes(song)), name="Steel Drums Lead"),
    "hang drum": lambda song: dawproject(lane(daw_notes(song)), name="Hang Drum"),
    "MPE": lambda song: dawproject(
        lane(
            "<Notes>"
            + "".join(
                f'<Note time="{a}" duration="{d}" key="{p}" channel="{1 + k % 15}"/>'
                for k, (a, d, p) in enumerate(song)
            )
            + "</Notes>"
        )
    ),
}


@pytest.mark.parametrize("way", DAW_WAYS)
def test_a_dawproject_is_likely_however_it_is_written(tmp_path, library, song, way):
    assert verdict(tmp_path, library, "song.dawproject", DAW_WAYS[way](song)) == "likely"


def reaper(inner, tempo="TEMPO 90 4 4", item="POSITION 2\n      LENGTH 300\n      LOOP 0"):
    return (
        f'<REAPER_PROJECT 0.1 "7.0" 1\n  {tempo}\n  <TRACK {{1}}\n    NAME "My lead"\n    <ITEM\n      {item}\n'
        f"{inner}\n    >\n  >\n>\n"
    ).encode()


def reaper_source(song):
    rows, now = [], 0
    for tick, _, message in sorted(events_of(song), key=lambda event: event[:2]):
        status, pitch, velocity = message.bytes()
        rows.append(f"        E {tick - now} {status:02x} {pitch:02x} {velocity:02x}")
        now = tick
    return (
        "      <SOURCE MIDI\n        HASDATA 1 480 QN\n"
        + "\n".join(rows)
        + "\n        E 480 b0 7b 00\n      >"
    )


def test_a_reaper_project_is_likely_inline_and_beside(tmp_path, library, song):
    assert verdict(tmp_path, library, "song.rpp", reaper(reaper_source(song))) == "likely"
    (tmp_path / "take 1.mid").write_bytes(midi(track(events_of(song)), kind=0))
    beside = '      <SOURCE MIDI\n        FILE "take 1.mid"\n      >'
    assert verdict(tmp_path, library, "song.rpp", reaper(beside)) == "likely"


def test_an_ardour_session_is_likely(tmp_path, library, song):
    place = tmp_path / "interchange" / "S" / "midifiles"
    place.mkdir(parents=True)
    (place / "lead.mid").write_bytes(midi(track(events_of(song)), kind=0))
    session = (
        '<Session version="7002" sample-rate="48000"><Sources><Source name="lead.mid" type="midi" id="9"/></Sources>'
        '<Routes><Route id="1" name="Lead" midi-playlist="7"/></Routes><Playlists><Playlist id="7" type="midi">'
        '<Region start="b0" length="b960000@b7680" source-0="9"/></Playlist></Playlists></Session>'
    )
    assert verdict(tmp_path, library, "song.ardour", session.encode()) == "likely"


# Sound


@pytest.fixture(scope="module")
def sounds():
    """The recording that copies the song, and one that copies nothing; mono at 22,050 Hz."""
    return [
        np.concatenate(list(audio_blocks(FIXTURES / name, 22_050)))
        for name in ("copies-paper-lanterns.mp3", "copies-nothing.flac")
    ]


def encoded(samples, form, subtype=None):
    out = io.BytesIO()
    soundfile.write(out, samples, 22_050, format=form, subtype=subtype)
    return out.getvalue()


def of_no_size(samples):
    content = bytearray(encoded(samples, "WAV"))
    at = content.index(b"data")
    content[4:8] = content[at + 4 : at + 8] = bytes(4)
    return bytes(content)


SOUND_WAYS = {
    "joined.mp3": lambda copy, other: encoded(other, "MP3") + encoded(copy, "MP3"),
    "chained.ogg": lambda copy, other: encoded(other, "OGG", "VORBIS") + encoded(copy, "OGG", "VORBIS"),
    "of no size.wav": lambda copy, _: of_no_size(copy),
    "called an mp3.mp3": lambda copy, _: encoded(copy, "FLAC"),
    "in antiphase.flac": lambda copy, other: encoded(
        0.5 * np.stack([copy[: len(other)], -copy[: len(other)]], axis=1)
        + 0.25 * other[: len(copy), None],
        "FLAC",
    ),
}


@pytest.mark.parametrize("name", SOUND_WAYS)
def test_sound_is_found_however_it_is_stored(tmp_path, library, sounds, name):
    plain = verdict(tmp_path, library, "plain.flac", encoded(sounds[0], "FLAC"))
    assert plain == "likely"
    found = verdict(tmp_path, library, name, SOUND_WAYS[name](*sounds))
    # Where another recording comes before, half of the track is something else: the copy is found all
    # the same, at an E-value about 0.0001.
    assert found == plain or (name in {"joined.mp3", "chained.ogg"} and found == "review")


# Ways together


def accompaniment(rng, end):
    """One of the things that accompany a tune."""
    kind = rng.choice(["chords", "arpeggio", "high arpeggio", "bass", "offbeat", "counterpoint", "kit"])
    steps = np.arange(0, end, {"chords": 2, "bass": 1, "offbeat": 1, "counterpoint": 2}.get(kind, 0.5))
    pitches = {
        "chords": (48, 47, 53), "arpeggio": (48, 55, 60, 64), "high arpeggio": (79, 84, 88, 91),
        "bass": (36, 43, 41, 38), "offbeat": (36, 43, 41, 38), "counterpoint": (60, 59, 57, 55), "kit": (36, 42, 38, 42),
    }[kind]  # fmt: skip
    length = {"chords": 1.9, "bass": 0.9, "offbeat": 0.4, "counterpoint": 1.4, "kit": 0.1}.get(
        kind, 0.5
    )
    notes = [
        (t + 0.5 * (kind in ("offbeat", "counterpoint")), length, pitches[k % len(pitches)])
        for k, t in enumerate(steps)
    ]
    if kind == "chords":
        notes += [(t, d, p + step) for t, d, p in notes for step in (4, 7)]
    return kind, notes


def combined(song, seed):
    """Write the song in several ways at once, among accompaniments."""
    rng = random.Random(seed)
    channels = rng.choice(
        [lambda k: 0, lambda k: k % 2, lambda k: 1 + k % 15, lambda k: 2 + song[k][2] % 5]
    )
    length, missing = rng.choice([0.5, 0.95, 1.0, 1.3, 1.8]), rng.choice([0, 0, 0.15, 1])
    events = events_of(song, channels, length)
    events = offs_without(events, lambda _: rng.random() < missing)
    if rng.random() < 0.3:
        events += [event for event in events if event[2].type == "note_on"]
    if rng.random() < 0.3:
        switches = [(max(onset - 0.06, 0.0), 0.05, 24 + k % 4) for k, (onset, _, _) in enumerate(song)]
        events += events_of(switches[:: rng.choice([1, 2, 4])])
    tracks = [track(events, rng.choice(["Lead", "", "Melody", "Violin", "Track 1"]))]
    for number in range(rng.randrange(4)):
        kind, notes = accompaniment(rng, song[-1][0])
        channel = 9 if kind == "kit" else 10 + number
        tracks.append(
            track(
                events_of(notes, lambda _, c=channel: c),
                rng.choice(["", "Piano", f"Track {number + 2}"]),
            )
        )
    rng.shuffle(tracks)
    return midi(*tracks)


@pytest.mark.parametrize("seed", range(120))
def test_the_song_is_a_candidate_in_any_combination(tmp_path, song, seed):
    path = tmp_path / "song.mid"
    path.write_bytes(combined(song, seed))
    wanted = [pitch for _, _, pitch in song]
    alike = [
        difflib.SequenceMatcher(None, wanted, melody.pitch.astype(int).tolist(), autojunk=False).ratio()
        for melody in read(path).melodies
    ]
    assert max(alike) > 0.95
