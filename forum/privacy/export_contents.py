"""What goes into a member's copy of what the forum stores about them: one function for each feature."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication.arrivals import select_own as select_arrival
from forum.authentication.profiles import select_profiles
from forum.authentication.rules_acceptance import select_acceptances
from forum.authentication.second_factor.passkeys import select_passkeys
from forum.authentication.sessions import select_sessions
from forum.content.addressed_help import select_shown
from forum.content.bookmarks import SAVED_BY
from forum.content.drafts import select_drafts
from forum.content.ignored import IGNORED_BY
from forum.content.posts.queries import EARLIER_BY, HELD_BY, WRITTEN_BY
from forum.content.reactions.queries import GIVEN_BY
from forum.content.read_marks import MARKS_OF
from forum.content.search.actions import select_searches
from forum.content.subscriptions import SUBSCRIPTIONS_OF
from forum.content.threads.queries import OPENED_BY, TITLED_BY
from forum.core.export_section import ExportSection, SafeHtml, items_of
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.notifications.letters import select_choice

ALL = 1_000_000  # notifications of one member: more than anybody gets


async def export_profile(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return the viewer's profile, and when they accepted which edition of the rules."""
    rows = (await session.execute(select_profiles().where(col(Member.id) == viewer.id))).all()
    accepted = (await session.execute(select_acceptances(viewer))).all()
    return [
        ExportSection("profile", "Your profile", items_of(rows)),
        ExportSection("rules", "Editions of the rules that you accepted", items_of(accepted)),
    ]


async def export_arrival(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return what is kept, while an account is new, of how the viewer joined."""
    rows = (await session.execute(select_arrival(viewer))).all()
    return [ExportSection("arrival", "How you joined", items_of(rows))]


async def export_posts(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return what the viewer wrote, as they may read it today, and what it said before."""
    written = (await session.execute(WRITTEN_BY.query, viewer.query_parameters)).all()
    earlier = (await session.execute(EARLIER_BY.query, viewer.query_parameters)).all()
    held = (await session.execute(HELD_BY.query, viewer.query_parameters)).all()
    return [
        ExportSection("posts", "What you wrote", list(map(_safe_html, items_of(written)))),
        ExportSection("revisions", "Earlier versions of your posts", list(map(_safe_html, items_of(earlier)))),
        ExportSection("held_edits", "Edits that waited for a moderator", list(map(_safe_html, items_of(held)))),
    ]


async def export_threads(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return the threads that the viewer opened."""
    rows = (await session.execute(OPENED_BY.query, viewer.query_parameters)).all()
    earlier = (await session.execute(TITLED_BY.query, viewer.query_parameters)).all()
    return [
        ExportSection("threads", "Threads that you opened", items_of(rows)),
        ExportSection("titles", "Earlier titles that you gave to threads", items_of(earlier)),
    ]


async def export_drafts(session: AsyncSession, viewer: Viewer, now: datetime) -> Sequence[ExportSection]:
    """Return what the viewer began to write, and may go on with."""
    drafts, values = select_drafts(viewer, now)
    rows = items_of((await session.execute(drafts, values)).all())
    told = ("kind", "place_title", "title", "body_markdown", "content_warning", "other_words", "saved_at")
    return [ExportSection("drafts", "What you began to write", [{name: row[name] for name in told} for row in rows])]


async def export_read_marks(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return how far the viewer has read which threads."""
    rows = (await session.execute(MARKS_OF.query, viewer.query_parameters)).all()
    return [ExportSection("read_marks", "How far you have read which threads", items_of(rows))]


async def export_subscriptions(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return which threads and boards the viewer follows."""
    rows = (await session.execute(SUBSCRIPTIONS_OF.query, viewer.query_parameters)).all()
    return [ExportSection("subscriptions", "Threads and boards that you follow", items_of(rows))]


async def export_bookmarks(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return which posts the viewer saved."""
    rows = (await session.execute(SAVED_BY.query, viewer.query_parameters)).all()
    return [ExportSection("bookmarks", "Posts that you saved", items_of(rows))]


async def export_addressed_help(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return beside which threads help was shown to the viewer."""
    rows = (await session.execute(select_shown(viewer))).all()
    return [ExportSection("help_shown", "Threads beside which help was shown to you", items_of(rows))]


async def export_reactions(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return how the viewer reacted to which posts."""
    rows = (await session.execute(GIVEN_BY.query, viewer.query_parameters)).all()
    return [ExportSection("reactions", "How you reacted to posts", items_of(rows))]


async def export_ignored(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return whom the viewer ignores."""
    rows = (await session.execute(IGNORED_BY.query, viewer.query_parameters)).all()
    return [ExportSection("ignored", "People you ignore", items_of(rows))]


async def export_searches(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return what the viewer searched for within the hour."""
    rows = items_of((await session.execute(select_searches(viewer), viewer.query_parameters)).all())
    told = ("query", "board_name", "author_handle", "since", "until", "made_at")
    return [ExportSection("searches", "What you searched for", [{name: row[name] for name in told} for row in rows])]


async def export_notifications(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return the viewer's notifications."""
    rows = (await session.execute(inbox.select_notifications(viewer, None, ALL), viewer.query_parameters)).all()
    return [ExportSection("notifications", "Your notifications", items_of(rows))]


async def export_letter_choice(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return which mails about news the viewer chose, and when the next one is due."""
    rows = (await session.execute(select_choice(viewer))).all()
    return [ExportSection("mails", "Which mails about news you chose", items_of(rows))]


async def export_sessions(session: AsyncSession, viewer: Viewer, now: datetime) -> Sequence[ExportSection]:
    """Return where the viewer is signed in."""
    rows = (await session.execute(select_sessions(viewer, now))).all()
    return [ExportSection("sessions", "Where you are signed in", items_of(rows))]


async def export_passkeys(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return the viewer's passkeys."""
    rows = (await session.execute(select_passkeys(viewer))).all()
    return [ExportSection("passkeys", "Your passkeys", items_of(rows))]


def _safe_html(post: dict[str, Any]) -> dict[str, Any]:
    """Return a post whose HTML is shown as it is; it was made safe when it was written."""
    return post | {"body_html": post["body_html"] and SafeHtml(post["body_html"])}
