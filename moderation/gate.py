"""The gate: who is published at once and who waits for a human, by each board's own policy."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import reduce

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import Publication
from forum.content.posts.draft import LONG
from forum.content.posts.revisions import get_words
from forum.content.posts.tables import Post
from forum.core.gate import GateResult, Submission
from forum.notifications import inbox
from moderation import cases, findings, screening
from moderation.cases import Category, State
from moderation.findings import Found, Part

ALL_WAIT = "On this board a moderator reads every post before it appears. You will be told."
FIRST_WAIT = "A moderator reads everybody's first posts here before they appear. You will be told."


class BoardGate:
    """Holds what a board's policy holds, and looks for danger in every post; a case for each, and its author is told.

    What screening finds holds up nothing: the post is published, or waits, by the board's own policy.
    """

    def __init__(self, first_posts: int, region: str) -> None:
        self.first_posts = first_posts
        self.region = region

    async def judge(self, _session: AsyncSession, submission: Submission) -> GateResult:
        """Publish or hold; staff's own words never wait, and neither do names, which belong to no board."""
        return GateResult(self._held_because(submission), await self._findings(submission))

    async def record(
        self, session: AsyncSession, subject: tuple[str, object], verdict: GateResult, now: datetime
    ) -> None:
        """Open a case for a post that waits or in which something was found, and tell its author if it waits."""
        kind, post_id = subject
        if kind != "post" or not isinstance(post_id, int) or not (verdict.held_because or verdict.findings):
            return
        post = (await session.execute(select(Post).where(col(Post.id) == post_id))).scalar_one()
        if not verdict.held_because and not await self._is_news(session, post, verdict):
            return
        reasons = [findings.CATEGORIES[found.finding.kind] for found in verdict.findings]
        reasons += [Category.HELD] if verdict.held_because else []
        category = reduce(cases.graver, reasons)
        case = await cases.open_on_post(session, post_id, category, now, findings=len(verdict.findings))
        await findings.keep(session, case.id, post.revision, verdict.findings)
        if verdict.held_because:
            inbox.notify(session, post.author_id, inbox.NotificationKind.POST_HELD, now, post_id=post_id)

    def _held_because(self, submission: Submission) -> str | None:
        policy, author = submission.publication, submission.author
        if author is None or author.is_staff or policy in {None, Publication.AT_ONCE}:
            return None
        if policy == Publication.HOLD_ALL:
            return ALL_WAIT
        return None if author.published >= self.first_posts else FIRST_WAIT

    async def _is_news(self, session: AsyncSession, post: Post, verdict: GateResult) -> bool:
        """Whether nobody has decided on these very words: a slip of the pen that is mended calls nobody again."""
        known = await cases.get_case_of_post(session, post.id)
        if known is None or known.decided_revision is None or known.state == State.OPEN:
            return True
        decided = await get_words(session, post, known.decided_revision)
        seen = {_said(one, decided) for one in await self._look([text or "" for text in decided])}
        now = (post.body_markdown, post.content_warning)
        return any(_said(one, now) not in seen for one in verdict.findings)

    async def _findings(self, submission: Submission) -> tuple[Found, ...]:
        """What is in a post's texts; of staff's, who give out the charity's own numbers, only what sounds of danger."""
        found = await self._look(submission.texts)
        if submission.author and submission.author.is_staff:
            return tuple(one for one in found if one.finding.kind == screening.Kind.CRISIS)
        return found

    async def _look(self, texts: Sequence[str]) -> tuple[Found, ...]:
        """Screen a post's texts, long ones beside the event loop."""
        parts = _parts(texts)
        if sum(map(len, texts)) > LONG:
            return await asyncio.to_thread(findings.look, parts, self.region)
        return findings.look(parts, self.region)


def _said(found: Found, texts: tuple[str, str | None]) -> tuple[screening.Kind, str]:
    """What was found, in words: to compare with, and nowhere kept."""
    text = texts[found.part == Part.WARNING] or ""
    return found.finding.kind, text[found.finding.start : found.finding.end]


def _parts(texts: Sequence[str]) -> list[tuple[Part, str]]:
    """Which of a post's texts is which: a title comes first if there is one. A title or a name alone is no post."""
    return list(zip(list(Part)[-len(texts) :], texts, strict=True)) if len(texts) > 1 else []
