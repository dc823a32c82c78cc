"""What a page of a thread shows is what the API lists: the same numbers, words, notices and badges, for everybody."""

import re
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forum.content import markup
from forum.content.posts import queries
from forum.content.posts.queries import PostView
from forum.core.text import carried
from forum.members.viewer import GUEST
from forum.web.languages import language_of
from forum.web.pages import environment
from tests.support.hostile import ADDRESS_WRAPPERS, ADDRESSES
from tests.web.routes import ROLES
from tests.web.support import parsed
from tests.web.village import API, Village

TOMBSTONES = {"withdrawn": "Taken back by its author.", "removed": "Removed by"}


@dataclass(frozen=True)
class Shown:
    """One post, as a page or the API tells it."""

    number: int
    words: str | None  # without spaces: where lines end differs
    author: str | None
    badge: str | None  # an adviser's title and organisation
    warning: str | None
    notice: tuple[str, str | None, tuple[int, ...]] | None  # what was done, by whom, under which rules
    held: bool
    reply_to: int | None


@pytest.mark.parametrize("role", ROLES)
async def test_a_page_says_what_the_api_lists(role: str, lived_in: Village) -> None:
    threads = await _threads(lived_in, role)
    assert len(threads) > 25
    for thread in threads:
        assert await _of_pages(lived_in, role, thread) == await _of_api(lived_in, role, thread), f"thread {thread}"


async def _threads(village: Village, role: str) -> list[int]:
    reader, found = village.readers[role], list[int]()
    for board in (await reader.get(f"{API}/boards")).json()["items"]:
        listed = (await reader.get(f"{API}/boards/{board['slug']}/threads?limit=100")).json()["items"]
        found += [thread["id"] for thread in listed]
        assert await _on_pages(village, role, f"/boards/{board['slug']}") == [thread["id"] for thread in listed]
    newest = (await reader.get(f"{API}/threads?limit=100")).json()
    assert newest["next"] is None
    assert await _on_pages(village, role, "/threads") == [thread["id"] for thread in newest["items"]]
    assert sorted(found) == sorted(thread["id"] for thread in newest["items"])
    return found


async def _on_pages(village: Village, role: str, path: str | None) -> list[int]:
    """The threads of a list, page by page."""
    numbers = list[int]()
    while path is not None:
        page = await _get(village, role, path)
        links = [link.get("href", "") for heading in page.iter("h2") for link in heading.iter("a")]
        numbers += [int(place[1]) for link in links if (place := re.fullmatch(r"/threads/(\d+)(?:/unread)?", link))]
        path = next((link.get("href") for link in page.iter("a") if link.get("rel") == "next"), None)
    return numbers


async def _of_api(village: Village, role: str, thread: int) -> list[Shown]:
    found: list[Shown] = []
    query: dict[str, Any] = {"limit": 100}
    while True:
        page = (await village.readers[role].get(f"{API}/threads/{thread}/posts", params=query)).json()
        found += [_of_json(post) for post in page["items"]]
        if page["next"] is None:
            return found
        query["after"] = page["next"]


def _of_json(post: dict[str, Any]) -> Shown:
    notice = post["notice"]
    told = notice and (notice["kind"], notice["by"], tuple(notice["rules"]))
    if post["visibility"] in {"removed", "withdrawn"}:
        return Shown(post["number"], None, None, None, None, told, False, None)
    adviser = post["adviser"]
    return Shown(
        post["number"],
        _close(_inner(_alone(post["body_html"]))),
        post["author"]["name"],
        f"{adviser['title']}, {adviser['organisation']}" if adviser else None,
        post["content_warning"],
        told,
        post["visibility"] == "held",
        post["reply_to"],
    )


async def _of_pages(village: Village, role: str, thread: int) -> list[Shown]:
    found, path = list[Shown](), f"/threads/{thread}"
    while path:
        page = await _get(village, role, path)
        posts = next(element for element in page.iter("ol") if element.get("class") == "posts")
        found += [_of_item(item) for item in posts if item.get("id", "").startswith("post-")]
        path = next((link.get("href", "") for link in page.iter("a") if link.get("rel") == "next"), "")
    return found


