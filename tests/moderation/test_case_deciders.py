"""Who decides: for every author, whoever works here and every kind of case, somebody, or a word that nobody can."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from forum.core.errors import NotFound
from forum.core.settings import Settings
from forum.core.work import Work
from forum.http.services import Services
from forum.members.tables import Role
from forum.members.viewer import Viewer
from moderation import case_actions, case_deciders, case_queue
from moderation.case_deciders import NOBODY
from moderation.decisions import AppealOutcome, DecisionInput
from moderation.measures.tables import MeasureInput, MeasureKind
from tests.support import make, scenes

HERE, ELSEWHERE = "new-here", "court"
KINDS = ("post", "held", "reopened", "member", "appeal")
# Each member, and what they are besides; those of a scenario who are not named have no role.
MODERATOR, BOARD, OTHER_BOARD, ADMINISTRATOR, ADVISER = "moderator", HERE, ELSEWHERE, "administrator", "adviser"
WHO_EXISTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "nobody": {},
    "one moderator": {"suzie": (MODERATOR,)},
    "the moderator of the board": {"suzie": (BOARD,)},
    "only another board's moderator": {"suzie": (OTHER_BOARD,)},
    "several moderators": {"suzie": (MODERATOR,), "orla": (BOARD,), "wren": (OTHER_BOARD,)},
    "an administrator alone": {"boss": (ADMINISTRATOR,)},
    "several administrators": {"boss": (ADMINISTRATOR,), "chief": (ADMINISTRATOR,)},
    "a moderator and an administrator": {"suzie": (MODERATOR,), "boss": (ADMINISTRATOR,)},
    "one who is both": {"boss": (MODERATOR, ADMINISTRATOR)},
    "only the reporter": {"magpie": (MODERATOR,)},
    "the reporter and an administrator": {"magpie": (BOARD,), "boss": (ADMINISTRATOR,)},
}
AUTHORS: Mapping[str, tuple[str, ...]] = {
    "member": (),
    "board moderator": (BOARD,),
    "adviser": (ADVISER,),
    "moderator and administrator": (MODERATOR, ADMINISTRATOR),
}
PEOPLE = ("ada", "suzie", "orla", "wren", "boss", "chief", "magpie", "heron")


@dataclass(frozen=True)
class Scenario:
    """A case of one kind about Ada, reported by Magpie; after an appeal, Suzie took the decision before."""

    kind: str
    case_id: UUID
    roles: Mapping[str, tuple[str, ...]]

    @property
    def unfree(self) -> set[str]:
        return {"ada"} | ({"magpie"} if self.kind != "member" else set()) | self.barred

    @property
    def barred(self) -> set[str]:
        return {"suzie"} if self.kind in {"reopened", "appeal"} else set()

    def moderates(self, handle: str) -> bool:
        here = {MODERATOR} if self.kind == "member" else {MODERATOR, BOARD}
        return bool(here & {*self.roles.get(handle, ())})

    def administers(self, handle: str) -> bool:
        return ADMINISTRATOR in self.roles.get(handle, ())

    def expected(self) -> tuple[set[str], str]:
        """Who decides, in words of the house rules: moderators, else administrators, else nobody."""
        moderators = {one for one in self.roles if self.moderates(one)} - self.unfree
        administrators = {one for one in self.roles if self.administers(one)} - self.unfree
        if moderators:
            return moderators | (administrators if self.roles.get("ada") else set()), "moderator"
        if administrators:
            return administrators, "administrator"
        after_all = {one for one in self.barred if self.moderates(one)} if self.kind == "reopened" else set()
        return after_all, NOBODY


@pytest.fixture(params=KINDS)
async def case_of_a_kind(services: Services, request: pytest.FixtureRequest) -> tuple[str, UUID]:
    """An open case about Ada."""
    await scenes.house_rules(services)
    await make.board(services, ELSEWHERE)
    for handle in PEOPLE:
        await make.member(services, handle)
    post = await scenes.a_post(services, author="ada")
    return request.param, await a_case(services, request.param, post.id)


async def a_case(services: Services, kind: str, post_id: int) -> UUID:
    """A case about a post of Ada's, or about Ada, as reports, appeals and holds open it."""
    case_id, suzie = uuid4(), (await make.viewer(services, "suzie")).member_id
    ada, magpie = [(await make.viewer(services, handle)).member_id for handle in ("ada", "magpie")]
    values = {"case": case_id, "post": post_id, "ada": ada, "suzie": suzie, "magpie": magpie}
    opened = (
        "INSERT INTO moderation_case (id, kind, post_id, subject_persona_id, state, category, reports, priority,"
        " version, opened_at, due_at, changed_at, barred_id, decided_at)"
        " VALUES (:case, '{kind}', {post}, :ada, '{state}', 'rule', 1, -485, 1, now(), now() + interval '2 days',"
        " now(), {barred}, {decided})"
    )
    reported = (
        "INSERT INTO report (id, case_id, post_id, revision, reporter_id, category, rules, note, filed_at)"
        " VALUES (gen_random_uuid(), :case, :post, 1, :magpie, 'rule', '{10}', '', now())"
    )
    plain = {"kind": "post", "post": ":post", "state": "open", "barred": "NULL", "decided": "NULL"}

    async def run(statement: str, **changes: object) -> None:
        used = {name: value for name, value in (values | changes).items() if f":{name}" in statement}
        await scenes.sql(services, statement, **used)

    if kind == "member":
        await run(opened.format(**plain | {"kind": "member", "post": "NULL"}))
        return case_id
    if kind == "held":
        await run("UPDATE post SET visibility = 'held', held_because = 'first' WHERE id = :post")
    if kind != "appeal":
        await run(opened.format(**plain | ({"barred": ":suzie"} if kind == "reopened" else {})))
        await run(reported)
        return case_id
    about = uuid4()
    await run(opened.format(**plain | {"state": "decided", "decided": "now()"}), case=about)
    await run(reported, case=about)
    await run("UPDATE report SET outcome = 'dismissed', settled_at = now()")
    await run(
        "INSERT INTO decision (id, case_id, decided_by, decided_at, case_version, revision, reason)"
        " VALUES (gen_random_uuid(), :case, :suzie, now(), 1, 1, 'No.')",
        case=about,
    )
    await run(opened.format(**plain | {"kind": "appeal", "barred": ":suzie"}))
    await run(
        "INSERT INTO appeal (id, report_id, decision_id, case_id, appellant_id, text, lodged_at)"
        " SELECT gen_random_uuid(), report.id, decision.id, :case, :magpie, 'Yes.', now() FROM report, decision"
    )
    return case_id


