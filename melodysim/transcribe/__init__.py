"""From sound to melodies: networks, the salience that they hear, trackers that follow a line in it."""

TRANSCRIPTION_VERSION = 1
"""Raised whenever a recording may be transcribed otherwise than before: what was kept is stale."""
