"""What the forum itself stores about a member, as they may read it today."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication.profiles import select_profiles
from forum.authentication.second_factor.passkeys import select_passkeys
from forum.authentication.sessions import select_sessions
from forum.content.posts.queries import EARLIER_BY, WRITTEN_BY
from forum.content.threads.queries import OPENED_BY
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.privacy.personal_data_source import ExportSection, SafeHtml

ALL = 1_000_000  # notifications of one member: more than anybody gets


async def export_sections_of_forum(session: AsyncSession, viewer: Viewer, now: datetime) -> Sequence[ExportSection]:
    """Return the viewer's profile, posts, threads, notifications, sessions and passkeys."""
    profile = (await session.execute(select_profiles().where(col(Member.id) == viewer.id))).all()
    opened = (await session.execute(OPENED_BY.query, viewer.sight)).all()
    written = (await session.execute(WRITTEN_BY.query, viewer.sight)).all()
    earlier = (await session.execute(EARLIER_BY.query, viewer.sight)).all()
    notified = (await session.execute(inbox.select_notifications(viewer, None, ALL))).all()
    open_ = (await session.execute(select_sessions(viewer, now))).all()
    keys = (await session.execute(select_passkeys(viewer))).all()
    return (
        ExportSection("profile", "Your profile", _items(profile)),
        ExportSection("posts", "What you wrote", [_safe_html(item) for item in _items(written)]),
        ExportSection("revisions", "Earlier versions of your posts", [_safe_html(item) for item in _items(earlier)]),
        ExportSection("threads", "Threads that you opened", _items(opened)),
        ExportSection("notifications", "Your notifications", _items(notified)),
        ExportSection("sessions", "Where you are signed in", _items(open_)),
        ExportSection("passkeys", "Your passkeys", _items(keys)),
    )


def _items(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in rows]


def _safe_html(post: dict[str, Any]) -> dict[str, Any]:
    """Return a post whose HTML is shown as it is; it was made safe when it was written."""
    return post | {"body_html": post["body_html"] and SafeHtml(post["body_html"])}
