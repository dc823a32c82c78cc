"""What administrators do: roles, advisers, invitations, accounts."""
