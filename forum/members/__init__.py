"""Members: who they are, where they stand, which roles they have. Tables and queries only."""
