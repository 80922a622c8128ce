"""What a recording's bytes hold: which format, and how many streams one after another.

Decoders stop where the first stream says that it ends. A file that was made by joining files goes on:
an Ogg file is chained (RFC 3533, section 4), an MP3 has a second header with a number of frames
(Xing's), and a WAV whose writer was cut off, or wrote to a pipe, has no size. Here such files are taken
apart or mended, so that all of the sound is decoded.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"fLaC", "sndfile"),
    (0, b"OggS", "ogg"),
    (0, b"FORM", "sndfile"),
    (0, b".snd", "sndfile"),
    (0, b"riff\x2e\x91\xcf\x11", "sndfile"),
    (0, b"RF64", "sndfile"),
    (4, b"ftyp", "av"),
    (0, b"\x1a\x45\xdf\xa3", "av"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "av"),
    (0, b"caff", "sndfile"),
    (0, b"wvpk", "av"),
    (0, b"MAC ", "av"),
    (0, b"ADIF", "av"),
)
_UNSAID = (0, 0xFFFFFFFF)
"""Sizes that a writer puts down when it does not know them yet."""


def kind_of_sound(head: bytes) -> str:
    """Say how a recording is to be decoded, by its first bytes.

    Parameters
    ----------
    head : bytes
        At least the first 16.

    Returns
    -------
    str
        "sndfile", "ogg", "wav", "mp3", "av", or "" if it is none that is known.
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    for place, signature, kind in _SIGNATURES:
        if head[place : place + len(signature)] == signature:
            return kind
    if head[:3] == b"ID3":
        return "mp3"
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "av"  # AAC in ADTS
    return "mp3" if _frame_size(head) else ""


# WAV


def mended_wav(content: bytes) -> bytes:
    """Return a WAV file whose data reach to the end of the file, if it says that it has none.

    Parameters
    ----------
    content : bytes
        The file.
    """
    place = 12
    while place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        if name == b"data":
            rest = len(content) - place - 8
            if size not in _UNSAID or not rest:
                return content
            whole = bytearray(content)
            struct.pack_into("<I", whole, place + 4, rest)
            struct.pack_into("<I", whole, 4, len(content) - 8)
            return bytes(whole)
        place += 8 + size + size % 2
    return content


# Ogg

_SAMPLES = (1 << 36) - 1
"""Bits of the number of samples in FLAC's stream information."""


def ogg_streams(content: bytes) -> list[bytes]:
    """Take a chained Ogg file apart into its links; FLAC inside Ogg becomes a FLAC file.

    Returns
    -------
    list of bytes
        A file for each link, in order.
    """
    links: list[list[int]] = []
    beginning = False
    for first, last, flags in _ogg_pages(content):
        if flags & 2 and not beginning:  # the first stream of a new link
            links.append([first, last])
        beginning = bool(flags & 2)
        if links:
            links[-1][1] = last
    streams = []
    for first, last in links:
        whole = content[first:last]
        streams.append(_flac_of(whole) if b"\x7fFLAC" in whole[:64] else whole)
    return streams or [content]


