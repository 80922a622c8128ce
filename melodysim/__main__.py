"""``python -m melodysim``."""

from melodysim.cli import main

main()
