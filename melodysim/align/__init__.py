"""Alignment of melodies: where a passage of one follows a passage of another, note by note.

`corpus` lays many references out for the kernels; `scan` scores all of them at once, coarsely;
`notes` aligns a melody with a reference and gives the path; `listen` aligns a reference with what was
heard of a recording, before any note was decided on.
"""
