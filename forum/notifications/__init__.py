"""Notifications to members."""
