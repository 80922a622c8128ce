"""How alike two works are, by themselves: one question with its own chance.

`listener` measures what chance does in a recording, once, whatever it is compared with; `listeners`
prepares those of one check; `two_recordings` puts the comparisons of two recordings together; `pairs`
compares two works of any kind; `recordings` compares a track with the recordings of a library.
"""
