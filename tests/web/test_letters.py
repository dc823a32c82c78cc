"""Pages about the mails that say that something is new: chosen, asked once, and turned off from a mail."""

from urllib.parse import urlencode

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.notifications import letter_choices
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import sql
from tests.web.support import form, text_of

ONE_CLICK = urlencode({"List-Unsubscribe": "One-Click"})
IN_PARTS = '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def mode(services: Services) -> str:
    await run_due_jobs(services, clock.now())
    [row] = await sql(services, "SELECT mode FROM letter_choice")
    return str(row.mode)


async def off_path(services: Services) -> str:
    """The link in heron's letters."""
    heron = (await make.viewer(services, "heron")).member_id
    async with services.database.work() as session:
        token = await letter_choices.create_off_token(session, heron, services.settings, clock.now())
    return f"/unsubscribe/{token}"


@pytest.fixture
async def daily(app: FastAPI, services: Services) -> None:
    """A member who gets a mail a day."""
    await make.member(services, "heron")
    heron = await make.viewer(services, "heron")
    async with make.work(services) as work:
        await letter_choices.answer_question(work, heron, wants_letters=True)


async def test_one_chooses_on_a_page(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "heron") as heron:
        page = await heron.get("/me/mails")
        typed = {"mode": "daily", "at": "18:30", "zone": "Europe/Dublin", "quiet_from": "", "quiet_to": ""}
        answer = await form(heron, page, "/me/mails", **typed)
        assert (answer.status_code, answer.headers["location"]) == (303, "/me/mails?done=saved")
        page = (await heron.get("/me/mails")).text
        assert 'value="18:30"' in page
        assert '<option value="Europe/Dublin" selected>' in page
        assert 'id="mode-daily" name="mode" type="radio" value="daily" checked' in page
        await sql(services, "UPDATE letter_choice SET zone = 'Atlantis/Centre' RETURNING 1")
        assert '<option value="Europe/London" selected>' in (await heron.get("/me/mails")).text


REFUSED = [
    ({"mode": "daily", "at": "23:00"}, "This time is in your quiet hours. Change one of them."),
    ({"mode": "soon", "quiet_to": ""}, "Write when the quiet hours begin and when they end"),
    ({"mode": "soon", "quiet_to": "22:00"}, "The quiet hours end when they begin."),
    ({"mode": "soon", "zone": "Atlantis/Centre"}, "We do not know this time zone."),
    ({"mode": "soon", "paused_until": "soon"}, "Write the day as year, month and day"),
    ({"mode": "soon", "paused_until": "9999-12-31"}, "Choose a day within a year."),
    ({"mode": "soon", "paused_until": "0001-01-01"}, "Choose a time that is still to come."),
    ({"mode": "soon", "at": "morning"}, "This does not have the right form."),
]


async def test_what_cannot_be_is_said_beside_its_field(app: FastAPI) -> None:
    async with make.signed_in(app, "heron") as heron:
        page = await heron.get("/me/mails")
        for typed, words in REFUSED:
            answer = await form(heron, page, "/me/mails", **typed)
            assert answer.status_code == 422, typed
            assert words in text_of(answer.text), typed
            assert 'href="#field-' in answer.text, typed


