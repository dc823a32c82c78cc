"""Pages of the second step and of passkeys."""
