"""Samples from recordings: what is in the file, whatever its name, how it is decoded, and its stems."""

from melodysim.readers.audio.decoding import AV_SUFFIXES, SUFFIXES, ChannelLevels, audio_blocks
from melodysim.readers.audio.stems import mixed, stems_in, voice_stems

__all__ = [
    "AV_SUFFIXES",
    "SUFFIXES",
    "ChannelLevels",
    "audio_blocks",
    "mixed",
    "stems_in",
    "voice_stems",
]
