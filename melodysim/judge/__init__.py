"""From matches to a verdict, and to the words in which it is said."""
