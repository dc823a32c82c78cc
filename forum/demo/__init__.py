"""The demonstration: a small made-up community."""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration import advisers, roles
from forum.authentication import registration
from forum.authentication.registration import Newcomer
from forum.authentication.second_factor.tables import Totp
from forum.content import boards, bookmarks, drafts, ignored, read_marks, subscriptions
from forum.content.drafts import DraftWords, Saving
from forum.content.endorsements.actions import endorse
from forum.content.posts.actions import change_words, withdraw_post
from forum.content.posts.context import context_in_thread, context_of_post, context_on_board
from forum.content.posts.draft import Draft
from forum.content.posts.insertion import add_reply, add_thread
from forum.content.posts.tables import Post
from forum.content.reactions.actions import react
from forum.content.reactions.tables import ReactionKind
from forum.content.search.spelling import collect_words
from forum.content.subscriptions import Mode
from forum.content.threads.actions import lock_thread, pin_thread
from forum.core.database import new_id
from forum.core.work import Work
from forum.demo.administration import administer
from forum.demo.advising import advise
from forum.demo.keys import DemoKeys
from forum.demo.moderation import Cast, everybody, moderate
from forum.demo.safeguarding import look_after
from forum.members.tables import Member, Role, RulesEdition
from forum.members.viewer import Viewer
from forum.notifications.inbox import Notification
from forum.notifications.letter_choices import answer_question
from forum.notifications.new_posts import tell_of_post

CONTENT = resources.files("forum.demo")
LATELY = timedelta(days=3)  # since then, some follow a whole board


@dataclass(frozen=True)
class DemoSignIn:
    """A member as whom visitors of the demonstration can sign in."""

    role: str
    handle: str
    is_staff: bool  # signs in with a code, too


def sign_ins() -> list[DemoSignIn]:
    """Return one sign-in for each role."""
    chosen: dict[str, dict[str, Any]] = {}
    for person in _people():
        for role in person.get("roles") or ["member"]:
            label = f"{role} of {', '.join(person['boards'])}" if "boards" in person else role
            chosen.setdefault(label.replace("_", " "), person)
    return [DemoSignIn(role, who["handle"], "roles" in who) for role, who in chosen.items()]


def size() -> int:
    """Return how many posts `fill` writes."""
    return sum(len(thread["post"]) for _, thread in _threads())


async def is_empty(session: AsyncSession) -> bool:
    """Return whether the forum has no members yet."""
    return not (await session.execute(select(exists().where(col(Member.id).is_not(None))))).scalar_one()


async def fill(work: Work, keys: DemoKeys, *, written: Callable[[], object]) -> None:
    """Write the whole community with dates up to now, and call `written` after each post."""
    await _make_boards(work.session, work.now - timedelta(days=800))
    rules = await _present_rules(work.session)
    for person in _people():
        await _add_member(work.session, person, keys, work.now, rules=rules)
    cast = await everybody(work.session)
    for slug, thread in _threads():
        await _write_thread(work.at(work.now - timedelta(days=thread["days_ago"])), cast, slug, thread, written)
    for person in _people():
        for slug in person.get("follows", ()):
            await subscriptions.follow_board(work.at(work.now - LATELY), cast[person["handle"]], slug, Mode.EACH)
        if "draft" in person:
            await _keep_draft(work, cast[person["handle"]], **person["draft"])
        for handle in person.get("ignores", ()):
            await ignored.ignore(work, cast[person["handle"]], handle)
    await _tell_of_posts(work.session)
    for person in _people():
        if person.get("mails"):
            await answer_question(work, cast[person["handle"]], wants_letters=True)
    await moderate(work, cast)
    await administer(work, cast)
    await advise(work, cast)
    await look_after(work, cast)
    await _put_notifications_in_order(work.session)
    await collect_words(work.session, {}, work.now)


async def _tell_of_posts(session: AsyncSession) -> None:
    """Tell everybody of each post at the time when it appeared: the worker would tell of all of them today."""
    written = select(col(Post.id), col(Post.created_at)).order_by(col(Post.created_at), col(Post.id))
    for post_id, at in (await session.execute(written)).all():
        await tell_of_post(session, {"post": str(post_id)}, at)


async def _put_notifications_in_order(session: AsyncSession) -> None:
    """Give each notification an id as of its time. Lists have them in the order of their ids, and a thread was written
    to its end before the next one.
    """
    told = select(Notification).order_by(col(Notification.at), col(Notification.id))
    for notification in (await session.execute(told)).scalars().all():
        notification.id = new_id()


def _people() -> list[dict[str, Any]]:
    return list(_read("people.toml")["person"])


