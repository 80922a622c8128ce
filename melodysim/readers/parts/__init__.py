"""Parts of a symbolic file: their notes and names, the line of each, and which of them sings."""
