"""Accounts, invitations and unsent mail over HTTP: for administrators."""