def _ogg_pages(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield where each page begins and ends, and its flags."""
    place = 0
    while True:
        place = content.find(b"OggS", place)
        if place < 0 or place + 27 > len(content):
            return
        flags = content[place + 5]
        table = content[place + 27 : place + 27 + content[place + 26]]
        last = place + 27 + len(table) + sum(table)
        yield place, min(last, len(content)), flags
        place = last


def _flac_of(stream: bytes) -> bytes:
    """Return the FLAC file inside an Ogg stream (xiph.org/flac/ogg_mapping.html)."""
    packets: list[bytes] = []
    packet = b""
    samples = 0
    for first, last, _ in _ogg_pages(stream):
        count = stream[first + 26]
        table = stream[first + 27 : first + 27 + count]
        place = first + 27 + count
        for size in table:
            packet += stream[place : min(place + size, last)]
            place += size
            if size < 255:
                packets.append(packet)
                packet = b""
        (granule,) = struct.unpack_from("<q", stream, first + 6)
        samples = max(samples, granule)
    packets += [packet] if packet else []
    if not packets:
        return stream
    whole = bytearray(b"".join([packets[0][9:], *packets[1:]]))
    # Streams are written without the number of their samples, which libsndfile needs.
    if len(whole) >= 26 and not int.from_bytes(whole[18:26]) & _SAMPLES:
        whole[18:26] = (int.from_bytes(whole[18:26]) | min(samples, _SAMPLES)).to_bytes(8)
    return bytes(whole)


def is_cut_off(kind: str, content: bytes) -> bool:
    """Say whether a WAV, AIFF or Ogg file ends before its sound does, or pages of it are missing.

    Parameters
    ----------
    kind : str
        As `kind_of_sound` says.
    content : bytes
    """
    if kind == "wav":
        at = content.find(b"data", 12, 1 << 16)
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        return at > 0 and size not in _UNSAID and size > len(content) - at - 8 + 1
    if content.startswith(b"FORM"):
        return int.from_bytes(content[4:8]) > len(content) - 8 + 1
    if kind != "ogg":
        return False
    ended = True
    numbers: dict[bytes, int] = {}
    for first, _, flags in _ogg_pages(content):
        stream, number = (
            content[first + 14 : first + 18],
            int.from_bytes(content[first + 18 : first + 22], "little"),
        )
        if not flags & 2 and number != numbers.get(stream, -1) + 1:
            return True
        numbers[stream], ended = number, bool(flags & 4)
    return not ended


# MP3

_BITRATES = {  # kilobits a second: MPEG-1 layer 3; MPEG-2 and 2.5 layer 3 (ISO/IEC 11172-3 and 13818-3)
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_COUNTED = re.compile(rb"Xing|Info")
_SLACK = 3
"""Frames by which a header's number may be wrong before the file is taken for two that were joined."""


def _frame_size(head: bytes, place: int = 0) -> int:
    """Return the bytes of the layer 3 frame whose header stands at a place; 0 if none does."""
    if place + 4 > len(head) or head[place] != 0xFF or head[place + 1] & 0xE6 != 0xE2:
        return 0
    version, second = head[place + 1] >> 3 & 3, head[place + 2]
    bitrate, rate = second >> 4, second >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return 0
    first = version == 3
    samples = 144 if first else 72
    return samples * 1000 * _BITRATES[first][bitrate] // _RATES[version][rate] + (second >> 1 & 1)


def mp3_streams(content: bytes) -> list[bytes]:
    """Take an MP3 that goes on after the frames that its header counts apart, where it goes on.

    Returns
    -------
    list of bytes
        A file for each part, in order; the file itself if it is one.
    """
    cuts = [0]
    place = 0
    counted = frames = 0
    while place < len(content):
        size = _frame_size(content, place)
        if not size:
            place = _next_frame(content, place)
            continue
        announced = _announced(content[place : place + min(size, 200)])
        if announced:
            if frames:
                cuts.append(place)
            counted, frames = announced, -1  # the frame that counts is not counted
        elif counted and frames == counted + _SLACK:
            cuts.append(place)
            counted, frames = 0, 0
        frames += 1
        place += size
    return [content[a:b] for a, b in zip(cuts, [*cuts[1:], len(content)], strict=True)]


def _announced(frame: bytes) -> int:
    """Return the number of frames that a frame announces in a header of Xing's; 0 if it has none."""
    found = _COUNTED.search(frame)
    if not found or len(frame) < found.end() + 8 or not frame[found.end() + 3] & 1:
        return 0
    return int.from_bytes(frame[found.end() + 4 : found.end() + 8])


def _next_frame(content: bytes, place: int) -> int:
    """Return where the next frame begins after a tag or rubbish."""
    if content[place : place + 3] == b"ID3" and place + 10 <= len(content):
        a, b, c, d = content[place + 6 : place + 10]
        place += 10 + (a << 21 | b << 14 | c << 7 | d)
        if _frame_size(content, place):
            return place
    while True:
        place = content.find(b"\xff", place + 1)
        if place < 0:
            return len(content)
        size = _frame_size(content, place)
        if size and (_frame_size(content, place + size) or place + size >= len(content)):
            return place
