"""Notation: MusicXML (also compressed) and Humdrum's kern, as they sound."""
