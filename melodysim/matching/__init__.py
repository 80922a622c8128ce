"""From a piece and a library to ranked matches: the one way through, for every command.

`ranking` is that way; `notes` reads the melodies of a piece, `listening` a recording before any note
was decided on; `hypothesis` is what either gives; `describing` adds what is worth saying of a match.
"""

from melodysim.matching.ranking import DESCRIBED, find_matches, matches_below, standings

__all__ = ["DESCRIBED", "find_matches", "matches_below", "standings"]
