"""What holds for all pages together: forged forms, addresses with something added, files, and a forum without pages."""

import gzip
import itertools
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from forum.core.settings import Settings
from forum.http.current_member import COOKIE
from forum.http.services import Services
from forum.web import assets
from tests.support import make
from tests.web.routes import FROM_ANYWHERE
from tests.web.support import fields_of, form, text_of

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
# What browsers say of a form on a page of another site, and what they say when they tell nothing.
FORGED: tuple[dict[str, str], ...] = (
    {},
    {"Origin": "null"},
    {"Origin": "https://evil.example"},
    {"Origin": "https://forum.test.evil.example"},
    {"Origin": "http://forum.test"},
    {"Origin": "https://forum.test:8443"},
    {"Referer": "https://forum.test/"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
)


def forms(app: FastAPI) -> Iterator[str]:
    """The path of every route of the pages that takes a form."""
    for included in app.state.site.router.routes:
        for route in included.original_router.routes:
            path = included.include_context.prefix + route.path
            if not route.methods <= {"GET", "HEAD"} and path not in FROM_ANYWHERE:
                yield path


async def test_no_form_of_another_site_reaches_any_route(app: FastAPI, services: Services) -> None:
    """Also with a session, and also where something is sent that has no form: the walk finds every route by itself."""
    await make.board(services)
    await make.member(services, "heron")
    async with make.client(app) as heron, make.client(app) as guest:
        await form(heron, await heron.get("/sign-in"), "/sign-in", login="heron", password=make.PASSWORD)
        assert COOKIE in heron.cookies
        paths = list(forms(app))
        assert len(paths) > 10
        # What is refused is the same function for every route: each meets one forgery, and each forgery many routes.
        for path, headers in zip(paths, itertools.cycle(FORGED), strict=False):
            for browser in (guest, heron):
                sent = await browser.post(path, data={"login": "heron"}, headers=headers)
                assert sent.status_code == 403, (path, headers, sent.status_code)
                assert "Location" not in sent.headers
                assert COOKIE not in sent.headers.get("Set-Cookie", "")
        assert (await heron.get("/threads/1/reply")).status_code == 404  # still signed in


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://forum.test"},  # a browser without Sec-Fetch-Site: iPhones before iOS 16.4
        {"Sec-Fetch-Site": "none"},  # sent again from the browser's own history
    ],
)
async def test_a_form_of_our_own_is_taken_from_old_browsers_too(
    headers: dict[str, str], services: Services, guest: httpx.AsyncClient
) -> None:
    await make.member(services, "heron")
    page = await guest.get("/sign-in")
    assert page.headers["Referrer-Policy"] == "same-origin"  # with none, old iPhones would send `Origin: null`
    typed = fields_of(page.text, "/sign-in") | {"login": "heron", "password": make.PASSWORD}
    assert (await guest.post("/sign-in", data=typed, headers=headers)).status_code == 303


async def test_a_form_that_is_sent_again_does_it_once(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    async with make.client(app) as heron:
        await form(heron, await heron.get("/sign-in"), "/sign-in", login="heron", password=make.PASSWORD)
        page = await heron.get(f"/threads/{thread}/reply")
        sent = [
            await form(heron, page, f"/threads/{thread}/reply", body_markdown="Only once, please.") for _ in range(3)
        ]
        assert {answer.status_code for answer in sent} == {303}
        assert len({answer.headers["Location"] for answer in sent}) == 1
        assert text_of((await heron.get(f"/threads/{thread}")).text).count("Only once, please.") == 1


async def test_what_other_sites_add_to_an_address_changes_nothing(services: Services, guest: httpx.AsyncClient) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    for path in ("/", "/boards/new-here", f"/threads/{thread}", "/sign-in", "/help"):
        plain = await guest.get(path)
        tagged = await guest.get(path, params={"fbclid": "IwAR0", "utm_source": "x", "done": "<b>", "start": "x"})
        assert (plain.status_code, tagged.status_code) == (200, 200)
        assert text_of(tagged.text) == text_of(plain.text)
    assert (await guest.get("/api/v1/boards?fbclid=x")).status_code == 422  # a program's mistake is told


@pytest.mark.parametrize("name", assets.ASSETS)
async def test_a_file_of_the_pages_stays_as_it_is_and_travels_small(name: str, guest: httpx.AsyncClient) -> None:
    asset = assets.ASSETS[name]
    small = await guest.get(asset.path, headers={"Accept-Encoding": "gzip"})
    plain = await guest.get(asset.path, headers={"Accept-Encoding": "identity"})
    assert small.content == plain.content == asset.content
    assert small.headers["Content-Encoding"] == "gzip"
    assert int(small.headers["Content-Length"]) == len(gzip.compress(asset.content, 9, mtime=0))
    for answer in (small, plain):
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert "Set-Cookie" not in answer.headers
    assert (await guest.get(asset.path.replace(".", ".0", 1))).status_code == 404


async def test_files_do_not_count_towards_the_limit_and_pages_do(settings: Settings) -> None:
    few = settings.model_copy(update={"api_limit": "3/1 minute"})
    async with make.application(few) as app, make.client(app) as guest:
        for _ in range(20):
            assert (await guest.get(assets.ASSETS["house.js"].path)).status_code == 200
        statuses = [(await guest.get("/")).status_code for _ in range(12)]
        assert statuses[0] == 200
        assert statuses[-1] == 429
        refused = await guest.get("/")
        assert refused.headers["Content-Type"].startswith("text/html")
        assert int(refused.headers["Retry-After"]) > 0
        assert (await guest.get(assets.ASSETS["house.js"].path)).status_code == 200


async def test_a_forum_without_pages_serves_the_api_alone(settings: Settings) -> None:
    alone = settings.model_copy(update={"pages": False})
    async with make.application(alone) as app, make.client(app) as guest:
        for path in ("/", "/sign-in", "/help", "/admin", assets.ASSETS["house.css"].path):
            missing = await guest.get(path)
            assert missing.status_code == 404
            assert missing.headers["Content-Type"] == "application/problem+json"
        assert (await guest.post("/sign-in", data={"login": "heron"}, headers=SAME_SITE)).status_code == 404
        assert (await guest.get("/api/v1/boards")).status_code == 200
        assert (await guest.get("/healthz")).status_code == 200


@pytest.mark.parametrize(("value", "has_pages"), [("off", False), ("0", False), ("on", True), ("", True)])
def test_pages_are_turned_off_by_a_setting(value: str, has_pages: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORUM_PAGES", value)
    assert Settings().pages is has_pages
