"""The threads that wait for an adviser, with the post that waits, and the way to answering it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from forum.advising.waiting_list import first_words
from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.web.support import form, parsed, text_of


@pytest.fixture
async def suzie(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """An adviser."""
    async with make.signed_in(app, "suzie", Role.ADVISER) as client:
        yield client


async def test_who_waits_longest_comes_first_with_the_post_that_waits(
    services: Services, suzie: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    long_ago = clock.now() - timedelta(days=9)
    later = await make.thread(services, "heron", title="The second", body="Waits a day")
    first = await make.thread(services, "heron", title="The first", body="Waits long", at=long_ago)
    await make.post(services, "suzie", first, "An answer", at=long_ago + timedelta(hours=1))
    again = long_ago + timedelta(hours=2)
    await make.post(services, "heron", first, "> @suzie #2\n> An answer\n\nAnd what then?", at=again)
    await make.post(services, "heron", first, "Still here", at=again + timedelta(hours=1))
    page = await suzie.get("/advising")
    titles = [heading.find("a").text for heading in parsed(page.text).iter("h2")]  # type: ignore[union-attr]
    assert titles == ["The first", "The second"]
    assert f'href="/threads/{first}#post-3"' in page.text
    assert f'href="/threads/{first}/reply?to=3"' in page.text
    assert f'href="/threads/{later}#post-1"' in page.text
    assert "And what then?" in text_of(page.text)
    assert "Still here" not in text_of(page.text)
    assert "working day" in text_of(page.text)
    assert 'href="/advising"' in (await suzie.get("/")).text


async def test_words_with_a_note_before_them_are_not_shown_in_the_list(
    services: Services, suzie: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    await make.post(services, "suzie", thread)
    await make.post(services, "heron", thread, "The hard part?", content_warning="about loss")
    said = text_of((await suzie.get("/advising")).text)
    assert "about loss" in said
    assert "The hard part" not in said


async def test_others_do_not_see_the_list(app: FastAPI, guest: httpx.AsyncClient) -> None:
    assert (await guest.get("/advising")).status_code == 303
    async with make.signed_in(app, "heron") as heron:
        page = await heron.get("/advising")
        assert page.status_code == 403
        assert "for advisers" in text_of(page.text)


async def test_staff_without_a_second_step_are_told_why_their_role_does_not_count(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "suzie", Role.ADVISER)
    await form(guest, await guest.get("/sign-in"), "/sign-in", login="suzie", password=make.PASSWORD)
    for path, status in (("/", 200), ("/advising", 403)):
        page = await guest.get(path)
        assert page.status_code == status
        assert "Your role does not count yet" in text_of(page.text)
        assert 'href="/me/second-factor"' in page.text


@pytest.mark.parametrize(
    ("body_html", "words"),
    [
        ("<p>One</p><p>Two\nwords</p>", "One\nTwo words"),
        ("<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote><p>Own</p>", "Own"),
        ("<p>&lt;script&gt;</p>", "<script>"),
        ("<p>" + "word " * 60 + "</p>", ("word " * 40).strip() + " …"),
    ],
)
def test_first_words(body_html: str, words: str) -> None:
    assert first_words(body_html) == words