async def test_after_their_first_post_one_is_asked_and_goes_on_where_one_was(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    thread = await make.thread(services, "magpie")
    path = f"/threads/{thread}"
    async with make.signed_in(app, "heron") as heron:
        assert "Yes, once a day" not in (await heron.get(path)).text
        replied = await form(heron, await heron.get(path), f"{path}/reply", body_markdown="I see")
        page = await heron.get(replied.headers["location"])
        assert "Yes, once a day" in page.text
        answered = await form(heron, page, "/me/mails/answer", answer="yes")
        assert answered.headers["location"] == f"{path}?done=mails-daily"
        assert "We write once a day" in text_of((await heron.get(answered.headers["location"])).text)
        assert "Yes, once a day" not in (await heron.get(replied.headers["location"])).text
        assert await mode(services) == "daily"
    async with make.signed_in(app, "wren") as wren:  # who passes it over is not asked again
        for is_asked in (True, False):
            replied = await form(wren, await wren.get(path), f"{path}/reply", body_markdown="I see")
            page = await wren.get(replied.headers["location"])
            assert ("Yes, once a day" in page.text) is is_asked


async def test_nobody_is_asked_who_could_get_none(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    await make.member(services, "magpie")
    path = f"/threads/{await make.thread(services, 'magpie')}?done=sent"
    assert "Yes, once a day" not in (await guest.get(path)).text
    async with make.signed_in(app, "heron", verified=False) as heron:
        assert "Yes, once a day" not in (await heron.get(path)).text


# The link in each mail


@pytest.mark.parametrize("body", [ONE_CLICK, IN_PARTS, f"a=b&{ONE_CLICK}"])
async def test_a_mail_provider_turns_mails_off_without_cookie_session_or_origin(
    services: Services, guest: httpx.AsyncClient, daily: None, body: str
) -> None:
    answer = await guest.post(await off_path(services), content=body, headers=FORM)
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)
    assert await mode(services) == "off"


async def test_looking_at_the_link_does_nothing_and_the_button_turns_mails_off(
    services: Services, guest: httpx.AsyncClient, daily: None
) -> None:
    path = await off_path(services)
    page = await guest.get(path)
    assert (page.status_code, await mode(services)) == (200, "daily")
    assert page.headers["cache-control"] == "no-store"
    answer = await form(guest, page, path)
    assert answer.status_code == 200
    assert "no more of these mails come" in text_of(answer.text)
    assert await mode(services) == "off"


@pytest.mark.parametrize(
    "body", ["", "List-Unsubscribe=Two-Clicks", '{"List-Unsubscribe": "One-Click"}', "x" * 20_000, "\0", "%ff"]
)
async def test_another_body_gets_the_same_answer_and_does_nothing(
    services: Services, guest: httpx.AsyncClient, daily: None, body: str
) -> None:
    path = await off_path(services)
    answer = await guest.post(path, content=body, headers=FORM)
    assert await mode(services) == "daily"
    right = await guest.post(path, content=ONE_CLICK, headers=FORM)
    assert (answer.status_code, answer.content) == (200, right.content)


async def test_the_answer_is_the_same_for_every_token(
    services: Services, guest: httpx.AsyncClient, daily: None
) -> None:
    right = await guest.post(await off_path(services), content=ONE_CLICK, headers=FORM)
    for token in ("A" * 22, "x", "x" * 5_000, "%00", "%ff%fe", "..", "%2e%2e%2f"):
        answer = await guest.post(f"/unsubscribe/{token}", content=ONE_CLICK, headers=FORM)
        if answer.status_code != 404:  # an address that is none
            assert (answer.status_code, answer.content) == (200, right.content), token
    left = await off_path(services)
    async with services.database.work() as session:
        await session.execute(letter_choices.delete(letter_choices.OffLink))
    answer = await guest.post(left, content=ONE_CLICK, headers=FORM)
    assert (answer.status_code, answer.content) == (200, right.content)


async def test_the_log_does_not_say_which_link(
    services: Services, guest: httpx.AsyncClient, daily: None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = await off_path(services)
    await guest.get(path)
    await guest.post(path, content=ONE_CLICK, headers=FORM)
    said = capsys.readouterr()
    assert path.rpartition("/")[2] not in said.out + said.err


async def test_too_many_uses_of_such_links_are_refused(
    services: Services, guest: httpx.AsyncClient, daily: None
) -> None:
    most = services.settings.limit("unsubscribe").amount
    path = "/unsubscribe/AAAAAAAAAAAAAAAAAAAAAA"
    statuses = [(await guest.post(path, content=ONE_CLICK, headers=FORM)).status_code for _ in range(most + 1)]
    assert statuses == [200] * most + [429]
