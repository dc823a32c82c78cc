"""Reactions: who may react to what, what readers and authors see of it, and that no count is ever lost."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forum.content.posts.queries import PostView
from forum.content.posts.revisions import lock_post_row
from forum.content.posts.tables import Visibility
from forum.content.posts.visibility import set_visibility
from forum.content.reactions import actions
from forum.content.reactions.tables import ReactionKind
from forum.core import clock
from forum.core import settings as core_settings
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.departure import anonymise_member
from forum.members.queries import get_member
from forum.members.tables import Role, Standing
from tests.support import make
from tests.support.scenes import sql

API = "/api/v1"


@pytest.fixture
async def post(services: Services) -> PostView:
    """Magpie's first post of a thread."""
    await make.board(services)
    await make.member(services, "magpie")
    thread = await make.thread(services, "magpie")
    return await make.post(services, "magpie", thread, "We got through it")


async def react(client: httpx.AsyncClient, post_id: int, kind: str = "thank", method: str = "PUT") -> int:
    return (await client.request(method, f"{API}/posts/{post_id}/reactions/{kind}")).status_code


async def counts(client: httpx.AsyncClient, post_id: int) -> dict[str, int] | None:
    found: dict[str, int] | None = (await client.get(f"{API}/posts/{post_id}")).json().get("reactions")
    return found


async def set_to(services: Services, post_id: int, visibility: Visibility) -> None:
    async with services.database.work() as session:
        because = "A moderator reads it first." if visibility == Visibility.HELD else None
        row = await lock_post_row(session, post_id)
        await set_visibility(session, row, visibility, clock.now(), held_because=because)


def test_the_kinds_are_those_of_the_settings() -> None:
    assert tuple(ReactionKind) == core_settings.REACTIONS
    assert Settings().reactions == tuple(ReactionKind)
    assert Settings(reactions="thank, hug").reactions == ("thank", "hug")  # type: ignore[arg-type]  # as in the environment
    assert Settings(reactions="none").reactions == ()  # type: ignore[arg-type]
    for wrong in ("like", "thank,thank", "none,hug"):
        with pytest.raises(ValueError, match="the reactions are thank"):
            Settings(reactions=wrong)  # type: ignore[arg-type]


async def test_readers_see_how_many_and_the_author_who(
    app: FastAPI, services: Services, post: PostView, guest: httpx.AsyncClient
) -> None:
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "magpie") as magpie,
    ):
        assert await counts(guest, post.id) == {}
        for client, kind in ((heron, "thank"), (wren, "thank"), (heron, "same_here")):
            assert [await react(client, post.id, kind) for _ in range(2)] == [204, 204]
        assert await counts(guest, post.id) == {"thank": 2, "same_here": 1}
        page = (await guest.get(f"{API}/threads/{post.thread_id}/posts")).json()["items"]
        assert [item["reactions"] for item in page] == [{}, {"thank": 2, "same_here": 1}]
        told = (await magpie.get(f"{API}/posts/{post.id}/reactions")).json()
        assert [(item["kind"], item["author"]["handle"]) for item in told["items"]] == [
            ("thank", "wren"),
            ("thank", "heron"),
        ]
        for client, status, code in ((heron, 403, "not_the_author"), (guest, 401, "not_signed_in")):
            refused = await client.get(f"{API}/posts/{post.id}/reactions")
            assert (refused.status_code, refused.json()["code"]) == (status, code)
        own = (await heron.get(f"{API}/threads/{post.thread_id}/mine")).json()
        assert own["reactions"] == {"2": ["thank", "same_here"]}
        assert own["reaction_kinds"] == list(ReactionKind)
        assert own["may"]["react"]["allowed"] is True
        assert [await react(heron, post.id, "thank", "DELETE") for _ in range(2)] == [204, 204]
        assert await counts(guest, post.id) == {"thank": 1, "same_here": 1}
        await react(wren, post.id, "thank", "DELETE")
        assert await counts(guest, post.id) == {"same_here": 1}


