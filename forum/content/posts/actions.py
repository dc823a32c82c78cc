"""What members do with posts: reply, edit, withdraw, preview, and read earlier revisions.

Each action is the whole step: it checks permission, limit and gate. Every text that others will read passes the gate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from forum.content import drafts
from forum.content.boards import policy_of
from forum.content.crisis_help import Help, also_when_refused, find_help
from forum.content.personal_details import Details, find_details, judge, publishing_on
from forum.content.posts import held_edits, queries
from forum.content.posts.context import (
    EditContext,
    context_in_thread,
    context_of_own_post,
    context_of_post,
    named_in_thread,
)
from forum.content.posts.draft import NO_WORDS, Draft
from forum.content.posts.erasure import erase_quotes
from forum.content.posts.insertion import add_reply, rendered, what_is_shown
from forum.content.posts.limits import allow_writing, count_edit, count_post
from forum.content.posts.queries import PostView, get_post_in_transaction
from forum.content.posts.quotes import lock_posts_and_copies, record_quotes
from forum.content.posts.revisions import lock_post_row, refuse_stale_post, replace_body
from forum.content.posts.tables import WORDS_KEPT, Post, Visibility
from forum.content.posts.visibility import set_visibility
from forum.content.threads.changes import lock_posts_of_thread
from forum.core.database import Record
from forum.core.errors import Conflict
from forum.core.gate import Detail, Edited, PostAuthor, Submission
from forum.core.idempotency import Repeat
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Act, allow, refuse_shut_out


class WrittenPost(NamedTuple):
    """A post as its author wrote or changed it, and the help that its words ask for, if they do."""

    post: PostView
    help: Help | None
    details: Sequence[Detail] = ()  # that may show who somebody is


async def reply(
    work: Work, author: Viewer, thread_id: int, draft: Draft, *, repeat: Repeat | None = None
) -> WrittenPost:
    """Post a reply in a thread. A `repeat` of an earlier request returns the post of that, as it is now.

    Raises NotFound, Forbidden, Throttled, Conflict, Invalid and PersonalInformation as `add_reply` does, and what
    `Repeat.earlier` raises.
    """
    async with also_when_refused(work, author, "reply", draft.texts):
        refuse_shut_out(author)  # who may be in danger too
        post = await _reply(work, author, thread_id, draft, repeat)
    return WrittenPost(post, await find_help(work, author, draft.texts, thread_id), work.details)


async def _reply(work: Work, author: Viewer, thread_id: int, draft: Draft, repeat: Repeat | None) -> PostView:
    earlier = await repeat.earlier(work) if repeat else None
    if earlier:
        return await get_post_in_transaction(work.session, author, int(earlier))
    async with count_post(work, author):
        draft = draft.with_marks_escaped()
        if (await draft.parse()).quotes:
            # Until the commit, no moderator takes words out of the posts that it quotes, and no author theirs.
            await lock_posts_of_thread(work.session, thread_id)
        context = await context_in_thread(work, author, thread_id, draft)
        allow_writing(work, Act.REPLY, author, context)
        post = await add_reply(work, author, context, draft)
    if repeat:
        await repeat.keep(work, post.id)
    return post


async def edit_post(work: Work, author: Viewer, post_id: int, revision: int, draft: Draft) -> WrittenPost:
    """Replace the text of the author's own post, and keep the earlier text as a revision; or let it wait.

    Idempotent: where the post has this text already, nothing changes, whatever the `revision`. Raises Stale when the
    post is no longer at `revision`, Conflict when it was removed or withdrawn a moment ago, Invalid for too many links,
    PersonalInformation to ask the author first, NotFound, Forbidden and Throttled.
    """
    async with also_when_refused(work, author, "edit", draft.texts):
        refuse_shut_out(author)  # who may be in danger too
        post = await _edit_post(work, author, post_id, revision, draft)
    return WrittenPost(post, await find_help(work, author, draft.texts, post.thread_id), work.details)


async def _edit_post(work: Work, author: Viewer, post_id: int, revision: int, draft: Draft) -> PostView:
    await count_edit(work, author)
    await draft.parse()
    context = await context_of_post(work, author, post_id, draft)
    allow(Act.EDIT_POST, author, context)
    draft = draft.with_marks_escaped(before=context.post)
    if (await draft.parse()).quotes:
        await lock_posts_of_thread(work.session, context.thread.id)
        known = await named_in_thread(work.session, context.thread.id, draft, post_id=post_id)
        context = replace(context, known=known)
    await change_words(work, author, context, revision, draft)
    await drafts.discard(work, author, drafts.of_post(post_id))
    return await get_post_in_transaction(work.session, author, post_id)


async def change_words(work: Work, author: Viewer, context: EditContext, revision: int, draft: Draft) -> None:
    """Replace the text of `context.post`. Raises as `edit_post` does.

    Where the gate holds it, the words that readers see stay until a moderator publishes the new ones.
    """
    html = await rendered(work, author, context, draft)
    edited = Edited(context.post.id, work.now)
    board = context.board
    publishing = publishing_on(work, board, context.thread.id, confirm=draft.confirm)
    submission = Submission(
        context.author,
        draft.texts,
        *policy_of(board, work.now),
        edited=edited,
        board_id=board.id,
        publishing=publishing,
    )
    judged = await judge(work, submission)
    # The post was read without a lock: check again what a moderator or another device may have changed since.
    await lock_posts_of_thread(work.session, context.thread.id)
    post = await lock_post_row(work.session, context.post.id)
    if not post.is_shown:
        raise Conflict("This post was removed or withdrawn and cannot be edited.", code=f"post_{post.visibility}")
    if draft.has_words_of(post):
        await held_edits.drop(work.session, post.id, is_title=False)
        return
    sent = (draft.body_markdown, draft.content_warning)
    if judged.covered and await held_edits.is_covered_already(work.session, post.id, sent):
        return  # sent twice: they wait already, and others read the rest
    await refuse_stale_post(work.session, post, revision)
    if judged.held_because and post.visibility == Visibility.VISIBLE:
        words = (draft.body_markdown, html, draft.content_warning)
        edit = held_edits.held_body(post, words, judged.held_because, work.now)
        if await held_edits.hold(work.session, edit):
            await work.gate.record(work.session, ("held_edit", edit.id), judged, work.now)
        return
    shown, shown_html = await what_is_shown(context, draft, html, judged)
    replace_body(work.session, post, (shown.body_markdown, shown_html), post.author_id, work.now)
    post.content_warning = shown.content_warning
    await record_quotes(work.session, post.id, post.revision, shown, context.known)
    if judged.held_because:
        await set_visibility(work.session, post, Visibility.HELD, work.now, held_because=judged.held_because)
    await held_edits.drop(work.session, post.id, is_title=False)
    await work.session.flush()
    await work.gate.record(work.session, ("post", post.id), judged, work.now)
    if shown is not draft:
        whole = held_edits.held_words((post.id, post.thread_id), draft, html, post.author_id, work.now)
        await held_edits.hold_covered(work, whole)


async def withdraw_post(work: Work, author: Viewer, post_id: int) -> None:
    """Withdraw the author's own post for good, and leave a tombstone. Its words leave the quotes of it too. Idempotent.

    It may stand on a board that they can no longer read: it is theirs.

    For `WORDS_KEPT`, and while a case about it is open, moderators can still read it on the screen of its case.

    Raises Conflict for a removed post, NotFound and Forbidden.
    """
    context = await context_of_own_post(work, author, post_id)
    allow(Act.WITHDRAW_POST, author, context)
    await lock_posts_and_copies(work.session, [post_id])
    post = await lock_post_row(work.session, post_id)
    if post.visibility == Visibility.REMOVED:
        raise Conflict("A removed post cannot be withdrawn.", code="post_removed")
    if post.visibility != Visibility.WITHDRAWN:
        await held_edits.drop_all(work.session, post.id)
        post.changed_by, post.edited_at = post.author_id, work.now
        post.words_kept_until = work.now + WORDS_KEPT
        await set_visibility(work.session, post, Visibility.WITHDRAWN, work.now)
        await erase_quotes(work.session, post)


@dataclass(frozen=True)
class OwnPost:
    """A post of the viewer's own, and whether they can read it where it stands."""

    post: Post
    is_readable: bool


