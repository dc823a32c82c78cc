"""Every action of moderation refuses by itself: no surface has to ask permission first."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from forum.core import clock
from forum.core.errors import Forbidden, ForumError, Invalid, NotFound, NotSignedIn, SignInAgain, Stale, Throttled
from forum.core.settings import Settings
from forum.core.work import Transactions, Work
from forum.http.services import Services
from forum.members.tables import Role, Standing
from forum.members.viewer import GUEST, Viewer
from moderation import (
    audit_log,
    board_moderators,
    case_actions,
    case_file,
    case_queue,
    cases,
    member_history,
    own_reports,
    reason_templates,
    rules,
)
from moderation.audit_log import LogSearch
from moderation.case_actions import CaseInput
from moderation.case_priority import Category
from moderation.case_queue import QueueSearch
from moderation.cases import Case
from moderation.decisions import AppealOutcome, DecisionInput
from moderation.measures.tables import MeasureInput, MeasureKind
from moderation.reports import Complaint
from moderation.rules import RuleDraft
from tests.support import make, scenes

WARNING = DecisionInput(1, 1, (MeasureInput(MeasureKind.WARN),), "Say what she did instead.", (10,))


@asynccontextmanager
async def began(services: Services) -> AsyncIterator[Work]:
    async with services.transactions(clock.now()).begin() as work:
        yield work


async def opened(services: Services) -> UUID:
    """A case about a post of Stepdad's, which nobody reported."""
    post = await scenes.a_post(services)
    async with began(services) as work:
        case: Case = await cases.open_on_post(work.session, post.id, Category.RULE, work.now)
        return case.id


async def outcome_of(services: Services, action: Callable[[Work], Awaitable[object]]) -> str:
    """The code of the error that an action raises, or "done"."""
    try:
        async with began(services) as work:
            await action(work)
    except ForumError as error:
        return error.code
    return "done"


ON_A_CASE: dict[str, Callable[[Work, Viewer, UUID], Awaitable[object]]] = {
    "claim": case_actions.claim,
    "release": case_actions.release,
    "recuse": case_actions.recuse,
    "add a note": lambda work, viewer, case: case_actions.add_note(work, viewer, case, "I know her."),
    "decide": lambda work, viewer, case: case_actions.decide(work, viewer, case, WARNING),
}


@pytest.mark.parametrize("name", ON_A_CASE)
async def test_only_a_moderator_of_its_board_works_on_a_case(services: Services, name: str) -> None:
    case_id, action = await opened(services), ON_A_CASE[name]
    await make.board(services, "kinship")
    await make.member(services, "suzie", Role.MODERATOR)
    await make.member(services, "kin", boards=("kinship",))
    codes = {}
    for handle in ("heron", "kin", "suzie"):
        viewer = await make.viewer(services, handle)
        codes[handle] = await outcome_of(services, lambda work, viewer=viewer: action(work, viewer, case_id))
    assert codes == {"heron": "not_a_moderator", "kin": "case_not_found", "suzie": "done"}
    assert await outcome_of(services, lambda work: action(work, GUEST, case_id)) == "not_signed_in"


async def test_a_silenced_moderator_does_nothing(services: Services) -> None:
    case_id = await opened(services)
    await make.member(services, "suzie", Role.MODERATOR)
    await make.sanction(services, "suzie", Standing.SILENCED)
    suzie = await make.viewer(services, "suzie")
    for action in ON_A_CASE.values():
        assert await outcome_of(services, lambda work, act=action: act(work, suzie, case_id)) == "account_silenced"


async def test_what_moderators_read_is_refused_to_members(services: Services) -> None:
    case_id = await opened(services)
    heron, transactions = await make.viewer(services, "heron"), services.transactions(clock.now())
    reads: tuple[Callable[[Work], Awaitable[object]], ...] = (
        lambda work: case_queue.list_cases(work, heron, QueueSearch(), None, 20),
        lambda _work: case_file.get_case_file(transactions, heron, case_id),
        lambda _work: case_actions.decide_each(transactions, heron, [CaseInput(case_id, WARNING)]),
        lambda work: member_history.get_member_history(work, heron, "stepdad"),
        lambda work: reason_templates.list_templates(work, heron),
        lambda work: board_moderators.list_moderators(work, heron, "new-here"),
        lambda _work: audit_log.list_entries(transactions.reader, heron, LogSearch(), None, 20),
    )
    assert {await outcome_of(services, read) for read in reads} == {"not_a_moderator"}


async def test_what_administrators_change_is_refused_to_moderators(services: Services) -> None:
    await scenes.a_post(services)
    await make.member(services, "suzie", Role.MODERATOR)
    suzie = replace(await make.viewer(services, "suzie"), signed_in_at=clock.now())
    changes: tuple[Callable[[Work], Awaitable[object]], ...] = (
        lambda work: rules.write_rule(work, suzie, 11, RuleDraft(0, "Another", "Be kind.")),
        lambda work: board_moderators.appoint(work, suzie, "new-here", "heron"),
        lambda work: board_moderators.dismiss(work, suzie, "new-here", "heron"),
    )
    assert {await outcome_of(services, change) for change in changes} == {"not_an_administrator"}


