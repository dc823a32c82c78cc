"""The phrases that are sought, as data: one file for each language."""
