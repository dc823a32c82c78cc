"""What a page for writing needs: the place, what is answered, the draft, how it looks, what keeps one from sending."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any, NamedTuple, TypeVar

from forum.content import drafts
from forum.content.before_writing import BeforeWriting, before_writing_now
from forum.content.boards import Board
from forum.content.crisis_help import Help, find_help
from forum.content.drafts import DraftPlace
from forum.content.personal_details import Details, find_details, publishing_on
from forum.content.posts import held_edits
from forum.content.posts.actions import preview
from forum.content.posts.context import (
    PostingContext,
    context_in_thread,
    context_of_post,
    context_on_board,
)
from forum.content.posts.draft import NO_WORDS, Draft
from forum.content.posts.lengths import BODY_MAX
from forum.content.posts.queries import PostView, find_post_by_number
from forum.content.posts.tables import HeldEdit, Post
from forum.content.search.similar import SimilarThread, suggest_similar
from forum.content.threads.tables import Thread
from forum.content.words import own_lines
from forum.core import side_process
from forum.core.errors import (
    Busy,
    ForumError,
    Invalid,
    NotFound,
    NotSignedIn,
    Overloaded,
    PersonalInformation,
    SignInAgain,
    Throttled,
)
from forum.core.gate import Edited, Publishing, Submission
from forum.core.work import Transactions, Work
from forum.members.queries import get_changer
from forum.members.viewer import Viewer
from forum.permissions import Act, Refusal, allow, why_not

Sent = TypeVar("Sent")
QUOTED_AT_MOST = 400  # characters: who answers wants the point, and a phone shows little more
_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True)
class Answered:
    """The post that is answered, and its words as a quote; None where they are not for quoting."""

    post: PostView
    quote: str | None


@dataclass(frozen=True)
class ReplyComposing:
    """What is needed to write a reply."""

    thread: Thread
    board: Board
    refusal: Refusal | None
    before: BeforeWriting
    draft: Any
    answered: Answered | None
    preview_html: str | None
    help: Help | None  # for what was kept, if that sounds like danger
    details: Details  # that the draft was refused for, or that a preview shows


@dataclass(frozen=True)
class ThreadComposing:
    """What is needed to open a thread."""

    board: Board
    refusal: Refusal | None
    before: BeforeWriting
    draft: Any
    preview_html: str | None
    help: Help | None  # for what was kept, if that sounds like danger
    details: Details  # that the draft was refused for, or that a preview shows
    similar: Sequence[SimilarThread]  # with a preview: threads that may be about the same


class Difference(NamedTuple):
    """A part of two texts: in both (`same`), only in the later one (`added`) or only in the earlier one (`taken`)."""

    kind: str
    text: str


@dataclass(frozen=True)
class ChangeMeanwhile:
    """Somebody changed the post after the edit was begun: who, when, and how the two texts differ."""

    by: str | None  # a display name; None when it was the writer, on another device
    at: datetime
    differences: Sequence[Difference]


@dataclass(frozen=True)
class EditComposing:
    """What is needed to edit a post."""

    post: Post
    thread: Thread
    board: Board
    refusal: Refusal | None
    before: BeforeWriting
    draft: Any
    waiting: HeldEdit | None
    change: ChangeMeanwhile | None
    preview_html: str | None
    help: Help | None  # for what was kept, if that sounds like danger
    details: Details  # that the draft was refused for, or that a preview shows


async def read_reply(
    work: Work, author: Viewer, thread_id: int, answering: int | None, *, looks: bool
) -> ReplyComposing:
    """Return what a page needs to write a reply. Raises NotFound."""
    context = await context_in_thread(work, author, thread_id, NO_WORDS)
    draft = await _draft(work, author, drafts.in_thread(thread_id))
    number = answering or (draft.reply_to if draft else None)
    post = await find_post_by_number(work.session, author, thread_id, number) if number else None
    return ReplyComposing(
        context.thread,
        context.board,
        _refusal(work, Act.REPLY, author, context),
        await before_writing_now(work, author, context.board),
        draft,
        Answered(post, quote_of(post)) if post else None,
        await _preview(work, author, draft, thread_id) if looks else None,
        await _help(work, author, draft),
        await _details(work, context, draft, publishing_on(work, context.board, thread_id), looks=looks),
    )


async def read_new_thread(work: Work, author: Viewer, slug: str, *, looks: bool) -> ThreadComposing:
    """Return what a page needs to open a thread. Raises NotFound."""
    context = await context_on_board(work, author, slug, NO_WORDS)
    draft = await _draft(work, author, drafts.on_board(context.board.id))
    return ThreadComposing(
        context.board,
        _refusal(work, Act.OPEN_THREAD, author, context),
        await before_writing_now(work, author, context.board),
        draft,
        await _preview(work, author, draft, None) if looks else None,
        await _help(work, author, draft),
        await _details(work, context, draft, publishing_on(work, context.board), looks=looks),
        await suggest_similar(work, author, draft.title) if looks and draft and draft.title else [],
    )


async def read_edit(work: Work, author: Viewer, post_id: int, *, looks: bool) -> EditComposing:
    """Return what a page needs to edit one's own post.

    Raises NotFound, and Forbidden for a post of somebody else.
    """
    context = await context_of_post(work, author, post_id, NO_WORDS)
    allow(Act.KEEP_EDIT, author, context)
    draft = await _draft(work, author, drafts.of_post(post_id))
    waiting = await held_edits.list_waiting(work.session, [post_id])
    return EditComposing(
        context.post,
        context.thread,
        context.board,
        why_not(Act.EDIT_POST, author, context),
        await before_writing_now(work, author, context.board),
        draft,
        next((edit for edit in waiting if edit.title is None), None),
        await _change(work, author, context.post, draft),
        await _preview(work, author, draft, context.thread.id) if looks else None,
        await _help(work, author, draft),
        await _details(
            work,
            context,
            draft,
            publishing_on(work, context.board, context.thread.id),
            looks=looks,
            edited=Edited(post_id, work.now),
        ),
    )


async def send_or_keep(
    transactions: Transactions,
    send: Callable[[], Awaitable[Sent | None]],
    keep: Callable[[Work, ForumError | None], Awaitable[object]],
) -> Sent | None:
    """Send what somebody wrote, and return what became of it; where it is refused or not yet meant, keep it instead.

    Raises NotSignedIn, SignInAgain, NotFound and Busy of `send`, for which there is nothing to keep; and the refusal
    where its words cannot be kept.
    """
    refusal: ForumError | None = None
    try:
        sent = await send()
        if sent is not None:
            return sent
    except (NotSignedIn, SignInAgain, NotFound, Busy):
        raise
    except ForumError as error:
        refusal = error
    try:
        async with transactions.begin() as work:
            await keep(work, refusal)
    except ForumError:
        if refusal:
            raise refusal from None
        raise
    return None


def quote_of(post: PostView) -> str | None:
    """Return the beginning of a post as a quote that names its source: `> @heron #7`, then its own words.

    None for a post without words or author, and for one with a note before it, which a quote would not have.
    """
    if not post.body_markdown or post.author_handle is None or post.content_warning:
        return None
    lines, length, last = [f"> @{post.author_handle} #{post.number}"], 0, None
    for start, end in own_lines(post.body_markdown):
        line = post.body_markdown[start:end].strip()
        if last is not None and post.body_markdown.count("\n", last, start) > 1:
            lines.append(">")  # a new paragraph
        last = end
        if length + len(line) > QUOTED_AT_MOST:
            kept = line[: QUOTED_AT_MOST - length].rpartition(" ")[0]
            lines.append(f"> {kept} [...]" if kept else "> [...]")
            break
        lines.append(f"> {line}")
        length += len(line)
    return "\n".join(lines) if len(lines) > 1 else None


def compare(earlier: str, later: str) -> list[Difference]:
    """Return two texts as one, word by word, with what is only in one of them marked."""
    before, after = _TOKEN.findall(earlier), _TOKEN.findall(later)
    return [part for part in _differences(before, after) if part.text]


def _differences(before: Sequence[str], after: Sequence[str]) -> Iterator[Difference]:
    for tag, start, end, from_, to in SequenceMatcher(None, before, after).get_opcodes():
        if tag == "equal":
            yield Difference("same", "".join(before[start:end]))
        else:
            yield Difference("taken", "".join(before[start:end]))
            yield Difference("added", "".join(after[from_:to]))


def _refusal(work: Work, act: Act, author: Viewer, context: PostingContext) -> Refusal | None:
    """Return why the member may not write something new here, as `allow_writing` would say."""
    refusal = why_not(act, author, context)
    if refusal is None and work.settings.verified_addresses:
        refusal = why_not(Act.WRITE_FIRST_POST, author, context)
    return refusal


async def _draft(work: Work, author: Viewer, place: DraftPlace) -> Any:
    return await drafts.get_draft_in_transaction(work.session, author, place, work.now)


async def _help(work: Work, author: Viewer, draft: Any) -> Help | None:
    """Return the help for a draft that was refused, or kept, and sounds like danger."""
    if draft is None:
        return None
    return await find_help(work, author, [draft.title or "", draft.body_markdown, draft.content_warning or ""])


async def _details(
    work: Work,
    context: PostingContext,
    draft: Any,
    publishing: Publishing,
    *,
    looks: bool,
    edited: Edited | None = None,
) -> Details:
    """Return what in a draft may show who somebody is, if that was asked about it, or if it is looked at."""
    was_asked = draft and draft.refused and draft.refused["code"] == PersonalInformation.default_code
    if not (was_asked or (draft and looks)):
        return Details()
    title = [draft.title] if draft.title else []
    texts = (*title, draft.body_markdown[:BODY_MAX], draft.content_warning or "")
    return await find_details(work, Submission(context.author, texts, edited=edited, publishing=publishing))


async def _preview(work: Work, author: Viewer, draft: Any, thread_id: int | None) -> str | None:
    """Return how a draft looks; None for one that cannot be sent as it is, and for too many previews at once."""
    if draft is None or not 1 <= len(draft.body_markdown) <= BODY_MAX:
        return None
    try:
        return (await preview(work, author, Draft(draft.body_markdown), thread_id)).html
    except (Invalid, Throttled, Overloaded):
        return None


async def _change(work: Work, author: Viewer, post: Post, draft: Any) -> ChangeMeanwhile | None:
    """Return what changed since a draft was begun, if anything did."""
    if draft is None or draft.revision in (None, post.revision):
        return None
    is_own = post.changed_by is None or post.changed_by in author.personas
    changer = None if is_own else await get_changer(work.session, post.changed_by)
    name = changer["name"] if changer else None
    differences: Sequence[Difference] = ()  # both texts are on the page also where nobody has time to compare them
    with suppress(Overloaded):
        differences = await side_process.run(compare, post.body_markdown, draft.body_markdown)
    return ChangeMeanwhile(name, post.edited_at or post.created_at, differences)
