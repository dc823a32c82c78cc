"""Writing on pages: whatever happens, what was typed is there, and nothing is sent twice."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from forum.content.boards import find_board
from forum.content.threads import actions
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role, Standing
from tests.support import make
from tests.web.support import fields_of, form, text_of

SAME_SITE = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
WORDS = "It took me an hour to write <this>, and it is dear to me."


@pytest.fixture
async def thread(services: Services) -> int:
    """A thread of Heron's."""
    await make.board(services)
    await make.member(services, "heron")
    return await make.thread(services, "heron", body="Who has been to a conference?")


async def page_of(client: httpx.AsyncClient, answer: httpx.Response) -> httpx.Response:
    """The page to which a form leads."""
    assert answer.status_code == 303, text_of(answer.text)
    return await client.get(answer.headers["Location"])


async def write(client: httpx.AsyncClient, path: str, **typed: Any) -> httpx.Response:
    """Open a form, type, and send it."""
    page = await client.get(path)
    assert page.status_code == 200, text_of(page.text)
    return await form(client, page, path, **typed)


async def bodies(services: Services) -> list[str]:
    async with services.database.work() as session:
        return list((await session.execute(text("SELECT body_markdown FROM post ORDER BY id"))).scalars())


async def drafts(services: Services) -> list[str]:
    async with services.database.work() as session:
        return list((await session.execute(text("SELECT body_markdown FROM draft"))).scalars())


async def test_a_reply_is_looked_at_kept_and_sent(app: FastAPI, services: Services, thread: int) -> None:
    path = f"/threads/{thread}/reply"
    async with make.signed_in(app, "magpie") as magpie:
        looked = await write(
            magpie, path, body_markdown="You are **not** alone.", content_warning="about loss", do="look"
        )
        assert looked.headers["Location"] == f"{path}?look=yes#look"
        seen = await page_of(magpie, looked)
        assert "<strong>not</strong>" in seen.text
        assert fields_of(seen.text, path)["body_markdown"] == "You are **not** alone."
        kept = await page_of(magpie, await form(magpie, seen, path, body_markdown="You are not.", do="keep"))
        assert "We keep what you wrote" in text_of(kept.text)
        assert "You have begun a reply" in text_of((await magpie.get(f"/threads/{thread}")).text)
        assert len(await bodies(services)) == 1
        sent = await form(magpie, kept, path, do="send")
        assert sent.headers["Location"] == f"/threads/{thread}?done=sent#post-2"
        read = text_of((await page_of(magpie, sent)).text)
        assert "Before you read: about loss" in read
    assert (await bodies(services))[1:] == ["You are not."]
    assert await drafts(services) == []


async def test_the_box_below_a_thread_is_the_same_composer(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "magpie") as magpie:
        page = await magpie.get(f"/threads/{thread}")
        sent = await form(magpie, page, f"/threads/{thread}/reply", body_markdown="Here\r\nI am.", do="send")
        assert sent.status_code == 303
    assert (await bodies(services))[1:] == ["Here\nI am."]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"body_markdown": ""}, "Write something here first."),
        ({"body_markdown": "> \n"}, "Write something here first."),
        ({"body_markdown": "x" * 20_001}, "You have written 20001 characters; a post has at most 20000."),
        ({"body_markdown": WORDS, "content_warning": "two\nlines"}, "Write this on one line."),
        ({"body_markdown": WORDS, "reply_to": "9"}, "is not here any more"),
    ],
)
async def test_what_is_refused_is_there_again_with_the_reason(
    app: FastAPI, services: Services, thread: int, typed: dict[str, str], said: str
) -> None:
    path = f"/threads/{thread}/reply"
    async with make.signed_in(app, "magpie") as magpie:
        refused = await write(magpie, path, do="send", **typed)
        page = await page_of(magpie, refused)
        assert said in text_of(page.text)
        assert fields_of(page.text, path)["body_markdown"] == typed["body_markdown"]
        assert "Look again" in page.text
        # The same when it is loaded again, and no form is sent twice by it.
        assert said in text_of((await magpie.get(path)).text)
    assert len(await bodies(services)) == 1


async def test_line_ends_of_browsers_count_once(app: FastAPI, services: Services, thread: int) -> None:
    longest = "\r\n".join(["x" * 99] * 200)
    async with make.signed_in(app, "magpie") as magpie:
        sent = await write(magpie, f"/threads/{thread}/reply", body_markdown=longest, do="send")
        assert "done=sent" in sent.headers["Location"]
    assert len((await bodies(services))[1]) == 19_999


