"""Measures: each does what it says, and its undo leaves everything as it was."""

import itertools
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.content.posts import held_edits
from forum.content.posts.revisions import lock_post_row
from forum.core import clock
from forum.core.errors import Conflict
from forum.http.services import Services
from forum.members.queries import get_member
from forum.members.standing import standing_of
from forum.members.tables import Role, Standing
from moderation import cases, decisions
from moderation.case_priority import Category
from moderation.decisions import DecisionInput
from moderation.measures.catalogue import MEASURES, undo_measure
from moderation.measures.tables import AppliedMeasure, MeasureContext, MeasureInput, MeasureKind
from tests.support import make, scenes
from tests.support.scenes import API

STANDING = "SELECT kind, count(*) FROM measure WHERE undone_at IS NULL GROUP BY kind"
LATER = "2999-01-01T00:00:00Z"

# Of each kind: what a moderator sends with it, and one thing that it changes in `the_state_of` the scene.
ASKED: dict[MeasureKind, tuple[dict[str, Any], dict[str, Any]]] = {
    MeasureKind.PUBLISH: ({}, {"visibility": "visible"}),
    MeasureKind.EDIT: ({"body_markdown": "She did not listen."}, {"body": "She did not listen."}),
    MeasureKind.REDACT: (
        {"spans": [list(scenes.INSULT)]},
        {"body": "The social worker is [removed: rule 10]and I hope her car breaks down."},
    ),
    MeasureKind.REMOVE: ({}, {"visibility": "removed", "notice": "Removed by Suzie as breaches rule 10"}),
    MeasureKind.RETITLE: ({"title": "About a meeting"}, {"title": "About a meeting"}),
    MeasureKind.LOCK: ({}, {"state": "locked"}),
    MeasureKind.MOVE: ({"board": "court"}, {"board": "court"}),
    MeasureKind.RENAME: ({"name": "A swift"}, {"name": "A swift"}),
    MeasureKind.WARN: ({}, {"standing": {"warn": 1}}),
    MeasureKind.REVIEW: ({"until": LATER}, {"member": "reviewed"}),
    MeasureKind.SILENCE: ({"until": LATER}, {"member": "silenced"}),
    MeasureKind.SUSPEND: ({"until": LATER}, {"member": "suspended"}),
    MeasureKind.BAN: ({}, {"member": "banned"}),
    MeasureKind.DISMISS: ({}, {"standing": {"dismiss": 1}}),
    MeasureKind.REFUSE: ({}, {"standing": {"refuse": 1}}),
}
SORRY = "She did not listen to me."
# Where the undo does not leave everything as it was: an edit that was refused is published.
AFTERWARDS = {
    MeasureKind.REFUSE: {"body": SORRY, "html": f'<p dir="auto">{SORRY}</p>\n', "words": [SORRY]},
}


@dataclass
class Scene:
    """A post whose case is open."""

    post_id: int
    thread_id: int


def test_every_kind_of_measure_has_a_row_and_its_undo_is_tried_here() -> None:
    assert set(MEASURES) == set(MeasureKind) == set(ASKED)


async def the_state_of(services: Services, scene: Scene) -> dict[str, Any]:
    """All that measures can change, as the database has it."""
    [row] = await scenes.sql(
        services,
        "SELECT p.visibility, p.held_because, p.body_markdown, p.body_html, p.notice, p.author_id, t.title, t.state,"
        " (SELECT name FROM member WHERE id = p.author_id) AS name,"
        " t.visibility AS thread, t.posts, t.participants, t.last_post_number, b.slug, (SELECT array_agg(body_markdown"
        " ORDER BY number) FROM post WHERE thread_id = t.id) AS words"
        " FROM post p JOIN thread t ON t.id = p.thread_id JOIN board b ON b.id = t.board_id WHERE p.id = :id",
        id=scene.post_id,
    )
    async with services.database.work() as session:
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
            "name": row.name,
            "member": await standing_of(session, row.author_id, clock.now()),
            "standing": dict(await scenes.sql(services, STANDING)),
        }


async def a_scene(app: FastAPI, services: Services, kind: MeasureKind) -> Scene:
    """A rude reply that others quoted; for `publish`, an opening post that waits."""
    await make.board(services, "court")
    if kind == MeasureKind.REFUSE:
        return await an_edit_that_waits(app, services)
    if kind != MeasureKind.PUBLISH:
        post = await scenes.a_post(services)
        await make.post(services, "heron", post.thread_id, f"> {scenes.RUDE}\n\nI would not say so.")
        async with make.signed_in(app, "magpie") as magpie:
            await scenes.report(magpie, post.id)
        return Scene(post.id, post.thread_id)
    await scenes.house_rules(services)
    await make.board(services, publication="hold_all")
    async with make.signed_in(app, "stepdad") as stepdad:
        opened = {"title": "A question", "body_markdown": scenes.RUDE}
        thread = (await stepdad.post(f"{API}/boards/new-here/threads", json=opened)).json()
    return Scene(thread["first_post"]["id"], thread["id"])


