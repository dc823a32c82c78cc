"""On sight: a moderator opens a case about what they see themselves, without a report, and may decide it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from forum.content.posts.context import context_of_post
from forum.content.posts.draft import NO_WORDS
from forum.content.posts.queries import PostView, get_post_in_transaction
from forum.content.posts.revisions import lock_post_row, refuse_stale_post
from forum.content.posts.tables import SHOWN, Visibility
from forum.content.threads.changes import lock_posts_of_thread
from forum.core import audit
from forum.core.errors import Conflict, Forbidden, NotFound
from forum.core.idempotency import Repeat
from forum.core.work import Work
from forum.members.queries import get_member
from forum.members.viewer import Viewer
from moderation import case_actions, case_queue, cases, decisions
from moderation.case_priority import Category
from moderation.cases import Case, CaseState
from moderation.permissions import ModerationAct, allow
from moderation.reports import Report


@dataclass(frozen=True)
class Sighting:
    """What a moderator saw: in words for the other moderators, how grave it is, and of a post, in which revision."""

    note: str
    category: Category | None = None
    revision: int | None = None


@dataclass(frozen=True)
class SightedPost:
    """A post that a moderator looks at: what became of it before, and whether they can look into it now."""

    post: PostView
    decided_in: UUID | None  # the case in which it was decided, if the viewer sees that
    can_look: bool


@dataclass(frozen=True)
class SeenCase:
    """A case that a moderator opened or found, as the queue shows it."""

    case: Any  # a row of the queue
    is_new: bool


async def read_sighted_post(work: Work, moderator: Viewer, post_id: int) -> SightedPost:
    """Return a post into which a moderator may look. Raises NotFound and Forbidden as `open_on_post` does."""
    context = await context_of_post(work, moderator, post_id, NO_WORDS)
    allow(ModerationAct.OPEN_CASE, moderator, context)
    post = await get_post_in_transaction(work.session, moderator, post_id)
    case = await cases.get_case_of_post(work.session, post_id)
    decided_in = None
    if case and case.state == CaseState.DECIDED:
        visible = await case_queue.find_visible_case(work, moderator, case.id)
        decided_in = visible.id if visible else None
    can_look = post.visibility in SHOWN or await _can_come_back(work, post.visibility, case)
    return SightedPost(post, decided_in, can_look)


async def _can_come_back(work: Work, visibility: str, case: Case | None) -> bool:
    """Whether a post is removed by what the old board decided: a decision here takes its place.

    What its author took back, there or here, never is.
    """
    if visibility != Visibility.REMOVED or case is None:
        return False
    return bool(await decisions.list_old_measures(work.session, case.id))


async def open_on_post(
    work: Work, moderator: Viewer, post_id: int, sighting: Sighting, *, repeat: Repeat | None = None
) -> SeenCase:
    """Open or find the case of a post, claim it, and say in a note what was seen. Whoever opened it may decide it.

    What a moderator of the old board removed can be looked into like what is shown. Raises NotFound, Forbidden, Stale
    when the post is at another revision, and Conflict when it was removed here, taken back by its author, or somebody
    else is working on its case. A `repeat` returns the case as it is now.
    """
    earlier = await _earlier(work, moderator, repeat)
    if earlier:
        return earlier
    context = await context_of_post(work, moderator, post_id, NO_WORDS)
    allow(ModerationAct.OPEN_CASE, moderator, context)
    # As a report does: the second of two sees what the first did.
    await lock_posts_of_thread(work.session, context.thread.id)
    post = await lock_post_row(work.session, post_id)
    await refuse_stale_post(work.session, post, sighting.revision or post.revision)
    case = await cases.get_case_of_post(work.session, post_id)
    if post.visibility not in SHOWN and not await _can_come_back(work, post.visibility, case):
        raise Conflict("This post is no longer there: it was removed or withdrawn.", code=f"post_{post.visibility}")
    is_new = case is None or case.state == CaseState.DECIDED
    if case is None or is_new or sighting.category:
        case = await cases.open_on_post(work.session, post_id, sighting.category or Category.OTHER, work.now)
    return await _take(work, moderator, SeenCase(case, is_new), sighting, repeat)


async def open_on_member(
    work: Work, moderator: Viewer, handle: str, sighting: Sighting, *, repeat: Repeat | None = None
) -> SeenCase:
    """Open or find the case about a member without a post, claim it, and say in a note what was seen.

    Raises NotFound, Forbidden, and Conflict when somebody else is working on it. A `repeat` returns the case as it is
    now.
    """
    earlier = await _earlier(work, moderator, repeat)
    if earlier:
        return earlier
    allow(ModerationAct.SEE_RECORD, moderator)
    member = await get_member(work.session, handle)
    allow(ModerationAct.OPEN_MEMBER_CASE, moderator, member)
    case, is_new = await cases.open_on_member(work.session, member.id, sighting.category, work.now)
    return await _take(work, moderator, SeenCase(case, is_new), sighting, repeat)


async def take_up(work: Work, reporter: Viewer, report: Report) -> None:
    """Make a report a case on sight, and claim it, where whoever reported may decide it themselves.

    For others nothing happens: they reported, and somebody else decides.
    """
    if report.outcome or report.on_sight:
        return
    case = await cases.lock_case_row(work.session, report.case_id)
    report.on_sight = True
    await work.session.flush()
    try:
        await case_actions.claim(work, reporter, case.id)
    except (NotFound, Forbidden):
        report.on_sight = False
        await work.session.flush()
        return
    except Conflict:
        pass  # somebody else is working on it: it stays with them
    cases.discount_report(case)
    await _record(work, reporter, case.id)


async def _earlier(work: Work, moderator: Viewer, repeat: Repeat | None) -> SeenCase | None:
    case_id = await repeat.earlier(work) if repeat else None
    if case_id is None:
        return None
    return SeenCase(await case_queue.get_visible_case(work, moderator, UUID(case_id)), is_new=True)


async def _take(work: Work, moderator: Viewer, seen: SeenCase, sighting: Sighting, repeat: Repeat | None) -> SeenCase:
    case_id: UUID = seen.case.id
    try:
        await case_actions.add_note(work, moderator, case_id, sighting.note)
    except NotFound as error:  # an administrator, while a moderator is there to decide
        detail = "A moderator decides this. Report it, and they are told."
        raise Forbidden(detail, code="another_moderator_decides") from error
    await case_actions.claim(work, moderator, case_id)
    await _record(work, moderator, case_id)
    if repeat:
        await repeat.keep(work, case_id)
    return SeenCase(await case_queue.get_visible_case(work, moderator, case_id), seen.is_new)


async def _record(work: Work, moderator: Viewer, case_id: UUID) -> None:
    act = "case.opened_on_sight"
    await audit.record(work.session, actor_id=moderator.id, act=act, subject=("case", case_id), now=work.now)
