"""All posts of a member in one list, for the moderators of their boards; and one decision about many of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import NamedTuple
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy import case as case_when
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.revisions import refuse_stale_post
from forum.content.posts.tables import SHOWN, Post, Visibility
from forum.content.posts.visibility import with_board_of_post
from forum.content.threads.tables import Thread
from forum.core import audit, pagination
from forum.core.database import Query, query
from forum.core.errors import Conflict, Invalid, Stale
from forum.core.idempotency import Repeat
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.queries import get_member
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer
from moderation import cases, decisions, statements
from moderation.case_priority import GRAVITY, Category, graver, priority
from moderation.cases import Case, CaseKind, CasePost, CaseState
from moderation.decisions import Decided, Decision, DecisionInput
from moderation.permissions import ModerationAct, allow
from moderation.reports import Report

POSTS_MAX = 100  # in one decision: as many as a page of the list has

# What a cursor into the list holds: the id of the last post of the page before.
BY_ID = TypeAdapter(tuple[pagination.Identity])


class TakenCase(NamedTuple):
    """What is taken over from an open case of one post into that of many."""

    id: UUID
    category: Category
    reports: int
    findings: int
    barred_id: UUID | None
    is_flagged: bool


@dataclass(frozen=True)
class SeenPost:
    """A post, and the revision of it that was on the screen."""

    post_id: int
    revision: int


# Queries


def decidable_by(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition, on Post joined with its board, that the viewer may have to decide about the post: for
    statements that get `query_parameters`.

    Moderators see every post of their boards, administrators those that readers see.
    """
    moderated = boards.MODERATED
    if Role.ADMINISTRATOR in viewer.roles:
        moderated = or_(moderated, col(Post.visibility) == Visibility.VISIBLE)
    return and_(moderated, boards.READABLE)


def select_posts(viewer: Viewer, member_id: UUID) -> Query:
    """Return a select of a member's posts under their own name, with their words unless they withdrew them."""
    is_kept = col(Post.visibility) != Visibility.WITHDRAWN
    posts = query(
        col(Post.id),
        col(Post.thread_id),
        col(Thread.title).label("thread_title"),
        col(Board.slug).label("board"),
        col(Board.name).label("board_name"),
        col(Post.number),
        col(Post.revision),
        col(Post.visibility),
        case_when((is_kept, col(Post.content_warning))).label("content_warning"),
        case_when((is_kept, col(Post.body_markdown))).label("body_markdown"),
        col(Post.created_at),
        col(Post.edited_at),
    )
    return with_board_of_post(posts).where(col(Post.author_id) == member_id, decidable_by(viewer))


async def list_posts(work: Work, moderator: Viewer, handle: str, after: str | None, limit: int) -> Page:
    """Return a page of a member's posts on the moderator's boards, newest first.

    Raises Forbidden, NotFound when there is no such member, and Invalid for a cursor of another list.
    """
    allow(ModerationAct.SEE_RECORD, moderator)
    before = pagination.decode(after, BY_ID) if after is not None else None
    member = await get_member(work.session, handle)
    page = select_posts(moderator, member.id).order_by(col(Post.id).desc()).limit(limit + 1)
    if before:
        page = page.where(col(Post.id) < before[0])
    rows = (await work.session.execute(page, moderator.query_parameters)).all()
    return pagination.page_of(rows, limit, lambda row: (row.id,))


# Actions


async def decide_together(
    work: Work,
    moderator: Viewer,
    handle: str,
    seen: Sequence[SeenPost],
    wanted: DecisionInput,
    *,
    repeat: Repeat | None = None,
) -> Decided:
    """Decide about many posts of one member, on sight: one case, one decision, one statement, and one appeal.

    It takes the open cases of these posts in. Raises NotFound and Forbidden, Invalid for a post that is not the
    member's or not for the moderator to decide, Stale and Conflict when a post changed or somebody else is working on
    its case, and as `decisions.decide` does. A `repeat` returns what was decided.
    """
    earlier = await repeat.earlier(work) if repeat else None
    if earlier:
        return await _decided(work, UUID(earlier))
    allow(ModerationAct.SEE_RECORD, moderator)
    member = await get_member(work.session, handle)
    allow(ModerationAct.DECIDE_TOGETHER, moderator, member)
    posts = await _lock_posts(work, moderator, member, seen)
    whole = await _open_case(work, moderator, member, posts)
    input_ = replace(wanted, version=whole.version, revision=posts[0].revision)
    decided = await decisions.decide(work, moderator, whole.id, input_)
    if repeat:
        await repeat.keep(work, decided.decision.id)
    return decided


async def _decided(work: Work, decision_id: UUID) -> Decided:
    decision = await work.session.get_one(Decision, decision_id)
    return Decided(decision, await statements.find_for_decision(work.session, decision_id))


