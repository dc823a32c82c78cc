"""What stands on a page only now and then: the states that people seldom come to, with the words for each."""

from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role, Standing
from tests.support import make, scenes
from tests.web.support import text_of

API = "/api/v1"


async def says(client: httpx.AsyncClient, path: str, *words: str) -> None:
    """The page has all of these words."""
    page = await client.get(path)
    assert page.status_code == 200, (path, page.text)
    shown = " ".join(text_of(page.text).split())
    assert [each for each in words if each not in shown] == [], shown


async def test_an_account_says_all_that_is_open_about_it(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    async with make.signed_in(app, "heron", verified=False) as heron:
        await says(heron, "/me", "You have not said yet that you keep to the house rules", "not confirmed your e-mail")
        await says(heron, "/me/mails", "You can get mails once you have.")
        await says(heron, "/me/email", "You have not confirmed it yet.")
        await says(heron, "/boards/new-here/new", "Have the mail sent again")
    await make.member(services, "nell")
    await make.sanction(services, "nell", Standing.SILENCED)
    async with make.signed_in(app, "nell") as nell:
        await says(nell, "/me", "You cannot write at the moment. You can go on reading.")
        await says(nell, "/boards/new-here", "You cannot write at the moment")
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        await says(wren, "/me/rules", "The house rules say how we treat each other here.")
        assert (await wren.put(f"{API}/me/rules-acceptance", json={"edition": 1})).is_success
        await says(wren, "/me/rules", "You have read the present rules")
        await scenes.sql(services, "INSERT INTO rules_edition (version, since) VALUES (2, now())")
        await says(wren, "/me/rules", "The rules have changed since you accepted them.")
        await says(wren, "/me", "The house rules have changed.")
        await scenes.sql(
            services,
            "INSERT INTO letter_choice (member_id, mode, at, zone, refusals, stopped_at) "
            "SELECT id, 'daily', '10:00', 'Europe/London', 3, now() FROM member WHERE handle = 'wren'",
        )
        await says(wren, "/me/mails", "We have sent no mails since", "Your mail server refused three of them.")
        thread = await make.thread(services, "wren")
        for mode, words in (
            ("digest", "of the mails only the daily one counts them"),
            ("off", "You are told of nothing"),
        ):
            assert (await wren.put(f"{API}/threads/{thread}/subscription", json={"mode": mode})).is_success
            await says(wren, "/me/subscriptions", words)
        await scenes.sql(services, "UPDATE board SET archived_at = now()")
        assert "Ask something new" not in (await wren.get("/boards/new-here")).text
        await scenes.sql(services, "UPDATE thread SET visibility = 'removed'")
        await says(orla, "/boards/new-here", "Removed")


async def test_a_statement_says_until_when_by_which_law_and_that_it_is_too_late(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    until = (clock.now() + timedelta(days=7)).isoformat()
    silence = {"kind": "silence", "until": until}
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla, make.signed_in(app, "stepdad") as author:
        async with make.signed_in(app, "magpie") as magpie:
            assert (await scenes.report(magpie, post.id)).status_code == 201
        case = await scenes.a_case(orla, post.id)
        decided = await scenes.decide(
            orla, case, scenes.REDACT, silence, law="Malicious Communications Act 1988", note="As in May."
        )
        assert decided.status_code == 201, decided.text
        own = f"/me/statements/{decided.json()['statement_id']}"
        await says(author, own, "Until ", "The law: Malicious Communications Act 1988")
        await says(orla, f"/moderation/cases/{case['id']}", "For moderators: As in May.", "until ")
        await says(orla, "/moderation/members/stepdad", "until ", "since ")
        lodged = await scenes.appeal(author, decided.json()["statement_id"])
        assert lodged.status_code == 201, lodged.text
        async with make.signed_in(app, "femi", Role.MODERATOR) as femi:
            [waiting] = (await femi.get(f"{API}/moderation/cases")).json()["items"]
            await says(
                femi,
                f"/moderation/cases/{waiting['id']}",
                "The author does not agree with what was decided:",
                "Orla had decided",
            )
            answer = await scenes.hear(femi, waiting["id"], "uphold", version=waiting["version"], rules=[10])
            assert answer.status_code == 201, answer.text
        await says(author, own, "The decision stays.")
        await says(author, "/me/statements", "somebody else looked at it again")


@pytest.mark.parametrize("publication", ["hold_all", "hold_newcomers"])
async def test_a_board_says_that_a_moderator_reads_first(app: FastAPI, services: Services, publication: str) -> None:
    await make.board(services, publication=publication)
    async with make.signed_in(app, "heron", joined=make.NEWCOMER) as heron:
        await says(heron, "/boards/new-here/new", "before others see")


async def test_the_last_moderator_hears_that_nobody_can_decide(app: FastAPI, services: Services) -> None:
    """The only one who could decide is the one whom it is about."""
    await scenes.house_rules(services)
    await make.board(services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla, make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        post = await make.post(services, "orla", thread, scenes.RUDE)
        assert (await scenes.report(heron, post.id)).status_code == 201
        assert (await orla.get("/moderation")).status_code == 200
        await says(heron, "/me/reports", "report")
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        await make.member(services, "femi", boards=("new-here",))
        await says(joan, "/admin/people/femi", "Moderator of these boards: New-Here")
        await scenes.sql(services, "UPDATE member SET email_verified_at = NULL WHERE handle = 'heron'")
        await says(joan, "/admin/people", "Address not confirmed")
        await says(joan, "/admin/people/heron", "Not confirmed")
        assert "They lost their mailbox" not in (await joan.get("/admin/people/joan")).text


async def test_what_was_undone_and_what_is_over_says_so(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "femi", Role.MODERATOR) as femi,
        make.signed_in(app, "stepdad") as author,
    ):
        decided = await scenes.decided(app, orla, post.id, scenes.REDACT, scenes.WARN)
        assert (await scenes.appeal(author, decided["statement_id"])).status_code == 201
        [waiting] = (await femi.get(f"{API}/moderation/cases")).json()["items"]
        assert (await scenes.hear(femi, waiting["id"], "overturn", version=waiting["version"])).status_code == 201
        await says(author, f"/me/statements/{decided['statement_id']}", "The decision was undone.")
        await says(orla, "/moderation/members/stepdad", "(undone ")
        talks = f"{API}/moderation/cases/{decided['case_id']}/talks"
        begun = await orla.post(talks, json={"text": "Are you well?", "signed": True})
        assert begun.status_code == 201, begun.text
        talk = begun.json()["talk_id"]
        assert (await orla.put(f"{API}/moderation/talks/{talk}/closure")).is_success
        await says(author, "/me/talks", "closed")
        await says(author, f"/me/talks/{talk}", "Orla", "Are you well?")
        await says(orla, f"/moderation/cases/{decided['case_id']}", "closed")
