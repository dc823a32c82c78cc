"""Old links: they lead where the thread is now, for those who may read it; for all others, they lead nowhere."""

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from forum.http.services import Services
from forum.importers.addresses import keys_of
from forum.importers.old_links import OldLink, read_anchor, read_link, read_speaking_link, read_words
from forum.importers.tables import MovedKind
from forum.members.tables import Role
from tests.support import make
from tests.web.support import said_of_anywhere


@pytest.mark.parametrize(
    ("page", "parameters", "kind", "old", "start"),
    [
        ("viewtopic", {"t": "33"}, MovedKind.THREAD, "33", 0),
        ("forum/viewtopic", {"f": "2", "t": "33", "start": "20"}, MovedKind.THREAD, "33", 20),
        ("viewtopic", {"p": "0012", "t": "33", "hilit": "secret words", "sid": "abc"}, MovedKind.POST, "12", 0),
        ("phpBB3/viewforum", {"f": "2"}, MovedKind.BOARD, "2", 0),
        ("memberlist", {"mode": "viewprofile", "u": "7"}, MovedKind.PERSON, "7", 0),
        ("forum/feed", {"f": "2", "mode": "topics"}, MovedKind.BOARD, "2", 0),
        ("feed", {"f": "2", "t": "33"}, MovedKind.THREAD, "33", 0),
    ],
)
def test_what_an_address_names(page: str, parameters: dict[str, str], kind: MovedKind, old: str, start: int) -> None:
    assert read_link(page, parameters) == OldLink(kind, old, start, is_feed=page.endswith("feed"))


def test_what_a_speaking_address_names() -> None:
    for page, kind, old, start in (
        ("what-now-t33", MovedKind.THREAD, "33", 0),
        ("new-here-f2/what-now-t33-20", MovedKind.THREAD, "33", 20),
        ("topic33", MovedKind.THREAD, "33", 0),
        ("post12", MovedKind.POST, "12", 0),
        ("new-here-f2", MovedKind.BOARD, "2", 0),
        ("member7", MovedKind.PERSON, "7", 0),
        ("anything/forum2", MovedKind.BOARD, "2", 0),
    ):
        assert read_speaking_link(page) == OldLink(kind, old, start), page
    for page in ("", "index", "t", "what-now", "t33x", "t" + "9" * 11, "٣", "a" * 100_000):
        assert read_speaking_link(page) is None, page[:20]
    for name, parameters in (
        ("viewtopic", {}),
        ("viewtopic", {"t": "-1"}),
        ("viewtopic", {"t": "٣"}),
        ("viewtopic", {"t": "9" * 11}),
        ("viewtopic", {"t": "1 OR 1=1"}),
        ("wp-login", {"t": "1"}),
    ):
        assert read_link(name, parameters) is None, parameters


def test_what_an_address_of_words_names() -> None:
    whole, slug = keys_of("2019/05/a-letter-came")
    for page in ("2019/05/a-letter-came/", "2019/05/A-Letter-Came", "/2019/05/a-letter-came/feed/",
                 "2019/05/a-letter-came/comment-page-2/amp/"):  # fmt: skip
        assert read_words(page) == (OldLink(MovedKind.ADDRESS, whole, program="wordpress", slug=slug),), page
    assert keys_of("a-letter-came")[1] == slug == keys_of("", "a-letter-came")[1]
    assert keys_of("caf%C3%A9")[0] == keys_of("cafe\u0301/")[0]
    assert keys_of("feed")[0] != keys_of("")[0]  # the address of a page that is called so
    for page, links in (
        ("new-here-f2/", [OldLink(MovedKind.BOARD, "2")]),
        ("forum2", [OldLink(MovedKind.BOARD, "2")]),
        ("what-f2-was", []),
    ):
        assert list(read_words(page)[1:]) == links, page
    assert read_words("app.php/feed/forum/2") == (OldLink(MovedKind.BOARD, "2", is_feed=True),)
    assert read_words("feed/topic/33/") == (OldLink(MovedKind.THREAD, "33", is_feed=True),)
    assert [read_words(page) for page in ("", "a" * 100_000)] == [(), ()]
    assert read_anchor("comment-9") == OldLink(MovedKind.POST, "9", program="wordpress")
    assert read_anchor("p77") == OldLink(MovedKind.POST, "77")
    assert [read_anchor(anchor) for anchor in ("post-9", "comment-", "p" + "9" * 11, "p٣", "p7 ")] == [None] * 5


