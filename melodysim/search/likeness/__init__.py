"""How alike two works are, by themselves: one question with its own chance.

`listener` measures what chance does in one work, once, whatever it is compared with; `two_recordings`
puts the comparisons of two recordings together; `pairs` compares two works of any kind.
"""
