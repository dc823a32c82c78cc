"""Insert a new post, in a new thread or as a reply: the gate judges it, and its thread's counts are updated."""

from dataclasses import replace
from typing import Any

from sqlalchemy import CTE, BigInteger, Boolean, String, bindparam, case, exists, literal, select
from sqlalchemy.dialects.postgresql import insert

from forum.content import drafts
from forum.content.boards import policy_of
from forum.content.lanes import Lane
from forum.content.personal_details import judge, publishing_on
from forum.content.placeholders import refuse_unfilled
from forum.content.posts import held_edits
from forum.content.posts.adviser_badge import badge_snapshot, voice_of
from forum.content.posts.context import PostingContext, ReplyContext
from forum.content.posts.draft import Draft, cover
from forum.content.posts.lanes import lane_of_opening, lane_of_reply
from forum.content.posts.limits import refuse_too_many_links, written_by_newcomer_at
from forum.content.posts.queries import PostView, get_post_in_transaction
from forum.content.posts.quotes import record_quotes
from forum.content.posts.tables import Post, UntoldPost, Visibility, Voice
from forum.content.subscriptions import ChosenBy, Mode, Subscription
from forum.content.threads.changes import lock_for_reply
from forum.content.threads.tables import AS_READ, Thread, ThreadVisibility
from forum.core.database import Prepared, bind_names, rows_of, update_of, values_of
from forum.core.errors import Conflict, Invalid
from forum.core.gate import GateResult, Submission
from forum.core.in_transaction import row_in
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import thread_takes_replies

# The columns of the INSERT: those that the table has a value for, or wants one. What is NULL by default comes later.
_DEFAULTS = {name: field.default for name, field in Post.model_fields.items() if not field.is_required()}
_INSERTED = [name for name in Post.model_fields if _DEFAULTS.get(name, "given") is not None]
_COUNTS = (
    "last_number",
    "posts",
    "participants",
    "last_post_number",
    "last_post_at",
    "last_post_by",
    "adviser_replies",
    "first_adviser_number",
    "latest_adviser_number",
    "asked_since",
    "asked_number",
    "news_since",
    "news_number",
)


async def add_thread(work: Work, author: Viewer, context: PostingContext, title: str, draft: Draft) -> PostView:
    """Insert a thread on `context.board` with its first post, and return the post. The gate holds both or neither.

    Raises Invalid when the draft has a `reply_to`, or when a newcomer's post has too many links, and
    PersonalInformation to ask the author first.
    """
    html = await rendered(work, author, context, draft)
    texts, board = (title, *draft.texts), context.board
    publishing = publishing_on(work, board, confirm=draft.confirm)
    submission = Submission(
        context.author,
        texts,
        *policy_of(board, work.now),
        board_id=board.id,
        written_by_newcomer_at=written_by_newcomer_at(work, author),
        publishing=publishing,
    )
    judged = await judge(work, submission)
    shown = await what_is_shown(context, draft, html, judged)
    thread = Thread(
        board_id=context.board.id,
        author_id=author.member_id,
        title=cover(title, judged.covered, "title"),
        visibility=ThreadVisibility.HELD if judged.held_because else ThreadVisibility.VISIBLE,
        opened_at=work.now,
        changed_at=work.now,
        last_post_at=work.now,
    )
    work.session.add(thread)
    await work.session.flush()
    lane = await lane_of_opening(work, author, context, draft)
    columns = _columns(*shown, judged) | {"lane": lane}
    post = await _insert(work, author, context, thread, columns, judged=judged)
    await record_quotes(work.session, post.id, post.revision, shown[0], context.known)
    if thread.title != title:
        opening = await work.session.get_one(Post, post.id)
        waiting = held_edits.held_title(opening, title, author.member_id, held_edits.COVERED_BECAUSE, work.now)
        await held_edits.hold_covered(work, waiting)
    if shown[0] is not draft:
        await held_edits.hold_covered(
            work, held_edits.held_words((post.id, thread.id), draft, html, author.member_id, work.now)
        )
    return post


