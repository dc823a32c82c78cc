"""Mails that come back: a server took one, and another said later that it cannot be delivered (RFC 3464).

Anybody can send a mail to the address that these come to, so it is read line by line, in time and memory that grow with
its length alone. Python's parser of mails takes 20 seconds for a megabyte of parts within parts, and all the memory of
a machine for a megabyte of encoded words in one header.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

LARGEST = 1024 * 1024  # bytes that are looked at: a report has some 10 KB, and may carry all of what it returns
_FOLDED = re.compile(r"\n[ \t]+")
_BORDER = re.compile(r"^--.*$", re.MULTILINE)
_KIND = re.compile(r"^content-type:[ \t]*([a-z0-9/-]+)", re.MULTILINE | re.IGNORECASE)
_FAILED = re.compile(r"^action:[ \t]*failed[ \t]*$", re.MULTILINE | re.IGNORECASE)
_FOR_GOOD = re.compile(r"^status:[ \t]*5\.", re.MULTILINE | re.IGNORECASE)
_OFF_LINK = re.compile(r"^list-unsubscribe:.*/unsubscribe/([A-Za-z0-9_-]{1,100})>", re.MULTILINE | re.IGNORECASE)
# Those of mails to addresses in any script have names of their own (RFC 6533).
_STATUS = ("message/delivery-status", "message/global-delivery-status")
_RETURNED = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")


class _MailPart(NamedTuple):
    """What a part of a mail is, and the pieces of it between blank lines."""

    kind: str
    pieces: list[str]


def find_off_token(content: bytes) -> str | None:
    """Return the token of the letter that a report says cannot be delivered, ever; None of any other mail.

    The token stands in a header of each letter, and nobody but whoever gets the letter knows it: so nobody can stop
    the letters of another by writing a report. What says that it is only late is none.
    """
    parts = list(_parts(content[:LARGEST].decode("latin-1").replace("\r\n", "\n")))
    if not any(_says_failed(piece) for part in parts if part.kind in _STATUS for piece in part.pieces):
        return None
    found = (_OFF_LINK.search(part.pieces[0]) for part in parts if part.kind in _RETURNED and part.pieces)
    return next((match.group(1) for match in found if match), None)


def _parts(text: str) -> Iterator[_MailPart]:
    """Give what stands between the lines that begin with `--`, as all borders of parts do, however they are nested."""
    for between in _BORDER.split(_FOLDED.sub(" ", text)):
        headers, *pieces = between.removeprefix("\n").split("\n\n")
        kind = _KIND.search(headers)
        yield _MailPart(kind.group(1).lower() if kind else "", pieces)


def _says_failed(recipient: str) -> bool:
    """Return whether what is said of a recipient is that it failed for good."""
    return _FAILED.search(recipient) is not None and _FOR_GOOD.search(recipient) is not None
