"""From a piece and a library to ranked matches: the one way through, for every command.

`by_notes` aligns the melodies of a piece, `by_salience` a recording before any note is decided on; each
returns a `hypothesis`: one reading of the piece, with a score for each reference. `e_values` measures
scores of whole melodies against chance; `standing` puts together what the readings of a melody and its
passage say, and `own_works` measures what that is worth in a library. The best references become a
`match`; `match_details` and `refrains` add its rarest turn and other places. `pipeline` joins these
steps; `likeness` measures how alike two works are by themselves.

Conventions: `threads` says how many threads to use; results do not depend on it.
"""
