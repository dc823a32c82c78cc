"""Concerns: what is known of people at risk, and of those who work here, for safeguarding leads only."""
