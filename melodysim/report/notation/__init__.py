"""Two passages as notation: beats and bars for them, MusicXML, engraving."""
