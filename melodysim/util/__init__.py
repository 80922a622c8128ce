"""Helpers that do not depend on melodies: files written whole, text made safe, worker processes."""
