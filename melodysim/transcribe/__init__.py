"""From sound or polyphonic notes to melodies: salience, melody trackers, and which voice sings."""