async def add_reply(work: Work, author: Viewer, context: ReplyContext, draft: Draft) -> PostView:
    """Insert a reply in `context.thread`, and return it.

    Raises Invalid when `reply_to` names no visible post or a newcomer's post has too many links, PersonalInformation to
    ask the author first, and Conflict when the thread was locked or moved a moment ago.
    """
    html = await rendered(work, author, context, draft)
    answered = (context.thread.id, draft.reply_to) if draft.reply_to else None
    board = context.board
    publishing = publishing_on(
        work, board, context.thread.id, confirm=draft.confirm, is_first_there=not context.has_spoken
    )
    submission = Submission(
        context.author,
        draft.texts,
        *policy_of(board, work.now),
        answered=answered,
        board_id=board.id,
        written_by_newcomer_at=written_by_newcomer_at(work, author),
        publishing=publishing,
    )
    judged = await judge(work, submission)
    shown = await what_is_shown(context, draft, html, judged)
    columns = _columns(*shown, judged) | {"lane": await lane_of_reply(work, author, context, draft)}
    post = await _insert_unless_changed(work, author, context, columns, judged=judged)
    if post is None:
        # As late as possible: from here until the commit, every other reply to this thread waits.
        thread = await lock_for_reply(work.session, context.thread.id)
        if thread_takes_replies(author, replace(context, thread=thread)) or thread.board_id != context.board.id:
            raise Conflict(
                "This thread was locked or moved a moment ago. Please read it again.", code="thread_locked_or_moved"
            )
        post = await _insert(work, author, context, thread, columns, judged=judged)
    await record_quotes(work.session, post.id, post.revision, shown[0], context.known)
    if shown[0] is not draft:
        await held_edits.hold_covered(
            work, held_edits.held_words((post.id, context.thread.id), draft, html, author.member_id, work.now)
        )
        return await get_post_in_transaction(work.session, author, post.id)
    return post


async def what_is_shown(context: PostingContext, draft: Draft, html: str, judged: GateResult) -> tuple[Draft, str]:
    """Return what others read of a draft at once, and its HTML: the draft itself, where nothing in it is covered."""
    if not any(span.field != "title" for span in judged.covered):
        return draft, html
    shown = draft.covered(judged.covered)
    await shown.parse()
    return shown, await shown.html(context.known)


async def rendered(work: Work, author: Viewer, context: PostingContext, draft: Draft) -> str:
    """Return the HTML of a draft. Raises Invalid as `add_reply` does."""
    if not context.sees_reply_to:
        sentence = f"There is no post {draft.reply_to} in this thread to reply to."
        raise Invalid(sentence, "#/reply_to", code="no_such_post_in_thread")
    await draft.refuse_blank()
    if voice_of(author, context) == Voice.ADVISER:  # nobody else has templates
        refuse_unfilled(draft.body_markdown, "#/body_markdown")
    html = await draft.html(context.known)
    await refuse_too_many_links(work, author, html, draft.texts)
    return html


def _columns(draft: Draft, html: str, judged: GateResult) -> dict[str, Any]:
    """Return the columns of a new post that depend on its text."""
    return {
        "visibility": Visibility.HELD if judged.held_because else Visibility.VISIBLE,
        "held_because": judged.held_because,
        "reply_to": draft.reply_to,
        "asks": draft.asks,
        "content_warning": draft.content_warning,
        "body_markdown": draft.body_markdown,
        "body_html": html,
    }


# One statement inserts the post and updates its thread's counts, for other replies wait while the thread's row is
# locked. It is built once, because to build it takes longer than to send it; and of tables, not of models, for the ORM
# looks through a statement of its own at each execution.
_posts, _threads = rows_of(Post).c, rows_of(Thread).c
_POST, _THREAD = bind_names(Post), bind_names(Thread)
_THREAD_ID = bindparam(_POST["thread_id"], type_=_posts.thread_id.type)
_IS_SEEN = bindparam("is_seen", type_=Boolean())
_HAS_POSTED_BEFORE = exists().where(
    _posts.thread_id == _THREAD_ID,
    _posts.author_id == bindparam(_POST["author_id"], type_=_posts.author_id.type),
    _posts.visibility == Visibility.VISIBLE,
)


def _insert_and_count(place: CTE) -> Prepared:
    """Return the statement that inserts a post where `place` is its thread, and nothing where that has no row."""
    inserted = [bindparam(_POST[name], type_=_posts[name].type) for name in _INSERTED]
    new = (
        insert(rows_of(Post))
        .from_select(_INSERTED, select(*inserted).select_from(place), include_defaults=False)
        .returning(_posts.id)
        .cte("written")
    )
    # Who writes in a thread follows it, unless they have said what they want to hear of it.
    follow = select(
        bindparam("follower_id", type_=_posts.author_id.type),
        place.c.id,
        literal(Mode.EACH, String()),
        literal(ChosenBy.REPLY, String()),
        bindparam(_POST["created_at"], type_=_posts.created_at.type),
    )
    followed = (
        insert(rows_of(Subscription))
        .from_select(["member_id", "thread_id", "mode", "chosen_by", "since"], follow, include_defaults=False)
        .on_conflict_do_nothing()
        .cte("followed")
    )
    # Of what readers see, a worker tells those whom it concerns.
    to_be_told = insert(rows_of(UntoldPost)).from_select(["post_id"], select(new.c.id).where(_IS_SEEN))
    discarded = drafts.DISCARD.where(select(place.c.id).exists())
    return Prepared(
        update_of(Thread, *_COUNTS)
        .where(_threads.id == place.c.id)
        .values(participants=_threads.participants + case((_IS_SEEN & ~_HAS_POSTED_BEFORE, 1), else_=0))
        .add_cte(new, followed, to_be_told.cte("to_be_told"), discarded.cte("discarded"))
        .returning(select(new.c.id).scalar_subquery().label("id"))
    )


