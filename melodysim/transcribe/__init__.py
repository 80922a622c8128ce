"""Transcription of recordings, from samples to melody lines.

`basic_pitch` and `fcpe` are the networks, `salience` combines what they hear, `pitch_tracker` finds
lines in it, `transcription` puts the blocks of a long recording together.
"""

TRANSCRIPTION_VERSION = 2
"""Version of the transcription: raised when results may change, so that cached ones are stale."""
