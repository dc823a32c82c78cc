"""Which posts repeat the words of which: recorded when a post is written, so that they are found when words go."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Text,
    any_,
    bindparam,
    column,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    union,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content import markup
from forum.content.posts.context import named_in_thread
from forum.content.posts.draft import Draft
from forum.content.posts.tables import NUMBER_MAX, HeldEdit, Post, PostQuote, PostRevision, QuotedWords, Visibility
from forum.content.threads.changes import lock_posts_of_thread
from forum.content.words import (
    COPY,
    RUN,
    UNSEEN,
    Span,
    digests_of_removal,
    find_saying,
)
from forum.core import jobs, side_process
from forum.core.database import query, rows_of
from forum.core.jobs import Job, Payload
from forum.members.tables import Member

RECORD_QUOTES = Job("record_quotes")
BATCH = 200
IN_HELD_EDITS = 0  # in the place of a revision: what the edits of a post that were held quote, all together
MOST_ELSEWHERE = 50  # posts of one author with one number, in other threads: more are not looked through

# What goes out of a post: texts of it, and which spans of each.
Removed = Sequence[tuple[str, Sequence[Span]]]

_RUNS = rows_of(QuotedWords).c.runs  # of the table: SQLModel types a list as a relationship
_ELSEWHERE = (
    query(col(Post.id), col(Post.revision), col(Post.body_html))
    .join(Member, col(Member.id) == col(Post.author_id))
    .where(
        col(Member.handle) == bindparam("handle", type_=Text()),
        col(Post.number) == bindparam("number", type_=Integer()),
        col(Post.visibility) == Visibility.VISIBLE,
        col(Post.id) != bindparam("but_not", type_=BigInteger()),
    )
    .order_by(col(Post.id).desc())
    .limit(MOST_ELSEWHERE)
)

_THIS = (bindparam("post_id", type_=BigInteger()), bindparam("revision", type_=Integer()))
_QUOTED = (
    func.unnest(bindparam("posts", type_=ARRAY(BigInteger())), bindparam("revisions", type_=ARRAY(Integer())))
    .table_valued(column("post_id", BigInteger()), column("revision", Integer()))
    .render_derived()
)
# Several held edits share a row.
_WORDS = insert(rows_of(QuotedWords)).values(
    post_id=_THIS[0], revision=_THIS[1], runs=bindparam("runs", type_=ARRAY(Integer()))
)
_WORDS_TOO = _WORDS.on_conflict_do_update(
    index_elements=["post_id", "revision"], set_={"runs": _RUNS.concat(_WORDS.excluded.runs)}
).cte("words")
_RECORD = (
    insert(rows_of(PostQuote))
    .from_select(
        ["post_id", "revision", "quoted_post_id", "quoted_revision"],
        select(*_THIS, _QUOTED.c.post_id, _QUOTED.c.revision),
    )
    .on_conflict_do_nothing()
    .add_cte(_WORDS_TOO)
)


async def record_quotes(session: AsyncSession, post_id: int, revision: int, draft: Draft, known: markup.Known) -> None:
    """Record what a revision of a post quotes, as it was rendered with the `known` names.

    A quote that names a post of another thread is recorded too, though readers see no name on it.
    """
    quotations = await draft.quotations(known)
    if not (quotations.runs or quotations.quoted or quotations.unfound):
        return
    quoted = {post.post_id: post.revision for post in quotations.quoted}
    for source, said in quotations.unfound:
        quoted |= await _find_elsewhere(session, post_id, source, said)
    values = {
        "post_id": post_id,
        "revision": revision,
        "runs": quotations.runs,
        "posts": [*quoted],
        "revisions": [*quoted.values()],
    }
    await session.execute(_RECORD, values)


async def record_older_quotes(session: AsyncSession, _payload: Payload, _now: datetime) -> None:
    """Job handler: record the quotes of the newest posts that are older than these records, until none remain.

    They are rendered again: a quote whose words its post never said loses its name.
    """
    waiting = select(Post).where(~col(Post.quotes_recorded)).order_by(col(Post.id).desc()).limit(BATCH)
    posts = (await session.execute(waiting.with_for_update(key_share=True, skip_locked=True))).scalars().all()
    for post in posts:
        earlier = select(PostRevision).where(col(PostRevision.post_id) == post.id)
        revisions = (await session.execute(earlier)).scalars().all()
        await _record_anew(session, post, post.revision, post)
        for revision in revisions:
            await _record_anew(session, post, revision.number, revision)
        held = select(HeldEdit).where(col(HeldEdit.post_id) == post.id)
        for edit in (await session.execute(held)).scalars().all():
            await record_held_edit(session, edit)
        post.quotes_recorded = True
    await session.flush()
    if len(posts) == BATCH:
        await jobs.enqueue(session, RECORD_QUOTES, {})


async def record_held_edit(session: AsyncSession, edit: HeldEdit) -> None:
    """Record what an edit that is held quotes, beside what earlier ones of its post do. Idempotent."""
    if markup.quote_spans(edit.body_markdown or ""):
        draft = Draft(edit.body_markdown or "")
        known = await named_in_thread(session, edit.thread_id, draft, post_id=edit.post_id)
        await record_quotes(session, edit.post_id, IN_HELD_EDITS, draft, known)


async def _record_anew(session: AsyncSession, post: Post, number: int, text: Post | PostRevision) -> None:
    draft = Draft(text.body_markdown)
    if ">" in text.body_markdown:
        known = await named_in_thread(session, post.thread_id, draft, post_id=post.id, any_revision=True)
        text.body_html = await draft.html(known)
        await forget_quotes(session, post.id, number)
        await record_quotes(session, post.id, number, draft, known)


async def forget_quotes(session: AsyncSession, post_id: int, revision: int) -> None:
    """Delete what is recorded of the quotes in a revision, before it is recorded anew."""
    for table in (PostQuote, QuotedWords):
        await session.execute(delete(table).where(col(table.post_id) == post_id, col(table.revision) == revision))


async def lock_posts_and_copies(session: AsyncSession, post_ids: Collection[int]) -> None:
    """Lock the posts of these posts' threads, and of all threads with a copy of their words, for a moderator alone.

    In the order of their ids, so that no two who do so wait for each other.
    """
    threads = select(col(Post.thread_id)).where(col(Post.id).in_(post_ids))
    repeating = select(col(Post.thread_id)).where(col(Post.id).in_(await _select_copies(session, post_ids)))
    found = union(threads, repeating).subquery()
    for thread_id in (await session.execute(select(found).order_by(found.c.thread_id))).scalars().all():
        await lock_posts_of_thread(session, thread_id, alone=True)


async def list_copies(
    session: AsyncSession, post: Post, removed: Removed, phrases: Sequence[str] = ()
) -> Sequence[int]:
    """Return the ids of the other posts that repeat what goes out of a post, now, in a revision or in a held edit.

    In its thread they quote some of its words, or have one of the phrases; in another, they name the post or quote
    more of it. Some may turn out to repeat nothing.
    """
    near, far = await _digests(removed, RUN), await _digests(removed, COPY)
    in_thread = col(Post.thread_id) == post.thread_id
    quoting = select(col(Post.id)).join(QuotedWords, col(QuotedWords.post_id) == col(Post.id))
    found = union(
        quoting.where(in_thread, _RUNS.overlap(near)),
        select(col(QuotedWords.post_id)).where(_RUNS.overlap(far)),
        select(col(PostQuote.post_id)).where(col(PostQuote.quoted_post_id) == post.id),
        # A post whose quotes are not recorded yet.
        select(col(Post.id)).where(in_thread, ~col(Post.quotes_recorded)),
        *_with_phrases(in_thread, phrases),
    ).subquery()
    others = select(found).where(found.c.id != post.id).order_by(found.c.id)
    return (await session.execute(others)).scalars().all()


async def list_naming(session: AsyncSession, post_id: int) -> Sequence[int]:
    """Return the ids of the posts that quote a post, now, in a revision or in a held edit."""
    found = select(col(PostQuote.post_id)).distinct().where(col(PostQuote.quoted_post_id) == post_id)
    return (await session.execute(found.order_by(col(PostQuote.post_id)))).scalars().all()


async def list_texts(session: AsyncSession, post: Post) -> list[str]:
    """Return the texts of a post and of its revisions."""
    earlier = select(col(PostRevision.body_markdown), col(PostRevision.content_warning))
    rows = (await session.execute(earlier.where(col(PostRevision.post_id) == post.id))).all()
    texts = [post.body_markdown, post.content_warning, *(text for row in rows for text in row)]
    return [text for text in texts if text]


async def _find_elsewhere(session: AsyncSession, post_id: int, source: markup.QuoteRef, said: str) -> dict[int, int]:
    """Return the post in another thread that a quote is from, with its revision, if there is one."""
    if source.number > NUMBER_MAX:
        return {}
    values = {"handle": source.handle, "number": source.number, "but_not": post_id}
    rows = (await session.execute(_ELSEWHERE, values)).all()
    texts = [row.body_html for row in rows]
    found = await side_process.run_unless_short([said, *texts], find_saying, said, texts)
    return {} if found is None else {rows[found].id: rows[found].revision}


async def _select_copies(session: AsyncSession, post_ids: Collection[int]) -> Any:
    """Return a select of the posts that name one of these, or that repeat so much of it that it is no chance."""
    present = select(col(Post.body_markdown)).where(col(Post.id).in_(post_ids))
    earlier = select(col(PostRevision.body_markdown)).where(col(PostRevision.post_id).in_(post_ids))
    texts = (await session.execute(union(present, earlier))).scalars().all()
    runs = await _digests([(text, [(0, len(text))]) for text in texts], COPY)
    naming = select(col(PostQuote.post_id)).where(col(PostQuote.quoted_post_id).in_(post_ids))
    return union(naming, select(col(QuotedWords.post_id)).where(_RUNS.overlap(runs)))


async def _digests(removed: Removed, size: int) -> list[int]:
    found = set[int]()
    for text, spans in removed:
        found |= await side_process.run_unless_short([text], digests_of_removal, text, spans, size)
    return sorted(found)


def _with_phrases(in_thread: ColumnElement[bool], phrases: Sequence[str]) -> list[Any]:
    """Return selects of the posts in a thread that have one of these phrases, now, in a revision or a held edit."""
    if not any(phrase.split() for phrase in phrases):
        return []
    kept = (
        exists().where(col(table.post_id) == col(Post.id), _has_phrase(table, phrases))
        for table in (PostRevision, HeldEdit)
    )
    return [select(col(Post.id)).where(in_thread, or_(_has_phrase(Post, phrases), *kept))]


def _has_phrase(table: Any, phrases: Sequence[str]) -> ColumnElement[bool]:
    words = [UNSEEN.sub("", phrase).split() for phrase in phrases]
    # One parameter: to write a condition for each of a thousand lines would hold the event loop for 100 ms.
    patterns = literal(["%" + "%".join(map(_escaped, phrase)) + "%" for phrase in words if phrase], ARRAY(Text))
    columns = (table.body_markdown, table.content_warning)
    # Characters that nobody sees may stand inside a word.
    seen = [func.regexp_replace(column, UNSEEN.pattern, "", "g") for column in columns]
    return or_(*(column.ilike(any_(patterns)) for column in seen))


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
