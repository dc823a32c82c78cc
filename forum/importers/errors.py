"""Why something cannot be moved."""


class CannotMove(Exception):
    """Nothing can be moved from there; the message is one sentence for whoever asked, and says what to do."""