async def test_for_every_case_somebody_decides_or_it_says_that_nobody_can(
    services: Services, case_of_a_kind: tuple[str, UUID]
) -> None:
    kind, case_id = case_of_a_kind
    for author, own in AUTHORS.items():
        for who, others in WHO_EXISTS.items():
            scenario = Scenario(kind, case_id, {**others, **({"ada": own} if own else {})})
            await give_roles(services, scenario.roles)
            try:
                await check(services, scenario)
            except AssertionError as error:
                raise AssertionError(f"{kind} by a {author}; who exists: {who}") from error


async def check(services: Services, scenario: Scenario) -> None:
    """Whoever decides sees the case and decides it; nobody else does; the accused sees nothing; nobody is a word."""
    deciding, word = scenario.expected()
    viewers = {handle: await make.viewer(services, handle) for handle in {"ada", *scenario.roles}}
    ids = {viewer.member_id: handle for handle, viewer in viewers.items()}
    async with make.work(services) as work:
        listed = [ids[one] for one in await case_deciders.list_deciders(work.session, scenario.case_id, work.now)]
        assert set(listed) == deciding
        in_line = [scenario.moderates(handle) for handle in listed]
        assert in_line == sorted(in_line, reverse=True)
        assert await case_deciders.who_decides(work, scenario.case_id) == word
        told = await case_deciders.list_told_that_nobody_decides(work.session, scenario.case_id, work.now)
        assert {ids[one] for one in told} == {one for one in scenario.roles if scenario.administers(one)} - {"ada"}
        for handle, viewer in viewers.items():
            await check_sight(work, scenario.case_id, viewer, decides=handle in deciding, is_accused=handle == "ada")
    for handle in listed[-1:]:
        assert await decides(services, scenario, viewers[handle])


async def check_sight(work: Work, case_id: UUID, viewer: Viewer, *, decides: bool, is_accused: bool) -> None:
    queue = [row.id for row in await case_deciders.list_visible(work, viewer, case_queue.OPEN_CASES, limit=5)]
    try:
        reason = await case_deciders.why_not_decide(work, viewer, case_id)
    except NotFound:
        assert is_accused
    else:
        assert not is_accused
        assert (reason is None) == decides
    if decides:
        assert queue == [case_id]
    if is_accused:
        assert queue == []


