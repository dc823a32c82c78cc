"""What the forum itself keeps of a member, as they may read it today."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication import sessions
from forum.authentication.second_factor import passkeys
from forum.content.posts.queries import EARLIER_BY, WRITTEN_BY
from forum.content.threads.queries import OPENED_BY
from forum.members.queries import profiles
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.privacy.personal_data_source import ExportSection, SafeHtml

ALL = 1_000_000  # notifications of one member: more than anybody gets


async def sections_of_forum(session: AsyncSession, viewer: Viewer, now: datetime) -> Sequence[ExportSection]:
    """The viewer's profile, posts, threads, notifications, sessions and passkeys."""
    profile = (await session.execute(profiles().where(col(Member.id) == viewer.id))).all()
    opened = (await session.execute(OPENED_BY.query, viewer.sight)).all()
    written = (await session.execute(WRITTEN_BY.query, viewer.sight)).all()
    earlier = (await session.execute(EARLIER_BY.query, viewer.sight)).all()
    told = (await session.execute(inbox.select_for(viewer, None, ALL))).all()
    open_ = (await session.execute(sessions.mine(viewer, now))).all()
    keys = (await session.execute(passkeys.mine(viewer))).all()
    return (
        ExportSection("profile", "Your profile", _items(profile)),
        ExportSection("posts", "What you wrote", [_to_read(item) for item in _items(written)]),
        ExportSection("revisions", "What your posts said before", [_to_read(item) for item in _items(earlier)]),
        ExportSection("threads", "Threads that you opened", _items(opened)),
        ExportSection("notifications", "What you were told", _items(told)),
        ExportSection("sessions", "Where you are signed in", _items(open_)),
        ExportSection("passkeys", "Your passkeys", _items(keys)),
    )


def _items(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in rows]


def _to_read(post: dict[str, Any]) -> dict[str, Any]:
    """A post of which the HTML is shown; it was made safe when it was written."""
    return post | {"body_html": post["body_html"] and SafeHtml(post["body_html"])}
