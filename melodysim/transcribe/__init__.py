"""Transcription of recordings: networks, the salience they compute, trackers of a melody line in it."""

TRANSCRIPTION_VERSION = 1
"""Version of the transcription: raised when results may change, so that cached ones are stale."""