async def decides(services: Services, scenario: Scenario, decider: Viewer) -> bool:
    """Whether the decision is taken; it is not kept."""
    kind = MeasureKind.PUBLISH if scenario.kind == "held" else MeasureKind.DISMISS
    measures = () if scenario.kind == "appeal" else (MeasureInput(kind),)
    outcomes = (AppealOutcome.UPHOLD,) if scenario.kind == "appeal" else ()
    revision = None if scenario.kind == "member" else 1
    wanted = DecisionInput(1, revision, measures, "Read twice.", outcomes=outcomes)
    async with taken_back(services) as work:
        decided = await case_actions.decide(work, decider, scenario.case_id, wanted)
        return decided.decision.decided_by == decider.id


@asynccontextmanager
async def taken_back(services: Services) -> AsyncIterator[Work]:
    """A transaction that is rolled back."""
    async with make.work(services) as work:
        yield work
        await work.session.rollback()


async def give_roles(services: Services, roles: Mapping[str, tuple[str, ...]]) -> None:
    """Nobody has another role than these."""
    await scenes.sql(services, "DELETE FROM role_grant")
    grants = [(handle, name) for handle, names in roles.items() for name in names]
    await scenes.sql(
        services,
        "INSERT INTO role_grant (id, member_id, role, board_id, given_at)"
        " SELECT gen_random_uuid(), member.id, CASE WHEN board.id IS NULL THEN given.name ELSE 'moderator' END,"
        " board.id, now() FROM unnest(CAST(:handles AS text[]), CAST(:names AS text[])) AS given (handle, name)"
        " JOIN member USING (handle) LEFT JOIN board ON board.slug = given.name",
        handles=[handle for handle, _ in grants],
        names=[name for _, name in grants],
    )


# Away, and boards that not everybody reads


async def a_reported_post(services: Services, slug: str = HERE) -> UUID:
    """An open case about a post of Ada's."""
    for handle in ("ada", "suzie", "orla", "boss", "magpie"):
        await make.member(services, handle)
    return await a_case(services, "post", (await scenes.a_post(services, author="ada", slug=slug)).id)


async def deciders(services: Services, case_id: UUID) -> list[str]:
    """The handles of those who may decide the case now, in their order."""
    async with make.work(services) as work:
        listed = await case_deciders.list_deciders(work.session, case_id, work.now)
    found = await scenes.sql(services, "SELECT id, handle FROM member")
    handles = dict(tuple(row) for row in found)
    return [handles[one] for one in listed]


async def test_whoever_lets_a_claim_or_the_due_time_run_out_is_away(services: Services) -> None:
    case_id = await a_reported_post(services)
    await give_roles(services, {"suzie": (MODERATOR,), "boss": (ADMINISTRATOR,)})
    suzie, boss = await make.viewer(services, "suzie"), await make.viewer(services, "boss")
    assert await deciders(services, case_id) == ["suzie"]
    async with make.work(services) as work:
        await case_actions.claim(work, suzie, case_id)
    assert await deciders(services, case_id) == ["suzie"]
    await scenes.sql(services, "UPDATE case_claim SET until = now() - interval '1 second'")
    assert await deciders(services, case_id) == ["suzie", "boss"]
    async with make.work(services) as work:
        await case_actions.claim(work, boss, case_id)
    assert await deciders(services, case_id) == ["suzie", "boss"]  # whoever works on it goes on
    async with make.work(services) as work:
        await case_actions.release(work, boss, case_id)
    assert await deciders(services, case_id) == ["suzie"]
    await scenes.sql(services, "UPDATE moderation_case SET due_at = now() - interval '1 second'")
    assert await deciders(services, case_id) == ["suzie", "boss"]
    assert await decides(services, Scenario("post", case_id, {}), boss)


async def test_where_another_moderator_is_there_an_absent_one_brings_in_nobody(services: Services) -> None:
    case_id = await a_reported_post(services)
    await give_roles(services, {"suzie": (MODERATOR,), "orla": (BOARD,), "boss": (ADMINISTRATOR,)})
    async with make.work(services) as work:
        await case_actions.claim(work, await make.viewer(services, "suzie"), case_id)
    await scenes.sql(services, "UPDATE case_claim SET until = now() - interval '1 second'")
    assert "boss" not in await deciders(services, case_id)


