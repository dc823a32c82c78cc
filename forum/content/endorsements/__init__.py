"""Endorsements: an adviser says that what a member wrote is right."""