async def test_a_kept_link_leads_to_the_words_and_tells_nobody_else_that_they_are_there(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    await make.board(services, "staff-room", readers=("moderator",))
    await make.member(services, "heron")
    await make.member(services, "suzie", Role.MODERATOR)
    thread, hidden = await make.thread(services, "heron"), await make.thread(services, "suzie", "staff-room")
    for number in range(25):
        await make.post(services, "heron", thread, f"Reply {number}")
    async with services.database.work() as session:
        run = "INSERT INTO import_run (id, source, state, started_at, ended_at, counts) VALUES (gen_random_uuid(), "
        await session.execute(text(run + "'phpbb https://old.example.org/', 'ended', now(), now(), '{}')"))
        moved = (
            "INSERT INTO moved (source, kind, old, run_id, thread_id, number, board_id, member_id) "
            "SELECT source, :kind, :old, id, :thread, :number, (SELECT id FROM board WHERE slug = :board), "
            "(SELECT id FROM member WHERE handle = :member) FROM import_run"
        )
        nothing = {"thread": None, "number": None, "board": None, "member": None}
        for row in (
            {"kind": "thread", "old": "5", "thread": thread},
            {"kind": "post", "old": "77", "thread": thread, "number": 24},
            {"kind": "thread", "old": "6", "thread": hidden},
            {"kind": "post", "old": "78", "thread": hidden, "number": 1},
            {"kind": "post", "old": "79", "thread": thread, "number": 26},
            {"kind": "board", "old": "2", "board": "new-here"},
            {"kind": "board", "old": "3", "board": "staff-room"},
            {"kind": "person", "old": "9", "member": "heron"},
            {"kind": "person", "old": "10"},
        ):
            await session.execute(text(moved), nothing | row)
        await session.execute(text(run + "'wordpress https://blog.example.org', 'ended', now(), now(), '{}')"))
        blog = moved.replace("FROM import_run", "FROM import_run WHERE source LIKE 'wordpress%'")
        path, slug = keys_of("2019/05/what-now")
        for row in (
            {"kind": "address", "old": path, "thread": thread},
            {"kind": "address", "old": slug, "thread": thread},
            {"kind": "address", "old": keys_of("what-now")[0], "thread": hidden},  # a page that is called so, too
            {"kind": "address", "old": keys_of("", "for-staff")[1], "thread": hidden},
            {"kind": "post", "old": "9", "thread": thread, "number": 25},
            {"kind": "thread", "old": "12", "thread": thread},
        ):
            await session.execute(text(blog), nothing | row)
        # Another board of the same program moved here after it, which has a post of the same number.
        later = run.replace("gen_random_uuid()", "'ffffffff-ffff-7fff-8fff-ffffffffffff'")
        await session.execute(text(later + "'phpbb https://second.example.org', 'ended', now(), now(), '{}')"))
        second = moved.replace("FROM import_run", "FROM import_run WHERE source LIKE '%second%'")
        await session.execute(text(second), nothing | {"kind": "post", "old": "79", "thread": hidden, "number": 1})
    leads = {
        "/viewtopic.php?t=5": f"/threads/{thread}",  # the browser keeps what stood behind its "#"
        "/viewtopic.php?t=5&start=20&sid=abc": f"/threads/{thread}?start=21#post-21",
        "/viewtopic.php?t=5&start=4000": f"/threads/{thread}?start=21#post-26",
        "/viewtopic.php?p=77": f"/threads/{thread}?start=21#post-24",
        "/forum/a-question-t5.html": f"/threads/{thread}",
        "/viewforum.php?f=2": "/boards/new-here",
        "/feed.php?f=2&sid=abc": "/boards/new-here/feed.atom",
        "/app.php/feed/topic/5": f"/threads/{thread}",
        "/forum/index.php?sid=abc": "/",
        "/index.php?p=12": f"/threads/{thread}",
        "/new-here-f2/": "/boards/new-here",
        "/2019/05/what-now/": f"/threads/{thread}",
        "/2019/05/What-now/feed/?utm_source=x": f"/threads/{thread}",
        "/somewhere/else/what-now": f"/threads/{thread}",
    }
    closed = {
        "/memberlist.php?mode=viewprofile&u=9": "/members/heron",
        "/viewtopic.php?t=6": f"/threads/{hidden}",
        "/viewtopic.php?p=78": f"/threads/{hidden}#post-1",
        "/viewforum.php?f=3": "/boards/staff-room",
        "/feed.php?f=3": "/boards/staff-room/feed.atom",
        "/2020/01/for-staff/": f"/threads/{hidden}",
    }
    nowhere = ["/viewtopic.php?t=4711", "/viewtopic.php", "/memberlist.php?u=10", "/wp-login.php", "/x.html"]
    nowhere += ["/2019/05/", "/what/"]
    async with make.client(app) as guest, make.signed_in(app, "suzie") as suzie:
        for path, new in leads.items():
            answer = await guest.get(path)
            assert (answer.status_code, answer.headers.get("location")) == (301, new), path
            assert "no-store" in answer.headers["cache-control"]
        said = {said_of_anywhere(await guest.get(path)) for path in (*closed, *nowhere)}
        assert len(said) == 1
        for path, new in closed.items():
            assert (await suzie.get(path)).headers.get("location") == new, path
        # A page and an article are called so: the whole address counts, for whom it leads somewhere.
        for reader, read in ((guest, thread), (suzie, hidden)):
            assert (await reader.get("/what-now/")).headers.get("location") == f"/threads/{read}"
        for anchor, new in (
            ("comment-9", f"/threads/{thread}?start=21#post-25"),
            ("p77", f"/threads/{thread}?start=21#post-24"),
            ("p79", f"/threads/{thread}?start=21#post-26"),  # of this thread's board
            ("p78", f"/threads/{thread}"),  # of another thread, which guests cannot read
            ("comment-4711", f"/threads/{thread}"),
            ("x", f"/threads/{thread}"),
        ):
            answer = await guest.get(f"/threads/{thread}/old/{anchor}")
            assert (answer.status_code, answer.headers.get("location")) == (303, new), anchor