def _threads() -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every thread with its board's slug, oldest first."""
    threads = [
        (board["slug"], thread)
        for board in _read("boards.toml")["board"]
        for thread in _read(f"threads/{board['slug']}.toml")["thread"]
    ]
    return iter(sorted(threads, key=lambda thread: -float(thread[1]["days_ago"])))


@cache
def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(CONTENT.joinpath(name).read_text(encoding="utf-8"))


async def _make_boards(session: AsyncSession, now: datetime) -> None:
    for board in _read("boards.toml")["board"]:
        plan: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in board.items()}
        plan["section"], plan["help_markdown"] = plan.pop("group"), plan.pop("help_text")
        await boards.create_board(session, boards.BoardPlan(**plan), now)


async def _present_rules(session: AsyncSession) -> int | None:
    found: int | None = (await session.execute(select(func.max(col(RulesEdition.version))))).scalar_one()
    return found


async def _add_member(
    session: AsyncSession, person: dict[str, Any], keys: DemoKeys, now: datetime, *, rules: int | None
) -> None:
    joined_at = now - timedelta(days=person["joined_days_ago"])
    email = f"{person['handle'].encode('ascii', 'ignore').decode()}@example.org"
    newcomer = Newcomer(
        handle=person["handle"],
        name=person["name"],
        email=email,
        password=keys.password,
        rules_version=rules,
        least_age=16,
    )
    member = await registration.add_member(session, await registration.prepare_account(newcomer), joined_at)
    member.email_verified_at = joined_at
    member.title = person.get("title")
    if "roles" in person:
        session.add(Totp(member_id=member.id, secret=keys.secret_of(person["handle"]), since=joined_at))
    for role in person.get("roles", []):
        if role == Role.ADVISER:
            await advisers.appoint(session, member, **person["adviser"], now=joined_at)
            member.title = person["adviser"]["title"]
            continue
        for slug in person.get("boards", [None]):
            board = await boards.find_board(session, slug) if slug else None
            await roles.grant(session, member, Role(role), joined_at, board_id=board.id if board else None)


async def _write_thread(
    opening: Work, cast: Cast, slug: str, thread: dict[str, Any], written: Callable[[], object]
) -> None:
    thread_id = 0
    for entry in thread["post"]:
        author, work = cast[entry["by"]], opening.at(opening.now + timedelta(hours=entry["hours_after"]))
        draft = Draft(entry["body"].strip(), entry.get("reply_to"), entry.get("content_warning"))
        if thread_id:
            post = await add_reply(work, author, await context_in_thread(work, author, thread_id, draft), draft)
        else:
            context = await context_on_board(work, author, slug, draft)
            post = await add_thread(work, author, context, thread["title"], draft)
            thread_id = post.thread_id
        # Whoever writes has read what stands above: the worker tells them of what came later alone.
        await read_marks.mark_read(work, author, thread_id, post.number)
        later = work.at(work.now + timedelta(hours=1))
        await _edit_or_withdraw(later, author, post.id, entry)
        await _answer_quietly(later, cast, post.id, entry)
        written()
    await _pin_or_lock(opening, cast, thread_id, thread)


async def _keep_draft(work: Work, author: Viewer, board: str, title: str, body: str) -> None:
    await drafts.save_thread(work, author, board, Saving(DraftWords(body, title), 0))


async def _edit_or_withdraw(work: Work, author: Viewer, post_id: int, entry: dict[str, Any]) -> None:
    if "edited" in entry:
        draft = Draft(entry["edited"].strip(), content_warning=entry.get("content_warning"))
        await change_words(work, author, await context_of_post(work, author, post_id, draft), 1, draft)
    if entry.get("withdrawn"):
        await withdraw_post(work, author, post_id)


async def _answer_quietly(work: Work, cast: Cast, post_id: int, entry: dict[str, Any]) -> None:
    for kind, handles in entry.get("reactions", {}).items():
        for handle in handles:
            await react(work, cast[handle], post_id, ReactionKind(kind))
    for handle in entry.get("endorsed_by", ()):
        await endorse(work, cast[handle], post_id)
    for handle in entry.get("saved", ()):
        await bookmarks.save_post(work, cast[handle], post_id)


async def _pin_or_lock(work: Work, cast: Cast, thread_id: int, thread: dict[str, Any]) -> None:
    moderator = next(viewer for viewer in cast.values() if Role.MODERATOR in viewer.roles)
    if thread.get("pinned"):
        await pin_thread(work, moderator, thread_id)
    if thread.get("locked"):
        await lock_thread(work, moderator, thread_id)
