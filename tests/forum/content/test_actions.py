"""Actions are whole: called without a route, each asks permission, limit and gate itself."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from forum.advising.waiting_list import WaitingFilter, list_waiting
from forum.content.posts import actions as posts
from forum.content.posts.draft import Draft
from forum.content.posts.queries import PostView
from forum.content.posts.tables import Post
from forum.content.threads import actions as threads
from forum.core import clock
from forum.core.errors import Forbidden, ForumError, Invalid, Throttled
from forum.core.pagination import Page
from forum.core.settings import Settings
from forum.core.work import Work
from forum.http.services import Services
from forum.members.tables import Role, Standing
from forum.members.viewer import GUEST, Viewer
from tests.support import make

Action = Callable[[Work, Viewer, PostView], Awaitable[Any]]
WORDS = Draft("I see. https://a.example https://b.example https://c.example")

# Every action on a thread or a post, and with which code it refuses a member who wrote none of it.
OTHERS: dict[str, tuple[Action, str]] = {
    "lock": (lambda work, who, post: threads.lock_thread(work, who, post.thread_id), "not_a_moderator"),
    "unlock": (lambda work, who, post: threads.unlock_thread(work, who, post.thread_id), "not_a_moderator"),
    "pin": (lambda work, who, post: threads.pin_thread(work, who, post.thread_id), "not_a_moderator"),
    "unpin": (lambda work, who, post: threads.unpin_thread(work, who, post.thread_id), "not_a_moderator"),
    "move": (lambda work, who, post: threads.move_thread(work, who, post.thread_id, 1, "kinship"), "not_a_moderator"),
    "retitle": (
        lambda work, who, post: threads.retitle_thread(work, who, post.thread_id, threads.NewTitle(1, "Mine")),
        "not_the_author",
    ),
    "edit": (lambda work, who, post: posts.edit_post(work, who, post.id, 1, WORDS), "not_the_author"),
    "withdraw": (lambda work, who, post: posts.withdraw_post(work, who, post.id), "not_the_author"),
    "revisions": (lambda work, who, post: posts.list_revisions(work, who, post.id), "not_the_author"),
    "sealed": (lambda work, who, post: posts.read_sealed_revision(work, who, post.id, 1), "not_a_moderator"),
}
# What everybody may do who is in good standing.
OPEN: dict[str, Action] = {
    "open": lambda work, who, _post: threads.open_thread(work, who, "new-here", "A question", Draft("Hello")),
    "reply": lambda work, who, post: posts.reply(work, who, post.thread_id, Draft("I see")),
}


@pytest.fixture
async def post(services: Services) -> PostView:
    """A reply of heron's on a board, beside which there is another one."""
    await make.board(services)
    await make.board(services, "kinship")
    await make.member(services, "heron")
    return await make.post(services, "heron", await make.thread(services, "heron"))


async def refused(services: Services, handle: str, action: Action, post: PostView) -> ForumError:
    """What an action raises; nothing of it stays."""
    who = await make.viewer(services, handle)
    with pytest.raises(ForumError) as caught:
        async with make.work(services) as work:
            await action(work, who, post)
    return caught.value


async def test_what_is_somebody_elses_is_refused_by_the_action_itself(services: Services, post: PostView) -> None:
    await make.member(services, "magpie")
    for name, (action, code) in OTHERS.items():
        error = await refused(services, "magpie", action, post)
        assert isinstance(error, Forbidden), name
        assert error.code == code, name


@pytest.mark.parametrize("name", OPEN)
async def test_a_silenced_member_and_a_guest_write_nothing(name: str, services: Services, post: PostView) -> None:
    await make.member(services, "magpie")
    await make.sanction(services, "magpie", Standing.SILENCED)
    assert (await refused(services, "magpie", OPEN[name], post)).code == "account_silenced"
    with pytest.raises(ForumError):
        async with make.work(services) as work:
            await OPEN[name](work, GUEST, post)
    async with services.database.work() as session:
        assert (await session.execute(select(func.count()).select_from(Post))).scalar_one() == 2


async def test_a_newcomers_links_are_counted_by_the_action(services: Services, post: PostView) -> None:
    await make.member(services, "magpie", joined=make.NEWCOMER)
    error = await refused(services, "magpie", lambda work, who, at: posts.reply(work, who, at.thread_id, WORDS), post)
    assert isinstance(error, Invalid)
    assert (error.pointer, error.code) == ("#/body_markdown", "too_many_links")


async def test_an_action_counts_tries_against_its_limit(settings: Settings) -> None:
    strict = settings.model_copy(update={"posting_limit": "1/1 hour"})
    async with make.application(strict) as app:
        services: Services = app.state.services
        await make.board(services)
        await make.member(services, "heron")
        heron, thread = await make.viewer(services, "heron"), await make.thread(services, "heron")
        async with make.work(services) as work:
            await posts.reply(work, heron, thread, Draft("One"))
        with pytest.raises(Throttled) as caught:
            async with make.work(services) as work:
                await posts.reply(work, heron, thread, Draft("Two"))
    assert caught.value.code == "limit_posting"


async def test_an_action_passes_the_gate_it_was_given(services: Services, post: PostView) -> None:
    heron, gate = await make.viewer(services, "heron"), make.HoldingGate()
    async with make.work(services, gate=gate) as work:
        held = (await posts.reply(work, heron, post.thread_id, Draft("HOLD this"))).post
    assert (held.visibility, held.held_because) == ("held", gate.BECAUSE)
    assert [verdict.held_because for _, verdict in gate.recorded] == [gate.BECAUSE]


async def test_the_waiting_list_is_for_advisers_whoever_asks_for_it(services: Services, post: PostView) -> None:
    await make.member(services, "suzie", Role.ADVISER)
    heron, suzie = await make.viewer(services, "heron"), await make.viewer(services, "suzie")
    with pytest.raises(Forbidden) as caught:
        await _list_waiting(services, heron)
    assert caught.value.code == "not_an_adviser"
    page = await _list_waiting(services, suzie)
    assert [(wait.row.id, wait.number) for wait in page.rows] == [(post.thread_id, 1)]


async def _list_waiting(services: Services, viewer: Viewer) -> Page:
    asked, reader = WaitingFilter(), services.database.reader
    return await list_waiting(reader, viewer, asked, (None, 20), now=clock.now(), settings=services.settings)