async def _lock_posts(work: Work, moderator: Viewer, member: Member, seen: Sequence[SeenPost]) -> Sequence[Post]:
    """Lock the posts, and return them by id. Raises unless each is as it was seen and the moderator's to decide."""
    revisions = {post.post_id: post.revision for post in seen}
    if len(revisions) < len(seen):
        raise Invalid("Name each post once.", "#/posts", code="post_repeated")
    theirs = select_posts(moderator, member.id).where(col(Post.id).in_(revisions)).with_only_columns(col(Post.id))
    known = set((await work.session.execute(theirs, moderator.query_parameters)).scalars())
    for post_id in revisions:
        if post_id not in known:
            detail = "One of these is no post of this member's on a board that you moderate."
            raise Invalid(detail, "#/posts", code="not_their_post", post_id=post_id)
    posts = await decisions.lock_posts(work.session, select(col(Post.id)).where(col(Post.id).in_(revisions)))
    for post in posts:
        await _refuse_changed(work, post, revisions[post.id])
    return posts


async def _refuse_changed(work: Work, post: Post, revision: int) -> None:
    """Return when a post is as it was seen. Raises Stale and Conflict, which say about which post, otherwise."""
    if post.visibility not in SHOWN:
        detail = f"Post {post.number} in its thread is no longer there: it was removed or withdrawn."
        raise Conflict(detail, code=f"post_{post.visibility}", post_id=post.id)
    try:
        await refuse_stale_post(work.session, post, revision)
    except Stale as error:
        error.facts["post_id"] = post.id
        raise


async def _open_case(work: Work, moderator: Viewer, member: Member, posts: Sequence[Post]) -> Case:
    """Open a case that holds these posts, whose rows are locked, in the place of the open cases of each.

    Whoever dismissed one of these, which an appeal opened again, is no more free to decide this.
    """
    taken = await _take_in(work, moderator, posts)
    category = reduce(graver, (case.category for case in taken)) if taken else Category.OTHER
    reports, findings = (sum(getattr(case, name) for case in taken) for name in ("reports", "findings"))
    is_flagged = any(case.is_flagged for case in taken)
    whole = Case(
        kind=CaseKind.POSTS,
        subject_persona_id=member.id,
        post_id=posts[0].id,
        category=category,
        reports=reports,
        findings=findings,
        is_flagged=is_flagged,
        priority=priority(category, reports, findings=findings, is_flagged=is_flagged),
        opened_at=work.now,
        due_at=work.now + GRAVITY[category][1],
        changed_at=work.now,
        barred_id=_barred(moderator, taken),
    )
    work.session.add(whole)
    await work.session.flush()
    await cases.hold_posts(work.session, whole, select(col(Post.id)).where(col(Post.id).in_([p.id for p in posts])))
    waiting = (col(Report.case_id).in_([case.id for case in taken]), col(Report.outcome).is_(None))
    await work.session.execute(update(Report).where(*waiting).values(case_id=whole.id))
    await _record(work, moderator, "case.opened_on_sight", whole.id)
    for case in taken:
        await _record(work, moderator, "case.taken_in", case.id, into=whole.id)
    return whole


async def _take_in(work: Work, moderator: Viewer, posts: Sequence[Post]) -> Sequence[TakenCase]:
    """Close the open cases about one of these posts each, and return them as they were. Raises Conflict."""
    chosen = [post.id for post in posts]
    holding = select(col(CasePost.case_id)).where(col(CasePost.post_id).in_(chosen), col(CasePost.is_open))
    own_kinds = (CaseKind.POST, CaseKind.POSTS)
    open_cases = select(Case).where(
        col(Case.id).in_(holding), col(Case.kind).in_(own_kinds), col(Case.state) == CaseState.OPEN
    )
    locked = open_cases.order_by(col(Case.id)).with_for_update(key_share=True)
    found = (await work.session.execute(locked, execution_options={"populate_existing": True})).scalars().all()
    revisions = {post.id: post.revision for post in posts}
    taken = []
    for case in found:
        await cases.refuse_unless_free(work, moderator, case)
        await _refuse_others(work, case, chosen)
        taken.append(
            TakenCase(case.id, Category(case.category), case.reports, case.findings, case.barred_id, case.is_flagged)
        )
        await cases.close(work, moderator, case, revisions[case.post_id or 0])
    return taken


async def _refuse_others(work: Work, case: Case, chosen: Sequence[int]) -> None:
    """Return when a case holds no other posts than these. Raises Conflict otherwise: nobody would decide on those."""
    others = cases.posts_of(case.id).where(col(CasePost.post_id).not_in(chosen))
    if (await work.session.execute(others.limit(1))).first():
        detail = "One of these posts is in a case with other posts of this member. Decide that case, or choose all."
        raise Conflict(detail, code="post_in_other_case")


def _barred(moderator: Viewer, taken: Sequence[TakenCase]) -> UUID | None:
    barred = [case.barred_id for case in taken if case.barred_id]
    return moderator.id if moderator.id in barred else next(iter(barred), None)


async def _record(work: Work, moderator: Viewer, act: str, case_id: UUID, *, into: UUID | None = None) -> None:
    details: audit.Details | None = {"into": str(into)} if into else None
    await audit.record(
        work.session, actor_id=moderator.id, act=act, subject=("case", case_id), now=work.now, details=details
    )
