"""Which post somebody means, by what they typed: a link to it, or its number."""

import re
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, urlsplit

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.tables import Post

LINK_MAX = 500
_POST = re.compile(r"(?:/api/v1)?/posts/([0-9]{1,18})(?:/.*)?")
_THREAD = re.compile(r"(?:/api/v1)?/threads/([0-9]{1,18})(?:/.*)?")
_NUMBER = re.compile(r"(?:post-)?([0-9]{1,9})")


class MeantPost(NamedTuple):
    """Where a post is: by its id, or in a thread by its number there."""

    post_id: int | None = None
    thread_id: int | None = None
    number: int = 1


def place_of(typed: str, site: str) -> MeantPost | None:
    """Return which post of the forum at the address `site` somebody means, or None where it cannot be told.

    A link to a thread that names no post means the first one.
    """
    typed = typed.strip()
    if typed.removeprefix("#").isdecimal() and len(typed) <= 18:
        return MeantPost(post_id=int(typed.removeprefix("#")))
    link = _split(typed)
    if link is None or link.hostname not in (None, urlsplit(site).hostname):
        return None
    if post := _POST.fullmatch(link.path):
        return MeantPost(post_id=int(post[1]))
    if thread := _THREAD.fullmatch(link.path):
        return MeantPost(thread_id=int(thread[1]), number=_number_in(link))
    return None


async def find_post(session: AsyncSession, place: MeantPost) -> Post | None:
    """Return the post at a place, whoever may see it."""
    this = col(Post.id) == place.post_id
    if place.post_id is None:
        this = and_(col(Post.thread_id) == place.thread_id, col(Post.number) == place.number)
    return (await session.execute(select(Post).where(this))).scalar_one_or_none()


def _split(typed: str) -> SplitResult | None:
    """Return the parts of a link; people leave the https:// out."""
    try:
        link = urlsplit(typed if "//" in typed or typed.startswith("/") else f"//{typed}")
        _ = link.hostname
    except ValueError:
        return None
    return link


def _number_in(link: SplitResult) -> int:
    said = link.fragment or parse_qs(link.query).get("start", ["1"])[0]
    number = _NUMBER.fullmatch(said)
    return int(number[1]) if number else 1
