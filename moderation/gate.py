"""The gate: who is published at once and who waits for a human, by each board's own policy."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum import notifications
from forum.boards import Publication
from forum.gate import Submission, Verdict
from forum.posts import Post
from moderation import cases
from moderation.cases import Category

ALL_WAIT = "On this board a moderator reads every post before it appears. You will be told."
FIRST_WAIT = "A moderator reads everybody's first posts here before they appear. You will be told."


class BoardGate:
    """Holds what a board's policy holds; opens a case for each, and tells its author."""

    def __init__(self, first_posts: int) -> None:
        self.first_posts = first_posts

    async def judge(self, _session: AsyncSession, submission: Submission) -> Verdict:
        """Publish or hold; staff's own words never wait, and neither do names, which belong to no board."""
        policy, author = submission.publication, submission.author
        if author is None or author.is_staff or policy in {None, Publication.AT_ONCE}:
            return Verdict()
        if policy == Publication.HOLD_ALL:
            return Verdict(held_because=ALL_WAIT)
        return Verdict() if author.published >= self.first_posts else Verdict(held_because=FIRST_WAIT)

    async def record(self, session: AsyncSession, subject: tuple[str, object], verdict: Verdict, now: datetime) -> None:
        """Open a case for a post that waits, and tell its author that it does."""
        kind, post_id = subject
        if not verdict.held_because or kind != "post" or not isinstance(post_id, int):
            return
        await cases.open_on_post(session, post_id, Category.HELD, now)
        author_id = (await session.execute(select(col(Post.author_id)).where(col(Post.id) == post_id))).scalar_one()
        notifications.tell(session, author_id, notifications.Kind.POST_HELD, now, post_id=post_id)