@pytest.mark.parametrize(
    ("readers", "roles", "expected"),
    [
        # Moderators of the whole forum do not read it; administrators do.
        ((ADMINISTRATOR,), {"suzie": (MODERATOR,), "boss": (ADMINISTRATOR,)}, ["boss"]),
        # A moderator named for this board reads it, whatever else they are.
        ((ADVISER,), {"suzie": (MODERATOR,), "orla": (BOARD,), "boss": (ADMINISTRATOR,)}, ["orla"]),
        ((ADVISER,), {"suzie": (MODERATOR, ADVISER), "boss": (ADMINISTRATOR,)}, ["suzie"]),
        # Nobody who decides reads it: it waits, and an administrator who is told of it can name somebody.
        ((ADVISER,), {"suzie": (MODERATOR,), "boss": (ADMINISTRATOR,)}, []),
        ((MODERATOR,), {"suzie": (MODERATOR,), "boss": (ADMINISTRATOR,)}, ["suzie"]),
    ],
)
async def test_a_case_is_decided_by_those_who_read_its_board(
    services: Services, readers: tuple[str, ...], roles: dict[str, tuple[str, ...]], expected: list[str]
) -> None:
    case_id = await a_reported_post(services)
    await scenes.sql(services, "UPDATE board SET readers = :readers", readers=list(readers))
    await give_roles(services, roles)
    assert await deciders(services, case_id) == expected
    async with make.work(services) as work:
        for handle in ("suzie", "orla", "boss"):
            viewer = await make.viewer(services, handle)
            await check_sight(work, case_id, viewer, decides=handle in expected, is_accused=False)
            seen = await case_deciders.list_visible(work, viewer, case_queue.OPEN_CASES, limit=5)
            assert bool(seen) == (handle in expected)
        told = await case_deciders.list_told_that_nobody_decides(work.session, case_id, work.now)
        assert told == [(await make.viewer(services, "boss")).member_id]


async def test_posts_on_several_boards_are_decided_by_those_who_moderate_all_of_them(services: Services) -> None:
    await make.board(services, ELSEWHERE)
    case_id = await a_reported_post(services)
    other = await scenes.a_post(services, author="ada", slug=ELSEWHERE)
    await scenes.sql(services, "UPDATE moderation_case SET kind = 'posts'")
    await scenes.sql(
        services,
        "INSERT INTO case_post (case_id, post_id, is_open) VALUES (:case, :post, true)",
        case=case_id,
        post=other.id,
    )
    await give_roles(services, {"suzie": (BOARD,), "orla": (BOARD, OTHER_BOARD), "boss": (ADMINISTRATOR,)})
    assert await deciders(services, case_id) == ["orla"]
    await give_roles(services, {"suzie": (BOARD,), "orla": (OTHER_BOARD,), "boss": (ADMINISTRATOR,)})
    assert await deciders(services, case_id) == ["boss"]
    async with make.work(services) as work:
        viewer = await make.viewer(services, "suzie")
        assert await case_deciders.list_visible(work, viewer, case_queue.OPEN_CASES, limit=5) == []


async def test_where_nobody_decides_the_reporter_reads_whom_to_turn_to(settings: Settings) -> None:
    named = settings.model_copy(update={"outside_contact": "The trustees: 020 7946 0000"})
    async with make.application(named) as app:
        services: Services = app.state.services
        await make.member(services, "ada", Role.ADMINISTRATOR)
        post = await scenes.a_post(services, author="ada")
        async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "ada") as ada:
            told = (await scenes.report(magpie, post.id)).json()
            assert (told["deciders"], told["outside_contact"]) == ("nobody", "The trustees: 020 7946 0000")
            assert (await ada.get(f"{scenes.API}/moderation/cases")).json()["items"] == []
            await make.member(services, "boss", Role.ADMINISTRATOR)
            [told] = (await magpie.get(f"{scenes.API}/me/reports")).json()["items"]
            assert (told["deciders"], told["outside_contact"]) == ("administrator", None)
        async with make.signed_in(app, "boss") as boss, make.signed_in(app, "magpie") as magpie:
            case = await scenes.a_case(boss, post.id)
            assert case["deciders"] == "administrator"
            assert (await scenes.decide(boss, case, scenes.WARN)).status_code == 201
            [told] = (await magpie.get(f"{scenes.API}/me/reports")).json()["items"]
            assert (told["deciders"], told["outside_contact"], told["outcome"]) == (None, None, "upheld")
