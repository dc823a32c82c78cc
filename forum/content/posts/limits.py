"""Limits on posting and editing, and on links in a newcomer's post."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from forum.content.crisis_help import find_own_danger
from forum.content.posts.context import PostingContext
from forum.core.errors import Invalid, PersonalInformation
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Act, allow


@asynccontextmanager
async def count_post(work: Work, author: Viewer) -> AsyncIterator[None]:
    """Count one post of a member; newcomers have a stricter limit. Raises Throttled over the limit.

    Whoever is asked about personal information may answer at once: a question is no post.
    """
    limit = "newcomer_posting" if author.is_newcomer(work.settings.newcomer_days, work.now) else "posting"
    await work.count_try(limit, "posting", author.id)
    try:
        yield
    except PersonalInformation:
        await work.rate_limits.take_back(work.settings.limit(limit), "posting", author.id)
        raise


async def count_edit(work: Work, author: Viewer) -> None:
    """Count one edit of a member. Raises Throttled over the limit."""
    await work.count_try("editing", "editing", author.id)


def written_by_newcomer_at(work: Work, author: Viewer) -> datetime | None:
    """Return the time of this request where the member is in their first days: most spam comes from newcomers."""
    return work.now if author.is_newcomer(work.settings.newcomer_days, work.now) else None


def allow_writing(work: Work, act: Act, author: Viewer, context: PostingContext) -> None:
    """Return when the member may write something new here.

    Raises Forbidden, also before a first post with an unverified e-mail address, where the settings ask for that.
    """
    allow(act, author, context)
    if work.settings.verified_addresses:
        allow(Act.WRITE_FIRST_POST, author, context)


async def refuse_too_many_links(work: Work, author: Viewer, html: str, texts: Sequence[str]) -> None:
    """Raise Invalid when a newcomer's post has more links than a newcomer's may: most spam comes from newcomers.

    Nobody whose words sound like danger is stopped by that.
    """
    most = work.settings.newcomer_links
    if html.count("<a ") <= most or not author.is_newcomer(work.settings.newcomer_days, work.now):
        return
    if not await find_own_danger(work, texts):
        raise Invalid(
            f"In your first days here, a post can have at most {most} links. Please take some out.",
            "#/body_markdown",
            code="too_many_links",
        )