async def test_a_newcomer_is_told_how_many_links_a_post_can_have(app: FastAPI, services: Services, thread: int) -> None:
    many = " ".join(f"https://example.org/{number}" for number in range(9))
    async with make.signed_in(app, "wren", joined=make.NEWCOMER) as wren:
        page = await page_of(wren, await write(wren, f"/threads/{thread}/reply", body_markdown=many, do="send"))
        most = services.settings.newcomer_links
        assert f"a post can have {most} link" in text_of(page.text)
        assert many in text_of(page.text)


async def test_what_was_written_while_the_thread_was_closed_is_kept(
    app: FastAPI, services: Services, thread: int
) -> None:
    path = f"/threads/{thread}/reply"
    await make.member(services, "suzie", Role.MODERATOR)
    async with make.signed_in(app, "magpie") as magpie:
        page = await magpie.get(path)
        async with make.work(services) as work:
            await actions.lock_thread(work, await make.viewer(services, "suzie"), thread, "We read it first.")
        after = await page_of(magpie, await form(magpie, page, path, body_markdown=WORDS, do="send"))
        assert "This thread is closed for now" in text_of(after.text)
        assert WORDS in text_of(after.text)
        assert 'value="send"' not in after.text
    assert await drafts(services) == [WORDS]


@pytest.mark.parametrize("what", ["archived", "silenced", "unverified"])
async def test_who_may_not_write_keeps_the_words(app: FastAPI, services: Services, thread: int, what: str) -> None:
    path = f"/threads/{thread}/reply"
    async with make.signed_in(app, "magpie", verified=what != "unverified") as magpie:
        page = await magpie.get(f"/threads/{thread}")
        if what == "archived":
            async with services.database.work() as session:
                board = await find_board(session, "new-here")
                assert board is not None
                board.archived_at = board.made_at
        elif what == "silenced":
            await make.sanction(services, "magpie", Standing.SILENCED)
            services.session_cache.invalidate((await make.viewer(services, "magpie")).member_id)
        after = await page_of(magpie, await form(magpie, page, path, body_markdown=WORDS, do="send"))
        said = {"archived": "kept for reading", "silenced": "You cannot write at the moment", "unverified": "confirm"}
        assert said[what] in text_of(after.text)
        assert fields_of(after.text, path)["body_markdown"] == WORDS
    assert await drafts(services) == [WORDS]


async def test_who_wrote_too_often_reads_when_it_works_again(
    settings: Settings, services: Services, thread: int
) -> None:
    strict = settings.model_copy(update={"posting_limit": "1/1 hour"})
    async with make.application(strict) as app, make.signed_in(app, "magpie") as magpie:
        path = f"/threads/{thread}/reply"
        assert "done=sent" in (await write(magpie, path, body_markdown="One.", do="send")).headers["Location"]
        page = await page_of(magpie, await write(magpie, path, body_markdown=WORDS, do="send"))
        assert "Please wait until" in text_of(page.text)
        assert fields_of(page.text, path)["body_markdown"] == WORDS


async def test_four_taps_are_one_post(app: FastAPI, services: Services, thread: int) -> None:
    path = f"/threads/{thread}/reply"
    async with make.signed_in(app, "magpie") as magpie:
        page = await magpie.get(f"/threads/{thread}")
        taps = await asyncio.gather(
            *(form(magpie, page, path, body_markdown="Thank you.", do="send") for _ in range(4))
        )
        assert {(tap.status_code, tap.headers["Location"]) for tap in taps} == {
            (303, f"/threads/{thread}?done=sent#post-2")
        }
        assert (await bodies(services))[1:] == ["Thank you."]
        # The same words after a newer post are another reply.
        await form(magpie, await magpie.get(path), path, body_markdown="Thank you.", do="send")
    assert (await bodies(services))[1:] == ["Thank you.", "Thank you."]
    assert await drafts(services) == []


async def test_four_taps_are_one_thread(app: FastAPI, services: Services, thread: int) -> None:
    path = "/boards/new-here/new"
    typed = {"title": "What now?", "body_markdown": "I do not know.", "do": "send"}
    async with make.signed_in(app, "magpie") as magpie:
        page = await magpie.get(path)
        taps = await asyncio.gather(*(form(magpie, page, path, **typed) for _ in range(4)))
        assert len({(tap.status_code, tap.headers["Location"]) for tap in taps}) == 1
        assert "Your thread is here now" in text_of((await page_of(magpie, taps[0])).text)
    assert (await bodies(services))[1:] == ["I do not know."]


