"""What every part stands on: no people and no posts."""