async def test_a_boards_moderator_is_appointed_by_somebody_who_signed_in_just_now(services: Services) -> None:
    await scenes.a_post(services)
    await make.member(services, "ada", Role.ADMINISTRATOR)
    ada = await make.viewer(services, "ada")
    for signed_in_at in (None, clock.now() - timedelta(minutes=16)):
        with pytest.raises(SignInAgain):
            async with began(services) as work:
                await board_moderators.appoint(work, replace(ada, signed_in_at=signed_in_at), "new-here", "heron")
    async with began(services) as work:
        await board_moderators.appoint(work, replace(ada, signed_in_at=clock.now()), "new-here", "heron")
        heron = await make.viewer(services, "heron")
        assert work.changed_members == {heron.id}  # whose sessions are read anew after the commit
    assert (await make.viewer(services, "heron")).moderated_boards


async def test_a_report_counts_against_the_limit_wherever_it_comes_from(settings: Settings) -> None:
    strict = settings.model_copy(update={"report_limit": "1/1 day"})
    async with make.application(strict) as app:
        services: Services = app.state.services
        post = await scenes.a_post(services)
        await make.member(services, "magpie")
        magpie, complaint = await make.viewer(services, "magpie"), Complaint(Category.SPAM, 1)
        async with began(services) as work:
            own = await own_reports.report_post(work, magpie, post.id, complaint)
            assert (own.report.post_id, own.case_id, own.appeal) == (post.id, None, None)
        with pytest.raises(Throttled):
            async with began(services) as work:
                await own_reports.report_post(work, magpie, post.id, complaint)


async def test_of_several_decisions_each_is_a_decision_or_the_reason_why_not(services: Services) -> None:
    case_id = await opened(services)
    await make.member(services, "suzie", Role.MODERATOR)
    suzie, transactions = await make.viewer(services, "suzie"), services.transactions(clock.now())
    wanted = [
        CaseInput(UUID(int=7), WARNING),
        CaseInput(case_id, replace(WARNING, version=None)),
        CaseInput(case_id, replace(WARNING, outcomes=(AppealOutcome.UPHOLD,))),
        CaseInput(case_id, replace(WARNING, version=9)),
        CaseInput(case_id, WARNING),
    ]
    unknown, incomplete, no_appeal, stale, decided = await case_actions.decide_each(transactions, suzie, wanted)
    kinds = [type(result) for result in (unknown, incomplete, no_appeal, stale)]
    assert kinds == [NotFound, Invalid, Invalid, Stale]
    codes = [result.code for result in (unknown, incomplete, no_appeal, stale) if isinstance(result, ForumError)]
    assert codes == ["case_not_found", "version_missing", "not_an_appeal", "case_changed"]
    assert not isinstance(decided, ForumError)
    assert decided.decision.case_id == case_id


async def test_decisions_forget_the_sessions_of_the_author_once_they_are_committed(
    services: Services, transactions_noting: tuple[Transactions, list[UUID]]
) -> None:
    case_id = await opened(services)
    await make.member(services, "suzie", Role.MODERATOR)
    suzie, stepdad = await make.viewer(services, "suzie"), await make.viewer(services, "stepdad")
    transactions, changed = transactions_noting
    await case_actions.decide_each(transactions, suzie, [CaseInput(case_id, replace(WARNING, version=9))])
    assert changed == []
    async with transactions.begin() as work:
        await case_actions.decide(work, suzie, case_id, WARNING)
        assert changed == []
    assert changed == [stepdad.id]


@pytest.fixture
def transactions_noting(services: Services) -> tuple[Transactions, list[UUID]]:
    """Transactions, and the members whom they had read anew."""
    changed: list[UUID] = []
    return replace(services.transactions(clock.now()), on_member_change=changed.append), changed


async def test_a_guest_is_told_to_sign_in_and_not_more(services: Services) -> None:
    await scenes.a_post(services)
    with pytest.raises(NotSignedIn):
        async with began(services) as work:
            await case_queue.list_cases(work, GUEST, QueueSearch(), "not a cursor", 20)
    await make.member(services, "suzie", Role.MODERATOR)
    with pytest.raises(Invalid):
        async with began(services) as work:
            await case_queue.list_cases(work, await make.viewer(services, "suzie"), QueueSearch(), "not a cursor", 20)
    with pytest.raises(Forbidden):
        async with began(services) as work:
            await case_queue.list_cases(work, await make.viewer(services, "heron"), QueueSearch(), "not a cursor", 20)
