"""Every page, fetched by everybody: who gets it, whether it is sound HTML, its headers, its words, what it survives."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from html import unescape
from statistics import mean
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from forum.web.assets import ASSETS, BASE
from forum.web.pages import TEMPLATES, Page
from tests.forum.http.test_connections import serving
from tests.support import make
from tests.web.checks import RESERVED, faults_of, sentences_of
from tests.web.routes import FROM_ANYWHERE, OPEN_FORMS, ROLES, ROWS
from tests.web.support import form, text_of
from tests.web.village import HANDLES, Village

SAME_SITE = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
# What belongs to one person stands in no cache.
OWN = ("/me/", "/moderation", "/safeguarding", "/admin", "/advising", "/log")
# Pages that only come after a form that is filled in with care, with the tests that fill it in.
ELSEWHERE = {
    "CodePage": "test_sign_in.py",
    "KeptPage": "test_reading.py",
    "PreviewPage": "test_moderation.py",
    "RecoveryCodesPage": "test_account.py",
    "SealedPage": "test_moderation.py",
    "SentPage": "test_a_grandmother.py",
    "WebhookSecretPage": "test_another_service.py",
}
MOST_OF_A_KIND = 4  # addresses that a walk along the links tries
NONSENSE = ("0", "4711", "none", "%00", "%F0%9F%90%A2", "..", "-1", "9" * 40, "a" * 600, "%3Cscript%3E")


def routes(village: Village) -> Iterator[tuple[str, str]]:
    """Every method and path of the pages, without those of files."""
    for included in village.app.state.site.router.routes:
        for route in included.original_router.routes:
            path = included.include_context.prefix + route.path
            yield from ((method, path) for method in route.methods if not path.startswith(BASE))


def address(village: Village, path: str) -> str:
    """An address of a route where there is something."""
    return (ROWS[path].example or path).format(**village.places)


async def test_the_table_has_every_route_and_no_other(lived_in: Village) -> None:
    """A new page must be added to tests/web/routes.py, or this fails."""
    found = {path for method, path in routes(lived_in) if method == "GET"}
    assert found == set(ROWS)


@pytest.mark.parametrize("path", ROWS)
async def test_a_page_is_shown_to_those_whom_the_table_names(path: str, lived_in: Village) -> None:
    row = ROWS[path]
    seen: dict[str, list[str]] = {}
    for role in ROLES:
        where = address(lived_in, path)
        page = await lived_in.browsers[role].get(where)
        if role in row.readers:
            assert page.status_code == row.status, (role, page.status_code, page.text)
        elif role == "guest":
            assert page.status_code == 303, page.status_code
            assert page.headers["Location"].startswith("/sign-in?back=")
        else:
            assert page.status_code in {403, 404}, (role, page.status_code)
        _check_headers(lived_in, where, page)
        if page.headers.get("Content-Type", "").startswith("text/html") and page.text not in seen:
            seen[page.text] = [f"{role}: {fault}" for fault in faults_of(page.text)]
    assert not [fault for faults in seen.values() for fault in faults]


@pytest.mark.parametrize("path", ROWS)
async def test_the_headers_of_a_page_can_be_asked_for_alone(path: str, lived_in: Village) -> None:
    for role in ("guest", "administrator"):
        where, browser = address(lived_in, path), lived_in.browsers[role]
        page, headers = await browser.get(where), await browser.head(where)
        assert headers.status_code == page.status_code, role
        assert set(headers.headers) == set(page.headers)
        assert headers.headers.get("ETag") == page.headers.get("ETag")


async def test_so_can_those_of_a_file_and_of_what_is_not_here(lived_in: Village) -> None:
    async with serving(lived_in.app) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as guest:
        for path, status in (("/", 200), (ASSETS["house.css"].path, 200), ("/robots.txt", 200), ("/nowhere", 404)):
            headers = await guest.head(path)
            assert (headers.status_code, headers.content) == (status, b"")
            assert int(headers.headers["Content-Length"]) > 0


def _check_headers(village: Village, where: str, page: httpx.Response) -> None:
    headers = page.headers
    assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
    assert headers["X-Content-Type-Options"] == "nosniff"
    if where.startswith(
        "/embed/"
    ):  # it stands within another site, and loads nothing: a test of feeds reads its headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
        return
    if not page.text or not headers["Content-Type"].startswith("text/html"):
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        return
    assert headers["Content-Security-Policy"] == village.app.state.branding.policy
    assert headers["Referrer-Policy"] == "same-origin"
    if page.status_code in {200, 403, 404}:
        assert headers["Content-Language"] == "en"
    if page.status_code != 200 or (where + "/").startswith(OWN):
        assert "no-store" in headers["Cache-Control"], (where, headers["Cache-Control"])
    elif "no-store" not in headers["Cache-Control"]:
        assert headers["Cache-Control"] == "private, no-cache"
        assert headers["ETag"].startswith("W/")
        assert {"Accept-Encoding", "Accept-Language", "Cookie"} <= set(headers["Vary"].split(", "))


async def test_what_is_shown_uses_no_words_of_programs_and_short_sentences(lived_in: Village) -> None:
    sentences = dict[str, str]()
    for path, row in ROWS.items():
        for role in row.readers:
            page = await lived_in.browsers[role].get(address(lived_in, path))
            if page.headers.get("Content-Type", "").startswith("text/html"):
                sentences |= dict.fromkeys(sentences_of(page.text), f"{path} as {role}")
    assert not {said: where for said, where in sentences.items() if RESERVED.search(said)}
    told = [sentence for sentence in sentences if sentence.endswith((".", "?"))]
    assert mean(len(sentence.split()) for sentence in told) <= 20
    assert not {said: where for said, where in sentences.items() if len(said.split()) > 45}


@pytest.mark.parametrize("path", [path for path in ROWS if "{" in path])
async def test_an_address_that_leads_nowhere_is_a_page_that_says_so(path: str, lived_in: Village) -> None:
    for nonsense in NONSENSE:
        where = re.sub(r"\{[a-z_:]+\}", nonsense, path)
        page = await lived_in.browsers["administrator"].get(where)
        assert page.status_code in {200, 303, 403, 404, 422}, (where, page.status_code)
        if page.status_code != 303 and page.headers["Content-Type"].startswith("text/html"):
            assert not faults_of(page.text), where


@pytest.mark.parametrize("path", ROWS)
async def test_parameters_that_a_page_does_not_know_or_like_change_nothing_else(path: str, lived_in: Village) -> None:
    for query in ("fbclid=IwAR0&utm_source=x", "after=%00&start=%F0&done=%3Cb%3E&back=//evil.example&limit=-1&next=x"):
        for role in ("guest", "member", "moderator", "administrator"):
            where = address(lived_in, path)
            page = await lived_in.browsers[role].get(f"{where}{'&' if '?' in where else '?'}{query}")
            assert page.status_code in {200, 301, 302, 303, 403, 404, 422}, (role, page.status_code)
            assert "evil.example" not in page.headers.get("Location", "").partition("?")[0]


async def test_a_page_has_the_words_for_a_crooked_form(lived_in: Village) -> None:
    """Each form is sent empty, and with texts that nobody types, by everybody: a page answers, in the house's layout.

    This changes the village: it comes after the reading.
    """
    wild = "&".join(f"{name}={quote(value)}" for name, value in _wild(lived_in).items())
    found = dict[str, list[str]]()
    sent_by = (("member", wild), ("moderator", ""), ("moderator", wild), ("administrator", wild))
    for method, path in sorted(routes(lived_in)):
        if method != "POST":
            continue
        for role, sent in sent_by:
            async with await lived_in.browser(role) as browser:
                page = await browser.post(_filled(lived_in, path), content=sent, headers=SAME_SITE)
            assert page.status_code in {200, 303, 401, 403, 404, 409, 413, 422, 429}, (path, role, page.status_code)
            if page.status_code == 303:
                assert page.headers["Location"].startswith("/")
                assert not page.headers["Location"].startswith("//")
            elif page.text and page.text not in found and page.headers["Content-Type"].startswith("text/html"):
                assert page.headers["Cache-Control"] == "no-store", path
                found[page.text] = [f"{path} as {role}: {fault}" for fault in faults_of(page.text)]
                found[page.text] += [said for said in sentences_of(page.text) if RESERVED.search(said)]
    assert not [fault for faults in found.values() for fault in faults]


def _wild(village: Village) -> Mapping[str, str]:
    names = ("body_markdown", "title", "text", "note", "reason", "name", "handle", "category", "version", "revision")
    return dict.fromkeys(names, '<b "&\u202e\x07 {{7*7}} %(x)s')


def _filled(village: Village, path: str) -> str:
    """An address of a form: it begins as the example of the page to which it belongs, else with whatever there is."""
    longest = max((known for known in ROWS if (path + "/").startswith(known.rstrip("/") + "/")), key=len)
    whole = path.replace(longest, ROWS[longest].example or longest, 1) if longest != "/" else path
    places = {"id": village.places["post"], "slug": village.places["board"], "role": "adviser", **village.places}
    return re.sub(r"\{([a-z_]+)[^}]*\}", lambda part: str(places.get(part[1], 1)), whole)


async def test_a_form_of_another_site_is_refused_whoever_is_signed_in(lived_in: Village) -> None:
    for method, path in routes(lived_in):
        if method == "POST" and path not in FROM_ANYWHERE:
            for role in ("guest", "administrator"):
                for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
                    page = await lived_in.browsers[role].post(_filled(lived_in, path), headers=headers)
                    assert page.status_code == 403, (path, role, page.status_code)


async def test_a_form_that_a_guest_sends_leads_to_signing_in(lived_in: Village) -> None:
    """Those that guests may send are in OPEN_FORMS."""
    paths = {path for method, path in routes(lived_in) if method == "POST"}
    assert paths >= OPEN_FORMS
    words = "It took me an hour to write this down."
    for path in paths - OPEN_FORMS:
        page = await lived_in.browsers["guest"].post(
            _filled(lived_in, path), content=f"body_markdown={quote(words)}", headers=SAME_SITE
        )
        assert page.status_code == 401, (path, page.status_code)
        assert words in text_of(page.text)


@pytest.mark.parametrize("role", ["guest", "member", "adviser", "moderator", "lead", "administrator"])
async def test_every_link_leads_to_a_page_for_its_reader(role: str, lived_in: Village) -> None:
    """From the first page on, a few addresses of each kind: nothing is offered that one may not see."""
    found, kinds, dead = {"/": ""}, Counter[str](), list[str]()
    waiting = ["/"]
    for here in waiting:  # it grows
        page = await lived_in.browsers[role].get(here)
        if page.status_code not in {200, 303}:
            dead.append(f"{found[here]} leads to {here}: {page.status_code}")
        for link in re.findall(r'<a [^>]*href="(/[^"#]*)', page.text):
            where = unescape(link)
            kinds[kind_of(where)] += where not in found and not where.startswith(BASE)
            if where not in found and kinds[kind_of(where)] <= MOST_OF_A_KIND:
                found[where] = here
                waiting.append(where)
    assert dead == []


def kind_of(address: str) -> str:
    """An address without what names one thing, and without the values of its query."""
    path, _, query = address.partition("?")
    named = re.sub(r"/(members|boards|people)/[^/]+", r"/\1/…", re.sub(r"(?<=/)(\d+|[0-9a-f-]{36})(?=/|$)", "…", path))
    return named + re.sub(r"=[^&]*", "=", query)


async def test_no_form_is_sent_by_reading(lived_in: Village) -> None:
    """An address that only takes a form is no page; asking for it changes nothing."""
    read = {path for method, path in routes(lived_in) if method == "GET"}
    for method, path in routes(lived_in):
        if method == "POST" and path not in read:
            async with await lived_in.browser("administrator") as browser:
                answer: Any = await browser.get(_filled(lived_in, path))
            assert answer.status_code == 404, path


async def test_who_signed_in_an_hour_ago_may_be_asked_again(lived_in: Village) -> None:
    async with await lived_in.browser("administrator", ago=timedelta(hours=1)) as reading:
        await _each_is_a_page(lived_in, reading)


async def _each_is_a_page(lived_in: Village, reading: httpx.AsyncClient) -> None:
    for method, path in sorted(routes(lived_in)):
        where = _filled(lived_in, path)
        if method == "GET":
            page = await reading.get(where, headers=SAME_SITE)
        else:  # what acts may end the session
            async with await lived_in.browser("administrator", ago=timedelta(hours=1)) as browser:
                page = await browser.request(method, where, headers=SAME_SITE)
        assert page.status_code < 500, (method, path)
        if method != "HEAD" and page.headers.get("Content-Type", "").startswith("text/html"):
            assert not faults_of(page.text), path


async def test_words_come_through_a_sign_in(lived_in: Village) -> None:
    words, where = "It took me an hour to write this down.", address(lived_in, "/threads/{id}/reply")
    async with await lived_in.browser("guest") as browser:
        page = await browser.post(where, content=f"body_markdown={quote(words)}", headers=SAME_SITE)
        kept = await form(browser, page, "/sign-in", login=HANDLES["member"], password=make.PASSWORD)
    assert words in text_of(kept.text)
    assert not faults_of(kept.text)


async def test_the_second_step_of_a_sign_in_is_a_page_of_its_own(lived_in: Village) -> None:
    async with await lived_in.browser("guest") as browser:
        page = await browser.get("/sign-in")
        asked = await form(browser, page, "/sign-in", login=HANDLES["adviser"], password=make.PASSWORD)
        page = await browser.get(asked.headers["Location"])
        wrong = await form(browser, page, "/sign-in/code", code="000000")
    assert (page.status_code, wrong.status_code) == (200, 422)
    assert not faults_of(page.text) + faults_of(wrong.text)


async def test_every_page_was_shown_on_the_way(lived_in: Village) -> None:
    """One that nothing above shows fails here: give it a row, or a state in the village."""
    assert {page.__name__ for page in _pages(Page) - lived_in.shown} <= set(ELSEWHERE)
    named = {page.template for page in _pages(Page)}
    folders = (TEMPLATES, *lived_in.app.state.site.state.parts.templates)
    assert {name for name in named if not any((folder / name).exists() for folder in folders)} == set()


def _pages(page: type[Page]) -> set[type[Page]]:
    """Every kind of page that has a template of its own."""
    below = set().union(*map(_pages, page.__subclasses__())) if page.__subclasses__() else set()
    return below | ({page} if "template" in vars(page) else set())
