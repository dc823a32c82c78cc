"""Mails that come back: a server took one, and another said later that it cannot be delivered (RFC 3464)."""

import re
from collections.abc import Iterator, Sequence
from email import message_from_bytes
from email.message import Message
from email.parser import HeaderParser
from email.policy import default
from typing import cast

LARGEST = 1024 * 1024  # bytes that are looked at: a report has some 10 KB, and may carry all of what it returns
_OFF_LINK = re.compile(r"<[^<>\s]*/unsubscribe/([A-Za-z0-9_-]{1,100})>")


def find_off_token(content: bytes) -> str | None:
    """Return the token of the letter that a report says cannot be delivered, ever; None of any other mail.

    The token stands in a header of each letter, and nobody but whoever gets the letter knows it: so nobody can stop
    the letters of another by writing a report. What says that it is only late is none.
    """
    try:
        return _find(list(message_from_bytes(content[:LARGEST], policy=default).walk()))
    except Exception:  # noqa: BLE001 (anybody can send a mail that Python's parser cannot read; it counts for nothing)
        return None


def _find(parts: Sequence[Message]) -> str | None:
    if not any(_says_failed(part) for part in parts):
        return None
    found = (_OFF_LINK.search(str(headers.get("List-Unsubscribe", ""))) for headers in _returned(parts))
    return next((match.group(1) for match in found if match), None)


def _says_failed(part: Message) -> bool:
    """Return whether a part says of a recipient that it failed for good."""
    status = str(part.get("Status", "")).strip()
    return str(part.get("Action", "")).strip().lower() == "failed" and status.startswith("5.")


def _returned(parts: Sequence[Message]) -> Iterator[Message]:
    """Give the headers of what came back: whole, or its headers alone (RFC 6522)."""
    for part in parts:
        if part.get_content_type() == "text/rfc822-headers":
            yield HeaderParser(policy=default).parsestr(str(part.get_payload()))
        elif part.get_content_type() == "message/rfc822":
            yield from cast(list[Message], part.get_payload())