async def test_the_author_reads_who_page_by_page(app: FastAPI, services: Services, post: PostView) -> None:
    for number in range(5):
        async with make.signed_in(app, f"heron{number}") as heron:
            await react(heron, post.id, "hug")
    async with make.signed_in(app, "magpie") as magpie:
        seen, after = [], ""
        while True:
            answer = await magpie.get(f"{API}/posts/{post.id}/reactions?limit=2{after}")
            page = answer.json()
            seen += [item["author"]["handle"] for item in page["items"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
            assert 'rel="next"' in answer.headers["Link"]
        assert seen == [f"heron{number}" for number in (4, 3, 2, 1, 0)]
        assert (await magpie.get(f"{API}/posts/{post.id}/reactions?after=nonsense")).status_code == 422


async def test_a_reaction_is_no_edit_and_changes_the_etag(
    app: FastAPI, services: Services, post: PostView, guest: httpx.AsyncClient
) -> None:
    paths = [f"{API}/threads/{post.thread_id}/posts", f"{API}/posts/{post.id}"]
    before = [(await guest.get(path)).headers["ETag"] for path in paths]
    thread = (await guest.get(f"{API}/threads/{post.thread_id}")).json()
    async with make.signed_in(app, "heron") as heron:
        await react(heron, post.id)
    for path, tag in zip(paths, before, strict=True):
        again = await guest.get(path, headers={"If-None-Match": tag})
        assert again.status_code == 200
        assert (await guest.get(path, headers={"If-None-Match": again.headers["ETag"]})).status_code == 304
    assert (await guest.get(f"{API}/threads/{post.thread_id}")).json() == thread
    async with make.signed_in(app, "magpie") as magpie:
        edit = {"revision": 1, "body_markdown": "We got through it, just"}
        edited = await magpie.patch(f"{API}/posts/{post.id}", json=edit)
        assert (edited.status_code, edited.json()["reactions"]) == (200, {"thank": 1})


@pytest.mark.parametrize(
    ("who", "kind", "status", "code"),
    [
        ("magpie", "thank", 403, "own_post"),
        ("heron", "like", 404, "reaction_not_found"),
        ("heron", "THANK", 404, "reaction_not_found"),
        ("heron", "x" * 21, 422, "too_long"),
        ("unverified", "thank", 403, "unverified_address"),
    ],
)
async def test_what_is_refused(
    app: FastAPI, services: Services, post: PostView, who: str, kind: str, status: int, code: str
) -> None:
    await make.member(services, "unverified", verified=False)
    async with make.signed_in(app, who) as client:
        refused = await client.put(f"{API}/posts/{post.id}/reactions/{kind}")
        assert refused.status_code == status
        problem = refused.json()
        assert code in (problem["code"], *(fault["code"] for fault in problem.get("errors", ())))
        assert await counts(client, post.id) == {}


@pytest.mark.parametrize("standing", [Standing.SILENCED, Standing.SUSPENDED, Standing.BANNED])
async def test_whoever_may_not_write_reacts_no_more_but_may_take_back(
    app: FastAPI, services: Services, post: PostView, standing: Standing, guest: httpx.AsyncClient
) -> None:
    async with make.signed_in(app, "heron") as heron:
        await react(heron, post.id)
        await make.sanction(services, "heron", standing)
        services.session_cache.invalidate((await make.viewer(services, "heron")).member_id)
        refused = await heron.put(f"{API}/posts/{post.id}/reactions/hug")
        assert (refused.status_code, refused.json()["code"]) == (403, f"account_{standing}")
        assert await react(heron, post.id, "thank", "DELETE") == 204
        assert await counts(guest, post.id) == {}


async def test_a_board_that_is_archived_takes_none_and_a_locked_thread_does(
    app: FastAPI, services: Services, post: PostView
) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
            assert (await orla.put(f"{API}/threads/{post.thread_id}/lock")).status_code == 200
        assert await react(heron, post.id) == 204
        assert (await joan.put(f"{API}/administration/boards/new-here/archive")).is_success
        refused = await heron.put(f"{API}/posts/{post.id}/reactions/hug")
        assert (refused.status_code, refused.json()["code"]) == (403, "board_archived")
        assert await react(heron, post.id, "thank", "DELETE") == 204


@pytest.mark.parametrize("gone", [Visibility.HELD, Visibility.REMOVED, Visibility.WITHDRAWN])
async def test_what_readers_do_not_see_has_no_reactions(
    app: FastAPI, services: Services, post: PostView, gone: Visibility
) -> None:
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "magpie") as magpie,
    ):
        await react(heron, post.id)
        await set_to(services, post.id, gone)
        for client in (heron, orla):
            assert await react(client, post.id, "hug") == 404
        page = (await orla.get(f"{API}/threads/{post.thread_id}/posts")).json()["items"]
        assert page[1].get("reactions") == ({} if gone == Visibility.HELD else None)
        assert (await heron.get(f"{API}/threads/{post.thread_id}/mine")).json()["reactions"] == {}
        senders = await magpie.get(f"{API}/posts/{post.id}/reactions")
        assert senders.status_code == (200 if gone == Visibility.HELD else 403)
        if gone != Visibility.WITHDRAWN:
            await set_to(services, post.id, Visibility.VISIBLE)
            assert await counts(heron, post.id) == {"thank": 1}
        else:
            assert await sql(services, "SELECT 1 FROM reaction") == []


async def test_a_kind_that_the_forum_does_not_have_is_not_shown(
    services: Services, post: PostView, settings: Settings
) -> None:
    async with make.application(settings) as app, make.signed_in(app, "heron") as heron:
        await react(heron, post.id, "thank")
        await react(heron, post.id, "hug")
    some = settings.model_copy(update={"reactions": ("hug",)})
    async with make.application(some) as app, make.signed_in(app, "heron") as heron:
        assert await counts(heron, post.id) == {"hug": 1}
        assert await react(heron, post.id, "thank") == 404
        assert await react(heron, post.id, "thank", "DELETE") == 204
        assert (await heron.get(f"{API}/threads/{post.thread_id}/mine")).json()["reaction_kinds"] == ["hug"]


