"""What knows nothing of melodies: files written whole, text made safe, worker processes."""
