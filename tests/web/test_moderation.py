"""Pages of moderation: the queue, a case, a decision with its preview, on sight, records."""

import ast
import asyncio
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from moderation.web import words
from tests.support import make, scenes
from tests.web.support import fields_of, form, parsed, text_of

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
FORM = {**SAME_SITE, "Content-Type": "application/x-www-form-urlencoded"}


async def reported(app: FastAPI, services: Services) -> Any:
    """A rude post that Magpie reported."""
    post = await scenes.a_post(services)
    async with make.signed_in(app, "magpie") as magpie:
        assert (await scenes.report(magpie, post.id)).status_code == 201
    return post


async def the_case(client: httpx.AsyncClient) -> str:
    """The address of the only case in the queue."""
    queue = await client.get("/moderation")
    [found] = set(re.findall(r'href="(/moderation/cases/[0-9a-f-]+)"', queue.text))
    return found


async def test_a_case_is_chosen_decided_after_a_preview_and_stays_on_screen(app: FastAPI, services: Services) -> None:
    post = await reported(app, services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        queue = await orla.get("/moderation")
        assert queue.status_code == 200
        assert "Name-calling" not in text_of(queue.text)  # enough to choose, never to decide
        address = await the_case(orla)
        taken = await form(orla, queue, f"{address}/claim")
        assert taken.headers["Location"] == f"{address}?done=case-claimed"
        case = await orla.get(address)
        assert case.status_code == 200, text_of(case.text)
        assert "Name-calling" in text_of(case.text)
        chosen = {"measures": "redact", "spans": "a lying toad", "rules": "10", "reason": "Say what she did instead."}
        preview = await form(orla, case, f"{address}/preview", **chosen)
        assert preview.status_code == 200, text_of(preview.text)
        read = text_of(preview.text)
        assert "Some words of your post are taken out." in read
        assert "[removed: rule 10]" in read
        assert "Say what she did instead." in read
        assert "a lying toad" in text_of((await orla.get(f"/threads/{post.thread_id}")).text)  # nothing is decided yet
        decided = await form(orla, preview, f"{address}/decide")
        assert decided.headers["Location"] == f"{address}?done=case-decided", text_of(decided.text)
        assert "a lying toad" not in text_of((await orla.get(f"/threads/{post.thread_id}")).text)
        after = text_of((await orla.get(address)).text)
        assert "This case is decided." in after
        assert "Words taken out" in after


async def chosen(client: httpx.AsyncClient, address: str, **typed: Any) -> httpx.Response:
    """What comes of a choice on the page of a case: a preview, or the page again."""
    page = await client.get(address)
    return await form(client, page, f"{address}/preview", **typed)


DECISION = {"measures": "redact", "spans": "a lying toad", "rules": "10", "reason": "Say what she did instead."}


async def test_what_is_refused_comes_back_with_every_word(app: FastAPI, services: Services) -> None:
    await reported(app, services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        address = await the_case(orla)
        for typed, says in (
            ({"rules": None}, "Say which rule or which law it breaks."),
            ({"measures": None}, "Choose what to do."),
            ({"measures": ["redact", "dismiss"]}, "Either leave everything as it is, or do something."),
            ({"spans": "a kind frog"}, "These words are not in the post."),
            ({"spans": "a"}, "These words are there several times."),
            ({"spans": ""}, "Fill this in for what you chose."),
            ({"measures": ["suspend"]}, "Fill this in for what you chose."),
        ):
            changed = {name: value for name, value in {**DECISION, **typed}.items() if value is not None}
            again = await chosen(orla, address, **changed, note="The second time.")
            assert again.status_code == 422, typed
            read = text_of(again.text)
            assert says in read
            assert "Say what she did instead." in read
            assert "The second time." in read
        empty = await chosen(orla, address, **DECISION | {"reason": ""})
        assert empty.status_code == 422
        assert 'value="redact" id="measures-redact" checked' in empty.text


async def test_words_are_found_though_the_page_showed_them_without_their_marks(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services, "She is a **lying**\ntoad. A toad!")
    async with make.signed_in(app, "magpie") as magpie:
        await scenes.report(magpie, post.id)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        address = await the_case(orla)
        preview = await chosen(orla, address, **DECISION)
        assert "She is [removed: rule 10]. A toad!" in text_of(preview.text).replace("\n", "")
        everywhere = await chosen(orla, address, **DECISION | {"spans": "toad", "everywhere": "yes"})
        assert text_of(everywhere.text).count("[removed: rule 10]") == 2


async def test_somebody_who_was_faster_is_named_and_nothing_that_was_typed_is_lost(
    app: FastAPI, services: Services
) -> None:
    await reported(app, services)
    async with (
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "femi", Role.MODERATOR) as femi,
    ):
        address = await the_case(orla)
        preview = await chosen(orla, address, **DECISION)
        other = await chosen(femi, address, measures="dismiss", reason="Hard words, but true.")
        assert (await form(femi, other, f"{address}/decide")).status_code == 303
        late = await form(orla, preview, f"{address}/decide")
        assert late.status_code == 409
        read = text_of(late.text)
        assert "Femi was here meanwhile" in read
        assert "This case is decided." in read
        assert "Say what she did instead." in read


async def test_a_case_that_changed_is_shown_as_it_is_now(app: FastAPI, services: Services) -> None:
    post = await reported(app, services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        address = await the_case(orla)
        preview = await chosen(orla, address, **DECISION)
        async with make.signed_in(app, "wren") as wren:
            await scenes.report(wren, post.id, note="Me too.")
        late = await form(orla, preview, f"{address}/decide")
        assert late.status_code == 409
        assert "This case changed while you were looking at it." in text_of(late.text)
        assert "Me too." in text_of(late.text)
        again = await form(orla, late, f"{address}/preview", **DECISION)
        assert again.status_code == 200
        assert (await form(orla, again, f"{address}/decide")).status_code == 303


async def test_a_decision_that_is_sent_twice_is_taken_once(app: FastAPI, services: Services) -> None:
    await reported(app, services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        address = await the_case(orla)
        preview = await chosen(orla, address, **DECISION)
        twice = [await form(orla, preview, f"{address}/decide") for _ in range(2)]
        assert [sent.status_code for sent in twice] == [303, 303]
        assert text_of((await orla.get(address)).text).count("Say what she did instead.") == 1


async def test_four_taps_at_once_decide_once(app: FastAPI, services: Services) -> None:
    await reported(app, services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        address = await the_case(orla)
        preview = await chosen(orla, address, **DECISION)
        taps = await asyncio.gather(*(form(orla, preview, f"{address}/decide") for _ in range(4)))
        assert [tap.status_code for tap in taps] == [303] * 4
        assert len(await scenes.sql(services, "SELECT 1 FROM decision")) == 1


async def test_cases_are_taken_handed_on_and_taken_over(app: FastAPI, services: Services) -> None:
    await reported(app, services)
    async with (
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "femi", Role.MODERATOR) as femi,
    ):
        address = await the_case(orla)
        await form(orla, await orla.get(address), f"{address}/claim")
        seen = await femi.get(address)
        assert "Orla is working on it until" in text_of(seen.text)
        assert f'action="{address}/preview"' not in seen.text
        took = await form(femi, seen, f"{address}/claim", takeover="Orla fell ill.")
        assert took.status_code == 303
        mine = await femi.get(address)
        assert "You took this case." in text_of(mine.text)
        assert "Orla fell ill." in text_of(mine.text)
        noted = await form(femi, mine, f"{address}/notes", text="I rang her.")
        assert noted.headers["Location"] == f"{address}?done=note-kept#notes"
        assert "I rang her." in text_of((await orla.get(address)).text)
        handed = await form(femi, await femi.get(address), f"{address}/release")
        assert handed.headers["Location"] == "/moderation?done=case-released"
        await form(orla, await orla.get(address), f"{address}/recuse")
        assert "You stepped back from this case." in text_of((await orla.get(address)).text)


async def test_a_template_is_put_below_what_is_written(app: FastAPI, services: Services) -> None:
    await reported(app, services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        shelf = await orla.get("/moderation/templates")
        for title, text in (("Name-calling", "Say what they did."), ("Name-calling!", "Another.")):
            assert (await form(orla, shelf, "/moderation/templates", title=title, text=text)).status_code == 303
        address = await the_case(orla)
        typed = {"reason": "Dear Si,", "template": "name-calling"}
        page = await orla.post(f"{address}/template", data=typed, headers=SAME_SITE)
        assert "Dear Si,\n\nSay what they did." in page.text
        one = await orla.get("/moderation/templates/name-calling-2")
        assert (await form(orla, one, "/moderation/templates/name-calling-2", text="Better.")).status_code == 303
        assert (await form(orla, one, "/moderation/templates/name-calling-2/delete")).status_code == 303
        assert "Name-calling!" not in text_of((await orla.get("/moderation/templates")).text)


async def test_a_moderator_looks_into_a_post_and_a_member_on_sight(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        thread = await orla.get(f"/threads/{post.thread_id}")
        assert f'href="/moderation/posts/{post.id}/case"' in thread.text
        page = await orla.get(f"/moderation/posts/{post.id}/case")
        assert "a lying toad" in text_of(page.text)
        empty = await form(orla, page, f"/moderation/posts/{post.id}/case")
        assert empty.status_code == 422
        opened = await form(orla, page, f"/moderation/posts/{post.id}/case", note="Rude.", category="rule")
        assert "/moderation/cases/" in opened.headers["Location"]
        record = await orla.get("/moderation/members/stepdad")
        assert "Open cases" in text_of(record.text)
        noted = await form(orla, record, "/moderation/members/stepdad/notes", text="Si is Dee's partner.")
        assert noted.status_code == 303
        assert "Si is Dee" in text_of((await orla.get("/moderation/members/stepdad")).text)
        warned = await form(orla, record, "/moderation/members/stepdad/case", note="All week.")
        case = warned.headers["Location"].partition("?")[0]
        assert "Case about Stepdad" in text_of((await orla.get(case)).text)
        own = text_of((await orla.get("/moderation/members/orla")).text)
        assert "This is about you. Others decide, and keep notes." in own
        queue = await orla.get("/moderation")
        found = await form(orla, queue, "/moderation/members", handle="@Stepdad")
        assert found.headers["Location"] == "/moderation/members/stepdad"
        for typed, words in (("stepdad@example.org", "Nobody has this name here"), ("", "Write something here first")):
            missed = await form(orla, queue, "/moderation/members", handle=typed)
            assert (missed.status_code, words in text_of(missed.text)) == (422, True)
            field = parsed(missed.text).find(".//input[@id='field-handle']")
            assert field is not None
            assert field.get("value") == typed
    async with make.signed_in(app, "magpie") as magpie:
        assert "/moderation/" not in (await magpie.get(f"/threads/{post.thread_id}")).text
        for path in ("/moderation", f"/moderation/posts/{post.id}/case", "/moderation/members/stepdad", case):
            assert (await magpie.get(path)).status_code in {403, 404}


async def test_many_posts_of_a_member_are_decided_together(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services, "Cheap loans!")
    other = await make.post(services, "stepdad", post.thread_id, "Cheaper loans!")
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        address = "/moderation/members/stepdad/posts"
        page = await orla.get(address)
        ruling = {"measures": ["remove", "warn"], "rules": "8", "reason": "Nothing is sold here."}
        none = await form(orla, page, f"{address}/preview", **ruling)
        assert none.status_code == 422
        both = [f"{post.id}:1", f"{other.id}:1"]
        preview = await form(orla, page, f"{address}/preview", posts=both, **ruling)
        assert preview.status_code == 200, text_of(preview.text)
        assert "Cheaper loans!" in text_of(preview.text)
        fields = {"posts": both, **ruling}
        decided = await form(orla, preview, f"{address}/decide", **fields)
        assert decided.status_code == 303, text_of(decided.text)
        case = text_of((await orla.get(decided.headers["Location"])).text)
        assert "The 2 posts" in case
        gone = await form(orla, preview, f"{address}/decide", **fields | {"reason": "Again."})
        assert gone.status_code == 409
        assert "Again." in text_of(gone.text)


async def test_cases_are_left_as_they_are_together_only_where_their_words_are_shown(
    app: FastAPI, services: Services
) -> None:
    post = await reported(app, services)
    other = await make.post(services, "stepdad", post.thread_id, "Such a muddle.")
    async with make.signed_in(app, "magpie") as magpie:
        await scenes.report(magpie, other.id, note="Rude again")
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        queue = await orla.get("/moderation")
        ids = set(re.findall(r'href="/moderation/cases/([0-9a-f-]+)"', queue.text))
        page = await orla.get("/moderation/together", params={"case": [*ids, "nonsense"]})
        read = text_of(page.text)
        assert "a lying toad" in read
        assert "Such a muddle." in read
        values = re.findall(r'name="shown" value="([^"]+)"', page.text)
        assert len(values) == 2
        refused = await form(orla, page, "/moderation/together", cases=values)
        assert refused.status_code == 422
        done = await form(orla, page, "/moderation/together", cases=values, reason="Hard words, about nobody.")
        assert done.headers["Location"] == "/moderation?done=cases-dismissed"
        late = await form(orla, page, "/moderation/together", cases=values, reason="Once more.")
        assert late.status_code == 409
        assert "2 cases were not decided" in text_of(late.text)


async def test_what_was_taken_out_is_read_by_the_press_of_a_button_that_says_it_is_recorded(
    app: FastAPI, services: Services
) -> None:
    post = await reported(app, services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        address = await the_case(orla)
        await form(orla, await chosen(orla, address, **DECISION), f"{address}/decide")
        case = await orla.get(address)
        assert "That you read them is recorded with your name." in text_of(case.text)
        assert "a lying toad" not in text_of(case.text)
        sealed = await form(orla, case, f"{address}/posts/{post.id}/versions/1")
        assert "a lying toad" in text_of(sealed.text)
        log = text_of((await orla.get("/moderation/log")).text)
        assert "read words that were taken out" in log
        assert "decided the case: Words taken out" in log


async def test_a_post_that_waits_is_published_or_refused_on_its_case_and_nothing_else_is_offered(
    app: FastAPI, services: Services
) -> None:
    await scenes.house_rules(services)
    await make.board(services, publication="hold_all")
    await make.member(services, "nell")
    thread = await make.thread(services, "nell")
    async with make.signed_in(app, "nell") as nell, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        sent = await nell.post(f"/api/v1/threads/{thread}/posts", json={"body_markdown": "I am scared of the post."})
        address = await the_case(orla)
        page = await orla.get(address)
        assert 'id="measures-dismiss"' not in page.text  # it would leave the post waiting for ever
        assert 'id="measures-refuse"' not in page.text
        preview = await form(orla, page, f"{address}/preview", measures="publish", reason="Fine.")
        assert "The author gets no statement" in text_of(preview.text)
        assert (await form(orla, preview, f"{address}/decide")).status_code == 303
        assert "scared of the post" in text_of((await make_guest(app, f"/threads/{thread}")).text)
        # An edit of it waits too: the approved words stay until somebody publishes the new ones.
        edit = {"revision": 1, "body_markdown": "I am scared of brown envelopes."}
        await nell.patch(f"/api/v1/posts/{sent.json()['id']}", json=edit)
        page = await orla.get(address)
        assert "I am scared of brown envelopes." in text_of(page.text)
        assert 'id="measures-refuse"' in page.text
        ruling = {"measures": "refuse", "rules": "1", "reason": "Keep the first."}
        preview = await form(orla, page, f"{address}/preview", **ruling)
        assert "Your edit is not published." in text_of(preview.text)
        assert (await form(orla, preview, f"{address}/decide")).status_code == 303


async def make_guest(app: FastAPI, path: str) -> httpx.Response:
    """A page as a guest sees it."""
    async with make.client(app) as guest:
        return await guest.get(path)


async def test_a_preview_leaves_nothing_behind(app: FastAPI, services: Services) -> None:
    await reported(app, services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla, make.signed_in(app, "stepdad") as stepdad:
        address = await the_case(orla)
        wanted = DECISION | {"measures": ["redact", "ban", "rename"], "handle": "neutral", "name": "A swift"}
        preview = await chosen(orla, address, **wanted)
        read = text_of(preview.text)
        for words in ("Your account is closed.", "You are “A swift” now.", "The forum makes you a neutral one."):
            assert words in read
        for table in ("decision", "statement", "measure", "sanction"):
            assert not await scenes.sql(services, f"SELECT 1 FROM {table}"), table
        assert (await stepdad.get("/api/v1/me")).json()["name"] == "Stepdad"  # and is still signed in
        assert not (await stepdad.get("/api/v1/me/notifications")).json()["items"]
        carried = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', preview.text)
        changed = await orla.post(f"{address}/change", content=urlencode(carried), headers=FORM)
        assert changed.status_code == 200
        assert 'value="A swift"' in changed.text
        assert 'value="ban" id="measures-ban" checked' in changed.text


async def test_a_post_that_its_author_took_back_is_read_on_its_case_which_says_so(
    app: FastAPI, services: Services
) -> None:
    post = await reported(app, services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla, make.signed_in(app, "stepdad") as stepdad:
        address = await the_case(orla)
        assert (await stepdad.delete(f"/api/v1/posts/{post.id}")).is_success
        assert "a lying toad" not in text_of((await orla.get("/moderation")).text)
        page = await orla.get(address)
        assert "That you read it here is recorded." in text_of(page.text)
        assert "a lying toad" in text_of(page.text)
        assert 'id="measures-remove"' not in page.text
        assert "read a post that was taken back" in text_of((await orla.get("/moderation/log")).text)


async def test_moderators_write_to_a_member_and_read_the_answer(app: FastAPI, services: Services) -> None:
    await reported(app, services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla, make.signed_in(app, "stepdad") as stepdad:
        address = await the_case(orla)
        page = await orla.get(address)
        sent = await form(orla, page, f"{address}/talks", message="Shall we talk?", signed="yes")
        assert sent.headers["Location"] == f"{address}?done=message-sent#talks"
        [talk] = (await stepdad.get("/api/v1/me/talks")).json()["items"]
        await stepdad.post(f"/api/v1/talks/{talk['id']}/messages", json={"text": "Yes please."})
        page = await orla.get(address)
        assert "Yes please." in text_of(page.text)
        closed = await form(orla, page, f"/moderation/talks/{talk['id']}/close")
        assert closed.headers["Location"] == f"{address}?done=talk-closed#talks"
        refused = await form(orla, await orla.get(address), f"{address}/talks", message="One more thing.")
        assert refused.status_code == 409
        assert "One more thing." in text_of(refused.text)
        opened = await form(orla, await orla.get(address), f"/moderation/talks/{talk['id']}/reopen")
        assert opened.status_code == 303


async def test_what_is_written_in_one_part_of_a_case_stays_when_another_part_is_sent(
    app: FastAPI, services: Services
) -> None:
    await reported(app, services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        address = await the_case(orla)
        await form(orla, await orla.get(address), f"{address}/claim")
        reason, note, message = "She did her work.", "I rang her.", "Shall we talk?"
        typed: dict[str, Any] = {"measures": ["redact"], "spans": "a lying toad", "reason": reason, "rules": ["10"]}
        page = await form(orla, await orla.get(address), f"{address}/notes", text=note, message=message, **typed)
        written = {"measures": "redact", "spans": "a lying toad", "reason": reason, "rules": "10", "message": message}
        assert page.status_code == 200
        assert "Your note is kept" in text_of(page.text)
        for action, gone in ((f"{address}/claim", ()), (f"{address}/talks", ("message",))):
            assert fields_of(page.text, action).items() >= written.items()
            assert fields_of(page.text, action)["text"] == ""
            page = await form(orla, page, action)
            assert page.status_code == 200, text_of(page.text)
            written = {name: value for name, value in written.items() if name not in gone}
        [talk] = await scenes.sql(services, "SELECT id FROM talk")
        page = await form(orla, page, f"/moderation/talks/{talk.id}/close", text="Another note.")
        assert fields_of(page.text, f"{address}/notes").items() >= {**written, "text": "Another note."}.items()
        refused = await form(orla, page, f"{address}/talks", message="One more thing.")
        assert refused.status_code == 409
        kept = {**written, "text": "Another note.", "message": "One more thing."}
        assert fields_of(refused.text, f"{address}/notes").items() >= kept.items()
        preview = await form(orla, page, f"{address}/preview")
        decided = await form(orla, preview, f"{address}/decide")
        assert "This case is decided." in text_of(decided.text)
        assert fields_of(decided.text, f"{address}/notes")["text"] == "Another note."
    assert [row.text for row in await scenes.sql(services, "SELECT text FROM case_note")] == [note]
    assert len(await scenes.sql(services, "SELECT 1 FROM decision")) == 1


async def test_rules_are_written_in_new_editions(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        page = await joan.get("/moderation/rules/10")
        written = await form(joan, page, "/moderation/rules/10", title="Be fair", text="About the words alone.")
        assert written.headers["Location"] == "/moderation/rules?done=rule-written"
        stale = await form(joan, page, "/moderation/rules/10", title="Be kind", text="About the words.")
        assert stale.status_code == 409
        assert "Be kind" in stale.text
        added = await form(joan, await joan.get("/moderation/rules/11"), "/moderation/rules/11", title="New", text="x")
        assert added.status_code == 303
        assert "edition 3" in text_of((await joan.get("/moderation/rules")).text)
        assert (await joan.get("/moderation/rules/13")).status_code == 404
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        page = await orla.get("/moderation/rules/10")
        assert "This is for administrators." in text_of(page.text)
        assert "Version 1" in text_of(page.text)


async def test_administrators_name_a_boards_team(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "femi")
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        page = await joan.get("/boards/new-here/team")
        added = await form(joan, page, "/boards/new-here/team", handle="femi")
        assert added.status_code == 303, text_of(added.text)
        page = await joan.get("/boards/new-here/team")
        assert "Femi" in text_of(page.text)
        unknown = await form(joan, page, "/boards/new-here/team", handle="nobody")
        assert unknown.status_code == 404
        assert "Nobody has this name here." in text_of(unknown.text)
        assert (await form(joan, page, "/boards/new-here/team/remove")).status_code == 303


async def test_the_queue_has_filters_and_counts(app: FastAPI, services: Services) -> None:
    await reported(app, services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        assert "It may break a rule: 1" in text_of((await orla.get("/moderation")).text)
        for query, shown in (
            ("category=spam", 0),
            ("board=new-here&kind=post", 1),
            ("claimed=me", 0),
            ("state=odd", 1),
        ):
            page = await orla.get(f"/moderation?{query}")
            assert page.status_code == 200
            assert page.text.count('href="/moderation/cases/') == shown, query
        assert "Nothing waits here." in text_of((await orla.get("/moderation?state=decided")).text)
        assert (await orla.get("/moderation?after=nonsense")).status_code == 422


async def test_the_safeguarding_lead_sees_who_may_be_in_danger_and_notes_what_was_done(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services, "I cannot go on.")
    async with make.signed_in(app, "magpie") as magpie:
        await scenes.report(magpie, post.id, category="risk", rules=[], note="Look in on him?")
    async with make.signed_in(app, "priya", Role.SAFEGUARDING_LEAD) as priya:
        first = await priya.get("/")
        assert 'href="/safeguarding"' in first.text
        assert 'href="/moderation"' not in first.text
        page = await priya.get("/safeguarding")
        [address] = re.findall(r'href="(/safeguarding/cases/[0-9a-f-]+)"', page.text)
        case = await priya.get(address)
        assert "I cannot go on." in text_of(case.text)
        assert "Look in on him?" in text_of(case.text)
        assert "/moderation/" not in case.text.replace("/moderation/concerns", "")
        assert (await form(priya, case, f"{address}/notes", text="")).status_code == 422
        noted = await form(priya, case, f"{address}/notes", text="Rang the duty team.")
        assert noted.headers["Location"] == f"{address}?done=note-kept#notes"
        assert "Rang the duty team." in text_of((await priya.get(address)).text)
        assert "Nothing is here." in text_of((await priya.get("/safeguarding?state=decided")).text)


def test_every_act_of_the_record_has_words() -> None:
    """An act is a word with a dot; what the pages of the log do not know, they would show as it is."""
    acts = set[str]()
    for package in ("forum", "moderation"):
        for path in Path(package).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(call, ast.Call) and "record" in ast.unparse(call.func):
                    texts = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant)]
                    acts |= {
                        text for text in texts if isinstance(text, str) and re.fullmatch(r"[a-z_]+\.[a-z_]+", text)
                    }
    assert len(acts) > 30
    assert acts - words.ACTS.keys() == set()
