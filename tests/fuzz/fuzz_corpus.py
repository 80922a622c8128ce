"""Small valid files of every kind that is read, made here: the corpus that is mutated.

The tune is "Twinkle, twinkle", which is in the public domain; sounds are sines.
"""

import gzip
import io
import json
import struct
import zipfile
from functools import cache

import mido
import numpy as np

TUNE = (60, 60, 67, 67, 69, 69, 67, 65, 65, 64, 64, 62, 62, 60)
BASS = (48, 52, 55, 53, 48, 55, 50, 43)


def _midi(kind=1, division=480, bends=False):
    file = mido.MidiFile(type=kind, ticks_per_beat=division)
    for channel, (name, notes) in enumerate((("Melody", TUNE), ("Bass", BASS))):
        track = mido.MidiTrack() if kind or not file.tracks else file.tracks[0]
        if kind or not file.tracks:
            file.tracks.append(track)
        track.append(mido.MetaMessage("track_name", name=name))
        track.append(mido.MetaMessage("set_tempo", tempo=500_000))
        track.append(mido.Message("program_change", channel=channel, program=channel))
        for control, value in ((101, 0), (100, 0), (6, 12)) if bends else ():
            track.append(mido.Message("control_change", channel=channel, control=control, value=value))
        for note in notes:
            track.append(mido.Message("note_on", channel=channel, note=note, velocity=90))
            if bends:
                track.append(mido.Message("pitchwheel", channel=channel, pitch=note * 30, time=200))
            track.append(mido.Message("note_off", channel=channel, note=note, time=division))
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def _rmid():
    inner = _midi()
    info = b"LIST" + struct.pack("<I", 16) + b"INFOINAM" + struct.pack("<I", 4) + b"tune"
    data = b"data" + struct.pack("<I", len(inner)) + inner
    return b"RIFF" + struct.pack("<I", 4 + len(info) + len(data)) + b"RMID" + info + data


ABC = """%abc-2.1
X:1
T:Twinkle & "friends"
C:Trad.
M:4/4
L:1/8
Q:1/4=120
V:1 clef=treble name="Lead"
V:2 bass octave=-1 transpose=2
K:D exp ^f _b
V:1
|: "G"C2C2 !trill!G2G2 | {gb}A2-A2 G4 |1 (3FGF [EG-]2 G2 D>C :|2 [K:Amin] F2F2 & A4 | D2D2 C4 |]
w: Twin-kle twin-kle
+: lit-tle star
[M:3+2/8][L:1/16][Q:3/8=90] c/d//e3/2 Z2 z4 | x2 y [^CE_G]4 |
%%begintext
this is no music
%%endtext
V:2
C,,4 C,4 | F,4- F,4 | G,4 C,4 |]
"""


