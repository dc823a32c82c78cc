"""A small believable community, so that a forum can be seen at work."""

import base64
import hashlib
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration import advisers, roles
from forum.authentication import registration
from forum.authentication.registration import Newcomer
from forum.authentication.second_factor import totp
from forum.authentication.second_factor.tables import Totp
from forum.content import boards
from forum.content.posts.actions import add_reply, edit_post, open_thread, withdraw_post
from forum.content.posts.context import context_in_thread, context_of_post, context_on_board
from forum.content.posts.draft import NO_WORDS, Draft
from forum.content.threads.actions import set_pinned, set_state
from forum.content.threads.tables import ThreadState
from forum.core.gate import Gate
from forum.demo.moderation import Cast, everybody, moderate
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer

PASSWORD = "seven kettles sing at dawn"  # noqa: S105 - everybody may know it: the demonstration prints it

CONTENT = resources.files("forum.demo")


@dataclass(frozen=True)
class DemoSignIn:
    """Somebody whom a visitor of the demonstration can be."""

    role: str
    handle: str
    secret: str | None  # staff's, for an authenticator app


def sign_ins() -> list[DemoSignIn]:
    """One sign-in for each role; everybody's password is PASSWORD."""
    chosen: dict[str, dict[str, Any]] = {}
    for person in _people():
        for role in person.get("roles") or ["member"]:
            spoken = f"{role} of {', '.join(person['boards'])}" if "boards" in person else role
            chosen.setdefault(spoken.replace("_", " "), person)
    return [DemoSignIn(role, who["handle"], _secret(who)) for role, who in chosen.items()]


def code_of(handle: str, now: datetime) -> str:
    """What the authenticator app of this member of the staff shows now."""
    return totp.current_code(_secret_of(handle), now)


def size() -> int:
    """How many posts `fill` will write."""
    return sum(len(thread["post"]) for _, thread in _threads())


async def is_empty(session: AsyncSession) -> bool:
    """Whether nobody has joined yet."""
    return not (await session.execute(select(exists().where(col(Member.id).is_not(None))))).scalar_one()


async def fill(session: AsyncSession, gate: Gate, now: datetime, *, written: Callable[[], object]) -> None:
    """Write the whole community, as if it had lived until `now`; calls `written` after each post."""
    await _make_boards(session, now - timedelta(days=800))
    for person in _people():
        await _welcome(session, person, now)
    cast = await everybody(session)
    for slug, thread in _threads():
        await _talk(session, gate, cast, slug, thread, now, written)
    await moderate(session, cast, now)


def _people() -> list[dict[str, Any]]:
    return list(_read("people.toml")["person"])


def _secret(person: dict[str, Any]) -> str | None:
    return _secret_of(person["handle"]) if "roles" in person else None


def _secret_of(handle: str) -> str:
    """Made of the handle: everybody may know it, also after another start."""
    return base64.b32encode(hashlib.sha1(handle.encode(), usedforsecurity=False).digest()).decode()


def _threads() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every board's slug and thread, oldest first."""
    talks = [
        (board["slug"], thread)
        for board in _read("boards.toml")["board"]
        for thread in _read(f"threads/{board['slug']}.toml")["thread"]
    ]
    return iter(sorted(talks, key=lambda talk: -float(talk[1]["days_ago"])))


@cache
def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(CONTENT.joinpath(name).read_text(encoding="utf-8"))


async def _make_boards(session: AsyncSession, now: datetime) -> None:
    for board in _read("boards.toml")["board"]:
        plan: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in board.items()}
        plan["section"], plan["help_markdown"] = plan.pop("group"), plan.pop("help_text")
        await boards.make(session, boards.BoardPlan(**plan), now)


async def _welcome(session: AsyncSession, person: dict[str, Any], now: datetime) -> None:
    joined_at = now - timedelta(days=person["joined_days_ago"])
    email = f"{person['handle'].encode('ascii', 'ignore').decode()}@example.org"
    newcomer = Newcomer(handle=person["handle"], name=person["name"], email=email, password=PASSWORD)
    member = await registration.add_member(session, await registration.prepare_account(newcomer), joined_at)
    member.email_verified_at = joined_at
    member.title = person.get("title")
    if secret := _secret(person):
        session.add(Totp(member_id=member.id, secret=secret, since=joined_at))
    for role in person.get("roles", []):
        if role == Role.ADVISER:
            await advisers.appoint(session, member, **person["adviser"], now=joined_at)
            member.title = person["adviser"]["title"]
            continue
        for slug in person.get("boards", [None]):
            board = await boards.find(session, slug) if slug else None
            await roles.grant(session, member, Role(role), joined_at, board_id=board.id if board else None)


async def _talk(
    session: AsyncSession,
    gate: Gate,
    cast: Cast,
    slug: str,
    thread: dict[str, Any],
    now: datetime,
    written: Callable[[], object],
) -> None:
    opened_at = now - timedelta(days=thread["days_ago"])
    thread_id = 0
    for said in thread["post"]:
        viewer = cast[said["by"]]
        at = opened_at + timedelta(hours=said["hours_after"])
        draft = Draft(said["body"].strip(), said.get("reply_to"), said.get("content_warning"))
        if thread_id:
            there = await context_in_thread(session, viewer, thread_id, draft, at)
            post = await add_reply(session, viewer, there, draft, gate, at)
        else:
            place = await context_on_board(session, viewer, slug, draft, at)
            post = await open_thread(session, viewer, place, thread["title"], draft, gate, at)
            thread_id = post.thread_id
        await _second_thoughts(session, gate, viewer, post.id, said, at + timedelta(hours=1))
        written()
    await _housekeeping(session, cast, thread_id, thread, opened_at)


async def _second_thoughts(
    session: AsyncSession, gate: Gate, viewer: Viewer, post_id: int, said: dict[str, Any], at: datetime
) -> None:
    if "edited" in said:
        draft = Draft(said["edited"].strip(), content_warning=said.get("content_warning"))
        place = await context_of_post(session, viewer, post_id, draft, at)
        await edit_post(session, viewer, place, 1, draft, gate, at)
    if said.get("withdrawn"):
        place = await context_of_post(session, viewer, post_id, NO_WORDS, at)
        await withdraw_post(session, viewer, place, at)


async def _housekeeping(
    session: AsyncSession, cast: Cast, thread_id: int, thread: dict[str, Any], now: datetime
) -> None:
    moderator = next(viewer for viewer in cast.values() if Role.MODERATOR in viewer.roles)
    if thread.get("pinned"):
        await set_pinned(session, moderator, thread_id, True, now)
    if thread.get("locked"):
        await set_state(session, moderator, thread_id, ThreadState.LOCKED, now)