async def test_a_title_that_is_too_short_is_told_at_its_field(app: FastAPI, services: Services, thread: int) -> None:
    path = "/boards/new-here/new"
    async with make.signed_in(app, "magpie") as magpie:
        page = await page_of(magpie, await write(magpie, path, title="Hm", body_markdown=WORDS, do="send"))
        assert "Title: This is too short." in text_of(page.text)
        fields = fields_of(page.text, path)
        assert (fields["title"], fields["body_markdown"]) == ("Hm", WORDS)
        sent = await form(magpie, page, path, title="Hm, well", do="send")
        assert "done=opened" in sent.headers["Location"]


async def test_a_post_that_waits_says_so(settings: Settings, services: Services, thread: int) -> None:
    async with make.application(settings, make.HoldingGate("HOLD")) as app, make.signed_in(app, "magpie") as magpie:
        path = f"/threads/{thread}/reply"
        sent = await write(magpie, path, body_markdown="HOLD this", do="send")
        page = await page_of(magpie, sent)
        assert "Only you and the moderators see this yet" in text_of(page.text)
        assert "done=held" in sent.headers["Location"]


async def test_answering_a_post_puts_its_words_in(app: FastAPI, services: Services, thread: int) -> None:
    await make.member(services, "uncle")
    await make.post(services, "uncle", thread, "> nested\n\nI was there in May.\n\nIt is not as bad as one thinks.")
    path = f"/threads/{thread}/reply"
    async with make.signed_in(app, "magpie") as magpie:
        read = await magpie.get(f"/threads/{thread}")
        assert f'href="{path}?to=2"' in read.text
        page = await magpie.get(f"{path}?to=2")
        quote = "> @uncle #2\n> I was there in May.\n>\n> It is not as bad as one thinks."
        assert fields_of(page.text, path)["body_markdown"].strip() == quote
        assert "You answer post 2 by Uncle" in text_of(page.text)
        sent = await form(magpie, page, path, body_markdown=f"{quote}\n\nThank you.", do="send")
        after = (await page_of(magpie, sent)).text
        assert 'data-post="2"' in after
        assert "answers post 2" in text_of(after)
        # What was begun before stays, and the quote comes after it.
        await write(magpie, path, body_markdown="I began with this.", do="keep")
        begun = fields_of((await magpie.get(f"{path}?to=2")).text, path)["body_markdown"]
        assert begun.startswith("I began with this.\n\n> @uncle #2")


async def test_a_post_with_a_note_before_it_is_answered_without_a_quote(
    app: FastAPI, services: Services, thread: int
) -> None:
    await make.post(services, "heron", thread, "He died in spring.", content_warning="about loss")
    async with make.signed_in(app, "magpie") as magpie:
        page = await magpie.get(f"/threads/{thread}/reply?to=2")
        fields = fields_of(page.text, f"/threads/{thread}/reply")
        assert (fields["body_markdown"], fields["reply_to"]) == ("", "2")
        assert "Before you read: about loss" in text_of(page.text)


async def test_words_of_two_devices_are_both_there(app: FastAPI, services: Services, thread: int) -> None:
    path = f"/threads/{thread}/reply"
    async with make.signed_in(app, "magpie") as magpie:
        first, second = await magpie.get(path), await magpie.get(path)
        await form(magpie, first, path, body_markdown="From my laptop.", do="keep")
        page = await page_of(magpie, await form(magpie, second, path, body_markdown="From my phone.", do="keep"))
        assert fields_of(page.text, path)["body_markdown"] == "From my phone."
        assert "From my laptop." in text_of(page.text)


async def test_what_is_far_too_long_to_keep_is_shown_to_be_copied(
    app: FastAPI, services: Services, thread: int
) -> None:
    path = f"/threads/{thread}/reply"
    async with make.signed_in(app, "magpie") as magpie:
        refused = await write(magpie, path, body_markdown=WORDS * 900, do="send")
        assert refused.status_code == 422
        assert WORDS in text_of(refused.text)


