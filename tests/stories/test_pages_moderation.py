"""The founding pages: a mother asks, a member answers rudely, a moderator takes the insult out on sight, a reader sees
why, the author reads why, asks for a second look, and is heard by somebody else.
"""

import re

from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.web.support import form, text_of

INSULT = "a lying toad"


async def test_a_rude_reply_is_marked_explained_appealed_and_heard_by_another(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    await make.member(services, "tiredmum")
    thread = await make.thread(services, "tiredmum", title="They say I lied", body="What do I do on Monday?")
    async with (
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "femi", Role.MODERATOR) as femi,
        make.client(app) as reader,
    ):
        # A member answers rudely.
        page = await stepdad.get(f"/threads/{thread}")
        sent = await form(stepdad, page, f"/threads/{thread}/reply", body_markdown=f"Your social worker is {INSULT}.")
        assert sent.status_code == 303, text_of(sent.text)
        # A moderator sees it, begins from the post, and reads what the author will read before it is decided.
        page = await orla.get(f"/threads/{thread}")
        [link] = re.findall(r'href="(/moderation/posts/\d+/case)"', page.text.partition('id="post-2"')[2])
        opened = await form(orla, await orla.get(link), link, note="I saw it myself.", category="rule")
        case = opened.headers["Location"].partition("?")[0]
        choice = {"measures": "redact", "spans": INSULT, "rules": "10", "reason": "Say what she did instead."}
        preview = await form(orla, await orla.get(case), f"{case}/preview", **choice)
        told = ["Some words of your post are taken out.", "Say what she did instead.", INSULT, "ask for a second look"]
        assert all(words in text_of(preview.text) for words in told)
        decided = await form(orla, preview, f"{case}/decide")
        assert decided.headers["Location"] == f"{case}?done=case-decided", text_of(decided.text)
        # A reader sees that it was changed, by whom and under which rule, and not what was said.
        read = await reader.get(f"/threads/{thread}")
        assert INSULT not in text_of(read.text)
        assert "Changed by Orla, a moderator." in text_of(read.text)
        assert 'href="/rules#rule-10"' in read.text
        # The author reads the same as the preview said, and asks for a second look.
        mine = await stepdad.get("/me/statements")
        [statement] = set(re.findall(r'href="(/me/statements/[0-9a-f-]+)"', mine.text))
        why = await stepdad.get(statement)
        assert all(words in text_of(why.text) for words in told)
        asked = await form(
            stepdad, await stepdad.get(f"{statement}/appeal"), f"{statement}/appeal", text="It was a joke."
        )
        assert asked.headers["Location"] == f"{statement}?done=appealed", text_of(asked.text)
        # Who decided does not hear it. Somebody else does, on the same kind of page.
        queue = await femi.get("/moderation?kind=appeal")
        [hearing] = set(re.findall(r'href="(/moderation/cases/[0-9a-f-]+)"', queue.text))
        mine = await orla.get(hearing)
        assert "This is about your own decision." in text_of(mine.text)
        assert f'action="{hearing}/preview"' not in mine.text
        page = await femi.get(hearing)
        assert "It was a joke." in text_of(page.text)
        heard = await form(femi, page, f"{hearing}/preview", measures="overturn", reason="It was clearly a joke.")
        assert INSULT in text_of(heard.text)  # what readers will see: it is back
        done = await form(femi, heard, f"{hearing}/decide")
        assert done.status_code == 303, text_of(done.text)
        assert INSULT in text_of((await reader.get(f"/threads/{thread}")).text)
        assert "It was clearly a joke." in text_of((await stepdad.get(statement)).text)


async def test_an_appeal_is_decided_differently(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla, make.signed_in(app, "stepdad") as stepdad:
        made = await scenes.decided(app, orla, post.id, scenes.REMOVE)
        await scenes.appeal(stepdad, made["statement_id"])
    async with make.signed_in(app, "femi", Role.MODERATOR) as femi:
        queue = await femi.get("/moderation?kind=appeal")
        [hearing] = set(re.findall(r'href="(/moderation/cases/[0-9a-f-]+)"', queue.text))
        page = await femi.get(hearing)
        for measures, says in (
            (["redact"], "Choose one: the decision stays"),
            (["uphold", "redact"], "To decide something else instead, tick what."),
            (["change"], "To decide something else instead, tick what."),
        ):
            wrong = await form(
                femi, page, f"{hearing}/preview", measures=measures, spans=INSULT, rules="10", reason="x"
            )
            assert wrong.status_code == 422
            assert says in text_of(wrong.text)
        wanted = {"measures": ["change", "redact"], "spans": INSULT, "rules": "10", "reason": "Only these words."}
        preview = await form(femi, page, f"{hearing}/preview", **wanted)
        assert "[removed: rule 10]" in text_of(preview.text), text_of(preview.text)
        assert (await form(femi, preview, f"{hearing}/decide", **wanted)).status_code == 303
    async with make.client(app) as reader:
        assert "[removed: rule 10]" in text_of((await reader.get(f"/threads/{post.thread_id}")).text)
