"""Projects of digital audio workstations."""
