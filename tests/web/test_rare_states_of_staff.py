"""What stands only now and then on the pages of those who look after the forum, with the words for each."""

from datetime import time, timedelta

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.core.settings import Settings
from forum.core.weekly_hours import Weekday
from forum.http.services import Services
from forum.members.tables import Role
from moderation import on_call
from moderation.on_call import ShiftWish
from tests.support import make, scenes
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API, sql
from tests.web.support import form, says, text_of

LEAD = Role.SAFEGUARDING_LEAD
GONE = (
    "UPDATE member SET handle = NULL, skeleton = NULL, email = NULL, email_verified_at = NULL, password_hash = '', "
    "name = 'Former member', left_at = now() WHERE handle = :handle"
)


def on(days: int) -> str:
    """A day, so many days from today."""
    return (clock.now() + timedelta(days=days)).date().isoformat()


async def test_a_concern_has_all_that_its_leads_wrote_and_what_became_of_it(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    await make.member(services, "stepdad")
    post = await make.post(services, "stepdad", thread, scenes.RUDE, content_warning="about a social worker")
    async with (
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "priya", LEAD) as priya,
        make.signed_in(app, "bea", LEAD),
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
    ):
        assert (await scenes.report(magpie, post.id)).status_code == 201
        case = await scenes.a_case(orla, post.id)
        raising = await orla.get(f"/concern?case={case['id']}")
        asked = {"consent": "not_sought", "reached_at": "0113 496 0000", "immediate_action": "I rang 999."}
        sent = await form(orla, raising, "/concern", text="He knows her car.", about="heron", **asked)
        assert "Please say why nobody was asked." in text_of(sent.text)
        sent = await form(orla, sent, "/concern", consent_why="She is eleven.")
        assert sent.status_code == 303, sent.text
        [(concern,)] = await sql(services, "SELECT id FROM concern")
        path = f"/moderation/concerns/{concern}"
        await says(priya, path, "The case from which it was raised", "0113 496 0000", "about a social worker", "I rang")

        page = await priya.get(path)
        new = {"consent": "refused", "consent_why": "She fears him.", "lawful_ground": "Vital interests"}
        assert (await form(priya, page, f"{path}/assessment", **new)).status_code == 303
        stale = await form(priya, page, f"{path}/assessment", **new)
        assert (stale.status_code, "Keep this version" in stale.text) == (409, True)
        await says(priya, path, "Earlier versions", "Yes, and they did not agree", "Vital interests", "Version 2")
        for said in ("Rang the school.", "It was the nursery."):
            page = await priya.get(path)
            corrected = await sql(services, "SELECT id FROM concern_entry")
            corrects = str(corrected[0][0]) if corrected else ""
            assert (await form(priya, page, f"{path}/entries", text=said, corrects=corrects)).status_code == 303
        await says(priya, path, "corrects an earlier entry", "Does it correct an earlier entry?")
        wrong = await form(priya, await priya.get(path), f"{path}/entries", text="", corrects=corrects)
        assert f'<option value="{corrects}" selected>' in wrong.text

        wrong = await form(priya, await priya.get(path), f"{path}/hold", hold_review_on="soon")
        assert (wrong.status_code, "Look at the hold again on" in text_of(wrong.text)) == (422, True)
        held = await form(priya, wrong, f"{path}/hold", hold_review_on=on(7), note="The police asked.")
        assert held.status_code == 303
        await says(priya, path, "Priya placed a legal hold.", "is told that something is kept for a legal reason.")
        law = "DPA 2018, Schedule 2, paragraph 2"
        page = await priya.get(path)
        assert (await form(priya, page, f"{path}/hold", exemption=law)).status_code == 303
        await says(priya, path, "Whoever wants to leave is not told:", law, "Change the legal hold")

        assert (await stepdad.post(f"{API}/me/exports")).is_success
        await run_due_jobs(services, clock.now())
        await sql(services, "UPDATE concern_disclosure SET due_on = current_date")
        await says(priya, path, "Stepdad asked for a copy", "Decide by")
        await says(priya, "/moderation/concerns", "Somebody asked for their data")
        [(wish,)] = await sql(services, "SELECT id FROM concern_disclosure")
        decided = {"outcome": "withheld", "grounds": "It is not safe.", "rule": law}
        page = await priya.get(path)
        assert (await form(priya, page, f"{path}/disclosures/{wish}", **decided)).status_code == 303
        await says(priya, path, "They get nothing of it", f"({law})")

        wrong = await form(priya, await priya.get(path), f"{path}/exclusions", handle="nobody", why="Friends.")
        assert (wrong.status_code, 'id="fault-handle"' in wrong.text) == (404, True)
        assert (await form(priya, wrong, f"{path}/exclusions", handle="bea")).status_code == 303
        await says(priya, path, "Let Bea read it again")
        await sql(services, GONE, handle="bea")
        await says(priya, path, "Former member: Friends.")

        page = await priya.get(path)
        assert (await form(priya, page, f"{path}/closure", keep_until=on(30))).status_code == 303
        await sql(services, "UPDATE concern SET keep_until = current_date")
        await says(priya, path, "Until when it is kept", "Open it again", "Its time is over.")
        await says(priya, "/moderation/concerns?state=closed", "Kept until")
        await sql(services, "ALTER TABLE concern_post DISABLE TRIGGER USER")
        await sql(services, "UPDATE concern_post SET copy_json = replace(copy_json, 'toad', 'frog')")
        await says(priya, path, "This copy was changed after it was made.")
        assert (await form(priya, await priya.get(path), f"{path}/reopening")).status_code == 303

        await sql(services, MANY_READINGS)
        await sql(services, MANY_CONCERNS)
        await says(priya, f"{path}/audit", "read it", "Go on")
        await says(priya, "/moderation/concerns", "nobody by name", "Go on")


