"""Pages of accounts, roles, invitations and boards."""