async def an_edit_that_waits(app: FastAPI, services: Services) -> Scene:
    """An opening post that was approved, and its author's edit."""
    await scenes.house_rules(services)
    await make.board(services, publication="hold_all")
    async with make.signed_in(app, "stepdad") as stepdad:
        thread = await make.thread(services, "stepdad", body=scenes.RUDE)
        [post] = await scenes.first_page(stepdad, thread)
        edit = {"revision": 1, "body_markdown": SORRY}
        assert (await stepdad.patch(f"{API}/posts/{post['id']}", json=edit)).json()["waiting"]
    return Scene(post["id"], thread)


@pytest.mark.parametrize("kind", list(MeasureKind))
async def test_a_measure_changes_what_it_says_and_its_undo_leaves_everything_as_it_was(
    app: FastAPI, services: Services, kind: MeasureKind
) -> None:
    carries, effect = ASKED[kind]
    scene = await a_scene(app, services, kind)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        before = await the_state_of(services, scene)
        case = await scenes.a_case(suzie, scene.post_id)
        made = await scenes.decide(suzie, case, {"kind": kind, **carries})
        assert made.status_code == 201, made.text
    during = await the_state_of(services, scene)
    assert during != before
    assert {name: during[name] for name in effect} == effect
    assert bool(made.json()["statement_id"]) == MEASURES[kind].tells_author

    await undo_all(services, scene)
    assert await the_state_of(services, scene) == {**before, **AFTERWARDS.get(kind, {})}


async def undo_all(services: Services, scene: Scene) -> None:
    """Undo the one measure that stands."""
    [[number]] = await scenes.sql(services, "SELECT id FROM measure WHERE undone_at IS NULL")
    await undo(services, scene, number)


async def undo(services: Services, scene: Scene, number: int) -> None:
    """What an appeal that overturns does with each measure."""
    suzie = await make.viewer(services, "suzie")
    async with services.transactions(clock.now()).begin() as work:
        post = await lock_post_row(work.session, scene.post_id)
        applied = await work.session.get_one(AppliedMeasure, number)
        await undo_measure(MeasureContext(work, suzie, post, applied.decision_id, applied.member_id), applied)


@pytest.mark.parametrize("kind", [MeasureKind.REMOVE, MeasureKind.REDACT])
async def test_words_that_go_leave_the_quotes_too_and_come_back_with_them(
    app: FastAPI, services: Services, guest: httpx.AsyncClient, kind: MeasureKind
) -> None:
    scene = await a_scene(app, services, kind)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        made = await scenes.decide(suzie, await scenes.a_case(suzie, scene.post_id), {"kind": kind, **ASKED[kind][0]})
        assert made.status_code == 201
    assert "toad" not in (await guest.get(f"{API}/threads/{scene.thread_id}/posts")).text
    await undo_all(services, scene)
    page = await scenes.first_page(guest, scene.thread_id)
    assert page[1]["body_markdown"] == scenes.RUDE
    assert scenes.RUDE in page[2]["body_markdown"]


# What changes words is undone in any order

MARK = "[removed: rule 10]"
FIRST = "One amber lantern two. Three birch paddock four. Five cedar window six."
SECOND = "Seven dogwood basket eight. Nine elder kettle ten."
THIRD = f"> {FIRST}\n\n> {SECOND}\n\nI agree with both."
AMBER, BIRCH, CEDAR, DOGWOOD = "amber lantern", "birch paddock", "cedar window", "dogwood basket"
POSTS = {"first": FIRST, "second": SECOND, "third": THIRD}


@dataclass(frozen=True)
class Did:
    """A measure: the words that it takes out of a post, and what a moderator wrote in their place."""

    kind: MeasureKind
    post: str
    words: str
    instead: str | None = None

    def on(self, text: str) -> MeasureInput:
        if self.kind == MeasureKind.EDIT:
            return MeasureInput(MeasureKind.EDIT, body_markdown=text.replace(self.words, self.instead or ""))
        start = text.find(self.words)
        return MeasureInput(self.kind, ((start, start + len(self.words)),) if self.kind == MeasureKind.REDACT else ())

    def hides(self, post: str, text: str) -> bool:
        return self.words in text and self.reaches(post)

    def reaches(self, post: str) -> bool:
        """What is redacted goes wherever it stands, what is edited or removed from quotes only."""
        return post in {self.post, "third"} or self.kind == MeasureKind.REDACT


