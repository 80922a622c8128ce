"""Readers of notes and samples from files: one module for each kind of file."""
