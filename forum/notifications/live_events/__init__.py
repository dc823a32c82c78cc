"""Live events: what happened a moment ago, told to those who have a page open and may see it now."""