def redacts(words: str, post: str = "first") -> Did:
    return Did(MeasureKind.REDACT, post, words)


def edits(words: str, instead: str, post: str = "first") -> Did:
    return Did(MeasureKind.EDIT, post, words, instead)


STACKS: dict[str, tuple[Did, ...]] = {
    "redact under redact": (redacts(AMBER), redacts(BIRCH)),
    "redact under edit": (redacts(AMBER), edits(BIRCH, "maple garden")),
    "edit under redact": (edits(AMBER, "maple garden"), redacts(BIRCH)),
    "edit under redact of what it says": (edits(AMBER, "maple garden"), redacts("maple garden")),
    "edit under edit": (edits(AMBER, "maple garden"), edits(BIRCH, "poplar meadow")),
    "three redacts": (redacts(BIRCH), redacts(AMBER), redacts(CEDAR)),
    "an edit between redacts": (redacts(AMBER), edits(BIRCH, "maple garden"), redacts(CEDAR)),
    "a redact between edits": (edits(AMBER, "maple garden"), redacts(BIRCH), edits(CEDAR, "poplar meadow")),
    "a post that quotes two": (redacts(AMBER), redacts(DOGWOOD, "second")),
    "a post that quotes two, twice": (redacts(AMBER), redacts(DOGWOOD, "second"), edits(BIRCH, "maple garden")),
    "removed and redacted": (Did(MeasureKind.REMOVE, "first", CEDAR), redacts(AMBER), redacts(DOGWOOD, "second")),
    "redacted and removed": (redacts(AMBER), redacts(BIRCH), Did(MeasureKind.REMOVE, "first", CEDAR)),
    "a quote that is redacted too": (redacts(AMBER), redacts("I agree", "third"), redacts(BIRCH, "third")),
}


async def a_thread(services: Services) -> dict[str, Scene]:
    """Two posts, and a third that quotes both."""
    thread = await make.thread(services, "heron")
    made = {name: await make.post(services, "stepdad", thread, body) for name, body in POSTS.items()}
    return {name: Scene(post.id, thread) for name, post in made.items()}


@pytest.fixture
async def place(services: Services) -> dict[str, Scene]:
    await scenes.house_rules(services)
    await make.board(services)
    for handle in ("heron", "stepdad"):
        await make.member(services, handle)
    await make.member(services, "suzie", Role.MODERATOR)
    return await a_thread(services)


async def take(services: Services, scene: Scene, wanted: MeasureInput) -> int:
    """A decision, on what the post says now; the number of its measure."""
    suzie = await make.viewer(services, "suzie")
    async with services.transactions(clock.now()).begin() as work:
        post = await lock_post_row(work.session, scene.post_id)
        case = await cases.open_on_post(work.session, post.id, Category.RULE, work.now, reports=1)
        decision = DecisionInput(case.version, post.revision, (wanted,), "A reason", (10,))
        await decisions.decide(work, suzie, case.id, decision)
    [[number]] = await scenes.sql(services, "SELECT max(id) FROM measure")
    return int(number)


async def body_of(services: Services, scene: Scene) -> str:
    [[body]] = await scenes.sql(services, "SELECT body_markdown FROM post WHERE id = :id", id=scene.post_id)
    return str(body)


async def revisions_of(services: Services, scene: Scene) -> list[tuple[str, bool]]:
    """The earlier revisions, and which are sealed."""
    found = "SELECT body_markdown, sealed FROM post_revision WHERE post_id = :id ORDER BY number"
    return [(row.body_markdown, row.sealed) for row in await scenes.sql(services, found, id=scene.post_id)]


async def write(app: FastAPI, services: Services, scene: Scene, body: str, **more: Any) -> None:
    """The author writes something else."""
    [[revision]] = await scenes.sql(services, "SELECT revision FROM post WHERE id = :id", id=scene.post_id)
    async with make.signed_in(app, "stepdad") as stepdad:
        edit = {"revision": revision, "body_markdown": body, **more}
        assert (await stepdad.patch(f"{API}/posts/{scene.post_id}", json=edit)).status_code == 200
    # Soon after a measure it waits, and a moderator publishes it.
    async with services.transactions(clock.now()).begin() as work:
        post = await lock_post_row(work.session, scene.post_id)
        for waiting in await held_edits.list_waiting(work.session, [post.id]):
            await held_edits.publish(work.session, post, waiting, work.now)