async def test_the_sixty_first_in_a_minute_is_too_many(services: Services, post: PostView, settings: Settings) -> None:
    throttled = settings.model_copy(update={"reaction_limit": Settings().reaction_limit})
    async with make.application(throttled) as app, make.signed_in(app, "heron") as heron:
        assert {await react(heron, post.id) for _ in range(60)} == {204}
        refused = await heron.put(f"{API}/posts/{post.id}/reactions/thank")
        assert (refused.status_code, refused.json()["code"]) == (429, "limit_reactions")


async def test_fifty_at_once_are_fifty(app: FastAPI, services: Services, post: PostView) -> None:
    for number in range(10):
        await make.member(services, f"heron{number}")
    viewers = [await make.viewer(services, f"heron{number}") for number in range(10)]

    async def one(number: int) -> None:
        async with make.work(services) as work:
            await actions.react(work, viewers[number % 10], post.id, list(ReactionKind)[number // 10 % 4])

    await asyncio.gather(*map(one, range(50)))
    async with make.client(app) as guest:
        assert await counts(guest, post.id) == dict.fromkeys(ReactionKind, 10)


async def test_reacting_while_the_post_goes_leaves_nothing_behind(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        thread = await make.thread(services, "magpie")
        for _ in range(10):
            post = await make.post(services, "magpie", thread, "For a moment")
            answers = await asyncio.gather(
                react(heron, post.id, "thank"),
                react(heron, post.id, "hug"),
                magpie.delete(f"{API}/posts/{post.id}"),
                react(heron, post.id, "thank"),
            )
            assert answers[2].status_code == 204  # type: ignore[union-attr]
            assert {answer for answer in answers if isinstance(answer, int)} <= {204, 404}
    assert await sql(services, "SELECT 1 FROM reaction") == []
    assert {row.n for row in await sql(services, "SELECT thank + hug AS n FROM reaction_count")} <= {0}


async def test_who_leaves_takes_their_reactions_along(app: FastAPI, services: Services, post: PostView) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "wren") as wren:
        for client in (heron, wren):
            await react(client, post.id)
        gone = await make.viewer(services, "heron")
        async with services.database.work() as session:
            await actions.forget_reactions(session, gone.member_id)
        assert await counts(wren, post.id) == {"thank": 1}
        async with services.database.work() as session:
            await anonymise_member(session, await get_member(session, "wren"), clock.now())
            await actions.delete_leftovers(session, clock.now())
    assert await sql(services, "SELECT 1 FROM reaction") == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["react", "take_back", "remove", "restore", "withdraw", "leave"]),
        st.integers(0, 1),
        st.integers(0, 2),
        st.sampled_from(ReactionKind),
    ),
    max_size=25,
)


async def test_counts_in_rows_are_counts_of_rows(services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    people = [await make.member(services, f"heron{number}") for number in range(3)]
    viewers = [await make.viewer(services, person.handle) for person in people if person.handle]

    async def live(steps: list[tuple[str, int, int, ReactionKind]]) -> None:
        thread = await make.thread(services, "magpie")
        posts = [(await make.post(services, "magpie", thread, "One")).id for _ in range(2)]
        now: list[Visibility] = [Visibility.VISIBLE] * 2
        for what, post, who, kind in steps:
            async with make.work(services) as work:
                if what == "react" and now[post] == Visibility.VISIBLE:
                    await actions.react(work, viewers[who], posts[post], kind)
                elif what == "take_back":
                    await actions.take_back(work, viewers[who], posts[post], kind)
                elif what == "leave":
                    await actions.forget_reactions(work.session, people[who].id)
            to = {"remove": Visibility.REMOVED, "restore": Visibility.VISIBLE, "withdraw": Visibility.WITHDRAWN}
            if what in to and now[post] != Visibility.WITHDRAWN and now[post] != to[what]:
                now[post] = to[what]
                await set_to(services, posts[post], now[post])
        some = f"{' + '.join(ReactionKind)} > 0"
        counted = f"SELECT post_id, {', '.join(ReactionKind)} FROM reaction_count WHERE {some} ORDER BY 1"
        each = ", ".join(f"count(*) FILTER (WHERE kind = '{kind}')" for kind in ReactionKind)
        there = f"SELECT post_id, {each} FROM reaction GROUP BY 1 ORDER BY 1"
        assert await sql(services, counted) == await sql(services, there)

    loop = asyncio.get_running_loop()

    def run(steps: list[tuple[str, int, int, ReactionKind]]) -> None:
        asyncio.run_coroutine_threadsafe(live(steps), loop).result()

    check: Any = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))(given(STEPS)(run))
    await asyncio.to_thread(check)
