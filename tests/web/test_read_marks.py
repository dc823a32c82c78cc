"""Going on where one stopped, on pages: what is new stands at the top, and nothing is marked by looking; and lists of
threads across boards."""

from fastapi import FastAPI

from forum.content.boards import Publication
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.web.support import form, text_of


async def test_a_member_goes_on_where_they_stopped(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "magpie", "new-here", "An evening")
        for number in range(2, 24):
            await make.post(services, "magpie", thread, f"Line {number}")
        first = await heron.get("/")
        assert "New since you were here" in text_of(first.text)
        assert f'href="/threads/{thread}/unread"' in first.text
        page = await heron.get(f"/threads/{thread}")
        marked = await form(heron, page, f"/threads/{thread}/read")
        assert marked.headers["Location"] == f"/threads/{thread}?done=read-thread#post-20"
        goes_on = await heron.get(f"/threads/{thread}/unread")
        assert goes_on.headers["Location"] == f"/threads/{thread}?start=21#post-21"
        assert "Go on at post 21" in text_of((await heron.get(f"/threads/{thread}")).text)
        second = await heron.get(f"/threads/{thread}?start=21")
        assert second.text.count('id="new"') == 1
        await form(heron, second, f"/threads/{thread}/read")
        assert "New since you were here" not in text_of((await heron.get("/")).text)
        assert "You are up to date" in text_of((await heron.get("/me/threads")).text)
        await make.post(services, "magpie", thread, "And good night")
        listed = await heron.get("/me/threads")
        assert "An evening" in text_of(listed.text)
        everything = await form(heron, listed, "/me/threads/read")
        assert everything.headers["Location"] == "/me/threads?done=read-all"
        assert "An evening" not in text_of((await heron.get("/me/threads")).text)


async def test_a_board_says_what_is_new_and_where_one_goes_on(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    async with make.signed_in(app, "heron") as heron, make.client(app) as guest:
        thread = await make.thread(services, "magpie", "new-here", "An evening")
        await make.post(services, "magpie", thread, "Line 2")
        begun = await heron.get("/boards/new-here")
        assert "New posts" in text_of(begun.text)
        assert "Go on at" not in text_of(begun.text)
        await form(heron, await heron.get(f"/threads/{thread}"), f"/threads/{thread}/read")
        assert "New posts" not in text_of((await heron.get("/boards/new-here")).text)
        await make.post(services, "magpie", thread, "Line 3")
        again = await heron.get("/boards/new-here")
        assert "Go on at post 3" in text_of(again.text)
        assert f'href="/threads/{thread}/unread"' in again.text
        assert "New posts" not in text_of((await guest.get("/boards/new-here")).text)


async def test_the_newest_of_all_boards_and_ones_own_say_what_waits(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.board(services, "slow", publication=Publication.HOLD_ALL)
    await make.board(services, "staff", readers=(Role.MODERATOR,))
    await make.member(services, "magpie", Role.MODERATOR)
    async with make.signed_in(app, "heron") as heron, make.client(app) as guest:
        older, newer = [await make.thread(services, "magpie", "new-here", title) for title in ("Dawn", "Dusk")]
        await make.thread(services, "magpie", "staff", "Among us")
        writing = await heron.get("/boards/slow/new")
        held = await form(heron, writing, "/boards/slow/new", title="Please read", body_markdown="Is anybody here?")
        assert held.status_code == 303
        for reader, path, news in ((guest, "", ""), (heron, "/unread", "New posts ")):
            assert 'href="/threads"' in (await reader.get("/")).text
            page = await reader.get("/threads")
            places = [f'href="/threads/{thread}{path}"' for thread in (newer, older)]
            assert page.text.index(places[0]) < page.text.index(places[1])
            assert f"New-Here {news}Started by Magpie" in " ".join(text_of(page.text).split())
            assert "Among us" not in page.text
        own = text_of((await heron.get("/me/threads?kind=opened")).text)
        assert "Please read Slow Waits for a moderator Started by" in " ".join(own.split())