async def read_own_post(work: Work, author: Viewer, post_id: int) -> OwnPost:
    """Return the author's own post, also on a board that they can no longer read. Raises NotFound and Forbidden."""
    context = await context_of_own_post(work, author, post_id)
    allow(Act.WITHDRAW_POST, author, context)
    found = await queries.find_post_by_number(work.session, author, context.thread.id, context.post.number)
    return OwnPost(context.post, found is not None)


async def list_revisions(work: Work, viewer: Viewer, post_id: int) -> Sequence[Record]:
    """Return every revision of a post, the present one last: for its author and the board's moderators.

    A sealed revision comes without its text. Raises NotFound and Forbidden.
    """
    allow(Act.READ_REVISIONS, viewer, await context_of_post(work, viewer, post_id, NO_WORDS))
    return (await work.session.execute(queries.select_revisions(post_id))).all()


async def read_sealed_revision(work: Work, moderator: Viewer, post_id: int, number: int) -> Record:
    """Return a revision with redacted words, and record that it was read: for the board's moderators.

    Raises NotFound, also for a revision that is not sealed, and Forbidden.
    """
    allow(Act.READ_SEALED_REVISION, moderator, await context_of_post(work, moderator, post_id, NO_WORDS))
    return await queries.read_sealed_revision(work.session, moderator, post_id, number, work.now)


class Preview(NamedTuple):
    """How a draft would look, the help that its words ask for, and what in it may show who somebody is."""

    html: str
    help: Help | None
    details: Details


async def preview(work: Work, author: Viewer, draft: Draft, thread_id: int | None) -> Preview:
    """Return how a draft would look, in a thread or without one. Nothing is stored.

    Raises Throttled, and NotFound when the thread does not exist for the author.
    """
    await work.count_try("preview", "preview", author.id)
    draft = draft.with_marks_escaped()
    await draft.parse()
    context = await context_in_thread(work, author, thread_id, draft) if thread_id is not None else None
    known = context.known if context else await named_in_thread(work.session, None, draft)
    writer = context.author if context else PostAuthor(author.member_id, author.is_staff, 0)
    publishing = publishing_on(work, context.board if context else None, thread_id)
    details = await find_details(work, Submission(writer, draft.texts, publishing=publishing))
    return Preview(await draft.html(known), await find_help(work, author, draft.texts, thread_id), details)
