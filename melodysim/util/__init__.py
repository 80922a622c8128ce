"""Helpers that do not depend on melodies: atomic files, safe text, worker processes."""
