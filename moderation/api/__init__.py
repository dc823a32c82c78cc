"""The HTTP API of moderation: one module a feature."""
