"""What a file is by its first bytes, where its name says something else."""

from __future__ import annotations

from melodysim.readers.audio.streams import kind_of_sound

_NOTES = (
    (b"MThd", ".mid"),
    (b"<REAPER_PROJECT", ".rpp"),
    (b"<Session", ".ardour"),
    (b"**kern", ".krn"),
)
_PACKED = ((b"project.xml", ".dawproject"), (b"META-INF/container.xml", ".mxl"))
_SOUND = {"wav": ".wav", "ogg": ".ogg", "sndfile": ".flac", "av": ".m4a"}
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
    if head.startswith(b"PK"):
        return next((right for name, right in _PACKED if name in head), suffix)
    if b"<score-partwise" in head or b"<score-timewise" in head:
        return ".musicxml"
    sound = kind_of_sound(head)
    if sound == "mp3" and not head.startswith(b"ID3"):
        return suffix  # two bytes of a frame are no proof
    return ".mp3" if sound == "mp3" else _SOUND.get(sound, suffix)
