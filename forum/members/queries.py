"""Find a member, and lock their row before changing it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Subquery, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core.errors import Changer, NotFound, NotSignedIn, Stale
from forum.members import names
from forum.members.standing import standing_of
from forum.members.tables import Member, Persona, Standing
from forum.members.viewer import Viewer


@dataclass(frozen=True)
class LockedAccount:
    """A member's row, locked until the transaction ends, and their standing."""

    member: Member
    standing: Standing


def named_columns(member: type[Member], prefix: str) -> list[ColumnElement[Any]]:
    """Return the columns that name a member to readers, labelled with the prefix: "author_handle" and so on."""
    return [col(getattr(member, name)).label(f"{prefix}_{name}") for name in ("handle", "name", "title")]


def authors(name: str) -> Subquery:
    """Return what names the author of a text to readers, a row per persona: join it, under this name, by its `id`."""
    named = select(
        col(Persona.id),
        col(Member.handle),
        func.coalesce(col(Persona.name), col(Member.name)).label("name"),
        col(Member.title),
    )
    return named.outerjoin(Member, col(Member.id) == col(Persona.id)).subquery(name)


def author_columns(author: Subquery, prefix: str) -> list[ColumnElement[Any]]:
    """Return the columns of `authors` that name an author, labelled with the prefix: "author_handle" and so on."""
    return [author.c[name].label(f"{prefix}_{name}") for name in ("handle", "name", "title")]


async def get_member(session: AsyncSession, handle: str) -> Member:
    """Return the member with this handle. Raises NotFound when there is none."""
    found = await session.execute(select(Member).where(col(Member.handle) == names.folded(handle)))
    member = found.scalar_one_or_none()
    if member is None:
        raise NotFound(f"There is no member called {handle}.", code="member_not_found")
    return member


async def changed_since(
    session: AsyncSession, detail: str, *, code: str, current: int, by: UUID | None, at: datetime
) -> Stale:
    """Return the error for something that was changed after it was shown, with whoever changed it."""
    return Stale(detail, code=code, current=current, changed_by=await get_changer(session, by), changed_at=at)


async def get_changer(session: AsyncSession, persona_id: UUID | None) -> Changer | None:
    """Return who changed something, as an error names them: one recognises oneself by the handle."""
    author = authors("author")
    found = await session.execute(
        select(author.c.handle, author.c.name, author.c.title).where(author.c.id == persona_id)
    )
    row = found.one_or_none()
    return changer_of(row) if row else None


def changer_of(member: Any) -> Changer:
    """Return a member, or a row with their handle, name and title, as an error names them."""
    return {"handle": member.handle, "name": member.name, "title": member.title}


async def lock_account_row(session: AsyncSession, member_id: UUID, now: datetime) -> LockedAccount:
    """Lock the row of a member who is about to change it, and return it with their standing."""
    return LockedAccount(await lock_member_row(session, member_id), await standing_of(session, member_id, now))


async def lock_member_row(session: AsyncSession, member_id: UUID) -> Member:
    """Lock a member's row until the transaction ends, and return it."""
    # Only against other changes of it: what they write meanwhile points to the row, and must not wait.
    found = select(Member).where(col(Member.id) == member_id).with_for_update(key_share=True)
    return (await session.execute(found.execution_options(populate_existing=True))).scalar_one()


async def lock_own_row(session: AsyncSession, viewer: Viewer) -> Member:
    """Lock the viewer's own row until the transaction ends, and return it. Raises NotSignedIn when they have left."""
    member = await lock_member_row(session, viewer.member_id)
    if member.left_at:  # a moment ago: this process has not read it yet
        raise NotSignedIn("Sign in first.")
    return member