def expected(post: str, stack: tuple[Did, ...], wrote: dict[Did, str], standing: set[Did]) -> str:
    """What a post says when these decisions stand, the author having written nothing since."""
    text = POSTS[post]
    for did in stack:
        if did not in standing:
            continue
        if did.kind == MeasureKind.REMOVE:
            text = "\n".join([f"> {MARK}", *text.split("\n")[1:]]) if post == "third" else text
        elif did.post == post:
            text = wrote.get(did) or text.replace(did.words, MARK)
        elif did.reaches(post):
            text = text.replace(did.words, MARK)
    return text


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
async def test_whatever_is_undone_first_the_words_are_what_the_rest_leaves(
    services: Services, place: dict[str, Scene], stack: tuple[Did, ...]
) -> None:
    for first in range(len(stack)):  # each is undone first once, the others then in turn
        order = (*stack[first:], *stack[:first])
        taken, wrote = dict[Did, int](), dict[Did, str]()
        for did in stack:
            wanted = did.on(await body_of(services, place[did.post]))
            taken[did] = await take(services, place[did.post], wanted)
            if wanted.body_markdown:
                wrote[did] = wanted.body_markdown
        for done in range(len(order) + 1):
            standing = set(order[done:])
            for post, scene in place.items():
                assert await body_of(services, scene) == expected(post, stack, wrote, standing), (order, done)
                hiding = [did for did in standing if did.kind != MeasureKind.REMOVE or post == "third"]
                for text, is_sealed in await revisions_of(services, scene):
                    assert is_sealed == any(did.hides(post, text) for did in hiding), (post, text, order, done)
            if done < len(order):
                await undo(services, place[order[done].post], taken[order[done]])
        place = await a_thread(services)


async def test_what_the_author_wrote_between_two_measures_is_where_the_second_is_undone_to(
    app: FastAPI, services: Services, place: dict[str, Scene]
) -> None:
    newer = f"I said too much. {BIRCH.title()} is what I meant."
    said = {0: newer.replace("too much", MARK), 1: newer}
    for order in itertools.permutations((0, 1)):
        first, third = place["first"], place["third"]
        measures = [await take(services, first, redacts(AMBER).on(FIRST))]
        await write(app, services, first, newer)
        measures.append(await take(services, first, redacts("too much").on(newer)))
        for done, which in enumerate(order):
            await undo(services, first, measures[which])
            assert await body_of(services, first) == (newer if done else said[which])
        assert await body_of(services, third) == THIRD
        place = await a_thread(services)


async def test_whoever_wrote_a_quote_anew_keeps_their_words(
    app: FastAPI, services: Services, place: dict[str, Scene]
) -> None:
    first, third = place["first"], place["third"]
    one = await take(services, first, redacts(AMBER).on(FIRST))
    newer = f"> {BIRCH}\n\nNothing else."
    await write(app, services, third, newer)
    other = await take(services, first, redacts(BIRCH).on(await body_of(services, first)))
    await undo(services, first, one)
    assert await body_of(services, third) == newer.replace(BIRCH, MARK)
    await undo(services, first, other)
    assert (await body_of(services, first), await body_of(services, third)) == (FIRST, newer)


async def test_a_warning_that_the_author_wrote_between_stays_and_the_body_comes_back(
    app: FastAPI, services: Services, place: dict[str, Scene]
) -> None:
    own, hidden = f"about a {BIRCH}", f"about a {MARK}"
    for order in itertools.permutations((0, 1)):
        first = place["first"]
        measures = [await take(services, first, redacts(AMBER).on(FIRST))]
        await write(app, services, first, await body_of(services, first), content_warning=own)
        measures.append(await take(services, first, redacts(BIRCH).on(await body_of(services, first))))
        await undo(services, first, measures[order[0]])
        left = (FIRST.replace(BIRCH, MARK), hidden) if order[0] == 0 else (FIRST.replace(AMBER, MARK), own)
        assert (await body_of(services, first), await warning_of(services, first)) == left
        await undo(services, first, measures[order[1]])
        assert (await body_of(services, first), await warning_of(services, first)) == (FIRST, own)
        place = await a_thread(services)


async def warning_of(services: Services, scene: Scene) -> str | None:
    [[warning]] = await scenes.sql(services, "SELECT content_warning FROM post WHERE id = :id", id=scene.post_id)
    return None if warning is None else str(warning)


