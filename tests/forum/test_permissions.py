"""Who may do what, on one table: every act, for every kind of person, as the API answers them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import FastAPI

from forum.content.posts.revisions import lock_post_row
from forum.content.posts.tables import Visibility
from forum.content.posts.thread_page import list_by_number
from forum.content.posts.visibility import set_visibility
from forum.content.threads.changes import set_state
from forum.content.threads.tables import ThreadState
from forum.core import clock
from forum.core.database import new_id
from forum.core.errors import Forbidden, NotSignedIn
from forum.http.services import Services
from forum.members.standing import add_sanction
from forum.members.tables import Role, Standing
from forum.members.viewer import GUEST, Viewer
from forum.permissions import PERMISSIONS, Act, allow
from tests.support import make

API = "/api/v1"


class Person(NamedTuple):
    """Somebody, by their handle, with what they are."""

    roles: tuple[Role, ...] = ()
    boards: tuple[str, ...] = ()
    standing: Standing = Standing.ACTIVE
    verified: bool = True


PEOPLE = {
    "member": Person(),
    "unverified": Person(verified=False),
    "reviewed": Person(standing=Standing.REVIEWED),
    "silenced": Person(standing=Standing.SILENCED),
    "author": Person(),
    "silenced-author": Person(standing=Standing.SILENCED),
    "adviser": Person((Role.ADVISER,)),
    "moderator-here": Person(boards=("new-here", "garden")),
    "moderator-elsewhere": Person(boards=("court",)),
    "moderator": Person((Role.MODERATOR,)),
    "reviewed-moderator": Person((Role.MODERATOR,), standing=Standing.REVIEWED),
    "silenced-moderator": Person((Role.MODERATOR,), standing=Standing.SILENCED),
    "lead": Person((Role.SAFEGUARDING_LEAD,)),
    "administrator": Person((Role.ADMINISTRATOR,)),
}

REVIEWED = {"reviewed", "reviewed-moderator"}  # they write, and can do nothing that needs good standing
IN_GOOD_STANDING = PEOPLE.keys() - {"silenced", "silenced-author", "silenced-moderator"} - REVIEWED
WRITERS = IN_GOOD_STANDING - {"unverified"} | REVIEWED
MODERATORS = {"moderator-here", "moderator"}

# To whom each act is open; a guest is asked to sign in, and everybody else is refused.
OPEN_TO: dict[Act, set[str]] = {
    Act.OPEN_THREAD: WRITERS,
    Act.REPLY: WRITERS,
    Act.WRITE_FIRST_POST: WRITERS,
    Act.EDIT_POST: {"author"},
    Act.KEEP_EDIT: {"author", "silenced-author"},
    Act.WITHDRAW_POST: {"author", "silenced-author"},
    Act.READ_REVISIONS: {"author", "silenced-author", "silenced-moderator", "reviewed-moderator"} | MODERATORS,
    Act.REACT: WRITERS - {"author"},
    Act.READ_REACTIONS: {"author", "silenced-author"},
    Act.READ_TITLES: {"author", "silenced-author", "silenced-moderator", "reviewed-moderator"} | MODERATORS,
    Act.READ_SEALED_REVISION: MODERATORS,
    Act.READ_SEALED_TITLE: MODERATORS,
    Act.RETITLE_THREAD: {"author"} | MODERATORS,
    Act.LOCK_THREAD: MODERATORS,
    Act.PIN_THREAD: MODERATORS,
    Act.MOVE_THREAD: MODERATORS,
    Act.FOLLOW: set(PEOPLE),
    Act.RENAME: IN_GOOD_STANDING,
    Act.IGNORE: set(PEOPLE),
    Act.ADVISE: {"adviser", "moderator", "administrator"},
    Act.WRITE_ADVISER_NOTE: {"adviser"},
    Act.READ_ADVISER_NOTES: {"adviser", "lead"},
    Act.USE_ANSWER_TEMPLATES: {"adviser"},
    Act.ENDORSE: {"adviser"},
    Act.MARK_ANSWERED: {"author", "silenced-author"},
    Act.SEE_WAITING_THREADS: {"adviser", "moderator", "silenced-moderator", "reviewed-moderator", "administrator"},
    Act.ADMINISTER: {"administrator"},
    Act.ANNOUNCE: {"administrator"},
    Act.CONNECT: {"administrator"},
    Act.WRITE_GLOSSARY: {"administrator"},
    Act.WRITE_RESOURCES: {"adviser", "moderator", "administrator"},
    Act.ATTACH_RESOURCE: {"adviser", "moderator", "administrator"},
    Act.DETACH_RESOURCE: {"adviser", "moderator", "administrator"},
    Act.HOLD_ACCOUNT: {"administrator"},
}


class Asked(NamedTuple):
    """How an act is asked for, and what answers whoever may do it."""

    method: str
    path: str
    body: dict[str, Any] | None
    done: int


class There(NamedTuple):
    """A thread and its first post."""

    thread: int
    post: int


WORDS = {"body_markdown": "I see"}
NOWHERE = "01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d"
_LINE = {"name": "Line", "description": "They listen.", "telephone": "116 123"}
ASKED: dict[Act, Callable[[There], list[Asked]]] = {
    Act.OPEN_THREAD: lambda _: [Asked("POST", "/boards/new-here/threads", {"title": "What now?", **WORDS}, 201)],
    Act.REPLY: lambda at: [Asked("POST", f"/threads/{at.thread}/posts", WORDS, 201)],
    Act.WRITE_FIRST_POST: lambda at: [Asked("POST", f"/threads/{at.thread}/posts", WORDS, 201)],
    Act.EDIT_POST: lambda at: [Asked("PATCH", f"/posts/{at.post}", {"revision": 1, **WORDS}, 200)],
    Act.KEEP_EDIT: lambda at: [
        Asked("PUT", f"/me/drafts/posts/{at.post}", {"version": 0, "revision": 1, **WORDS}, 200)
    ],
    Act.WITHDRAW_POST: lambda at: [Asked("DELETE", f"/posts/{at.post}", None, 204)],
    Act.READ_REVISIONS: lambda at: [Asked("GET", f"/posts/{at.post}/revisions", None, 200)],
    Act.REACT: lambda at: [Asked("PUT", f"/posts/{at.post}/reactions/thank", None, 204)],
    Act.READ_REACTIONS: lambda at: [Asked("GET", f"/posts/{at.post}/reactions", None, 200)],
    Act.READ_TITLES: lambda at: [Asked("GET", f"/threads/{at.thread}/revisions", None, 200)],
    # There is none of either.
    Act.READ_SEALED_REVISION: lambda at: [Asked("GET", f"/posts/{at.post}/revisions/9", None, 404)],
    Act.READ_SEALED_TITLE: lambda at: [Asked("GET", f"/threads/{at.thread}/revisions/9", None, 404)],
    Act.RETITLE_THREAD: lambda at: [Asked("PATCH", f"/threads/{at.thread}", {"version": 1, "title": "And now?"}, 200)],
    Act.LOCK_THREAD: lambda at: [Asked(how, f"/threads/{at.thread}/lock", None, 200) for how in ("PUT", "DELETE")],
    Act.PIN_THREAD: lambda at: [Asked(how, f"/threads/{at.thread}/pin", None, 200) for how in ("PUT", "DELETE")],
    Act.MOVE_THREAD: lambda at: [Asked("PUT", f"/threads/{at.thread}/board", {"version": 1, "board": "garden"}, 200)],
    Act.FOLLOW: lambda at: [Asked("PUT", f"/threads/{at.thread}/subscription", {"mode": "each"}, 204)],
    # Nobody takes the name of staff, so each asks for one of their own.
    Act.RENAME: lambda at: [Asked("PATCH", "/me", {"name": f"Somebody {at.thread}"}, 200)],
    Act.IGNORE: lambda _: [Asked("PUT", "/me/ignored/nobody", None, 404)],
    Act.ADVISE: lambda at: [
        Asked("PUT", f"/adviser/threads/{at.thread}/no-answer", {"version": 1, "reason": "thanks"}, 204),
    ],
    Act.WRITE_ADVISER_NOTE: lambda at: [Asked("POST", f"/adviser/threads/{at.thread}/notes", {"text": "Call."}, 201)],
    Act.READ_ADVISER_NOTES: lambda at: [Asked("GET", f"/adviser/threads/{at.thread}/notes", None, 200)],
    Act.USE_ANSWER_TEMPLATES: lambda _: [
        Asked("GET", "/adviser/templates", None, 200),
        Asked("POST", "/adviser/templates", {"title": "Call", "text": "Please call us, {name}."}, 201),
        Asked("PUT", f"/adviser/templates/{NOWHERE}", {"version": 1, "title": "Call", "text": "Call us."}, 404),
        Asked("DELETE", f"/adviser/templates/{NOWHERE}?version=1", None, 404),
    ],
    Act.ENDORSE: lambda at: [Asked("PUT", f"/posts/{at.post}/endorsement", None, 204)],
    Act.MARK_ANSWERED: lambda at: [Asked("PUT", f"/threads/{at.thread}/answered", None, 204)],
    Act.SEE_WAITING_THREADS: lambda _: [Asked("GET", "/adviser/threads", None, 200)],
    Act.ADMINISTER: lambda _: [
        Asked("GET", "/accounts", None, 200),
        Asked("GET", "/accounts/nobody", None, 404),
        Asked("PUT", "/accounts/nobody/roles/moderator", {}, 404),
        Asked("DELETE", "/accounts/nobody/roles/moderator", None, 404),
        Asked("GET", "/refused-sign-ins", None, 200),
        Asked("GET", "/invitations", None, 200),
        Asked("DELETE", "/accounts/nobody/sessions", None, 404),
        Asked("GET", "/unsent-mails", None, 200),
        Asked("GET", "/boards/new-here/archive", None, 200),
        Asked("PUT", f"/unsent-mails/{NOWHERE}/attempt", None, 404),
        Asked("DELETE", f"/unsent-mails/{NOWHERE}", None, 404),
        Asked("POST", "/invitations", {"email": "ada@example.org", "role": "moderator"}, 201),
        Asked("DELETE", f"/invitations/{NOWHERE}", None, 404),
    ],
    Act.ANNOUNCE: lambda _: [
        Asked("POST", "/announcements", {"text": "Closed", "until": f"{clock.now() + timedelta(days=7):%FT%TZ}"}, 201)
    ],
    Act.CONNECT: lambda _: [
        Asked("GET", "/administration/webhooks", None, 200),
        Asked("POST", "/administration/webhooks", {"url": "https://a.test/", "events": ["post.removed"]}, 201),
        Asked("GET", f"/administration/webhooks/{NOWHERE}", None, 404),
        Asked("GET", f"/administration/webhooks/{NOWHERE}/deliveries", None, 404),
        Asked("PATCH", f"/administration/webhooks/{NOWHERE}", {"version": 1}, 404),
        Asked("POST", f"/administration/webhooks/{NOWHERE}/secret", {"version": 1}, 404),
        Asked("POST", f"/administration/webhooks/{NOWHERE}/tests", None, 404),
        Asked("DELETE", f"/administration/webhooks/{NOWHERE}", None, 404),
    ],
    Act.WRITE_GLOSSARY: lambda _: [
        Asked("PUT", "/glossary/CIN", {"meaning": "Child in need"}, 200),
        Asked("DELETE", "/glossary/CIN", None, 204),
    ],
    Act.WRITE_RESOURCES: lambda _: [
        Asked("POST", "/resources", _LINE, 201),
        Asked("PUT", f"/resources/{NOWHERE}", _LINE | {"version": 1}, 404),
        Asked("DELETE", f"/resources/{NOWHERE}", None, 404),
    ],
    Act.ATTACH_RESOURCE: lambda at: [
        Asked("PUT", f"/threads/{at.thread}/resources/{NOWHERE}", None, 404),
        Asked("PUT", f"/boards/new-here/resources/{NOWHERE}", None, 404),
    ],
    Act.DETACH_RESOURCE: lambda at: [
        Asked("DELETE", f"/threads/{at.thread}/resources/{NOWHERE}", None, 204),
        Asked("DELETE", f"/boards/new-here/resources/{NOWHERE}", None, 204),
    ],
    Act.HOLD_ACCOUNT: lambda _: [
        Asked("PUT", "/members/author/legal-hold", {"reason": "court"}, 204),
        Asked("GET", "/legal-holds", None, 200),
        Asked("DELETE", "/members/author/legal-hold", None, 204),
    ],
}


_FOR_STAFF = {
    *(Act.SEE_WAITING_THREADS, Act.USE_ANSWER_TEMPLATES, Act.ADMINISTER, Act.ANNOUNCE, Act.CONNECT),
    *(Act.WRITE_GLOSSARY, Act.WRITE_RESOURCES),
}


async def _ask(client: httpx.AsyncClient, act: Act, at: There, version: int = 1) -> str:
    """Whether the act is `allowed`, or why not: the title of the problem."""
    for asked in ASKED[act](at):
        body = {**asked.body, "version": version} if asked.body and "version" in asked.body else asked.body
        answer = await client.request(asked.method, API + asked.path, json=body)
        if answer.status_code in {401, 403}:
            return str(answer.json()["title"])
        assert answer.status_code == asked.done, answer.text
    return "allowed"


@asynccontextmanager
async def _people(app: FastAPI, *handles: str) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """A guest, and these people of the table, each with a client."""
    services: Services = app.state.services
    async with AsyncExitStack() as stack:
        clients = {"guest": await stack.enter_async_context(make.client(app))}
        for handle in handles:
            person = PEOPLE[handle]
            made = await make.member(services, handle, *person.roles, boards=person.boards, verified=person.verified)
            if person.standing != Standing.ACTIVE:
                async with services.database.work() as session:
                    await add_sanction(session, made.id, person.standing, clock.now(), None)
            clients[handle] = await stack.enter_async_context(make.signed_in(app, handle))
        yield clients


async def _thread(services: Services, author: str, slug: str = "new-here") -> There:
    thread = await make.thread(services, author, slug)
    viewer = await make.viewer(services, author)
    [first] = await list_by_number(services.database.reader, viewer, thread, 1, 1)
    return There(thread, first.id)


def test_every_act_is_on_the_page_and_in_this_table() -> None:
    assert set(Act) == PERMISSIONS.keys() == OPEN_TO.keys() == ASKED.keys()
    assert all(PERMISSIONS.values())


async def test_who_may_do_it(app: FastAPI, services: Services) -> None:
    for slug in ("new-here", "garden", "court"):
        await make.board(services, slug)
    async with _people(app, *PEOPLE) as clients:
        for act in Act:
            found = {}
            for who, client in clients.items():
                author = "silenced-author" if who == "silenced-author" else "author"
                found[who] = await _ask(client, act, await _thread(services, author))
            expected = {who: "allowed" if who in OPEN_TO[act] else "Not allowed" for who in PEOPLE}
            assert found == {"guest": "Not signed in", **expected}, act


async def test_what_somebody_cannot_see_is_not_there_rather_than_forbidden(app: FastAPI, services: Services) -> None:
    await make.board(services, readers=("moderator",))
    await make.board(services, "garden")
    await make.member(services, "moderator", Role.MODERATOR)
    at = await _thread(services, "moderator")
    async with make.signed_in(app, "member") as member, make.client(app) as guest:
        for act in set(Act) - {*_FOR_STAFF, Act.RENAME, Act.HOLD_ACCOUNT}:
            for asked in ASKED[act](at):
                sent = {"method": asked.method, "url": API + asked.path, "json": asked.body}
                answers = [await client.request(**sent) for client in (member, guest)]
                assert [answer.status_code for answer in answers] == [404, 401], act


async def test_who_was_told_to_be_silent_reads_and_does_not_write_until_it_has_run_out(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    measures = [
        (Standing.SILENCED, None, False),
        (Standing.SUSPENDED, None, False),
        (Standing.BANNED, None, False),
        (Standing.BANNED, timedelta(days=1), False),
        (Standing.BANNED, -timedelta(seconds=1), True),
    ]
    for number, (standing, lasts, is_open) in enumerate(measures):
        async with make.signed_in(app, f"heron{number}") as heron:
            at = await _thread(services, f"heron{number}")
            assert (await heron.get(f"{API}/me")).status_code == 200  # remembered as active
            made, now = await make.viewer(services, f"heron{number}"), clock.now()
            async with services.database.work() as session:
                until = None if lasts is None else now + lasts
                await add_sanction(session, made.member_id, standing, now - timedelta(days=1), until)
            acts = (Act.OPEN_THREAD, Act.REPLY, Act.EDIT_POST, Act.RETITLE_THREAD, Act.RENAME)
            found = {act: await _ask(heron, act, at) for act in acts}
            assert found == dict.fromkeys(acts, "allowed" if is_open else "Not allowed"), (standing, lasts)
            assert (await heron.get(f"{API}/threads/{at.thread}/posts")).status_code == 200
            if not is_open:
                refused = await heron.post(f"{API}/threads/{at.thread}/posts", json=WORDS)
                assert refused.json()["detail"].startswith(f"Your account is {standing}. You")


async def test_in_a_locked_thread_only_moderators_go_on(app: FastAPI, services: Services) -> None:
    for slug in ("new-here", "garden", "court"):
        await make.board(services, slug)
    open_to = {
        Act.REPLY: MODERATORS,
        Act.EDIT_POST: set(),
        Act.WITHDRAW_POST: {"author"},
        Act.RETITLE_THREAD: MODERATORS,
        Act.LOCK_THREAD: MODERATORS,
    }
    concerned = ("member", "author", "adviser", "moderator-here", "moderator-elsewhere", "moderator")
    async with _people(app, *concerned) as clients:
        moderator = await make.viewer(services, "moderator")
        for act, allowed in open_to.items():
            for who in concerned:
                at = await _thread(services, "author")
                async with services.database.work() as session:
                    await set_state(session, moderator, at.thread, ThreadState.LOCKED, clock.now())
                answer = await _ask(clients[who], act, at, version=2)  # the lock was a change, which they have seen
                assert (answer == "allowed") is (who in allowed), (act, who)


@pytest.mark.parametrize(
    ("openers", "repliers", "opens", "replies"),
    [
        (
            ("moderator",),
            ("member",),
            {"moderator", "moderator-here"},
            {"member", "adviser", "moderator", "moderator-here"},
        ),
        (
            ("adviser",),
            ("adviser",),
            {"adviser", "moderator", "moderator-here"},
            {"adviser", "moderator", "moderator-here"},
        ),
        ((), (), {"moderator", "moderator-here"}, {"moderator", "moderator-here"}),
    ],
)
async def test_a_board_says_who_opens_and_who_replies_and_its_moderators_always_may(
    app: FastAPI,
    services: Services,
    openers: tuple[str, ...],
    repliers: tuple[str, ...],
    opens: set[str],
    replies: set[str],
) -> None:
    await make.board(services, openers=openers, repliers=repliers)
    for slug in ("garden", "court"):
        await make.board(services, slug)
    concerned = ("member", "adviser", "moderator", "moderator-here")
    async with _people(app, *concerned) as clients:
        at = await _thread(services, "moderator")
        for who in concerned:
            assert (await _ask(clients[who], Act.OPEN_THREAD, at) == "allowed") is (who in opens), who
            assert (await _ask(clients[who], Act.REPLY, at) == "allowed") is (who in replies), who


async def test_what_was_taken_away_is_neither_edited_nor_read_again_by_its_author(
    app: FastAPI, services: Services
) -> None:
    answers = [
        (Visibility.REMOVED, Act.EDIT_POST, "author", "Not allowed"),
        (Visibility.REMOVED, Act.READ_REVISIONS, "author", "Not allowed"),
        (Visibility.REMOVED, Act.READ_REVISIONS, "moderator", "allowed"),
        (Visibility.WITHDRAWN, Act.EDIT_POST, "author", "Not allowed"),
        (Visibility.WITHDRAWN, Act.READ_REVISIONS, "author", "Not allowed"),
        (Visibility.WITHDRAWN, Act.READ_REVISIONS, "moderator", "Not allowed"),  # on its case only
        (Visibility.WITHDRAWN, Act.WITHDRAW_POST, "author", "allowed"),
        (Visibility.HELD, Act.EDIT_POST, "author", "allowed"),
        (Visibility.HELD, Act.READ_REVISIONS, "author", "allowed"),
        (Visibility.HELD, Act.WITHDRAW_POST, "author", "allowed"),
    ]
    await make.board(services)
    async with _people(app, "author", "moderator") as clients:
        for visibility, act, who, expected in answers:
            at = await _thread(services, "author")
            async with services.database.work() as session:
                post = await lock_post_row(session, at.post)
                held = "Somebody will read this first." if visibility == Visibility.HELD else None
                await set_visibility(session, post, visibility, clock.now(), held_because=held)
            assert await _ask(clients[who], act, at) == expected, (visibility, act, who)


@pytest.mark.parametrize("act", Act)
def test_a_guest_is_asked_to_sign_in_by_the_name_of_what_they_wanted(act: Act) -> None:
    with pytest.raises(NotSignedIn, match=f"^Sign in to {act}\\.$"):
        allow(act, GUEST)


def test_a_refusal_gives_the_reason_in_words() -> None:
    somebody = Viewer(id=new_id(), handle="heron")
    with pytest.raises(Forbidden, match="Only advisers may do this"):
        allow(Act.SEE_WAITING_THREADS, somebody)
