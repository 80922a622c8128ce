"""Readers of notes and samples from files: one module for each kind of file.

`read` knows them all. A `score` is what a file of notes holds; `melody_parts` chooses what sings in it.
"""
