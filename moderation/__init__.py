"""Moderation holds reasons; it stands on the forum."""
