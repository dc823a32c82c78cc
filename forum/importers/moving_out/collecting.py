"""What a forum has, as records: read from the database as it was at one moment, row by row.

What came from another forum of ours keeps the id that it had there, so that a second move changes nothing. Whatever is
new here has its number with the second in which it was made: no other forum has the same.

Never read here: what an author withdrew; whose an alias is; drafts, earlier texts, edits that wait, reports, cases,
concerns, notes, and who follows, blocks or reads what.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forum.importers.moving_out.numbers import renumbered
from forum.importers.naming import FORMER_REMARK, GUEST_REMARK, VISITOR
from forum.importers.people import NO_ADDRESS
from forum.importers.records import (
    BanRecord,
    BoardRecord,
    PersonKind,
    PersonRecord,
    PostRecord,
    Readers,
    Shown,
    TextForm,
    ThreadRecord,
)

AT_ONCE = 500  # rows that are in memory together

_SECOND = "floor(extract(epoch FROM {}))::bigint"


def _moved(name: str, kind: str, on: str) -> str:
    is_this = f"{name}.kind = '{kind}' AND {name}.source LIKE 'forum %' AND NOT {name}.is_merged"
    return f"LEFT JOIN moved AS {name} ON {on} AND {is_this}"


def _moved_person(name: str, persona: str) -> str:
    return _moved(name, "person", f"{name}.member_id = {persona}")


def _moved_post(name: str, number: str) -> str:
    return _moved(name, "post", f"{name}.thread_id = post.thread_id AND {name}.number = {number}")


_PERSON = "coalesce(moved_person.old, persona.id::text)"
_BANNED = "coalesce(moved_person.old, member.id::text)"
_BOARD = f"coalesce(moved_board.old, board.id || '-' || {_SECOND.format('board.made_at')})"
_THREAD = f"coalesce(moved_thread.old, thread.id || '-' || {_SECOND.format('thread.opened_at')})"
_POST = f"coalesce(moved_post.old, post.id || '-' || {_SECOND.format('post.created_at')})"
_ANSWERED = f"coalesce(moved_answered.old, answered.id || '-' || {_SECOND.format('answered.created_at')})"


def _of_board(column: str) -> str:
    """Return the condition that something is of the board that is wanted; without one, all of it is."""
    return f"(CAST(:board AS integer) IS NULL OR {column} = CAST(:board AS integer))"


_IN_ITS_THREADS = (
    "(CAST(:board AS integer) IS NULL OR thread_id IN (SELECT id FROM thread WHERE board_id = CAST(:board AS integer)))"
)
_BOARDS = f"""
    SELECT {_BOARD} AS old, name, section, description, readers, archived_at
    FROM board {_moved("moved_board", "board", "moved_board.board_id = board.id")}
    WHERE {_of_board("board.id")}
    ORDER BY position, board.id
"""  # noqa: S608 (ours)
_PEOPLE = f"""
    WITH wrote AS (
        SELECT author_id, count(*) AS posts, max(created_at) AS last_at FROM post
        WHERE visibility <> 'withdrawn' AND {_IN_ITS_THREADS} GROUP BY author_id
    ), given AS (
        SELECT member_id, array_agg(DISTINCT role ORDER BY role) AS roles FROM role_grant
        WHERE role <> 'trusted_flagger' GROUP BY member_id
    ), seen AS (
        SELECT member_id, max(used_at) AS last_at FROM member_session WHERE :with_passwords GROUP BY member_id
    )
    SELECT {_PERSON} AS old, handle, coalesce(persona.name, member.name) AS name,
        persona.name IS NOT NULL AS is_alias, joined_at, coalesce(posts, 0) AS posts,
        greatest(joined_at, wrote.last_at, seen.last_at) AS last_at, roles,
        CASE WHEN :with_passwords AND email_verified_at IS NOT NULL THEN email END AS email,
        CASE WHEN :with_passwords THEN nullif(password_hash, '') END AS password
    FROM persona LEFT JOIN member ON member.id = persona.id
        LEFT JOIN wrote ON wrote.author_id = persona.id LEFT JOIN given ON given.member_id = persona.id
        LEFT JOIN seen ON seen.member_id = persona.id
        {_moved_person("moved_person", "persona.id")}
    WHERE (handle IS NOT NULL OR posts > 0) AND (CAST(:board AS integer) IS NULL OR persona.id IN (
        SELECT unnest(ARRAY[post.author_id, post.changed_by]) FROM post JOIN thread ON thread.id = post.thread_id
        WHERE board_id = CAST(:board AS integer) AND post.visibility <> 'withdrawn'
    ))
    ORDER BY {_PERSON} COLLATE "C"