MANY_READINGS = (
    "INSERT INTO concern_audit (id, concern_id, actor_id, act, at, details) "
    "SELECT gen_random_uuid(), concern_id, actor_id, act, now(), details FROM concern_audit, generate_series(1, 30) "
    "WHERE act = 'read'"
)
MANY_CONCERNS = (
    "INSERT INTO concern (id, raised_by, raised_at, text, about_staff, review_on, state) "
    "SELECT gen_random_uuid(), raised_by, now(), 'Another', false, current_date, 'open' "
    "FROM concern, generate_series(1, 25)"
)


async def many(services: Services, table: str, **changes: str) -> None:
    """Sixty copies of the rows of a table, each with what is different in it, as SQL says it: `n` is its number."""
    pairs = ", ".join(f"'{name}', {value}" for name, value in changes.items())
    await sql(
        services,
        f"INSERT INTO {table} OVERRIDING USER VALUE SELECT (jsonb_populate_record(was, jsonb_build_object({pairs}))).* "
        f"FROM {table} AS was, generate_series(1, 60) AS n",
    )


ID = "gen_random_uuid()"


async def test_long_lists_go_on(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron", body="Ring me on 07700 900123.")
    for _ in range(21):
        await make.post(services, "heron", thread, "Or on 07700 900456.")
    await sql(
        services,
        "INSERT INTO swept_post (post_id, revision, kinds, found_at) "
        "SELECT id, revision, ARRAY['telephone'], now() FROM post",
    )
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "suzie", Role.ADVISER) as suzie,
    ):
        await says(orla, "/moderation/swept-posts", "Go on to more posts")

        wrong = make.signing_in("heron", "not the password of hers")
        assert (await joan.post(f"{API}/sessions", json=wrong)).status_code == 401
        await many(services, "refused_sign_in", hour="was.hour - n * interval '1 hour'")
        await says(joan, "/admin/refused-sign-ins", "Go on to older ones")

        hook = {"url": "https://hooks.test/forum", "events": ["thread.opened"]}
        hook_id = (await joan.post(f"{API}/administration/webhooks", json=hook)).json()["id"]
        assert (await joan.post(f"{API}/administration/webhooks/{hook_id}/tests")).is_success
        await many(services, "webhook_delivery", id=ID)
        await says(joan, f"/admin/webhooks/{hook_id}", "Go on")

        term = {"kind": "word", "text": "gobshite", "effect": "case", "note": "He came back twice."}
        assert (await joan.post(f"{API}/moderation/terms", json=term)).status_code == 201
        await many(services, "watched_term", id=ID, text="'gobshite' || n")
        await says(joan, "/moderation/terms", "gobshite60", "Go on")

        looking = await joan.get("/moderation/log")
        nothing = await form(joan, looking, "/moderation/log", actor="nobody")
        assert "Nothing is recorded here." in text_of(nothing.text)
        await sql(services, "ALTER TABLE audit_entry DISABLE TRIGGER USER")
        await many(services, "audit_entry", number="1000 * was.number + n")
        found = await form(joan, looking, "/moderation/log", actor="joan")
        assert "Go on" in text_of(found.text)

        note = {"text": "Look at the first thread first."}
        assert (await orla.post(f"{API}/moderation/boards/new-here/handover", json=note)).is_success
        await many(services, "handover_note", id=ID)
        await says(orla, "/moderation/handover?board=new-here", "Go on to older notes")

        page = await suzie.get(f"/advising/threads/{thread}")
        assert (await form(suzie, page, f"/advising/threads/{thread}/notes", text="She rang.")).status_code == 303
        await many(services, "adviser_note", id=ID, reason="'thanks'")
        await says(suzie, f"/advising/threads/{thread}", "It says thank you", "Go on to older notes")
        await says(suzie, "/advising?late=yes", "Only those who have waited too long")

        await many(
            services, "member", id=ID, handle="was.handle || n", skeleton="was.skeleton || n", email="n || was.email"
        )
        found = await form(joan, await joan.get("/admin/people"), "/admin/people", named="heron")
        assert "Go on" in text_of(found.text)


