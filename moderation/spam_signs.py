"""Signs of spam in what newcomers write, and what a case says of them. None of it holds words of danger.

Copies are sought among the posts of the last 24 hours by members in their first days: the third waits.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import BigInteger, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.authentication import arrivals
from forum.content.posts.tables import Post, Visibility
from forum.content.threads.tables import Thread
from forum.core import side_process
from forum.core.database import Record, query
from forum.core.gate import Submission
from forum.core.text import is_light
from forum.core.work import Work
from forum.members.aliases import get_owner, owner_of
from forum.members.tables import Member
from moderation import cases
from moderation.cases import Case, CaseKind, CasePost, CaseState
from moderation.findings import KEPT_FOR, LocatedFinding, TextPart
from moderation.screening import links, spam
from moderation.screening.finding import Finding, FindingKind, SignEffect

FIRST_POSTS = 3  # of a member, in which a way to reach them elsewhere is looked at
REACHES = frozenset({"telephone", "email", "handle"})  # personal information by which somebody can be reached
WITHIN = timedelta(hours=24)
COPIES = 2  # that there are already: the third waits
LOOKED_BACK, COMPARED = 5000, 500  # of the newest posts, those of newcomers, so many at most
WEEK = 7  # days: who joined within them counts as new here at least
HELD = "A moderator reads this before it appears, because its words have been here before. You will be told."


class NearCopy(SQLModel, table=True):
    """A post that says the same as one of a case."""

    __tablename__ = "near_copy"

    case_id: UUID = Field(primary_key=True, foreign_key="moderation_case.id", ondelete="CASCADE")
    post_id: int = Field(sa_type=BigInteger, primary_key=True, foreign_key="post.id", ondelete="CASCADE", index=True)


async def find_signs(
    session: AsyncSession,
    submission: Submission,
    parts: Sequence[tuple[TextPart, str]],
    known: Sequence[LocatedFinding],
) -> list[LocatedFinding]:
    """Return the signs of spam in a member's post; `known` is what else was found there.

    How to reach somebody elsewhere is a sign in their first posts only, and the same words again only in their first
    days.
    """
    author = submission.author
    if author is None or author.is_staff or submission.publication is None:
        return []
    found = await locate(parts, known)
    if any(map(_is_contact, found)) and await _count_posts(session, author.id) >= FIRST_POSTS:
        found = [one for one in found if not _is_contact(one)]
    if submission.written_by_newcomer_at and submission.edited is None:
        found += await _find_copies(session, submission, dict(parts), submission.written_by_newcomer_at)
    return found


async def locate(parts: Sequence[tuple[TextPart, str]], known: Sequence[LocatedFinding]) -> list[LocatedFinding]:
    """Return the links that hide where they lead, and how somebody can be reached elsewhere, as `known` has it too."""
    found = [LocatedFinding(part, finding) for part, text in parts if text for finding in await _find(text)]
    reached = [
        LocatedFinding(one.part, spam.contact_at(one.finding.start, one.finding.end))
        for one in known
        if one.finding.recogniser in REACHES
    ]
    return [*found, *(one for one in reached if not _overlaps(one, found))]


def beside(signs: Sequence[LocatedFinding], recorded: Sequence[LocatedFinding]) -> list[LocatedFinding]:
    """Return the signs without those that a case says already: a number that it has as personal information."""
    return [one for one in signs if not (_is_contact(one) and _overlaps(one, recorded))]


async def link_copies(session: AsyncSession, case_id: UUID, found: Sequence[LocatedFinding]) -> None:
    """Note in a case which other posts say the same."""
    copies = sorted({post_id for one in found for post_id in one.copies})
    if copies:
        rows = insert(NearCopy).values([{"case_id": case_id, "post_id": post_id} for post_id in copies])
        await session.execute(rows.on_conflict_do_nothing())


async def join_case_of_copies(session: AsyncSession, post: Post, found: Sequence[LocatedFinding]) -> None:
    """Have the open case of a copy by the same author on the same board hold this post too: it is decided once."""
    copies = [post_id for one in found for post_id in one.copies]
    if not copies or await _is_in_open_case(session, post.id):
        return
    boards = select(col(Thread.board_id)).where(col(Thread.id) == post.thread_id)
    this = (
        select(Case)
        .join(Post, col(Post.id) == col(Case.post_id))
        .join(Thread, col(Thread.id) == col(Post.thread_id))
        .where(
            col(Post.id).in_(copies),
            col(Case.subject_persona_id) == post.author_id,
            col(Case.state) == CaseState.OPEN,
            col(Case.kind).in_((CaseKind.POST, CaseKind.POSTS)),
            col(Thread.board_id).in_(boards),
        )
        .order_by(col(Case.opened_at), col(Case.id))
        .limit(1)
        # One that somebody decides at this moment is not waited for, or each would wait for the other's rows.
        .with_for_update(of=Case, key_share=True, skip_locked=True)
    )
    case = (await session.execute(this, execution_options={"populate_existing": True})).scalar_one_or_none()
    if case:
        await cases.join(session, case, post.id)


async def list_copies(session: AsyncSession, case_id: UUID) -> Sequence[int]:
    """Return the ids of the posts that say the same as one of a case."""
    copies = select(col(NearCopy.post_id)).where(col(NearCopy.case_id) == case_id).order_by(col(NearCopy.post_id))
    return (await session.execute(copies)).scalars().all()


async def list_signals(work: Work, case_id: UUID) -> list[str]:
    """Return what is known of the account of somebody who was in their first days when their case was opened.

    `throw_away_mail`: their mail address is of a kind that is thrown away; `joined_together`: many joined within the
    same hour; `joined_from_one_network`: many did from the same network.
    """
    session, newcomer = work.session, timedelta(days=work.settings.newcomer_days)
    case = await session.get_one(Case, case_id)
    member = await session.get(Member, await get_owner(session, case.subject_persona_id))
    if member is None or case.opened_at - member.joined_at >= newcomer:
        return []
    near = col(Member.joined_at).between(member.joined_at - arrivals.WITHIN, member.joined_at + arrivals.WITHIN)
    joined = (await session.execute(select(func.count()).select_from(Member).where(near))).scalar_one()
    domain = (member.email or "").rpartition("@")[2].casefold()
    signals = {
        "throw_away_mail": domain in links.hosts("throw_away_mail"),
        "joined_together": joined >= arrivals.MANY,
        "joined_from_one_network": await arrivals.joined_in_burst(session, member.id),
    }
    return [name for name, holds in signals.items() if holds]


async def delete_old(session: AsyncSession, now: datetime) -> None:
    """Delete which posts are copies, with what else was found in a case."""
    old = select(col(Case.id)).where(col(Case.decided_at) < now - KEPT_FOR)
    await session.execute(delete(NearCopy).where(col(NearCopy.case_id).in_(old)))


def _is_contact(found: LocatedFinding) -> bool:
    return found.finding.recogniser == spam.CONTACT


def _overlaps(one: LocatedFinding, others: Sequence[LocatedFinding]) -> bool:
    return any(
        one.part == other.part
        and one.finding.start < other.finding.end
        and other.finding.start < one.finding.end
        and other.finding.kind in (FindingKind.SPAM, FindingKind.PERSONAL_INFORMATION)
        for other in others
    )


async def _find(text: str) -> Sequence[Finding]:
    return spam.find_signs(text) if is_light(text) else await side_process.run(spam.find_signs, text)


async def _find_copies(
    session: AsyncSession, submission: Submission, texts: Mapping[TextPart, str], at: datetime
) -> Sequence[LocatedFinding]:
    body = texts[TextPart.BODY]
    if len(spam.own_words(body)) < spam.SHORTEST_COPY:
        return []
    days = submission.publishing.settings.newcomer_days if submission.publishing else WEEK
    others = await _list_newcomers_posts(session, at, timedelta(days=max(days, WEEK)))
    bodies = [other.body_markdown for other in others]
    places = await side_process.run_unless_short([body, *bodies], spam.find_copies, body, bodies)
    if len(places) < COPIES:
        return []
    copies = tuple(others[place].id for place in places)
    finding = Finding(FindingKind.SPAM, 0, len(body), spam.NEAR_COPY, spam.VERSION, effect=SignEffect.HOLD)
    return [LocatedFinding(TextPart.BODY, finding, copies)]


async def _list_newcomers_posts(session: AsyncSession, at: datetime, newcomer: timedelta) -> Sequence[Record]:
    """Return posts of members who joined a short time ago: those of the last day that are long enough, and are among
    the newest 5,000 of all, so that a reply costs the same on a large forum.
    """
    newest = (
        select(col(Post.id), col(Post.author_id), col(Post.body_markdown), col(Post.created_at), col(Post.visibility))
        .order_by(col(Post.id).desc())
        .limit(LOOKED_BACK)
        .subquery()
    )
    by_newcomers = (
        query(newest.c.id, newest.c.body_markdown)
        .join(Member, col(Member.id) == owner_of(newest.c.author_id))
        .where(
            newest.c.created_at > at - WITHIN,
            newest.c.visibility != Visibility.WITHDRAWN,
            func.length(newest.c.body_markdown) >= spam.SHORTEST_COPY,
            col(Member.joined_at) > at - newcomer,
        )
        .order_by(newest.c.id.desc())
        .limit(COMPARED)
    )
    return (await session.execute(by_newcomers)).all()


async def _count_posts(session: AsyncSession, author_id: UUID) -> int:
    """Return how many posts somebody wrote, up to the number of first posts."""
    some = select(col(Post.id)).where(col(Post.author_id) == author_id).limit(FIRST_POSTS).subquery()
    return (await session.execute(select(func.count()).select_from(some))).scalar_one()


async def _is_in_open_case(session: AsyncSession, post_id: int) -> bool:
    held = select(col(CasePost.case_id)).where(col(CasePost.post_id) == post_id, col(CasePost.is_open)).limit(1)
    return (await session.execute(held)).first() is not None


def held_because(found: Collection[LocatedFinding]) -> str | None:
    """Return why a post waits whose words were here before, if it does."""
    is_held = any(one.finding.kind == FindingKind.SPAM and one.finding.effect == SignEffect.HOLD for one in found)
    return HELD if is_held else None
