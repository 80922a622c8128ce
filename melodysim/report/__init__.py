"""What people and programs read: text for the terminal, JSON and CSV for programs."""
