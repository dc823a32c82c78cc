"""Thanking and saving on pages: quiet buttons at each post, and sentences instead of a score."""

from fastapi import FastAPI

from forum.core.settings import Settings
from forum.http.services import Services
from tests.support import make
from tests.web.support import form, parsed, text_of


async def a_thread(services: Services) -> int:
    """A thread of Magpie's."""
    await make.board(services)
    await make.member(services, "magpie")
    return await make.thread(services, "magpie", title="An evening")


async def test_a_member_thanks_and_takes_it_back(app: FastAPI, services: Services) -> None:
    thread = await a_thread(services)
    async with make.signed_in(app, "heron") as heron, make.client(app) as guest:
        page = await heron.get(f"/threads/{thread}")
        for kind in ("thank", "hug"):
            thanked = await form(heron, page, "/posts/1/reactions", kind=kind)
            assert (thanked.status_code, thanked.headers["Location"]) == (303, "/posts/1")
        mine = await heron.get(f"/threads/{thread}")
        assert "You say thank you." in text_of(mine.text)
        pressed = [b.get("value") for b in parsed(mine.text).iter("button") if b.get("aria-pressed") == "true"]
        assert pressed == ["thank", "hug"]
        theirs = await guest.get(f"/threads/{thread}")
        assert "One person says thank you." in text_of(theirs.text)
        assert "/reactions" not in theirs.text
        async with make.signed_in(app, "wren") as wren:
            await form(wren, await wren.get(f"/threads/{thread}"), "/posts/1/reactions", kind="thank")
            seen = text_of((await wren.get(f"/threads/{thread}")).text)
            assert "2 people say thank you. You are one of them." in " ".join(seen.split())
        await form(heron, mine, "/posts/1/reactions", taken_back="thank")
        assert "One person says thank you." in text_of((await heron.get(f"/threads/{thread}")).text)
        unknown = await form(heron, mine, "/posts/1/reactions", kind="like")
        assert unknown.status_code == 422


async def test_an_etag_of_a_page_changes_with_a_reaction(app: FastAPI, services: Services) -> None:
    thread = await a_thread(services)
    async with make.signed_in(app, "heron") as heron, make.client(app) as guest:
        before = await guest.get(f"/threads/{thread}")
        await form(heron, await heron.get(f"/threads/{thread}"), "/posts/1/reactions", kind="hug")
        again = await guest.get(f"/threads/{thread}", headers={"If-None-Match": before.headers["ETag"]})
        assert again.status_code == 200
        assert "One person sends a hug." in text_of(again.text)


async def test_only_the_author_reads_who_and_of_same_here_nobody(app: FastAPI, services: Services) -> None:
    thread = await a_thread(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        page = await heron.get(f"/threads/{thread}")
        await form(heron, page, "/posts/1/reactions", kind="same_here")
        await form(heron, page, "/posts/1/reactions", kind="helpful")
        own = await magpie.get(f"/threads/{thread}")
        assert "See who" in text_of(own.text)
        assert 'action="/posts/1/reactions"' not in own.text
        who = await magpie.get("/posts/1/reactions")
        assert text_of(who.text).count("Heron") == 1
        assert "says that it helps" in text_of(who.text)
        assert (await heron.get("/posts/1/reactions")).status_code == 403


async def test_who_may_not_write_can_still_save(app: FastAPI, services: Services, settings: Settings) -> None:
    thread = await a_thread(services)
    quiet = settings.model_copy(update={"reactions": ()})
    async with make.application(quiet) as other, make.signed_in(other, "heron") as heron:
        page = await heron.get(f"/threads/{thread}")
        assert "/reactions" not in page.text
        saved = await form(heron, page, "/posts/1/bookmark")
        assert saved.headers["Location"] == f"/threads/{thread}?done=post-saved#post-1"
        marked = await heron.get(f"/threads/{thread}")
        assert 'aria-pressed="true"' in marked.text
        listed = await heron.get("/me/bookmarks")
        assert "An evening" in text_of(listed.text)
        gone = await form(heron, listed, "/posts/1/bookmark/delete")
        assert gone.headers["Location"] == "/me/bookmarks?done=post-forgotten"
        assert "You have not saved a post yet" in text_of((await heron.get("/me/bookmarks")).text)
        await form(heron, page, "/posts/1/bookmark")
        back = await form(heron, await heron.get(f"/threads/{thread}"), "/posts/1/bookmark/delete")
        assert back.headers["Location"] == "/posts/1"
