"""A copy of what guests read: whole, without what they may not read, and every link in it leads to a file of it."""

import asyncio
import re
from html import unescape
from pathlib import Path
from posixpath import dirname, join, normpath

import httpx
import pytest

from forum.cli.exporting import copy_site, new_folder
from forum.importers.errors import CannotMove
from forum.importers.moving_out.pages.page import CopiedPage
from forum.importers.moving_out.pages.site import SiteCopy
from forum.importers.moving_out.read_threads import ReadThreads
from tests.support.scenes import sql
from tests.web.checks import faults_of
from tests.web.village import Village

HERE = "threads/7-21.html"


def test_a_page_keeps_what_is_read_and_loses_what_is_done() -> None:
    files = {"/": "index.html", "/threads/7": "threads/7.html", "/threads/7?start=21#post-24": f"{HERE}#post-24",
             "/static/mark.1.svg": "static/mark.1.svg", "/boards/new-here#x": "boards/new-here.html#x"}  # fmt: skip
    page = CopiedPage(HERE, "A copy of A & B.", files.get, "https://forum.test")
    for shown, kept in (
        ('<p>A <a href="/threads/7">it</a> &amp; weep&#33;</p>', '<p>A <a href="7.html">it</a> &amp; weep&#33;</p>'),
        ('<a href="https://forum.test/threads/7?start=21#post-24">x</a>', '<a href="#post-24">x</a>'),
        ('<a href="https://forum.test">x</a>', '<a href="../index.html">x</a>'),
        ('<a href="/boards/new-here#x" rel="next">x</a>', '<a href="../boards/new-here.html#x" rel="next">x</a>'),
        ('<a href="https://forum.test.evil/a" rel="ugc">x</a>', '<a href="https://forum.test.evil/a" rel="ugc">x</a>'),
        ('<a href="//evil.test/">x</a><a href="tel:116123">y</a>', None),
        ('<p class="soft"><a class="number" href="/posts/33">24</a></p>',
         '<p class="soft"><a class="number" href="#post-24">24</a></p>'),
        ('<h2><a href="/members/suzie">Suzie</a></h2>', "<h2>Suzie</h2>"),
        ('<div class="words"><p>I <a href="/join">joined</a> then.</p></div>',
         '<div class="words"><p>I joined then.</p></div>'),
        ('<a href="/threads/8?start=21#post-2">answers post 2</a>', "answers post 2"),
        ('<p class="box"><a href="/sign-in?back=/">Sign in</a> or <a href="/join">join</a> to write.</p>', ""),
        ('<p>Closed for now. <a href="/boards/new-here/new">Begin one</a></p>', "<p>Closed for now. </p>"),
        ('<ul><li><a href="/">Boards</a></li><li><a href="/me">You</a></li></ul>',
         '<ul><li><a href="../index.html">Boards</a></li></ul>'),
        ('<div class="links"><a href="/reports?post=1">Report</a></div><ul><li><a href="/x">x</a></li></ul>', ""),
        ('<details class="say"><summary>Thank</summary><form><button>x</button></form></details>', ""),
        ('<details><summary>Before you read</summary><div class="words">Words</div></details>', None),
        ('<p hidden data-news="x">news</p><script src="/static/house.js"></script><i onclick="x()" data-x="y">i</i>',
         "<i>i</i>"),
        ('<img src="/static/mark.1.svg" alt=""><img src="/static/none.svg" alt=""><link rel="manifest" href="/m">',
         '<img src="../static/mark.1.svg" alt="">'),
        ('<form class="leave" method="post" action="/leave" data-leave="https://a.test"><button>Leave</button></form>',
         '<a class="leave" href="https://a.test" rel="noreferrer">Leave</a>'),
        ('<svg viewBox="0 0 1 1"><path d="M1 1"/></svg>', '<svg viewbox="0 0 1 1"><path d="M1 1"></path></svg>'),
    ):  # fmt: skip
        assert page.write(shown) == (shown if kept is None else kept), shown
    whole = page.write('<!doctype html><html><head><meta charset="utf-8"></head><body><main>x</main></body></html>')
    assert '<main><p class="box">A copy of A &amp; B.</p>x</main>' in whole
    assert whole.startswith(
        '<!doctype html><html><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy"'
    )
    assert 'content="noindex"' in whole