"""  # noqa: S608 (ours)
# Only with passwords: without, nobody can open an account that is banned.
_BANS = f"""
    SELECT {_BANNED} AS old, since, until
    FROM sanction JOIN member ON member.id = sanction.member_id AND left_at IS NULL
        {_moved_person("moved_person", "sanction.member_id")}
    WHERE :with_passwords AND standing = 'banned' AND (until IS NULL OR until > :now)
    ORDER BY {_BANNED} COLLATE "C", since, sanction.id
"""  # noqa: S608 (ours)
# A thread begins with the first post that its author did not withdraw.
_THREADS = f"""
    WITH first AS (
        SELECT DISTINCT ON (thread_id) thread_id, author_id, created_at FROM post
        WHERE visibility <> 'withdrawn' AND {_IN_ITS_THREADS} ORDER BY thread_id, number
    )
    SELECT {_THREAD} AS old, {_BOARD} AS board, coalesce(moved_person.old, first.author_id::text) AS author,
        title, first.created_at AS opened_at, state, pinned,
        CASE WHEN thread.visibility = 'visible' AND thread.posts = 0 THEN 'removed' ELSE thread.visibility
        END AS visibility -- with the last post that readers could read, its title went too
    FROM thread JOIN first ON first.thread_id = thread.id JOIN board ON board.id = thread.board_id
        {_moved("moved_thread", "thread", "moved_thread.thread_id = thread.id")}
        {_moved("moved_board", "board", "moved_board.board_id = board.id")}
        {_moved_person("moved_person", "first.author_id")}
    ORDER BY thread.id
"""  # noqa: S608 (ours)
_POSTS = f"""
    WITH gone AS (
        SELECT thread_id, array_agg(number ORDER BY number) AS numbers FROM post
        WHERE visibility = 'withdrawn' AND {_IN_ITS_THREADS} GROUP BY thread_id
    )
    SELECT {_POST} AS old, {_THREAD} AS thread, coalesce(moved_author.old, post.author_id::text) AS author,
        post.created_at, post.body_markdown, post.content_warning, post.visibility, post.edited_at, post.notice,
        thread.visibility AS thread_visibility, coalesce(gone.numbers, '{{}}') AS gone,
        CASE WHEN answered.visibility = 'visible' THEN {_ANSWERED} END AS reply_to,
        coalesce(moved_editor.old, editor.id::text) AS editor
    FROM post JOIN thread ON thread.id = post.thread_id LEFT JOIN gone ON gone.thread_id = post.thread_id
        LEFT JOIN post AS answered ON answered.thread_id = post.thread_id AND answered.number = post.reply_to
        LEFT JOIN member AS editor ON editor.id = post.changed_by AND editor.handle IS NOT NULL
            AND editor.id <> post.author_id
        {_moved_post("moved_post", "post.number")} {_moved_post("moved_answered", "post.reply_to")}
        {_moved("moved_thread", "thread", "moved_thread.thread_id = post.thread_id")}
        {_moved_person("moved_author", "post.author_id")} {_moved_person("moved_editor", "editor.id")}
    WHERE post.visibility <> 'withdrawn' AND {_of_board("thread.board_id")}
    ORDER BY post.thread_id, post.number
