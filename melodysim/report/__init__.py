"""Reports for people (terminal text, pages, notation, sound) and for programs (JSON, CSV)."""
