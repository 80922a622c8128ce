"""Standard MIDI files: events from bytes, notes from events, parts from notes."""

from melodysim.readers.midi.midi_parts import read_midi

__all__ = ["read_midi"]
