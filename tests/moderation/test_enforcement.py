"""Measures: each does what it says, and its undo leaves everything as it was."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum import clock, members, posts
from forum.api.dependencies import House
from forum.errors import Conflict
from forum.members import Role, Standing
from moderation import enforcement
from moderation.enforcement import MEASURES, Kind
from tests import make
from tests.moderation import scenes
from tests.moderation.scenes import API

STANDING = "SELECT kind, count(*) FROM measure WHERE undone_at IS NULL GROUP BY kind"
LATER = "2999-01-01T00:00:00Z"

# Of each kind: what a moderator sends with it, and one thing that it changes in `the_state_of` the scene.
ASKED: dict[Kind, tuple[dict[str, Any], dict[str, Any]]] = {
    Kind.PUBLISH: ({}, {"visibility": "visible"}),
    Kind.EDIT: ({"body_markdown": "She did not listen."}, {"body": "She did not listen."}),
    Kind.REDACT: (
        {"spans": [list(scenes.INSULT)]},
        {"body": "The social worker is [removed: rule 10]and I hope her car breaks down."},
    ),
    Kind.REMOVE: ({}, {"visibility": "removed", "notice": "Removed by Suzie as breaches rule 10"}),
    Kind.RETITLE: ({"title": "About a meeting"}, {"title": "About a meeting"}),
    Kind.LOCK: ({}, {"state": "locked"}),
    Kind.MOVE: ({"board": "court"}, {"board": "court"}),
    Kind.WARN: ({}, {"standing": {"warn": 1}}),
    Kind.SILENCE: ({"until": LATER}, {"member": "silenced"}),
    Kind.SUSPEND: ({"until": LATER}, {"member": "suspended"}),
    Kind.BAN: ({}, {"member": "banned"}),
    Kind.DISMISS: ({}, {"standing": {"dismiss": 1}}),
}


@dataclass
class Scene:
    """A post whose case is open."""

    post_id: int
    thread_id: int


def test_every_kind_of_measure_has_a_row_and_its_undo_is_tried_here() -> None:
    assert set(MEASURES) == set(Kind) == set(ASKED)


async def the_state_of(house: House, scene: Scene) -> dict[str, Any]:
    """All that measures can change, as the database has it."""
    [row] = await scenes.sql(
        house,
        "SELECT p.visibility, p.held_because, p.body_markdown, p.body_html, p.notice, p.author_id, t.title, t.state,"
        " t.visibility AS thread, t.posts, t.participants, t.last_post_number, b.slug, (SELECT array_agg(body_markdown"
        " ORDER BY number) FROM post WHERE thread_id = t.id) AS words"
        " FROM post p JOIN thread t ON t.id = p.thread_id JOIN board b ON b.id = t.board_id WHERE p.id = :id",
        id=scene.post_id,
    )
    async with house.database.work() as session:
        return {
            "visibility": row.visibility,
            "held_because": row.held_because,
            "body": row.body_markdown,
            "html": row.body_html,
            "notice": row.notice and row.notice["text"],
            "title": row.title,
            "state": row.state,
            "thread": (row.thread, row.posts, row.participants, row.last_post_number),
            "board": row.slug,
            "words": row.words,
            "member": await members.standing_of(session, row.author_id, clock.now()),
            "standing": dict(await scenes.sql(house, STANDING)),
        }


async def a_scene(app: FastAPI, house: House, kind: Kind) -> Scene:
    """A rude reply that others quoted; for `publish`, an opening post that waits."""
    await make.board(house, "court")
    if kind != Kind.PUBLISH:
        post = await scenes.a_post(house)
        await make.post(house, "heron", post.thread_id, f"> {scenes.RUDE}\n\nI would not say so.")
        async with make.signed_in(app, "magpie") as magpie:
            await scenes.report(magpie, post.id)
        return Scene(post.id, post.thread_id)
    await scenes.house_rules(house)
    await make.board(house, publication="hold_all")
    async with make.signed_in(app, "stepdad") as stepdad:
        opened = {"title": "A question", "body_markdown": scenes.RUDE}
        thread = (await stepdad.post(f"{API}/boards/new-here/threads", json=opened)).json()
    return Scene(thread["first_post"]["id"], thread["id"])


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_measure_changes_what_it_says_and_its_undo_leaves_everything_as_it_was(
    app: FastAPI, house: House, kind: Kind
) -> None:
    carries, effect = ASKED[kind]
    scene = await a_scene(app, house, kind)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        before = await the_state_of(house, scene)
        case = await scenes.a_case(suzie, scene.post_id)
        made = await scenes.decide(suzie, case, {"kind": kind, **carries})
        assert made.status_code == 201, made.text
    during = await the_state_of(house, scene)
    assert during != before
    assert {name: during[name] for name in effect} == effect
    assert bool(made.json()["statement_id"]) == MEASURES[kind].tells

    await undo_all(house, scene)
    assert await the_state_of(house, scene) == before


async def undo_all(house: House, scene: Scene) -> None:
    """Undo the one measure that stands."""
    [[number]] = await scenes.sql(house, "SELECT id FROM measure WHERE undone_at IS NULL")
    await undo(house, scene, number)


async def undo(house: House, scene: Scene, number: int) -> None:
    """What an appeal that overturns does with each measure."""
    suzie = await make.viewer(house, "suzie")
    async with house.database.work() as session:
        post = await posts.hold(session, scene.post_id)
        on = enforcement.Scene(suzie, "Suzie", post, (), clock.now())
        applied = await session.get_one(enforcement.AppliedMeasure, number)
        await enforcement.undo(session, applied.decision_id, on, applied)


@pytest.mark.parametrize("kind", [Kind.REMOVE, Kind.REDACT])
async def test_words_that_go_leave_the_quotes_too_and_come_back_with_them(
    app: FastAPI, house: House, guest: httpx.AsyncClient, kind: Kind
) -> None:
    scene = await a_scene(app, house, kind)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        made = await scenes.decide(suzie, await scenes.a_case(suzie, scene.post_id), {"kind": kind, **ASKED[kind][0]})
        assert made.status_code == 201
    assert "toad" not in (await guest.get(f"{API}/threads/{scene.thread_id}/posts")).text
    await undo_all(house, scene)
    page = await scenes.first_page(guest, scene.thread_id)
    assert page[1]["body_markdown"] == scenes.RUDE
    assert scenes.RUDE in page[2]["body_markdown"]


async def test_an_earlier_change_of_words_is_not_undone_below_a_later_one(app: FastAPI, house: House) -> None:
    scene = await a_scene(app, house, Kind.REDACT)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "robin") as robin,
    ):
        await scenes.decide(suzie, await scenes.a_case(suzie, scene.post_id), scenes.REDACT)
        await make_edit(app, scene, 2)
        await scenes.report(robin, scene.post_id, revision=3)
        second = {"kind": "redact", "spans": [[0, 3]]}
        assert (await scenes.decide(suzie, await scenes.a_case(suzie, scene.post_id), second)).status_code == 201
    with pytest.raises(Conflict, match="later decision"):
        await undo(house, scene, 1)


async def make_edit(app: FastAPI, scene: Scene, revision: int) -> None:
    """The author writes something else."""
    async with make.signed_in(app, "stepdad") as stepdad:
        edit = {"revision": revision, "body_markdown": "She is a frog."}
        assert (await stepdad.patch(f"{API}/posts/{scene.post_id}", json=edit)).status_code == 200


@pytest.mark.parametrize(
    ("standing", "reads", "writes", "own"),
    [
        (Standing.ACTIVE, 200, 201, 200),
        (Standing.SILENCED, 200, 403, 200),
        (Standing.SUSPENDED, 404, 403, 200),
        (Standing.BANNED, 404, 403, 200),
    ],
)
async def test_what_each_standing_may_still_do(
    app: FastAPI, house: House, standing: Standing, reads: int, writes: int, own: int
) -> None:
    await make.board(house, "members-only", readers=("member",))
    await make.member(house, "heron")
    await make.member(house, "stepdad")
    thread = await make.thread(house, "heron", "members-only")
    if standing != Standing.ACTIVE:
        await make.sanction(house, "stepdad", standing)
    async with make.signed_in(app, "stepdad") as stepdad:
        assert (await stepdad.get(f"{API}/threads/{thread}")).status_code == reads
        reply = await stepdad.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Hello"})
        assert reply.status_code == writes
        assert (await stepdad.get(f"{API}/me/statements")).status_code == own
        assert (await stepdad.get(f"{API}/me/notifications")).status_code == own


async def test_a_standing_ends_by_itself(house: House) -> None:
    await make.board(house)
    await make.member(house, "stepdad")
    until = clock.now() + timedelta(hours=1)
    await make.sanction(house, "stepdad", Standing.SILENCED, until)
    async with house.database.work() as session:
        member = await members.by_handle(session, "stepdad")
        moments = (until - timedelta(seconds=1), until)
        seen = [await members.standing_of(session, member.id, moment) for moment in moments]
    assert seen == [Standing.SILENCED, Standing.ACTIVE]


async def test_lifting_one_of_two_standings_leaves_the_other(app: FastAPI, house: House) -> None:
    scene = await a_scene(app, house, Kind.BAN)
    await make.sanction(house, "stepdad", Standing.SILENCED)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await scenes.decide(suzie, await scenes.a_case(suzie, scene.post_id), {"kind": "ban"})
    assert (await the_state_of(house, scene))["member"] == "banned"
    await undo_all(house, scene)
    assert (await the_state_of(house, scene))["member"] == "silenced"
