"""The gate: which posts are published at once and which wait for a moderator, by each board's own policy."""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import HELD_BECAUSE, Publication
from forum.content.posts.revisions import get_words
from forum.content.posts.tables import Post
from forum.core import side_process
from forum.core.gate import GateResult, Submission
from forum.core.text import is_light
from forum.members import names
from forum.notifications import inbox
from moderation import cases, findings
from moderation.case_priority import Category, graver
from moderation.cases import CaseState
from moderation.findings import LocatedFinding, TextPart
from moderation.measures.tables import AppliedMeasure, MeasureKind
from moderation.screening import screen
from moderation.screening.finding import Finding, FindingKind

NAME_TAKEN = "A moderator took this name from you. Please choose another."


class BoardGate:
    """Holds the posts that a board's policy holds, and screens every post for danger and personal information.

    A post that is held, or in which something was found, gets a case. What was found never holds a post back: only
    the board's policy does.
    """

    def __init__(self, first_posts: int, region: str) -> None:
        self.first_posts = first_posts
        self.region = region

    async def judge(self, session: AsyncSession, submission: Submission) -> GateResult:
        """Publish or hold. What staff write is never held; a name is, that moderators took from this member."""
        if submission.named and await _was_taken(session, submission.named, submission.texts[0]):
            return GateResult(NAME_TAKEN)
        return GateResult(self._held_because(submission), await self._findings(submission))

    async def record(
        self, session: AsyncSession, subject: tuple[str, object], verdict: GateResult, now: datetime
    ) -> None:
        """Open a case for a post that is held or in which something was found, and tell its author if it is held.

        What was found in a name opens a case about its member.
        """
        kind, post_id = subject
        if kind == "member" and isinstance(post_id, UUID) and verdict.findings:
            categories = [findings.CATEGORIES[found.finding.kind] for found in verdict.findings]
            await cases.open_on_member(session, post_id, reduce(graver, categories), now)
        if kind != "post" or not isinstance(post_id, int) or not (verdict.held_because or verdict.findings):
            return
        post = (await session.execute(select(Post).where(col(Post.id) == post_id))).scalar_one()
        if not verdict.held_because and not await self._needs_a_decision(session, post, verdict):
            return
        categories = [findings.CATEGORIES[found.finding.kind] for found in verdict.findings]
        categories += [Category.HELD] if verdict.held_because else []
        category = reduce(graver, categories)
        case = await cases.open_on_post(session, post_id, category, now, findings=len(verdict.findings))
        await findings.save_findings(session, case.id, post.revision, verdict.findings)
        if verdict.held_because:
            inbox.notify(session, post.author_id, inbox.NotificationKind.POST_HELD, now, post_id=post_id)

    def _held_because(self, submission: Submission) -> str | None:
        policy, author = Publication(submission.publication or Publication.AT_ONCE), submission.author
        if author is None or author.is_staff:
            return None
        if policy == Publication.HOLD_NEWCOMERS and author.published >= self.first_posts:
            return None
        return HELD_BECAUSE.get(policy)

    async def _needs_a_decision(self, session: AsyncSession, post: Post, verdict: GateResult) -> bool:
        """Whether anything found is new since the last decision: a corrected typing error must not reopen the case."""
        case = await cases.get_case_of_post(session, post.id)
        if case is None or case.state == CaseState.OPEN:
            return True
        revision = await cases.get_decided_revision(session, case.id, post.id)
        if revision is None:
            return True
        decided = await get_words(session, post, revision)
        before = {_words_of(found, decided) for found in await self._screen([text or "" for text in decided])}
        present = (post.body_markdown, post.content_warning)
        return any(_words_of(found, present) not in before for found in verdict.findings)

    async def _findings(self, submission: Submission) -> tuple[LocatedFinding, ...]:
        """Return what is in a post's texts; for staff, who give out the charity's own numbers, only crisis words."""
        found = await self._screen(submission.texts)
        if submission.author and submission.author.is_staff:
            return tuple(located for located in found if located.finding.kind == FindingKind.CRISIS)
        return found

    async def _screen(self, texts: Sequence[str]) -> tuple[LocatedFinding, ...]:
        """Screen a post's texts; those that may take long in another process, so that other requests need not wait."""
        found = [LocatedFinding(part, finding) for part, text in _parts(texts) for finding in await self._find(text)]
        return tuple(found)

    async def _find(self, text: str) -> Sequence[Finding]:
        if is_light(text):
            return screen(text, self.region)
        return await side_process.run(screen, text, self.region)


async def _was_taken(session: AsyncSession, member_id: UUID, name: str) -> bool:
    """Return whether moderators took a name that looks like this from a member."""
    taken = select(AppliedMeasure).where(
        col(AppliedMeasure.member_id) == member_id,
        col(AppliedMeasure.kind) == MeasureKind.RENAME,
        col(AppliedMeasure.undone_at).is_(None),
    )
    looks = names.skeleton(name)
    rows = (await session.execute(taken)).scalars().all()
    return any(names.skeleton(applied.memory["was"]) == looks for applied in rows)


def _words_of(found: LocatedFinding, texts: tuple[str, str | None]) -> tuple[FindingKind, str]:
    """Return the words that were found: only to compare them, they are not kept."""
    text = texts[found.part == TextPart.WARNING] or ""
    return found.finding.kind, text[found.finding.start : found.finding.end]


def _parts(texts: Sequence[str]) -> list[tuple[TextPart, str]]:
    """Say which text of a post is which: a title comes first if there is one. A text alone is a title or a name."""
    return list(zip(list(TextPart)[-len(texts) :] if len(texts) > 1 else [TextPart.TITLE], texts, strict=True))
