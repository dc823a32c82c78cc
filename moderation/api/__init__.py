"""What clients of moderation talk to: one module per feature."""