LINE = {"name": "Night line", "description": "They listen.", "text_number": "85258 with LISTEN", "region": "Wales"}
TERM = {"kind": "word", "text": "gobshite", "effect": "hold", "note": "He came back twice."}


async def test_what_administrators_look_after_says_what_is_odd_about_it(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron", body="You gobshite")
    for _ in range(25):
        await make.post(services, "heron", thread, "You gobshite")
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        await says(guest, "/glossary", "Nothing is explained here yet.")
        await says(guest, "/resources", "No place is listed here yet.")
        word = {"term": "CIN", "meaning": "Child in need", "see_url": "https://cin.example/"}
        page = await joan.get("/admin/glossary")
        assert (await form(joan, page, "/admin/glossary", **word)).status_code == 303
        await says(joan, "/admin/glossary", "https://cin.example/")
        entry = (await joan.post(f"{API}/resources", json=LINE)).json()["id"]
        await says(guest, "/resources", "Text 85258 with LISTEN")
        assert (await joan.put(f"{API}/boards/new-here/resources/{entry}")).is_success
        await says(joan, "/boards/new-here/resources", "Night line", "Wales")

        page = await joan.get("/admin/boards/new-here")
        await sql(services, "UPDATE board SET version = version + 1, changed_at = now(), name = 'New'")
        stale = await form(joan, page, "/admin/boards/new-here", name="Welcome")
        assert "This board was changed at" in text_of(stale.text)
        page = await joan.get("/admin/boards/new-here/details")
        wrong = await form(joan, page, "/admin/boards/new-here/details", effect="shout")
        assert (wrong.status_code, "Look again: " in wrong.text) == (422, True)

        wanted = {"text": "Who can write here", "assessed_on": on(-300), "next_review_on": on(60), "version": 0}
        assert (await joan.put(f"{API}/moderation/assessments/illegal_content", json=wanted)).is_success
        await sql(services, "ALTER TABLE assessment DISABLE TRIGGER USER")
        await sql(services, "UPDATE assessment SET next_review_on = current_date")
        await says(joan, "/moderation/assessments", "To be looked at since")

        await make.member(services, "ada", boards=("new-here",))
        shift = {"handle": "ada", "board": "new-here", "weekdays": "friday", "starts": "22:00", "ends": "07:00"}
        page = await joan.get("/moderation/on-call")
        assert (await form(joan, page, "/moderation/on-call", **shift)).status_code == 303
        await says(joan, "/moderation/on-call", "Ada · New")

        page = await joan.get("/moderation/phrases")
        assert (await form(joan, page, "/moderation/phrases/off")).status_code == 303
        await says(joan, "/moderation/phrases", "switched off", "Switch on")
        page = await joan.get("/moderation/terms")
        tried = await form(joan, page, "/moderation/terms/trial", **TERM)
        assert "That is more than 5 %: it cannot hold posts." in text_of(tried.text)
        assert (await form(joan, tried, "/moderation/terms", effect="case")).status_code == 303
        await sql(
            services,
            "INSERT INTO finding_tally (day, kind, recogniser, what) "
            "SELECT current_date, 'watched_term', id::text, 'dismissed' FROM watched_term, generate_series(1, 20)",
        )
        await says(joan, "/moderation/terms", "something was done in 0 of 20", "Retire it?")


async def test_a_forum_that_lacks_nothing_says_so(settings: Settings, services: Services) -> None:
    whole = settings.model_copy(
        update={"smtp_url": "smtp://127.0.0.1:9", "outside_contact": "The trustees: 020 7946 0000"}
    )
    async with make.application(whole) as app, make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        await make.member(services, "ruth", Role.ADMINISTRATOR)
        await make.member(services, "orla", Role.MODERATOR)
        for handle in ("priya", "bea"):
            await make.member(services, handle, LEAD)
        await says(joan, "/admin", "Still to do", "There is no board.")
        await make.board(services, readers=("adviser",), advised=False)
        async with make.work(services) as work:
            wish = ShiftWish("orla", None, [Weekday.MONDAY], time(9), time(17))
            await on_call.add_shift(work, await make.viewer(services, "joan"), wish)
        await sql(
            services, "INSERT INTO totp (member_id, secret, since, last_step) SELECT id, 'A', now(), 0 FROM member"
        )
        await sql(
            services,
            "INSERT INTO milestone SELECT kind, now(), now() FROM unnest(ARRAY['mail_sent', 'backup_made']) AS kind",
        )
        await says(joan, "/admin", "Nothing is missing now.")


async def test_a_case_has_what_was_held_found_complained_of_and_told(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "femi", Role.MODERATOR) as femi,
        make.signed_in(app, "priya", LEAD) as priya,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
    ):
        assert (await joan.post(f"{API}/moderation/terms", json=TERM)).status_code == 201
        words = {"title": "June Marlow is a witch", "body_markdown": scenes.RUDE}
        warned = words | {"content_warning": "a toad, 07700 900123"}
        opened = await scenes.confirmed(stepdad, "POST", f"{API}/boards/new-here/threads", warned)
        thread, post = opened.json()["id"], opened.json()["first_post"]["id"]
        case = await scenes.a_case(orla, post)
        path = f"/moderation/cases/{case['id']}"
        await says(orla, path, "Found in the note")
        retitle = {"kind": "retitle", "title": "About a neighbour"}
        decided = await scenes.decide(orla, case, scenes.REDACT, retitle, title_revision=1)
        assert decided.status_code == 201, decided.text
        page = await orla.get(path)
        assert "A moderator took this title away." in text_of(page.text)
        sealed = await form(orla, page, f"{path}/posts/{post}/versions/1")
        assert "Note before it: a toad" in text_of(sealed.text)

        seen = (await stepdad.get(f"{API}/threads/{thread}")).json()["version"]
        titled = await stepdad.patch(f"{API}/threads/{thread}", json={"version": seen, "title": "That Marlow woman"})
        assert titled.json()["waiting"], titled.text
        await says(stepdad, f"/threads/{thread}/title", "The new title “That Marlow woman” waits for a moderator.")
        edit = {"revision": 2, "body_markdown": "She is a gobshite", "content_warning": "a gobshite"}
        assert (await stepdad.patch(f"{API}/posts/{post}", json=edit)).is_success
        case = await scenes.a_case(orla, post)
        path = f"/moderation/cases/{case['id']}"
        await says(orla, path, "New title: That Marlow woman", "Note before it: a gobshite")
        danger = {"category": "risk", "rules": [], "note": "He will hurt her."}
        assert (await scenes.report(magpie, post, revision=2, **danger)).status_code == 201
        await says(priya, f"/safeguarding/cases/{case['id']}", "An edit that waits:", "That Marlow woman")
        await run_due_jobs(services, clock.now())
        [notice, *_] = (await femi.get(f"{API}/me/notifications")).json()["items"]
        assert (await form(femi, await femi.get("/me/notices"), "/me/notices")).status_code == 303, notice
        await says(orla, path, "Femi was told", "(read ")
        wish = {"reason": "He will hurt her.", "recipient": "The police", "reference": "Log 412"}
        shown = await form(orla, await orla.get(f"{path}/address"), f"{path}/address", **wish)
        assert "told that you had it shown." in text_of(shown.text)
        case = await scenes.a_case(orla, post)
        assert (await scenes.decide(orla, case, {"kind": "refuse"}, title_revision=2)).status_code == 201


