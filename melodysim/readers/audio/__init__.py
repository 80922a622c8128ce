"""Samples from recordings: what is in the file, whatever its name, and how it is decoded."""

from melodysim.readers.audio.decoding import AV_SUFFIXES, SUFFIXES, ChannelLevels, audio_blocks

__all__ = ["AV_SUFFIXES", "SUFFIXES", "ChannelLevels", "audio_blocks"]
