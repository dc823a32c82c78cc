"""The pages of what moved here."""
