"""Answers that are sent in one piece: an extension of ASGI that our own server has (`connections.py`).

A scope says by the extension `WHOLE` that a message of that type can be sent: `status`; `head`, the headers as bytes;
`content`. It stands for the start and the body of an answer. A layer that changes headers takes the extension away.
"""

from collections.abc import Sequence

from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE

WHOLE = "forum.response.whole"


def head_of(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return headers as they are sent. Raises ValueError for one that would be several."""
    if any(HEADER_VALUE_RE.search(value) for _, value in headers):
        raise ValueError("A header must be one line.")
    return b"".join(b"%b: %b\r\n" % pair for pair in headers)
