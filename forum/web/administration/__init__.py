"""Pages of setting up, boards, accounts, roles, invitations and unsent mail."""
