"""ABC notation: fields, tokens of a line of music, tunes of a book."""

from melodysim.readers.abc.abc_tune import Tune, read_abc, tunes

__all__ = ["Tune", "read_abc", "tunes"]
