"""What administrators do on pages: boards, people, roles, holds, invitations, mails."""

import inspect
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import col, select

from forum.administration import setup
from forum.administration.accounts import AccountFilter
from forum.authentication.failed_sign_ins import RefusalReason
from forum.content.boards import AUDIENCES, Publication
from forum.core import clock
from forum.http.services import Services
from forum.mail.tables import Mail, MailKind
from forum.members.queries import get_member
from forum.members.tables import Role, Standing
from forum.privacy.tables import HoldReason
from forum.web.administration import labels
from forum.web.administration.setup import GAPS
from tests.support import make
from tests.support.scenes import sql
from tests.web.support import fields_of, form, parsed, text_of


@pytest.fixture
async def joan(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """An administrator."""
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as client:
        yield client


@pytest.fixture
async def ruth(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Another one."""
    async with make.signed_in(app, "ruth", Role.ADMINISTRATOR) as client:
        yield client


async def follow(client: httpx.AsyncClient, answer: httpx.Response) -> str:
    """What the page says to which a form led."""
    assert answer.status_code == 303, text_of(answer.text)
    page = await client.get(answer.headers["Location"])
    assert page.status_code == 200
    return text_of(page.text)


async def test_the_first_page_says_what_is_missing_and_where_it_is_mended(
    services: Services, joan: httpx.AsyncClient
) -> None:
    await make.board(services, "court", name="Court")
    page = await joan.get("/admin")
    assert "Nobody moderates “Court”" in text_of(page.text)
    assert 'href="/boards/court/team"' in page.text
    assert 'href="/admin/boards/court"' in page.text
    assert "no backup" in text_of(page.text)


async def test_only_administrators_look_after_the_forum(app: FastAPI, guest: httpx.AsyncClient) -> None:
    assert (await guest.get("/admin")).headers["Location"] == "/sign-in?back=%2Fadmin"
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        for reader in (heron, orla):
            page = await reader.get("/admin")
            assert page.status_code == 403
            assert "for administrators" in text_of(page.text)
            assert 'href="/admin"' not in (await reader.get("/")).text
            sent = await reader.post("/admin/new-board", data={"name": ""}, headers={"Sec-Fetch-Site": "same-origin"})
            assert sent.status_code == 403


async def test_an_administrator_makes_changes_and_archives_a_board(joan: httpx.AsyncClient) -> None:
    page = await joan.get("/admin/new-board")
    typed = {"name": "Court", "group": "Going through it", "readers": ["everyone"], "openers": ["member"]}
    refused = await form(joan, page, "/admin/new-board", **typed, slug="Not a slug")
    assert refused.status_code == 422
    assert 'href="#field-slug"' in refused.text
    assert 'value="Court"' in refused.text
    made = await form(joan, refused, "/admin/new-board", **typed, slug="court")
    assert made.headers["Location"] == "/admin/boards/court?done=board-made"
    page = await joan.get("/admin/boards/court")
    changed = await form(joan, page, "/admin/boards/court", name="Courts", help_markdown="Call 999.")
    assert "Saved." in await follow(joan, changed)
    board = await joan.get("/boards/court")
    assert "Call 999." in text_of(board.text)
    archived = await form(joan, page, "/admin/boards/court/archive")
    assert "Archived on" in await follow(joan, archived)
    again = await form(joan, await joan.get("/admin/boards/court"), "/admin/boards/court/reopen")
    assert "open again" in await follow(joan, again)


async def test_an_empty_name_is_told_at_its_field_and_nothing_else_is_lost(
    services: Services, joan: httpx.AsyncClient
) -> None:
    await make.board(services, "court")
    page = await joan.get("/admin/boards/court")
    refused = await form(joan, page, "/admin/boards/court", name=" ", description="Ask about hearings", readers=[])
    assert refused.status_code == 422
    assert "Ask about hearings" in refused.text
    assert 'href="#field-name"' in refused.text


async def test_settings_that_somebody_else_changed_meanwhile_are_told_and_one_s_own_kept(
    services: Services, joan: httpx.AsyncClient, ruth: httpx.AsyncClient
) -> None:
    await make.board(services, "court")
    page, hers = await joan.get("/admin/boards/court"), await ruth.get("/admin/boards/court")
    assert (await form(ruth, hers, "/admin/boards/court", name="The court", readers=["member"])).status_code == 303
    stale = await form(joan, page, "/admin/boards/court", name="Going to court", readers=["everyone"])
    assert stale.status_code == 422
    said = text_of(stale.text)
    assert "Ruth changed this board" in said
    assert "The court" in said
    assert 'value="Going to court"' in stale.text
    saved = await form(joan, stale, "/admin/boards/court", name="Going to court", readers=["everyone"])
    assert "Saved." in await follow(joan, saved)


async def test_boards_change_places(services: Services, joan: httpx.AsyncClient) -> None:
    for place, slug in enumerate(("one", "two", "three"), start=1):
        await make.board(services, slug, position=place)
    page = await joan.get("/admin/boards")
    await form(joan, page, "/admin/board-order", slugs=["one", "two", "three"], up="three")
    rows = await sql(services, "SELECT slug FROM board ORDER BY position")
    assert [row.slug for row in rows] == ["one", "three", "two"]
    await form(joan, page, "/admin/board-order", slugs=["one", "three", "two"], down="one")
    rows = await sql(services, "SELECT slug FROM board ORDER BY position")
    assert [row.slug for row in rows] == ["three", "one", "two"]
    await make.board(services, "four")
    refused = await form(joan, page, "/admin/board-order", slugs=["one", "three", "two"], up="two")
    assert refused.status_code == 422
    assert "boards have changed" in text_of(refused.text)
    assert "Four" in text_of(refused.text)


async def test_somebody_is_found_by_the_beginning_of_a_handle_or_a_part_of_a_name(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    await make.member(services, "nana-bev")
    await make.member(services, "heron")
    people = await joan.get("/admin/people")
    assert "Nana-Bev" in text_of((await joan.get("/admin/people?named=heron")).text), "an address names nobody"
    for named in ("nana", "BEV"):
        page = text_of((await form(joan, people, "/admin/people", named=named)).text)
        assert "Nana-Bev" in page
        assert "Heron" not in page
    staff = text_of((await joan.get("/admin/people?state=staff")).text)
    assert "Joan" in staff
    assert "Heron" not in staff
    nobody = text_of((await form(joan, people, "/admin/people", named="%")).text)
    assert "Nobody like this" in nobody


async def test_a_member_becomes_an_adviser_and_is_one_no_longer(services: Services, joan: httpx.AsyncClient) -> None:
    await make.member(services, "suzie")
    page = await joan.get("/admin/people/suzie")
    refused = await form(joan, page, "/admin/people/suzie/roles", role="adviser", title="", organisation="")
    assert refused.status_code == 422
    assert "needs a title" in text_of(refused.text)
    given = await joan.post(
        "/admin/people/suzie/roles",
        data={"role": "adviser", "title": "Online adviser", "organisation": "The Trust"},
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert "have the role now" in await follow(joan, given)
    assert "Online adviser, The Trust" in text_of((await joan.get("/admin/advisers")).text)
    assert "No second step" in text_of((await joan.get("/admin/people")).text)
    taken = await form(joan, await joan.get("/admin/people/suzie"), "/admin/people/suzie/roles/adviser/withdraw")
    assert "no longer have the role" in await follow(joan, taken)


async def test_two_administrators_make_another_one(
    services: Services, joan: httpx.AsyncClient, ruth: httpx.AsyncClient
) -> None:
    await make.member(services, "abel")
    path, same = "/admin/people/abel", {"Sec-Fetch-Site": "same-origin"}
    proposed = await joan.post(f"{path}/roles", data={"role": "administrator"}, headers=same)
    assert "You proposed them" in await follow(joan, proposed)
    refused = await form(ruth, await ruth.get(path), f"{path}/proposal/withdraw")
    assert "no longer proposed" in await follow(ruth, refused)
    gone = await joan.post(f"{path}/proposal/withdraw", headers=same)
    assert gone.status_code == 404
    await joan.post(f"{path}/roles", data={"role": "administrator"}, headers=same)
    page = await ruth.get(path)
    assert "Joan proposed them" in text_of(page.text)
    agreed = await ruth.post(f"{path}/roles", data={"role": "administrator"}, headers=same)
    assert "have the role now" in await follow(ruth, agreed)
    # A refusal that comes too late takes nothing away.
    assert (await joan.post(f"{path}/proposal/withdraw", headers=same)).status_code == 404
    assert "Administrator" in text_of((await joan.get(path)).text)


async def test_a_lost_mailbox_takes_two_who_write_the_same_address(
    services: Services, joan: httpx.AsyncClient, ruth: httpx.AsyncClient
) -> None:
    await make.member(services, "heron")
    path = "/admin/people/heron/lost-mailbox"
    wrong = await form(joan, await joan.get(path), path, email="not an address")
    assert wrong.status_code == 422
    said = await form(joan, await joan.get(path), path, email="new@example.org")
    assert "You said that they lost" in await follow(joan, said)
    page = await ruth.get(path)
    assert "Joan said so" in text_of(page.text)
    assert "new@example.org" not in page.text
    agreed = await form(ruth, page, path, email="new@example.org")
    assert "three days to object" in await follow(ruth, agreed)
    kept = await form(joan, await joan.get(path), f"{path}/withdraw")
    assert "The old address stays" in await follow(joan, kept)
    assert "your own account" in text_of((await joan.get("/admin/people/joan/lost-mailbox")).text)


async def test_a_member_is_signed_out_everywhere(app: FastAPI, services: Services, joan: httpx.AsyncClient) -> None:
    async with make.signed_in(app, "heron") as heron:
        page = await joan.get("/admin/people/heron")
        assert "On one device" in text_of(page.text)
        out = await form(joan, page, "/admin/people/heron/sign-out")
        assert "Nowhere now" in await follow(joan, out)
        assert (await heron.get("/api/v1/me")).status_code == 401
    acts = await sql(services, "SELECT actor_id FROM audit_entry WHERE act = 'sessions.ended'")
    assert [act.actor_id is not None for act in acts] == [True]


async def test_a_hold_is_placed_changed_and_lifted(services: Services, joan: httpx.AsyncClient) -> None:
    await make.member(services, "heron")
    path, same = "/admin/people/heron/hold", {"Sec-Fetch-Site": "same-origin"}
    placed = await joan.post(path, data={"reason": "court"}, headers=same)
    assert "Joan placed the hold" in await follow(joan, placed)
    await joan.post(path, data={"reason": "police"}, headers=same)
    assert "The police asked for it" in text_of((await joan.get("/admin/holds")).text)
    assert (await joan.post(path, data={"reason": "whim"}, headers=same)).status_code == 422
    lifted = await form(joan, await joan.get("/admin/people/heron"), f"{path}/lift")
    assert "The hold is lifted" in await follow(joan, lifted)


async def test_an_invitation_is_sent_and_withdrawn(services: Services, joan: httpx.AsyncClient) -> None:
    await make.board(services, "court", name="Court")
    page = await joan.get("/admin/invitations")
    refused = await form(joan, page, "/admin/invitations", email="new@example.org", role="adviser", title="Adviser")
    assert refused.status_code == 422
    assert 'value="new@example.org"' in refused.text
    sent = await form(joan, page, "/admin/invitations", email="new@example.org", role="moderator", board="court")
    assert "on its way" in await follow(joan, sent)
    page = await joan.get("/admin/invitations")
    assert "of the board Court" in text_of(page.text)
    [row] = await sql(services, "SELECT id FROM invitation")
    gone = await form(joan, page, f"/admin/invitations/{row.id}/withdraw")
    assert "Nobody is invited" in await follow(joan, gone)


async def _unsent(services: Services, *, given_up: bool) -> str:
    now = clock.now()
    async with services.database.work() as session:
        heron = await get_member(session, "heron")
        mail = Mail(
            kind=MailKind.EXPORT_READY,
            member_id=heron.id,
            email=heron.email,
            put_down_at=now - timedelta(days=4),
            failures=3,
            failure="SMTPConnectError",
            given_up_at=now if given_up else None,
        )
        session.add(mail)
        await session.flush()
        return str(mail.id)


async def test_a_mail_that_was_given_up_is_tried_again_or_dropped(services: Services, joan: httpx.AsyncClient) -> None:
    await make.member(services, "heron")
    mail = await _unsent(services, given_up=True)
    page = await joan.get("/admin/unsent-mails")
    said = text_of(page.text)
    assert "Tried 3 times. Last time: The mail server could not be reached" in said
    assert "For whoever looks after the mail server: SMTPConnectError" in said
    assert "heron@example.org" not in page.text
    again = await form(joan, page, f"/admin/unsent-mails/{mail}/again")
    assert "Waits" in await follow(joan, again)
    await form(joan, page, f"/admin/unsent-mails/{mail}/again")  # four taps
    assert len(await sql(services, "SELECT 1 FROM jobs.queue WHERE entrypoint = 'send_mail'")) == 1
    dropped = await form(joan, await joan.get("/admin/unsent-mails"), f"/admin/unsent-mails/{mail}/drop")
    assert "Every mail is sent" in await follow(joan, dropped)
    assert (await form(joan, page, f"/admin/unsent-mails/{mail}/drop")).status_code == 404
    async with services.database.work() as session:
        assert (await session.execute(select(col(Mail.id)))).all() == []


async def test_refused_sign_ins_are_counted(
    services: Services, joan: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await make.member(services, "heron")
    page = await guest.get("/sign-in")
    for login in ("heron", "nobody"):
        await form(guest, page, "/sign-in", login=login, password="three quiet herons dancing")
    said = text_of((await joan.get("/admin/refused-sign-ins")).text)
    assert "Wrong password" in said
    assert "No account of this name" in said


async def test_who_signed_in_long_ago_signs_in_again_and_comes_back(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    await make.member(services, "heron")
    await sql(services, "UPDATE member_session SET created_at = created_at - interval '1 hour'")
    services.session_cache.invalidate((await make.viewer(services, "joan")).id)
    page = await joan.get("/admin/people/heron")
    # A form with nothing typed in it: one signs in, and finds the page with its button again.
    asked = await form(joan, page, "/admin/people/heron/sign-out")
    assert asked.status_code == 403
    assert "once more" in text_of(asked.text)
    assert fields_of(asked.text, "/sign-in")["back"] == "/admin/people/heron"
    # One with something typed: it comes along, and whoever changes their mind goes back to the page.
    asked = await form(joan, page, "/admin/people/heron/hold", reason="police")
    async with make.client(app) as browser:
        signed = await form(browser, asked, "/sign-in", password=make.PASSWORD)
    assert fields_of(signed.text, "/admin/people/heron/hold") == {"reason": "police"}
    assert 'href="/admin/people/heron"' in signed.text


@pytest.mark.parametrize(
    ("labelled", "known"),
    [
        (labels.ROLES, set(Role)),
        (labels.AUDIENCE, set(AUDIENCES)),
        (labels.PUBLICATIONS, set(Publication)),
        (labels.STANDINGS, set(Standing) - {Standing.LEFT}),
        (labels.FILTERS, {"", *AccountFilter}),
        (labels.REFUSALS, set(RefusalReason)),
        (labels.MAILS, set(MailKind)),
        (labels.HOLD_REASONS, set(HoldReason)),
        (GAPS, {*re.findall(r'Gap\(\s*"(\w+)"', inspect.getsource(setup)), *setup.OF_SETTINGS}),
    ],
)
def test_everything_that_can_stand_on_a_page_has_words(labelled: Mapping[str, object], known: set[str]) -> None:
    assert set(labelled) == known


async def test_several_entries_of_work_are_folded_into_one(
    app: FastAPI, services: Services, joan: httpx.AsyncClient
) -> None:
    page = parsed((await joan.get("/admin")).text)
    [work] = [element for element in page.iter("details") if element.findtext("summary") == "Work"]
    assert [link.text for link in work.iter("a")] == ["Advising", "Moderation", "Administration"]
    assert work.find("summary").get("aria-current") == "true"
    assert [link.get("href") for link in work.iter("a") if link.get("aria-current") == "page"] == ["/admin"]
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        alone = await suzie.get("/advising")
    assert '<a href="/advising" aria-current="page">Advising</a>' in alone.text
    assert "<summary>Work" not in alone.text
