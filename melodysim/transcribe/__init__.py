"""From sound to melodies: networks, the salience that they hear, trackers that follow a line in it."""

TRANSCRIPTION_VERSION = 1
"""Version of the transcription: raised when results may change, so that cached ones are stale."""
