"""From a piece and a library to ranked matches: the one way through, for every command.

`by_notes` aligns the melodies of a piece, `by_salience` a recording before any note is decided on; each
returns a `hypothesis`. `e_values` measures scores against chance, `match_details` describes a match,
and `pipeline` joins these steps.

Conventions: `threads` says how many threads to use; results do not depend on it.
"""
