"""What a file is by its first bytes, where its name says something else."""

from __future__ import annotations

import re

from melodysim.readers.audio.streams import kind_of_sound

_NOTES = (
    (b"MThd", ".mid"),
    (b"<REAPER_PROJECT", ".rpp"),
    (b"<Session", ".ardour"),
)
_WRITTEN = (
    (re.compile(rb"\APK.*?project\.xml", re.DOTALL), ".dawproject"),
    (re.compile(rb"\APK.*?META-INF/container\.xml", re.DOTALL), ".mxl"),
    (re.compile(rb"<score-(?:partwise|timewise)\b"), ".musicxml"),
    (re.compile(rb"(?m)^(?:\*\*\w+\t)*\*\*kern\b"), ".krn"),
)
_SOUND = {"wav": ".wav", "ogg": ".ogg", "sndfile": ".flac", "mp3": ".mp3", "av": ".m4a"}
_SEEN = 4096


def suffix_by_content(content: bytes, suffix: str) -> str:
    """Return the suffix that a file should have; the one that it has if its content does not say.

    Parameters
    ----------
    content : bytes
        The file.
    suffix : str
        Of its name, in lower case.

    Examples
    --------
    >>> suffix_by_content(b"MThd", ".mp3"), suffix_by_content(b"X:1", ".abc")
    ('.mid', '.abc')
    """
    head = content[:_SEEN]
    for signature, right in _NOTES:
        if head.startswith(signature):
            return right
    if head[:4] == b"RIFF" and head[8:12] == b"RMID":
        return ".rmi"
    sound = kind_of_sound(head)
    if sound == "mp3" and not head.startswith(b"ID3"):  # two bytes of a frame are no proof
        sound = ""
    written = next((right for form, right in _WRITTEN if form.search(head)), suffix)
    return _SOUND.get(sound, written)