@pytest.mark.parametrize(
    ("said", "one", "other", "left"),
    [
        ("A toad, a toad, a toad.", (2, 6), (24, 28), f"A toad, a {MARK}, a toad."),
        ("She is no toad.", (10, 14), (0, 3), f"{MARK} is no toad."),
        ("A lying toad of hers.", (8, 12), (2, 26), f"A {MARK} of hers."),
        ("A lying toad of hers.", (8, 12), (22, 29), f"A lying {MARK} hers."),
    ],
    ids=["the same word again", "a short word", "across the mark", "half of the mark"],
)
async def test_a_later_redaction_keeps_its_place_when_an_earlier_one_is_undone(
    services: Services, place: dict[str, Scene], said: str, one: tuple[int, int], other: tuple[int, int], left: str
) -> None:
    post = await make.post(services, "stepdad", place["first"].thread_id, said)
    scene = Scene(post.id, post.thread_id)
    first = await take(services, scene, MeasureInput(MeasureKind.REDACT, (one,)))
    second = await take(services, scene, MeasureInput(MeasureKind.REDACT, (other,)))
    await undo(services, scene, first)
    assert await body_of(services, scene) == left
    seals = [is_sealed for _, is_sealed in await revisions_of(services, scene)]
    assert (seals[:2], any(seals[2:])) == ([True, True], False)
    await undo(services, scene, second)
    assert await body_of(services, scene) == said
    assert not any(is_sealed for _, is_sealed in await revisions_of(services, scene))


async def test_below_a_measure_that_was_stored_without_what_it_took_the_later_one_goes_first(
    services: Services, place: dict[str, Scene]
) -> None:
    first = place["first"]
    one = await take(services, first, redacts(AMBER).on(FIRST))
    await scenes.sql(
        services,
        """UPDATE measure SET memory = jsonb_build_object('changes', (
            SELECT jsonb_agg(jsonb_build_object('post_id', change->'post_id', 'before', change->'body'->0,
                                                'after', change->'body'->1, 'sealed', change->'sealed'))
            FROM jsonb_array_elements(memory->'changes') AS change))""",
    )
    other = await take(services, first, redacts(BIRCH).on(await body_of(services, first)))
    with pytest.raises(Conflict, match="later decision"):
        await undo(services, first, one)
    for measure in (other, one):
        await undo(services, first, measure)
    assert (await body_of(services, first), await body_of(services, place["third"])) == (FIRST, THIRD)
    for scene in place.values():
        assert not any(is_sealed for _, is_sealed in await revisions_of(services, scene))


@pytest.mark.parametrize(
    ("standing", "reads", "writes", "own"),
    [
        (Standing.ACTIVE, 200, 201, 200),
        (Standing.REVIEWED, 200, 201, 200),
        (Standing.SILENCED, 200, 403, 200),
        (Standing.SUSPENDED, 404, 403, 200),
        (Standing.BANNED, 404, 403, 200),
    ],
)
async def test_what_each_standing_may_still_do(
    app: FastAPI, services: Services, standing: Standing, reads: int, writes: int, own: int
) -> None:
    await make.board(services, "members-only", readers=("member",))
    await make.member(services, "heron")
    await make.member(services, "stepdad")
    thread = await make.thread(services, "heron", "members-only")
    if standing != Standing.ACTIVE:
        await make.sanction(services, "stepdad", standing)
    async with make.signed_in(app, "stepdad") as stepdad:
        assert (await stepdad.get(f"{API}/threads/{thread}")).status_code == reads
        reply = await stepdad.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Hello"})
        assert reply.status_code == writes
        assert (await stepdad.get(f"{API}/me/statements")).status_code == own
        assert (await stepdad.get(f"{API}/me/notifications")).status_code == own


async def test_a_standing_ends_by_itself(services: Services) -> None:
    await make.board(services)
    await make.member(services, "stepdad")
    until = clock.now() + timedelta(hours=1)
    await make.sanction(services, "stepdad", Standing.SILENCED, until)
    async with services.database.work() as session:
        member = await get_member(session, "stepdad")
        moments = (until - timedelta(seconds=1), until)
        seen = [await standing_of(session, member.id, moment) for moment in moments]
    assert seen == [Standing.SILENCED, Standing.ACTIVE]


async def test_lifting_one_of_two_standings_leaves_the_other(app: FastAPI, services: Services) -> None:
    scene = await a_scene(app, services, MeasureKind.BAN)
    await make.sanction(services, "stepdad", Standing.SILENCED)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await scenes.decide(suzie, await scenes.a_case(suzie, scene.post_id), {"kind": "ban"})
    assert (await the_state_of(services, scene))["member"] == "banned"
    await undo_all(services, scene)
    assert (await the_state_of(services, scene))["member"] == "silenced"
