"""From a piece and a library to ranked matches: the one way through, for every command.

`pipeline` is that way; `by_notes` reads the melodies of a piece, `by_salience` a recording before any
note was decided on; `hypothesis` is what either gives, `e_values` says what it is worth; `description`
adds what is worth saying of a match.
"""
