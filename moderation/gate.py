"""The gate: who is published at once and who waits for a human, by each board's own policy."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum import members, notifications
from forum.boards import Publication
from forum.gate import Submission, Verdict
from forum.posts import Post, Visibility
from moderation import cases
from moderation.cases import Category

ALL_WAIT = "On this board a moderator reads every post before it appears. You will be told."
FIRST_WAIT = "A moderator reads everybody's first posts here before they appear. You will be told."


class BoardGate:
    """Holds what a board's policy holds; opens a case for each, and tells its author."""

    def __init__(self, first_posts: int) -> None:
        self.first_posts = first_posts

    async def judge(self, session: AsyncSession, submission: Submission) -> Verdict:
        """Publish or hold; staff's own words never wait, and neither do names, which belong to no board."""
        policy = submission.publication or Publication.AT_ONCE
        if policy == Publication.AT_ONCE or submission.author_id is None:
            return Verdict()
        if await members.is_staff(session, submission.author_id):
            return Verdict()
        if policy == Publication.HOLD_ALL:
            return Verdict(held_because=ALL_WAIT)
        published = select(func.count()).where(
            col(Post.author_id) == submission.author_id, col(Post.visibility) == Visibility.VISIBLE
        )
        is_known = ((await session.scalar(published)) or 0) >= self.first_posts
        return Verdict() if is_known else Verdict(held_because=FIRST_WAIT)

    async def record(self, session: AsyncSession, subject: tuple[str, object], verdict: Verdict, now: datetime) -> None:
        """Open a case for a post that waits, and tell its author that it does."""
        kind, post_id = subject
        if not verdict.held_because or kind != "post" or not isinstance(post_id, int):
            return
        await cases.open_on_post(session, post_id, Category.HELD, now)
        author_id = (await session.execute(select(col(Post.author_id)).where(col(Post.id) == post_id))).scalar_one()
        notifications.tell(session, author_id, notifications.Kind.POST_HELD, now, post_id=post_id)
