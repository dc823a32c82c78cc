"""Whatever can be written where readers see it, one after the other: for tests of what is kept beside it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, NamedTuple

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role, Standing
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API, PUBLISH, REMOVE, a_case, decide, decided, sql

BODY = "the words of somebody who is not well, and of those who answer, " * 20
BY_HAND = "by hand: "  # what no action does

Change = Callable[[], Awaitable[Any]]


class People(NamedTuple):
    """Those who write, signed in: Heron opened the thread, the stepfather answered, and three have roles."""

    heron: httpx.AsyncClient
    stepdad: httpx.AsyncClient
    adviser: httpx.AsyncClient
    moderator: httpx.AsyncClient
    administrator: httpx.AsyncClient


def changes(app: FastAPI, people: People) -> list[tuple[str, Change]]:
    """Every kind of change to what `scenes.a_post` made, and its name; the last are by hand."""
    services: Services = app.state.services
    heron, stepdad, rosie, suzie, joan = people

    async def send(who: httpx.AsyncClient, method: str, path: str, **body: Any) -> None:
        answer = await who.request(method, API + path, json=body or None)
        assert answer.status_code < 300, (method, path, answer.text)

    async def setting(slug: str, **changes: Any) -> None:
        version = (await joan.get(f"{API}/administration/boards/{slug}")).json()["version"]
        await send(joan, "PATCH", f"/administration/boards/{slug}", version=version, **changes)

    async def publish(post_id: int) -> None:
        assert (await decide(suzie, await a_case(suzie, post_id), PUBLISH)).status_code == 201

    async def erased() -> None:
        await send(stepdad, "PUT", "/me/departure", kind="erase")
        due = clock.now().replace(year=clock.now().year + 1)
        assert "depart" in await run_due_jobs(services, due)

    tomorrow = f"{clock.now() + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"

    def by_hand(statement: str) -> Change:
        return lambda: sql(services, statement)

    place = "INSERT INTO resource SELECT gen_random_uuid(), 'Line', 'They listen.', '116 123', NULL, NULL, NULL, NULL"
    here = "SELECT {}, resource.id, now(), resource.changed_by FROM resource"
    return [
        ("reply", lambda: send(stepdad, "POST", "/threads/1/posts", body_markdown="I was there once.")),
        ("edit", lambda: send(stepdad, "PATCH", "/posts/2", revision=1, body_markdown=f"{BODY} a lying toad")),
        ("reaction", lambda: send(heron, "PUT", "/posts/2/reactions/thank")),
        ("reaction taken back", lambda: send(heron, "DELETE", "/posts/2/reactions/thank")),
        ("endorsed", lambda: send(rosie, "PUT", "/posts/2/endorsement")),
        ("endorsement taken back", lambda: send(rosie, "DELETE", "/posts/2/endorsement")),
        ("title", lambda: send(suzie, "PATCH", "/threads/1", version=1, title="Another question")),
        ("locked", lambda: send(suzie, "PUT", "/threads/1/lock", reason="We read what was reported.")),
        ("unlocked", lambda: send(suzie, "DELETE", "/threads/1/lock")),
        ("pinned", lambda: send(suzie, "PUT", "/threads/1/pin")),
        ("held", by_hand("UPDATE board SET publication = 'hold_all' WHERE slug = 'new-here'")),
        ("a held reply", lambda: send(heron, "POST", "/threads/1/posts", body_markdown="May I say something?")),
        ("published", lambda: publish(4)),
        ("a held edit", lambda: send(heron, "PATCH", "/posts/4", revision=1, body_markdown="May I ask something?")),
        ("name", lambda: send(heron, "PATCH", "/me", name="Grey heron")),
        ("handle", lambda: send(stepdad, "PUT", "/me/handle", handle="stepfather")),
        ("removed", lambda: decided(app, suzie, 2, REMOVE)),
        ("withdrawn", lambda: send(stepdad, "DELETE", "/posts/3")),
        ("glossary", lambda: send(joan, "PUT", "/glossary/ask", meaning="To say that one does not know")),
        ("glossary again", lambda: send(joan, "DELETE", "/glossary/ask")),
        ("place of help", by_hand(f"{place}, '{{}}', 'current', now(), id FROM member LIMIT 1")),
        ("in the thread", by_hand(f"INSERT INTO resource_on_thread {here.format(1)}")),
        ("on the board", by_hand(f"INSERT INTO resource_on_board {here.format('board.id')}, board")),
        ("doubted", by_hand("UPDATE resource SET state = 'doubtful'")),
        ("taken away", by_hand("DELETE FROM resource_on_thread")),
        ("gone", by_hand("DELETE FROM resource")),
        ("announced", lambda: send(joan, "POST", "/announcements", text="Back on Tuesday.", until=tomorrow)),
        ("adviser", lambda: make.member(services, "robin", Role.ADVISER)),
        ("role taken", lambda: send(joan, "DELETE", "/accounts/robin/roles/adviser")),
        ("rule", lambda: send(joan, "PUT", "/moderation/rules/10", version=1, title="Kindness", text="Be kind.")),
        ("board renamed", lambda: setting("court", name="In court")),
        ("board for members", lambda: setting("new-here", readers=["member"])),
        ("board for all", lambda: setting("new-here", readers=["everyone"])),
        ("closed", lambda: make.hours(services, "read_only", "new-here")),
        ("archived", lambda: send(joan, "PUT", "/administration/boards/court/archive")),
        ("order", lambda: send(joan, "PUT", "/administration/board-order", slugs=["new-here", "court"])),
        (
            "moved",
            lambda: sql(services, "UPDATE thread SET board_id = (SELECT id FROM board WHERE slug = 'court')"),
        ),
        ("banned", lambda: make.sanction(services, "magpie", Standing.BANNED)),
        ("erased", erased),
        (f"{BY_HAND}words", by_hand("UPDATE post SET body_html = '<p>Gone</p>' WHERE id = 1")),
        (f"{BY_HAND}name", by_hand("UPDATE member SET title = 'Of the house' WHERE handle = 'heron'")),
        (f"{BY_HAND}counts", by_hand("UPDATE thread SET posts = posts + 1")),
        (f"{BY_HAND}totals", by_hand("UPDATE board_tally SET posts = posts + 1")),
        (f"{BY_HAND}reactions", by_hand("INSERT INTO reaction_count VALUES (1, 0, 5, 0, 0)")),
        (f"{BY_HAND}hidden", by_hand("UPDATE thread SET visibility = 'removed'")),
        (f"{BY_HAND}rules", by_hand("DELETE FROM rule WHERE number = 10 AND version = 2")),
        (f"{BY_HAND}all", by_hand("TRUNCATE glossary_term, reaction_count")),
    ]