def _of_item(item: Element) -> Shown:
    number = int(item.get("id", "").removeprefix("post-"))
    if "gone" in item.get("class", ""):
        return Shown(number, None, None, None, None, _notice(item), False, None)
    article = next(item.iter("article"))
    role, notice = _classed(article, "role"), _classed(article, "notice")
    badge = _inner(role).strip() if role is not None else None
    assert ("adviser" in article.get("class", "").split()) == (badge is not None)
    before = _classed(article, "before")
    waiting = {id(part) for box in article.iter("details") if box.get("class") == "box" for part in box.iter("div")}
    [words] = [part for part in article.iter("div") if part.get("class") == "words" and id(part) not in waiting]
    answers = re.search(r"answers post (\d+)", _inner(next(article.iter("header"))))
    return Shown(
        number,
        _close(_inner(words)),
        _inner(next(article.iter("h2"))),
        badge,
        _inner(next(part for part in before.iter("span") if part.get("dir"))) if before is not None else None,
        _notice(notice) if notice is not None else None,
        "Only you and the moderators see this yet" in _inner(article),
        int(answers[1]) if answers else None,
    )


def _notice(element: Element) -> tuple[str, str | None, tuple[int, ...]]:
    said = " ".join(_inner(element).split())
    rules = tuple(int(number) for number in re.findall(r"Read rule (\d+)", said))
    by = re.search(r"(?:Removed|Changed) by (.+?), a moderator\.", said)
    for kind, words in TOMBSTONES.items():
        if words in said:
            return kind, by[1] if by else None, rules
    return "edited", by[1] if by else None, rules


async def _get(village: Village, role: str, path: str) -> Element:
    answer = await village.browsers[role].get(path)
    assert answer.status_code == 200, path
    return parsed(answer.text)


def _alone(html: str) -> Element:
    """A text by itself, as any page would read it."""
    return next(parsed(f"<!doctype html><title>x</title><div>{html}</div>").iter("div"))


def _classed(element: Element, name: str) -> Element | None:
    return next((found for found in element.iter() if name in found.get("class", "").split()), None)


def _inner(element: Element) -> str:
    return "".join(element.itertext())


def _close(text: str) -> str:
    return "".join(text.split())


OUTBREAKS = (
    *("</li></ol>", "</div>", "</article>", "</textarea>", "<h1>", "<!--", "-->", "]]>", "<style>", "<script>"),
    *("<svg/onload=x>", "{{ 7*7 }}", "{% raw %}", "&amp;lt;", "&#0;", "%(x)s"),
)
MARKS = (
    *("`", "```", "> ", "\n", "\n\n", "> @heron #1\n> ", "@heron", "[removed: rule 2]", "# ", "###### ", "- ", "1. "),
    *("**", "_", "~~", "|"),
)
PIECES = st.sampled_from((*ADDRESSES, *ADDRESS_WRAPPERS, *OUTBREAKS, *MARKS)) | st.text(max_size=12)
MARKUP = st.lists(PIECES, max_size=12).map("".join).map(carried)


@pytest.fixture(scope="module")
async def some_post(lived_in: Village) -> PostView:
    """An ordinary post."""
    found = await queries.get_post(lived_in.services.database.reader, GUEST, lived_in.places["post"])
    _page_with(found)  # compiles the templates: Hypothesis would take that for a slow example
    return found


def _page_with(post: PostView) -> Element:
    template = environment(language_of("en", "Europe/London"), ()).get_template("content/post.html")
    links = [("/posts/1/report", "Something wrong?")]
    said, buttons = [("thank", 2, True)], [("thank", "Thank you", True)]
    about = {"said": said, "buttons": buttons, "links": links, "is_ignored": False, "is_saved": True}
    item = template.render(post=post, reader="member", is_opener=True, **about)
    return parsed(f"<!doctype html><title>x</title><ol>{item}</ol>")


def _skeleton(tree: Element) -> list[str]:
    """The elements of a page but those of people's words."""
    if "words" in tree.get("class", "").split():
        return ["words"]
    return [str(tree.tag), *(tag for child in tree for tag in _skeleton(child)), "end"]


@given(body=MARKUP)
def test_no_words_break_out_of_their_post(some_post: PostView, body: str) -> None:
    html = markup.parse(body).html()
    page = _page_with(some_post._replace(body_html=html))
    words = _classed(page, "words")
    assert words is not None
    assert _close(_inner(words)) == _close(_inner(_alone(html)))
    assert {str(element.tag) for element in words.iter()} <= markup.TAGS | {"div"}
    assert _skeleton(page) == _skeleton(_page_with(some_post))


@given(text=MARKUP.map(lambda text: text.replace("\n", " ")))
def test_no_name_and_no_note_breaks_out_of_its_place(some_post: PostView, text: str) -> None:
    plain = some_post._replace(content_warning="x", author_name="x", adviser_name="x", adviser_title="x")
    page = _page_with(plain._replace(content_warning=text or "x", author_name=text, adviser_title=text))
    assert _inner(next(page.iter("h2"))) == text
    before = _classed(page, "before")
    assert before is not None
    assert _inner(next(part for part in before.iter("span") if part.get("dir"))) == (text or "x")
    assert _skeleton(page) == _skeleton(_page_with(plain))
