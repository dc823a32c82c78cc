"""Escapes, so that nothing that somebody typed becomes markup of ours."""

import re

_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


def escape_all(text: str) -> str:
    """Return the text with each mark escaped: it is shown as it is, wherever it stands."""
    return _PUNCTUATION.sub(r"\\\g<0>", text)