@cache
def _musicxml(kind="partwise"):
    divisions = (
        "<attributes><divisions>2</divisions><time><beats>4</beats><beat-type>4</beat-type></time>"
    )
    divisions += (
        "<transpose><chromatic>-2</chromatic><octave-change>0</octave-change></transpose></attributes>"
    )

    def note(pitch, extra="", chord=False):
        step, alter = "CCDDEFFGGAAB"[pitch % 12], pitch % 12 in (1, 3, 6, 8, 10)
        return (
            f"<note>{'<chord/>' if chord else ''}<pitch><step>{step}</step><alter>{int(alter)}</alter>"
            f"<octave>{pitch // 12 - 1}</octave></pitch><duration>2</duration><voice>1</voice>{extra}</note>"
        )

    bars = []
    for k in range(0, len(TUNE) - 3, 4):
        tie = '<tie type="start"/><notations><tied type="start"/></notations>' if k == 4 else ""
        inner = "".join(note(p, tie if p == 67 else "") for p in TUNE[k : k + 4])
        inner += "<direction><direction-type><words>x</words></direction-type><offset>4</offset>"
        inner += '<sound tempo="96"/></direction>'
        inner += "<backup><duration>8</duration></backup>" + note(BASS[k // 2]) + note(55, chord=True)
        inner += "<forward><duration>6</duration></forward>"
        line = '<barline location="left"><repeat direction="forward"/></barline>' if k == 0 else ""
        line += '<barline><ending number="1" type="start"/><repeat direction="backward"/></barline>'
        bars.append(f"{divisions if k == 0 else ''}{inner}{line if k < 8 else ''}")
    head = '<?xml version="1.0"?><!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD" "partwise.dtd">'
    parts = '<part-list><score-part id="P1"><part-name>Lead</part-name></score-part></part-list>'
    if kind == "timewise":
        body = "".join(f'<measure><part id="P1">{bar}</part></measure>' for bar in bars)
        return f"{head}<score-timewise>{parts}{body}</score-timewise>".encode()
    body = "".join(f"<measure>{bar}</measure>" for bar in bars)
    return f'{head}<score-partwise>{parts}<part id="P1">{body}</part></score-partwise>'.encode()


def zipped(members):
    """Pack members, by name, into a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


CONTAINER = b'<container><rootfiles><rootfile full-path="score.musicxml"/></rootfiles></container>'

KERN = """!!!OTL: Twinkle
**kern\t**kern\t**text
*I"Bass\t*I"Lead\t*
*>[A,A,B]\t*>[A,A,B]\t*>[A,A,B]
*M4/4\t*M4/4\t*
*MM100\t*MM100\t*
*>A\t*>A\t*>A
=1\t=1\t=1
4C\t4c\tTwin-
4E\t[4c\t.
4G\t4c]\t.
8.F\t4g 4e\t.
16F\t.\t.
*\t*^\t*
2C\t4g\t4e\tstar
.\t4a#\t4r\t.
*\t*v\t*v\t*
=2:|!|:\t=2:|!|:\t=2:|!|:
*>B\t*>B\t*>B
1C;\t3%2f\tx
.\t6e\t.
.\t12.qd\t.
==\t==\t==
*-\t*-\t*-
"""


def _live():
    def value(name, what):
        return f'<{name} Value="{what}"/>'

    keys = "".join(
        f'<KeyTrack><Notes><MidiNoteEvent Time="{k}" Duration="0.9" IsEnabled="true"/></Notes>'
        f"{value('MidiKey', pitch)}</KeyTrack>"
        for k, pitch in enumerate(TUNE)
    )
    loop = (
        value("LoopStart", 0)
        + value("LoopEnd", 14)
        + value("StartRelative", 2)
        + value("LoopOn", "true")
    )
    clip = (
        f"<MidiClip>{value('CurrentStart', 4)}{value('CurrentEnd', 40)}<Loop>{loop}</Loop>"
        f"{value('Name', 'Idea')}{value('Disabled', 'false')}<Notes><KeyTracks>{keys}</KeyTracks></Notes></MidiClip>"
    )
    return (
        "<Ableton><LiveSet><Tracks><MidiTrack><Name><EffectiveName Value='Lead'/></Name><DeviceChain>"
        f"<MainSequencer><ClipTimeable><ArrangerAutomation><Events>{clip}</Events></ArrangerAutomation>"
        f"</ClipTimeable><ClipSlotList><ClipSlot><ClipSlot><Value>{clip}</Value></ClipSlot></ClipSlot>"
        "</ClipSlotList></MainSequencer></DeviceChain></MidiTrack></Tracks><MasterTrack><AutomationEnvelopes>"
        "<Envelopes><AutomationEnvelope><EnvelopeTarget><PointeeId Value='8'/></EnvelopeTarget><Automation>"
        "<Events><FloatEvent Time='0' Value='100'/><FloatEvent Time='8' Value='140'/></Events></Automation>"
        "</AutomationEnvelope></Envelopes></AutomationEnvelopes><DeviceChain><Mixer><Tempo><Manual Value='100'/>"
        "<AutomationTarget Id='8'/></Tempo></Mixer></DeviceChain></MasterTrack></LiveSet></Ableton>"
    ).encode()


def _dawproject():
    notes = "".join(
        f'<Note time="{k}" duration="0.9" key="{pitch}" channel="{k % 16}" vel="0.8"/>'
        for k, pitch in enumerate(TUNE)
    )
    return (
        '<Project version="1.0"><Transport><Tempo value="100"/><TimeSignature numerator="3" denominator="4"/>'
        '</Transport><Structure><Track id="t1" name="Lead"/><Track id="t2" name="Drums"/></Structure>'
        '<Arrangement><TempoAutomation><RealPoint time="0" value="100" interpolation="linear"/>'
        '<RealPoint time="8" value="140"/></TempoAutomation><Lanes timeUnit="beats"><Lanes track="t1"><Clips>'
        f'<Clip time="0" duration="14" playStart="1" playStop="9"><Notes id="n1">{notes}</Notes></Clip>'
        '<Clip time="20" duration="30" loopStart="0" loopEnd="7" reference="n1"/></Clips></Lanes>'
        f'<Lanes track="t2"><Clips timeUnit="seconds"><Clip time="1" duration="4" contentTimeUnit="seconds">'
        f'<Notes timeUnit="seconds">{notes}</Notes></Clip></Clips></Lanes></Lanes></Arrangement>'
        f'<Scenes><Scene><Lanes><ClipSlot track="t1"><Clip time="0" duration="8"><Notes>{notes}</Notes></Clip>'
        "</ClipSlot></Lanes></Scene></Scenes></Project>"
    ).encode()


def _reaper():
    events = "\n".join(f"        E {0} 90 {p:02x} 60\n        E 480 80 {p:02x} 00" for p in TUNE)
    item = (
        "    <ITEM\n      POSITION {}\n      LENGTH 8\n      LOOP 1\n      MUTE 0 0\n      SOFFS 0.25\n"
        "      PLAYRATE 1.5 1 0 -1\n      <SOURCE MIDI\n        HASDATA 1 480 QN\n{}\n"
        "        <X 0 0\n          /wMA\n        >\n        E 480 b0 7b 00\n      >\n"
        '      TAKE SEL\n      SOFFS 0\n      <SOURCE MIDI\n        FILE "beside.mid"\n      >\n    >\n'
    )
    return (
        '<REAPER_PROJECT 0.1 "7.0/linux" 1700000000\n  TEMPO 100 4 4\n  <TEMPOENVEX\n    ACT 1 -1\n'
        '    PT 0 100 0\n    PT 4 140 1\n  >\n  <TRACK {A}\n    NAME "Lead"\n'
        + item.format(0, events).replace("TAKE SEL", "TAKE")
        + item.format(9.5, events).replace("TAKE SEL", "TAKE")
        + "  >\n>\n"
    ).encode()


def _ardour():
    return (
        b'<Session version="7002" name="S" sample-rate="48000"><Sources><Source name="tune.mid" type="midi" id="9"/>'
        b'</Sources><Routes><Route id="1" name="Lead" midi-playlist="7"/></Routes><Playlists>'
        b'<Playlist id="7" name="Lead.1" type="midi"><Region name="a" muted="0" start="b1920" length="b15360@b7680" '
        b'source-0="9"/><Region name="b" start="0" length="96000" position="480000" start-beats="1" '
        b'length-beats="8" source-0="9"/></Playlist></Playlists><TempoMap><Tempos><Tempo npm="120" note-type="4" '
        b'type="Tempo::Constant" quarters="0:0"/><Tempo npm="90" note-type="4" type="Tempo::Ramped" quarters="8:0"/>'
        b'</Tempos><Meters><Meter note-value="4" divisions-per-bar="4"/></Meters></TempoMap></Session>'
    )


def _sound(form, subtype=None, rate=22050, channels=1, seconds=0.4):
    import soundfile

    time = np.arange(int(rate * seconds)) / rate
    wave = np.stack([0.3 * np.sin(2 * np.pi * f * time) for f in (220, 330)[:channels]], axis=1)
    out = io.BytesIO()
    soundfile.write(out, wave, rate, format=form, subtype=subtype)
    return out.getvalue()


def _flac_in_ogg():
    flac = _sound("FLAC")
    header, frames = flac[4:42], flac[42:]

    def page(number, packet, flags, granule):
        lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
        head = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, granule, 7, number, 0, len(lacing))
        return head + lacing + packet

    first = b"\x7fFLAC\1\0\0\1fLaC" + header
    pages = [page(0, first, 2, 0)]
    pages += [
        page(k + 1, frames[k * 9000 : (k + 1) * 9000], 0, 8820) for k in range(-(-len(frames) // 9000))
    ]
    return b"".join(pages)


def _table():
    rows = [[k * 0.5, 0.5, pitch] for k, pitch in enumerate(TUNE)]
    return json.dumps([{"id": "a", "title": "T", "notes": rows}, {"id": "b", "notes": rows}]).encode()


def _lead_sheets():
    notes = [
        {"onset": k, "offset": k + 1, "octave": 0, "pitch_class": p % 12} for k, p in enumerate(TUNE)
    ]
    song = {"hooktheory": {"artist": "n", "song": "s"}, "annotations": {"melody": notes}}
    return json.dumps({f"s{k}": song for k in range(3)}).encode()


@cache
def corpus():
    """Return the valid files: by suffix, a list of contents."""
    csv = "id,onset,duration,pitch\n" + "".join(f"a,{k * 0.5},0.5,{p}\n" for k, p in enumerate(TUNE))
    ogg = _sound("OGG", "VORBIS")
    return {
        ".mid": [_midi(), _midi(0), _midi(1, 96, True), _rmid(), gzip.compress(_midi())],
        ".abc": [ABC.encode(), ABC.encode("utf-16"), ABC.encode() + b"\nX:2\nK:none\nCDEFGABc\n"],
        ".musicxml": [_musicxml(), _musicxml("timewise")],
        ".mxl": [zipped({"META-INF/container.xml": CONTAINER, "score.musicxml": _musicxml()})],
        ".krn": [KERN.encode()],
        ".als": [gzip.compress(_live()), _live()],
        ".dawproject": [
            zipped({"project.xml": _dawproject(), "metadata.xml": b"<M><Title>x</Title></M>"})
        ],
        ".rpp": [_reaper()],
        ".ardour": [_ardour()],
        ".wav": [_sound("WAV"), _sound("WAV", "FLOAT", 44100, 2, 0.2), _sound("WAV", "IMA_ADPCM")],
        ".aiff": [_sound("AIFF"), _sound("AIFF", "FLOAT")],
        ".flac": [_sound("FLAC"), _sound("FLAC", None, 44100, 2, 0.2)],
        ".ogg": [
            ogg,
            ogg + _sound("OGG", "VORBIS", 44100),
            _flac_in_ogg(),
            _sound("OGG", "OPUS", 48000),
        ],
        ".mp3": [_sound("MP3"), _sound("MP3") * 2, b"ID3\3\0\0\0\0\0\x0a" + bytes(10) + _sound("MP3")],
        ".au": [_sound("AU")],
        ".w64": [_sound("W64")],
        ".json": [_table(), _lead_sheets()],
        ".json.gz": [gzip.compress(_lead_sheets())],
        ".csv": [csv.encode()],
    }