async def test_who_is_alone_reads_what_that_means(
    settings: Settings, services: Services, guest: httpx.AsyncClient
) -> None:
    alone = settings.model_copy(
        update={"outside_contact": "The trustees: 020 7946 0000", "heavy_cases_before_break": 1}
    )
    await scenes.house_rules(services)
    await make.board(services)
    async with (
        make.application(alone) as app,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "priya", LEAD) as priya,
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "wren") as wren,
    ):
        thread = await make.thread(services, "heron")
        hers = await make.post(services, "orla", thread, scenes.RUDE)
        assert (await scenes.report(heron, hers.id)).status_code == 201
        await says(heron, "/me/reports", "Nobody here can decide it", "The trustees: 020 7946 0000")
        await says(orla, "/moderation/members/wren/posts", "They wrote nothing on your boards.")
        await says(orla, "/moderation/members/orla/posts", "Post 2 in")

        picture = {"category": "intimate_image", "rules": []}
        posts = [await make.post(services, "heron", thread, scenes.RUDE) for _ in range(3)]
        assert (await scenes.report(wren, posts[0].id, **picture)).status_code == 201
        case = await scenes.a_case(orla, posts[0].id)
        path = f"/moderation/cases/{case['id']}"
        assert (await form(orla, await orla.get(path), f"{path}/claim")).status_code == 303
        await says(orla, "/moderation/own-safety", "You have read a lot that is heavy in this shift.")
        assert (await form(orla, await orla.get(path), f"{path}/recuse")).status_code == 303
        await says(orla, path, "Nobody can decide it at the moment.")

        danger = {"category": "risk", "rules": [], "note": "He is in danger."}
        assert (await scenes.report(wren, posts[1].id, **danger)).status_code == 201
        case = await scenes.a_case(orla, posts[1].id)
        assert (await scenes.decide(orla, case, scenes.DISMISS)).status_code == 201
        await says(priya, f"/safeguarding/cases/{case['id']}", "Nobody needs to be told any more.")

        about = {"post": "The one about the car", "capacity": "named", "text": "It is about me."}
        illegal = about | {"category": "illegal", "illegal_kind": "harassment"}
        for reporter in (guest, orla):
            assert (await reporter.post(f"{API}/reports", json=illegal)).is_success
        await run_due_jobs(services, clock.now())
        waiting = {
            row.filed_by is None: row.id for row in await sql(services, "SELECT id, filed_by FROM public_report")
        }
        await says(orla, f"/moderation/reports/{waiting[True]}", ": Harassment, stalking or threats")
        await says(orla, f"/moderation/reports/{waiting[False]}", "You reported this. Somebody else decides.")