async def test_drafts_are_listed_and_deleted_by_their_writer_only(
    app: FastAPI, services: Services, thread: int
) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        await write(magpie, f"/threads/{thread}/reply", body_markdown=WORDS, do="keep")
        await write(magpie, "/boards/new-here/new", title="A", body_markdown="", do="keep")
        await write(heron, "/posts/1/edit", body_markdown="Otherwise.", do="keep")
        mine = await magpie.get("/me/drafts")
        assert WORDS in text_of(mine.text)
        assert 'href="/boards/new-here/new"' in mine.text
        theirs = await heron.get("/me/drafts")
        assert WORDS not in text_of(theirs.text)
        assert 'href="/posts/1/edit"' in theirs.text
        stolen = await heron.post(f"/me/drafts/threads/{thread}/delete", headers=SAME_SITE)
        assert stolen.status_code == 303
        assert WORDS in await drafts(services)
        gone = await form(magpie, mine, f"/me/drafts/threads/{thread}/delete")
        assert WORDS not in text_of((await page_of(magpie, gone)).text)


async def test_a_session_that_ended_loses_nothing_and_the_right_button_is_sent(
    app: FastAPI, services: Services, thread: int, guest: httpx.AsyncClient
) -> None:
    path = f"/threads/{thread}/reply"
    async with make.signed_in(app, "magpie") as magpie:
        page = await magpie.get(path)
        refused = await form(guest, page, path, body_markdown=WORDS, do="keep")
        assert refused.status_code == 401
        kept = await form(guest, refused, "/sign-in", login="magpie", password=make.PASSWORD)
        assert WORDS in text_of(kept.text)
        assert "done=kept" in (await form(guest, kept, path)).headers["Location"]
    assert await drafts(services) == [WORDS]


async def test_where_nothing_more_can_be_kept_the_words_are_shown_to_be_copied(
    app: FastAPI, services: Services, thread: int
) -> None:
    """With fifty drafts, what is refused stands on a page; so does what was written for a thread that went away."""
    path = f"/threads/{thread}/reply"
    async with make.signed_in(app, "magpie") as magpie:
        page = await magpie.get(path)
        others = [await make.thread(services, "heron", title=f"Question {number}") for number in range(50)]
        for other in others:
            kept = {"version": 0, "body_markdown": "Later."}
            assert (await magpie.put(f"/api/v1/me/drafts/threads/{other}", json=kept)).status_code == 200
        full = await form(magpie, page, path, body_markdown=WORDS, do="keep")
        assert (full.status_code, "You have 50 drafts" in text_of(full.text)) == (422, True)
        assert WORDS in text_of(full.text)
        refused = await form(magpie, page, path, body_markdown=WORDS, content_warning="x" * 101, do="send")
        assert (refused.status_code, WORDS in text_of(refused.text)) == (422, True)
        async with services.database.work() as session:
            board = await find_board(session, "new-here")
            assert board is not None
            board.readers = ["moderator"]
        gone = await form(magpie, page, path, body_markdown=WORDS, do="send")
        assert (gone.status_code, WORDS in text_of(gone.text)) == (404, True)


async def test_who_looks_too_often_keeps_the_words(settings: Settings, services: Services, thread: int) -> None:
    strict = settings.model_copy(update={"preview_limit": "1/1 hour"})
    async with make.application(strict) as app, make.signed_in(app, "magpie") as magpie:
        path = f"/threads/{thread}/reply"
        for said in ("How it looks", "We cannot show how it looks just now"):
            page = await page_of(magpie, await write(magpie, path, body_markdown=WORDS, do="look"))
            assert said in text_of(page.text)
            assert fields_of(page.text, path)["body_markdown"] == WORDS


@pytest.mark.parametrize("what", ["suspended", "signed out", "thread gone"])
async def test_a_cry_that_cannot_be_sent_is_answered_with_help(
    app: FastAPI, services: Services, thread: int, what: str
) -> None:
    cry = "I've taken the tablets"
    async with make.signed_in(app, "magpie") as magpie:
        page = await magpie.get(f"/threads/{thread}/reply")
        if what == "thread gone":
            async with services.database.work() as session:
                await session.execute(text("UPDATE thread SET visibility = 'removed'"))
        if what == "suspended":
            await make.sanction(services, "magpie", Standing.SUSPENDED)
            services.session_cache.invalidate((await make.viewer(services, "magpie")).id)
        if what == "signed out":
            del magpie.headers["Authorization"]
        refused = await form(magpie, page, f"/threads/{thread}/reply", body_markdown=cry)
        assert refused.status_code in {401, 403, 404}
        assert [words in text_of(refused.text) for words in ("ring 999 now", cry)] == [True, True]
        calm = await form(magpie, page, f"/threads/{thread}/reply", body_markdown="Good morning to all of you")
        assert "ring 999 now" not in text_of(calm.text)
