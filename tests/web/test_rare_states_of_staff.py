"""What stands only now and then on the pages of those who look after the forum, with the words for each."""

from datetime import timedelta

from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
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
