"""Alignment of melodies: where a passage of one follows a passage of another, note by note.

`corpus` lays many references out for the kernels; `prefilter` scores all of them coarsely; `seeds`
finds candidates in an index of turns; `dtw` aligns a melody with a reference and returns the path;
`salience_dtw` aligns a reference with the salience of a recording. `surprisal` weighs the notes.

Conventions: `threads` says how many threads to use; results do not depend on it.
"""