async def test_a_copy_has_what_guests_read_and_every_link_leads_to_a_file(
    lived_in: Village, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    services = lived_in.services
    seen: list[tuple[int, int]] = []
    pages = await copy_site(services.settings, tmp_path, lambda *done: seen.append(done))
    assert "commits_not_told" not in capsys.readouterr().out  # nothing is asked of a database that is closed

    files = _files_in(tmp_path)
    written = {name: content.decode() for name, content in files.items() if name.endswith(".html")}
    assert len(written) == pages == seen[-1][0] == seen[-1][1]
    dead = [
        f"{name}: {link}"
        for name, page in written.items()
        for link in re.findall(r'(?:href|src)="([^"]*)"', page)
        if not re.match(r"[a-z]+:", link) and not _leads(name, unescape(link), written, files)
    ]
    assert dead == []
    for name, page in written.items():
        assert not re.search(
            r"<script|<form|<iframe|<button|<input| on[a-z]+=|href=\"[^\"]*(?:/me|sign-in|join)\"", page
        ), name
        assert [fault for fault in faults_of(page) if "viewbox" not in fault] == [], name

    guest = lived_in.browsers["guest"]
    read = {f"threads/{row.id}.html" for row in await sql(services, "SELECT id FROM thread")}
    for name in read:
        is_read = (await guest.get(f"/{name.removesuffix('.html')}")).status_code == 200
        assert (name in written) == is_read, name
    hidden = await sql(services, "SELECT body_markdown FROM post WHERE visibility IN ('removed', 'held', 'withdrawn')")
    whole = "\n".join(written.values())
    assert hidden
    assert not [row for row in hidden if row[0] in whole]
    redirects = dict(line.split(" ") for line in files["redirects.txt"].decode().splitlines())
    assert redirects["/"] == "/index.html"
    assert {place[1:] for place in redirects.values()} == written.keys()
    [(noted,)] = await sql(services, "SELECT details FROM audit_entry WHERE act = 'site.copied'")
    assert noted == {"pages": pages}


def test_a_copy_gets_its_name_once_it_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "site"
    with pytest.raises(IsADirectoryError), new_folder(folder) as written:
        written.write_text("It fails while it is written.")
    assert [*tmp_path.iterdir()] == []
    folder.mkdir()
    with new_folder(folder) as written:
        (written / "index.html").write_text("whole")
        assert [*folder.iterdir()] == []
    assert [path.name for path in tmp_path.rglob("*")] == ["site", "index.html"]
    for in_the_way, says in ((folder, "not empty"), (tmp_path / "other.part", "delete it first")):
        in_the_way.mkdir(exist_ok=True)
        with pytest.raises(SystemExit), new_folder(in_the_way.with_suffix("")):
            pytest.fail("It is written over what is there.")
        assert says in capsys.readouterr().err
    with pytest.raises(CannotMove, match="/threads/1 cannot be shown"):
        asyncio.run(_fail_at("/threads/1", tmp_path))


async def test_a_thread_that_goes_while_a_copy_is_written_is_in_no_list(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        is_gone = request.url.path == "/threads/2"
        return httpx.Response(404 if is_gone else 200, text='<main><p>See <a href="/threads/2">this</a></p></main>')

    threads = ReadThreads()
    for thread in (1, 2, 3):
        threads.add(thread, 1)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://forum.test") as guest:
        copy = SiteCopy(guest, threads, tmp_path, "A copy.", "https://forum.test")
        await copy.write()
    written = {name: content.decode() for name, content in _files_in(tmp_path).items()}
    listed = written.pop("redirects.txt")
    assert "/threads/2 " not in listed
    assert (copy.pages, "/threads/3 /threads/3.html" in listed) == (len(written) - 1, True)
    # What was written before leads to a page which says that it is not there.
    assert {name for name, page in written.items() if 'href="2.html"' in page} == {"threads/1.html"}


async def _fail_at(address: str, folder: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(503 if request.url.path == address else 200, text="<main></main>")

    threads = ReadThreads()
    threads.add(1, 1)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://forum.test") as guest:
        await SiteCopy(guest, threads, folder, "A copy.", "https://forum.test").write()


def _files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _leads(name: str, link: str, written: dict[str, str], files: dict[str, bytes]) -> bool:
    """Whether a link leads to a file that is there, and to a place in it."""
    path, _, place = link.partition("#")
    file = normpath(join(dirname(name), path)) if path else name
    if file not in files:
        return False
    return not place or file not in written or f'id="{place}"' in written[file]
