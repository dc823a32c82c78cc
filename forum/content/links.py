"""Addresses of pages elsewhere, as staff write them."""

import re
from urllib.parse import urlsplit

from forum.core.errors import Invalid

URL_MAX = 500


def check_link(url: str, pointer: str) -> None:
    """Raise Invalid, which points at the field, unless this is the address of a page on the web."""
    try:
        parts = urlsplit(url)
        _port = parts.port  # it may be none
        is_link = parts.scheme == "https" and bool(parts.hostname) and not parts.username and url.isascii()
    except ValueError:
        is_link = False
    if not is_link or re.search(r"[\s\"<>\\]", url):
        raise Invalid("must be an address that begins with https://", pointer, code="unusable_link")