_PLACE = select(_threads.id).where(_threads.id == _THREAD_ID)
_INSERT_AND_COUNT = _insert_and_count(_PLACE.cte("place"))
# Where nobody writes in the thread at this moment, and nobody has changed it since it was read: then it need not be
# locked and read once more, and to count on from what was read is right.
_UNCHANGED = _PLACE.where(bindparam("as_read", type_=BigInteger()) == AS_READ)
_INSERT_UNLESS_CHANGED = _insert_and_count(_UNCHANGED.with_for_update(key_share=True, skip_locked=True).cte("place"))


async def _insert_unless_changed(
    work: Work, author: Viewer, context: ReplyContext, columns: dict[str, Any], *, judged: GateResult
) -> PostView | None:
    """Insert a reply as `_insert` does; or return None where the thread has to be locked and read once more."""
    if context.as_read is None or thread_takes_replies(author, context):
        return None
    post, values = _new_post(work, author, context, context.thread, columns)
    inserted = await row_in(work.session, _INSERT_UNLESS_CHANGED, **values, as_read=context.as_read)
    return await _recorded(work, author, context, (inserted.id, post), judged) if inserted else None


async def _insert(
    work: Work, author: Viewer, context: PostingContext, thread: Thread, columns: dict[str, Any], *, judged: GateResult
) -> PostView:
    """Insert the post, update its thread's counts, have the gate record its result, and others be told of the post.

    The draft that it was goes.
    """
    post, values = _new_post(work, author, context, thread, columns)
    inserted = await row_in(work.session, _INSERT_AND_COUNT, **values)
    return await _recorded(work, author, context, (inserted.id, post), judged)


def _new_post(
    work: Work, author: Viewer, context: PostingContext, thread: Thread, columns: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns of the post that comes next in a thread, and all values of the statement that inserts it."""
    number, voice = thread.last_number + 1, voice_of(author, context)
    is_seen = columns["visibility"] == Visibility.VISIBLE
    post = {
        **{name: default for name, default in _DEFAULTS.items() if default is not None},
        **columns,
        **badge_snapshot(voice, context),
        "thread_id": thread.id,
        "number": number,
        "author_id": author.member_id,
        "voice": voice,
        "created_at": work.now,
    }
    counts = {name: getattr(thread, name) for name in _COUNTS} | {"last_number": number}
    if is_seen:
        counts |= _counts_with(thread, post)
    values = values_of(Post, post) | values_of(Thread, counts) | {"is_seen": is_seen, "follower_id": author.member_id}
    values |= drafts.discarded(author, drafts.on_board(thread.board_id) if number == 1 else drafts.in_thread(thread.id))
    return post, values


async def _recorded(
    work: Work, author: Viewer, context: PostingContext, new: tuple[int, dict[str, Any]], judged: GateResult
) -> PostView:
    post_id, post = new
    await work.gate.record(work.session, ("post", post_id), judged, work.now)
    return PostView.of_new_post(post_id, post, author, indexable=context.board.indexable)


def _counts_with(thread: Thread, post: dict[str, Any]) -> dict[str, Any]:
    """Return the counts of a thread that one more visible post changes.

    `counts.refresh_thread_counts` computes the same from all posts: change both together.
    """
    number, written_at = post["number"], post["created_at"]
    counts: dict[str, Any] = {
        "posts": thread.posts + 1,
        "last_post_number": number,
        "last_post_at": written_at,
        "last_post_by": post["author_id"],
    }
    if post["lane"] == Lane.ASKED:
        # Not simply the first: of two posts at the same moment, the later to lock the row may be the older one.
        counts["asked_since"] = min(thread.asked_since or written_at, written_at)
        counts["asked_number"] = thread.asked_number or number
    if post["lane"] == Lane.NEWS:
        counts["news_since"], counts["news_number"] = max(thread.news_since or written_at, written_at), number
    if post["voice"] == Voice.ADVISER:
        counts |= dict.fromkeys(("asked_since", "asked_number", "news_since", "news_number"))
    if post["voice"] == Voice.ADVISER and number > 1:
        counts["adviser_replies"] = thread.adviser_replies + 1
        counts["first_adviser_number"] = thread.first_adviser_number or number
        counts["latest_adviser_number"] = number
    return counts
