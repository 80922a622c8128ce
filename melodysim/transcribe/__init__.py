"""Transcription of recordings, from samples to melody lines.

`basic_pitch` and `fcpe` are the networks that hear pitch, `separator` is the one that takes the voice
out of a mix, `salience` combines what is heard, `pitch_tracker` finds lines in it, `transcription` puts
the blocks of a long recording together.
"""

TRANSCRIPTION_VERSION = 6
"""Version of the transcription: raised when results may change, so that cached ones are stale."""
