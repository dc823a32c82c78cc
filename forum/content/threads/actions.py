"""What members and moderators do with threads: open one, change its title, lock, pin and move it.

Each action is the whole step: it checks permission, limit and gate, changes the thread, and returns it as it is then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlmodel import col

from forum.content.boards import MODERATED, Board, policy_of
from forum.content.crisis_help import Help, also_when_refused, find_help
from forum.content.lines import refuse_official
from forum.content.personal_details import judge, publishing_on
from forum.content.posts import held_edits
from forum.content.posts.context import ReplyContext, context_in_thread, context_on_board
from forum.content.posts.draft import NO_WORDS, Draft, cover
from forum.content.posts.insertion import add_thread
from forum.content.posts.limits import allow_writing, count_edit, count_post
from forum.content.posts.queries import PostView, get_post_in_transaction
from forum.content.posts.revisions import lock_opening_post
from forum.content.posts.tables import Post
from forum.content.threads import changes, titles
from forum.content.threads.queries import get_thread_in_transaction
from forum.content.threads.tables import Thread, ThreadState, ThreadVisibility
from forum.core import audit
from forum.core.database import Record
from forum.core.errors import Invalid
from forum.core.gate import Detail, Edited, PostAuthor, Submission
from forum.core.idempotency import Repeat
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Act, allow, refuse_shut_out


@dataclass(frozen=True)
class OpenedThread:
    """A new thread, with its first post."""

    thread: Any
    first_post: PostView
    help: Help | None  # that its words ask for
    details: Sequence[Detail] = ()  # that may show who somebody is


class RetitledThread(NamedTuple):
    """A thread with its new title, and the help that this asks for, if it does."""

    thread: Any
    help: Help | None
    details: Sequence[Detail] = ()  # that may show who somebody is


async def open_thread(
    work: Work, author: Viewer, slug: str, title: str, draft: Draft, *, repeat: Repeat | None = None
) -> OpenedThread:
    """Open a thread on a board with its first post. A `repeat` of an earlier request returns the thread of that.

    Raises NotFound, Forbidden, Throttled, Invalid for too many links or for a title that looks official,
    PersonalInformation to ask the author first, and what `Repeat.earlier` raises.
    """
    texts = (title, *draft.texts)
    async with also_when_refused(work, author, "thread", texts):
        refuse_shut_out(author)  # who may be in danger too
        first_post = await _open_thread(work, author, slug, title, draft, repeat=repeat)
    thread = await get_thread_in_transaction(work.session, author, first_post.thread_id)
    help_ = await find_help(work, author, texts, first_post.thread_id)
    return OpenedThread(thread, first_post, help_, work.details)


async def _open_thread(
    work: Work, author: Viewer, slug: str, title: str, draft: Draft, *, repeat: Repeat | None
) -> PostView:
    post_id = await repeat.earlier(work) if repeat else None
    if post_id is None:
        async with count_post(work, author):
            refuse_official(title, "#/title")
            draft = draft.with_marks_escaped()
            await draft.parse()
            context = await context_on_board(work, author, slug, draft)
            allow_writing(work, Act.OPEN_THREAD, author, context)
            post_id = str((await add_thread(work, author, context, title, draft)).id)
        if repeat:
            await repeat.keep(work, post_id)
    return await get_post_in_transaction(work.session, author, int(post_id))


@dataclass(frozen=True)
class NewTitle:
    """Another title for a thread, which was at this version."""

    version: int
    title: str
    confirm: str | None = None  # the answer to what was asked about it


async def retitle_thread(work: Work, viewer: Viewer, thread_id: int, new: NewTitle) -> RetitledThread:
    """Change a thread's title: for its author and the board's moderators. Where the gate holds it, the old one stays.

    Idempotent: where the thread has this title already, nothing changes, whatever the version. Raises Stale when the
    thread is no longer at that version, Invalid for a title that a moderator took away or that looks official,
    PersonalInformation to ask the author first, NotFound, Forbidden and Throttled.
    """
    async with also_when_refused(work, viewer, "title", [new.title]):
        refuse_shut_out(viewer)  # who may be in danger too
        thread = await _retitle_thread(work, viewer, thread_id, new)
    return RetitledThread(thread, await find_help(work, viewer, [new.title], thread_id), work.details)


async def _retitle_thread(work: Work, viewer: Viewer, thread_id: int, new: NewTitle) -> Any:
    await count_edit(work, viewer)
    context = await context_in_thread(work, viewer, thread_id, NO_WORDS)
    allow(Act.RETITLE_THREAD, viewer, context)
    await changes.lock_posts_of_thread(work.session, thread_id)
    opening = await lock_opening_post(work.session, thread_id)
    thread = await changes.lock_thread_row(work.session, thread_id)
    is_own = thread.author_id in viewer.personas
    if await held_edits.is_covered_already(work.session, opening.id, (new.title, None)):
        pass  # sent twice: it waits already, and others read the rest
    elif thread.title != new.title:
        refuse_official(new.title, "#/title")
        await changes.refuse_stale_thread(work.session, thread, new.version)
        await _change_title(work, viewer, context.author, opening, new)
    elif is_own:
        await held_edits.drop(work.session, opening.id, is_title=True)
    return await get_thread_in_transaction(work.session, viewer, thread_id)


async def _change_title(work: Work, viewer: Viewer, author: PostAuthor, opening: Post, new: NewTitle) -> None:
    """Give the thread of `opening` another title, or let it wait. The caller has locked the rows of both."""
    thread = await work.session.get_one(Thread, opening.thread_id)
    # Read after the lock: the thread may have been moved meanwhile, and the new board's policy decides.
    board = await work.session.get_one(Board, thread.board_id)
    is_own = thread.author_id in viewer.personas
    edited = Edited(opening.id, work.now) if is_own else None
    title, publishing = new.title, publishing_on(work, board, thread.id, confirm=new.confirm)
    submission = Submission(
        author,
        (title,),
        *policy_of(board, work.now),
        edited=edited,
        is_title=True,
        board_id=board.id,
        publishing=publishing,
    )
    judged = await judge(work, submission)
    if judged.held_because and thread.visibility == ThreadVisibility.VISIBLE:
        edit = held_edits.held_title(opening, title, thread.author_id, judged.held_because, work.now)
        if await held_edits.hold(work.session, edit):
            await work.gate.record(work.session, ("held_edit", edit.id), judged, work.now)
        return
    shown = cover(title, judged.covered, "title")
    await changes.retitle(work.session, viewer, thread, shown, work.now)
    if is_own:
        await held_edits.drop(work.session, opening.id, is_title=True)
    await work.gate.record(work.session, ("thread", thread.id), judged, work.now)
    if shown != title:
        whole = held_edits.held_title(opening, title, thread.author_id, held_edits.COVERED_BECAUSE, work.now)
        await held_edits.hold_covered(work, whole)
    if not is_own:
        # Last, for the gate may have locked a case: whoever works on one locks it before the audit record.
        subject, act = ("thread", thread.id), "thread.retitled"
        await audit.record(work.session, actor_id=viewer.id, act=act, subject=subject, now=work.now)


@dataclass(frozen=True)
class ThreadInCare:
    """A thread, with the boards to which the moderator may move it."""

    thread: Any
    boards: Sequence[Board]


async def read_for_retitling(work: Work, viewer: Viewer, thread_id: int) -> Any:
    """Return a thread to whoever may change its title. Raises NotFound and Forbidden."""
    await _allowed(work, Act.RETITLE_THREAD, viewer, thread_id)
    return await get_thread_in_transaction(work.session, viewer, thread_id)


async def read_in_care(work: Work, moderator: Viewer, thread_id: int) -> ThreadInCare:
    """Return a thread to whoever may lock, pin and move it. Raises NotFound and Forbidden."""
    context = await _allowed(work, Act.LOCK_THREAD, moderator, thread_id)
    others = select(Board).where(MODERATED, col(Board.id) != context.board.id)
    ordered = others.order_by(col(Board.position), col(Board.id))
    boards = (await work.session.execute(ordered, moderator.query_parameters)).scalars().all()
    return ThreadInCare(await get_thread_in_transaction(work.session, moderator, thread_id), boards)


async def list_titles(work: Work, viewer: Viewer, thread_id: int) -> Sequence[Record]:
    """Return every title of a thread, the present one last: for its author and the board's moderators.

    One that a moderator took away comes without its text. Raises NotFound and Forbidden.
    """
    await _allowed(work, Act.READ_TITLES, viewer, thread_id)
    return (await work.session.execute(titles.select_titles(thread_id))).all()


async def read_sealed_title(work: Work, moderator: Viewer, thread_id: int, number: int) -> Record:
    """Return a title that a moderator took away, and record that it was read: for the board's moderators.

    Raises NotFound, also for a title that is not sealed, and Forbidden.
    """
    await _allowed(work, Act.READ_SEALED_TITLE, moderator, thread_id)
    return await titles.read_sealed_title(work.session, moderator, thread_id, number, work.now)


async def lock_thread(work: Work, moderator: Viewer, thread_id: int, reason: str | None = None) -> Any:
    """Lock a thread, so that only moderators can reply; readers see the reason. Idempotent.

    Raises Invalid for a reason that the gate would hold, NotFound, Forbidden and Throttled.
    """
    await count_edit(work, moderator)
    context = await _allowed(work, Act.LOCK_THREAD, moderator, thread_id)
    if reason is not None:
        policy = policy_of(context.board, work.now)
        judged = await work.gate.judge(work.session, Submission(context.author, (reason,), *policy))
        if judged.held_because:
            raise Invalid(judged.held_because, "#/reason", code="reason_would_be_held")
    await changes.set_state(work.session, moderator, thread_id, ThreadState.LOCKED, work.now, reason=reason)
    return await get_thread_in_transaction(work.session, moderator, thread_id)


async def unlock_thread(work: Work, moderator: Viewer, thread_id: int) -> Any:
    """Unlock a thread. Idempotent. Raises NotFound and Forbidden."""
    await _allowed(work, Act.LOCK_THREAD, moderator, thread_id)
    await changes.set_state(work.session, moderator, thread_id, ThreadState.OPEN, work.now)
    return await get_thread_in_transaction(work.session, moderator, thread_id)


async def pin_thread(work: Work, moderator: Viewer, thread_id: int) -> Any:
    """Pin a thread to the top of its board. Idempotent. Raises NotFound and Forbidden."""
    return await _set_pinned(work, moderator, thread_id, pinned=True)


async def unpin_thread(work: Work, moderator: Viewer, thread_id: int) -> Any:
    """Unpin a thread. Idempotent. Raises NotFound and Forbidden."""
    return await _set_pinned(work, moderator, thread_id, pinned=False)


async def move_thread(work: Work, moderator: Viewer, thread_id: int, version: int, slug: str) -> Any:
    """Move a thread to another board: for those who moderate both boards.

    Raises Stale when the thread is no longer at `version`, NotFound and Forbidden.
    """
    await _allowed(work, Act.MOVE_THREAD, moderator, thread_id)
    target = await context_on_board(work, moderator, slug, NO_WORDS)
    allow(Act.MOVE_THREAD, moderator, target)
    await changes.move(work.session, moderator, thread_id, target.board, version=version, now=work.now)
    return await get_thread_in_transaction(work.session, moderator, thread_id)


async def _set_pinned(work: Work, moderator: Viewer, thread_id: int, *, pinned: bool) -> Any:
    await _allowed(work, Act.PIN_THREAD, moderator, thread_id)
    await changes.set_pinned(work.session, moderator, thread_id, pinned, work.now)
    return await get_thread_in_transaction(work.session, moderator, thread_id)


async def _allowed(work: Work, act: Act, viewer: Viewer, thread_id: int) -> ReplyContext:
    context = await context_in_thread(work, viewer, thread_id, NO_WORDS)
    allow(act, viewer, context)
    return context
