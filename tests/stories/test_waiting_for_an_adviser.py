"""What waits for an adviser, and what does not: a question does, thanks do not, and the member's own word decides."""

from datetime import timedelta

import httpx
from fastapi import FastAPI
from sqlalchemy import update

from forum.advising import sorting
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.web.support import fields_of, form, text_of

API = "/api/v1"
NEWS = "The visit was today and she looked at the rooms and the fridge and wrote it all down. " * 2


async def test_a_question_waits_and_thanks_do_not(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.ADVISER) as suzie,
    ):
        thread = await make.thread(services, "heron")

        async def lane() -> str | None:
            for name in ("asked", "news"):
                items = (await suzie.get(f"{API}/adviser/threads", params={"lane": name})).json()["items"]
                if items:
                    assert items[0]["asker"]["handle"] in {"heron", "magpie"}
                    return name
            return None

        async def say(who: str, body: str, **more: object) -> str | None:
            await make.post(services, who, thread, body, **more)
            return await lane()

        assert await lane() == "asked"
        assert await say("suzie", "So:") is None
        assert await say("heron", "Thank you so much x") is None
        assert await say("heron", "But can they do that?", asks=False) is None
        assert await say("heron", "But can they do that?") == "asked"
        # Only whoever opened it can say that it helped; what is asked later waits again.
        assert (await magpie.put(f"{API}/threads/{thread}/answered")).status_code == 403
        for _ in range(2):
            assert (await heron.put(f"{API}/threads/{thread}/answered")).status_code == 204
        assert await lane() is None
        assert await say("magpie", "Good luck x") is None
        assert await say("magpie", "Is that so?") is None  # to other members, and not the first of theirs
        assert await say("magpie", "Is that so?", reply_to=2) == "asked"
        # What others said themselves that they ask waits on.
        assert await say("magpie", "Please tell me", asks=True) == "asked"
        await heron.put(f"{API}/threads/{thread}/answered")
        assert await lane() == "asked"
        assert await say("suzie", "Yes.") is None
        assert await say("heron", NEWS) == "news"
        assert await say("heron", "what do i do now") == "asked"
        # To thank the adviser for the newest answer ends what was guessed, and not what was said.
        newest = (await suzie.get(f"{API}/threads/{thread}")).json()["adviser_replies"]["latest"]["number"]
        answer = (await suzie.get(f"{API}/threads/{thread}/posts?from={newest}&limit=1")).json()["items"][0]["id"]
        await heron.put(f"{API}/posts/{answer}/reactions/thank")
        assert await lane() is None
        assert await say("heron", "I still need to know", asks=True) == "asked"
        await heron.put(f"{API}/posts/{answer}/reactions/helpful")
        assert await lane() == "asked"


async def test_words_of_danger_wait_whatever_their_author_says(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        thread = await make.thread(services, "heron")
        await make.post(services, "suzie", thread, "So:")
        for words, waits in (("I am fine. Is it late?", []), ("I want to kill myself. Is it late?", [thread])):
            said = {"body_markdown": words, "asks": False}
            assert (await heron.post(f"{API}/threads/{thread}/posts", json=said)).status_code == 201
            assert [listed for listed, _ in await _listed(suzie)] == waits


async def test_on_the_pages_a_member_says_whether_they_ask_and_that_it_helped(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        thread = await make.thread(services, "heron", title="The bins")
        await make.post(services, "suzie", thread, "So:")
        page = await heron.get(f"/threads/{thread}")
        assert "Do you have what you need" not in text_of(page.text)
        await form(heron, page, f"/threads/{thread}/reply", body_markdown="Tell me more", asks="yes")
        assert "The bins" in (await suzie.get("/advising")).text
        page = await heron.get(f"/threads/{thread}")
        page = await heron.get((await form(heron, page, f"/threads/{thread}/answered")).headers["location"])
        assert "Nobody looks for an answer here now" in text_of(page.text)
        assert "The bins" not in (await suzie.get("/advising")).text


async def test_after_an_update_a_job_sorts_what_waited_before(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        since = clock.now() - timedelta(days=3)
        threads = [await make.thread(services, "heron", at=since) for _ in range(2)]
        for thread, words in zip(threads, ("And then?", "Thank you x"), strict=True):
            await make.post(services, "suzie", thread, at=since + timedelta(hours=1))
            await make.post(services, "heron", thread, words, at=since + timedelta(hours=2))
        async with services.database.work() as session:  # as the release before left them
            await session.execute(update(Post).values(lane=None))
            nothing = dict.fromkeys(("asked_since", "asked_number", "news_since", "news_number"))
            await session.execute(update(Thread).values(waiting_since=since, **nothing))
        for _ in range(2):
            async with services.database.work() as session:
                await sorting.sort_waiting(session, {}, clock.now())
            assert await _listed(suzie) == [(threads[0], 3)]


async def _listed(adviser: httpx.AsyncClient) -> list[tuple[int, int]]:
    items = (await adviser.get(f"{API}/adviser/threads")).json()["items"]
    return [(item["id"], item["waiting_number"]) for item in items]


async def test_an_adviser_answers_with_a_template_and_the_member_finds_who_else_helps(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    text = "Hello {name},\n\nA first conference is frightening. Ask for the report before the day."
    place = {"name": "Kinship line", "description": "For relatives.", "telephone": "0808 157 0123"}
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        made = (await suzie.post(f"{API}/adviser/templates", json={"title": "Before it", "text": text})).json()
        entry = (await suzie.post(f"{API}/resources", json=place)).json()["id"]
        asked = {"title": "Conference on Thursday", "body_markdown": "What do they ask there?"}
        thread = (await heron.post(f"{API}/boards/new-here/threads", json=asked)).json()["id"]
        assert "Conference on Thursday" in text_of((await suzie.get("/advising")).text)
        here = f"/threads/{thread}"
        # From below the thread: what is written there already comes along.
        begun = await form(suzie, await suzie.get(here), f"{here}/reply", body_markdown="Dear Heron,", do="keep")
        assert begun.headers["Location"].startswith(f"{here}/reply")
        filled = await form(suzie, await suzie.get(f"{here}/reply"), f"{here}/reply", template=made["id"], do="fill")
        page = await suzie.get(filled.headers["Location"])
        written = fields_of(page.text, f"{here}/reply")["body_markdown"]
        assert written.startswith("Dear Heron,")
        assert "Hello Heron" in written
        sent = await form(suzie, page, f"{here}/reply", do="send")
        assert "done=sent" in sent.headers["Location"]
        attached = await form(suzie, await suzie.get(f"{here}/resources"), f"{here}/resources", resource=entry)
        assert attached.headers["Location"] == f"{here}/resources?done=resource-attached"
        assert "Conference on Thursday" not in text_of((await suzie.get("/advising")).text)
        shown = text_of((await heron.get(here)).text)
        assert "A first conference is frightening" in shown
        assert "0808 157 0123" in shown
