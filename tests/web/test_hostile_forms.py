"""Forms that no page of ours sends: nothing breaks, and nobody else's words come onto a page."""

from itertools import product
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest

from forum.core import clock, pagination
from forum.web.forms import MOST_FIELDS
from tests.support import make
from tests.web.support import text_of
from tests.web.village import Village

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OURS = FORM | {"Sec-Fetch-Site": "same-origin"}
WORDS = "The helpline moved: call 0900 123 456 and give your address."


async def test_another_site_puts_no_words_onto_a_page(guest: httpx.AsyncClient) -> None:
    paths = ("/sign-in", "/contact", "/threads/1/reply", "/nowhere", "/help", "/threads/x/reply")
    for path, other in product(paths, ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}, {})):
        page = await guest.post(path, content=urlencode({"text": WORDS}), headers=FORM | other)
        assert page.status_code in {403, 404}, (path, other)
        assert "0900" not in page.text, (path, other)


async def test_what_was_written_here_is_shown_where_it_could_not_be_sent(guest: httpx.AsyncClient) -> None:
    typed = {"text": WORDS, "password": make.PASSWORD, "current": make.PASSWORD, "token": "a" * 43}
    page = await guest.post("/nowhere", content=urlencode(typed), headers=OURS)
    assert page.status_code == 404
    assert WORDS in text_of(page.text)
    assert make.PASSWORD not in page.text
    assert "a" * 43 not in page.text


async def test_a_form_that_is_too_long_is_refused_with_a_page(guest: httpx.AsyncClient) -> None:
    long = (urlencode([("rules", "1")] * (MOST_FIELDS + 1)), urlencode({"text": "x" * 1_000_000}))
    for path, content in product(("/nowhere", "/help", "/sign-in", "/threads/1/reply", "/me/departure/stop"), long):
        page = await guest.post(path, content=content, headers=OURS)
        assert page.status_code in {404, 413}, path
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'"), path


@pytest.mark.parametrize("number", ["x", "-1", "-" + "9" * 30, "9" * 30, "1e3", ""])
async def test_a_number_of_a_post_that_cannot_be_is_refused(number: str, lived_in: Village) -> None:
    path = f"/threads/{lived_in.places['thread']}/read"
    page = await lived_in.browsers["member"].post(path, content=urlencode({"number": number}), headers=OURS)
    assert page.status_code == 422


@pytest.mark.parametrize("case", ["-" * 36, "f" * 36, "0" * 30 + "-" * 6])
async def test_a_case_without_an_id_is_refused(case: str, lived_in: Village) -> None:
    content = urlencode({"cases": f"{case}/1/1/1", "reason": "Nothing is wrong with it."})
    page = await lived_in.browsers["moderator"].post("/moderation/together", content=content, headers=OURS)
    assert page.status_code == 422


@pytest.mark.parametrize("priority", [10**30, -(10**30), 2**31, 2**63])
async def test_a_cursor_of_the_queue_that_nobody_gave_is_refused(priority: int, lived_in: Village) -> None:
    after = pagination.encode(priority, clock.now(), str(uuid4()))
    page = await lived_in.browsers["moderator"].get(f"/moderation?after={after}")
    answer = await lived_in.readers["moderator"].get(f"/api/v1/moderation/cases?after={after}")
    assert (page.status_code, answer.status_code) == (422, 422)


@pytest.mark.parametrize("text", ["%00", "a%00b", "%ED%A0%80", "%FF"])
async def test_what_somebody_looks_for_may_have_any_characters(text: str, lived_in: Village) -> None:
    joan = lived_in.browsers["administrator"]
    assert (await joan.get(f"/moderation?board={text}")).status_code == 200
    for path, name in (("/moderation/log", "actor"), ("/admin/people", "named")):
        page = await joan.post(path, content=f"{name}={text}", headers=OURS)
        assert page.status_code == 200
