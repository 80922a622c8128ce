"""From files to notes and samples: one module a kind of file, none knows of melodies or matches."""
