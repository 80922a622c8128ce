"""From matches to a verdict, and to its wording."""
