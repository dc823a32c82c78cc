"""What holds for all pages together: forged forms, addresses with something added, files, and a forum without pages."""

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.routing import APIRoute

SOME = "01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d"
FORGED: tuple[dict[str, str], ...] = (
    {},
    {"Origin": "null"},
    {"Origin": "https://evil.example"},
    {"Origin": "https://forum.test.evil.example"},
    {"Origin": "http://forum.test"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none", "Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://forum.test"},
    {"Referer": "https://evil.example/"},
)


def forms(app: FastAPI) -> Iterator[str]:
    """The path of every route of the pages that takes a form."""
    for included in app.state.site.router.routes:
        for route in getattr(included, "original_router", included).routes:
            if isinstance(route, APIRoute) and "POST" in route.methods:
                yield route.path


def address(path: str) -> str:
    """An address of a route, of something that need not be there."""
    parts = {"{slug}": "court", "{handle}": "heron", "{role}": "moderator", "{number}": "1"}
    for name, value in parts.items():
        path = path.replace(name, value)
    return path.replace("{id}", SOME if "invitation" in path or "mail" in path else "1")