"""  # noqa: S608 (ours)


@dataclass(frozen=True)
class Wishes:
    """What an export is to hold beyond what readers can see."""

    # And confirmed addresses, who is banned, and who was here lately without a post: for the next home alone.
    with_passwords: bool = False
    with_removed: bool = False  # the words that moderators removed
    with_waiting: bool = True  # the words that wait for a moderator
    board: int | None = None  # of all of them, this one alone


async def boards(session: AsyncSession, wishes: Wishes) -> AsyncIterator[BoardRecord]:
    """Give the headings and the boards below them."""
    sections: dict[str, str] = {}
    position = 0
    async for row in _rows(session, _BOARDS, board=wishes.board):
        if row.section not in sections:
            sections[row.section] = f"section-{len(sections) + 1}"
            yield BoardRecord(
                old=sections[row.section],
                name=row.section,
                is_section=True,
                readers=Readers.EVERYONE,
                position=len(sections),
            )
        position += 1
        yield BoardRecord(
            old=row.old,
            parent=sections[row.section],
            name=row.name,
            description=row.description,
            readers=_readers(row.readers),
            position=position,
            is_closed=row.archived_at is not None,
        )


async def people(session: AsyncSession, wishes: Wishes) -> AsyncIterator[PersonRecord]:
    """Give everybody with an account, and whoever wrote what is in the export. An alias is somebody else."""
    async for row in _rows(session, _PEOPLE, with_passwords=wishes.with_passwords, board=wishes.board):
        if row.handle is None:
            what, name = _former(row.name, row.is_alias)
            yield PersonRecord(old=row.old, name=name, what=what, posts=row.posts)
            continue
        has_address = row.email and not row.email.endswith(f"@{NO_ADDRESS}")
        yield PersonRecord(
            old=row.old,
            name=row.name,
            login=row.handle,
            email=row.email if has_address else None,
            password=row.password,
            joined_at=row.joined_at,
            last_seen_at=row.last_at,
            posts=row.posts,
            was=tuple(row.roles or ()),
        )


async def bans(session: AsyncSession, wishes: Wishes, now: datetime) -> AsyncIterator[BanRecord]:
    """Give who may not take part, where people's passwords go along."""
    async for row in _rows(session, _BANS, with_passwords=wishes.with_passwords, now=now):
        yield BanRecord(person=row.old, since=row.since, until=row.until)


async def threads(session: AsyncSession, wishes: Wishes) -> AsyncIterator[ThreadRecord]:
    """Give the threads in which a post is left."""
    async for row in _rows(session, _THREADS, board=wishes.board):
        shown = _shown(row.visibility)
        yield ThreadRecord(
            old=row.old,
            board=row.board,
            author=row.author,
            title=row.title if _may_go(shown, wishes) else "",
            opened_at=row.opened_at,
            is_locked=row.state == "locked",
            is_pinned=row.pinned,
            shown=shown,
        )


async def posts(session: AsyncSession, wishes: Wishes) -> AsyncIterator[PostRecord]:
    """Give the posts, each thread's in their order."""
    async for row in _rows(session, _POSTS, board=wishes.board):
        shown = _shown(row.visibility, row.thread_visibility)
        may_go = _may_go(shown, wishes)
        is_edited = may_go and shown != Shown.REMOVED and row.editor and (row.notice or {}).get("kind") == "edited"
        yield PostRecord(
            old=row.old,
            thread=row.thread,
            author=row.author,
            written_at=row.created_at,
            form=TextForm.MARKDOWN,
            text=renumbered(row.body_markdown, row.gone) if may_go else "",
            warning=(row.content_warning or "") if may_go else "",
            reply_to=row.reply_to if row.thread_visibility == "visible" else None,
            shown=shown,
            edited_at=row.edited_at if is_edited else None,
            edited_by=row.editor if is_edited else None,
            edit_reason=_reason(row.notice) if is_edited else None,
        )


async def _rows(session: AsyncSession, query: str, **values: Any) -> AsyncIterator[Any]:
    found = await session.stream(text(query), values, execution_options={"yield_per": AT_ONCE})
    async for row in found:
        yield row


def _readers(audience: list[str]) -> Readers:
    if "everyone" in audience:
        return Readers.EVERYONE
    return Readers.MEMBERS if "member" in audience else Readers.STAFF


def _shown(*visibilities: str) -> Shown:
    """Return who could read what has, with what it stands in, these visibilities: the strictest counts."""
    if "removed" in visibilities:
        return Shown.REMOVED
    return Shown.WAITING if "held" in visibilities else Shown.VISIBLE


def _may_go(shown: Shown, wishes: Wishes) -> bool:
    match shown:
        case Shown.REMOVED:
            return wishes.with_removed
        case Shown.WAITING:
            return wishes.with_waiting
    return True


def _former(name: str, is_alias: bool) -> tuple[PersonKind, str]:
    """Return what somebody without an account here is elsewhere, and their name without what was added to it here."""
    if is_alias or name == VISITOR or name.endswith(f" ({GUEST_REMARK})"):
        return PersonKind.GUEST, name.removesuffix(f" ({GUEST_REMARK})")
    return PersonKind.INACTIVE, name.removesuffix(f" ({FORMER_REMARK})")


def _reason(notice: dict[str, Any]) -> str:
    """Return what a notice says after "Edited by Suzie"."""
    return re.sub(rf"^Edited by {re.escape(str(notice['by']))}:? ?", "", notice["text"])
