"""Old links: they lead where the thread is now, for those who may read it; for all others, they lead nowhere."""

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from forum.http.services import Services
from forum.importers.old_links import OldLink, read_link, read_speaking_link
from forum.importers.tables import MovedKind
from forum.members.tables import Role
from tests.support import make


@pytest.mark.parametrize(
    ("page", "parameters", "kind", "old", "start"),
    [
        ("viewtopic", {"t": "33"}, MovedKind.THREAD, "33", 0),
        ("forum/viewtopic", {"f": "2", "t": "33", "start": "20"}, MovedKind.THREAD, "33", 20),
        ("viewtopic", {"p": "0012", "t": "33", "hilit": "secret words", "sid": "abc"}, MovedKind.POST, "12", 0),
        ("phpBB3/viewforum", {"f": "2"}, MovedKind.BOARD, "2", 0),
        ("memberlist", {"mode": "viewprofile", "u": "7"}, MovedKind.PERSON, "7", 0),
    ],
)
def test_what_an_address_names(page: str, parameters: dict[str, str], kind: MovedKind, old: str, start: int) -> None:
    assert read_link(page, parameters) == OldLink(kind, old, start)


def test_what_a_speaking_address_names() -> None:
    for page, kind, old, start in (
        ("what-now-t33", MovedKind.THREAD, "33", 0),
        ("new-here-f2/what-now-t33-20", MovedKind.THREAD, "33", 20),
        ("topic33", MovedKind.THREAD, "33", 0),
        ("post12", MovedKind.POST, "12", 0),
        ("new-here-f2", MovedKind.BOARD, "2", 0),
        ("member7", MovedKind.PERSON, "7", 0),
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
            {"kind": "board", "old": "2", "board": "new-here"},
            {"kind": "board", "old": "3", "board": "staff-room"},
            {"kind": "person", "old": "9", "member": "heron"},
            {"kind": "person", "old": "10"},
        ):
            await session.execute(text(moved), nothing | row)
    leads = {
        "/viewtopic.php?t=5": f"/threads/{thread}#post-1",
        "/viewtopic.php?t=5&start=20&sid=abc": f"/threads/{thread}?start=21#post-21",
        "/viewtopic.php?t=5&start=4000": f"/threads/{thread}?start=21#post-26",
        "/viewtopic.php?p=77": f"/threads/{thread}?start=21#post-24",
        "/forum/a-question-t5.html": f"/threads/{thread}#post-1",
        "/viewforum.php?f=2": "/boards/new-here",
    }
    closed = {
        "/memberlist.php?mode=viewprofile&u=9": "/members/heron",
        "/viewtopic.php?t=6": f"/threads/{hidden}#post-1",
        "/viewtopic.php?p=78": f"/threads/{hidden}#post-1",
        "/viewforum.php?f=3": "/boards/staff-room",
    }
    nowhere = ["/viewtopic.php?t=4711", "/viewtopic.php", "/memberlist.php?u=10", "/wp-login.php", "/x.html"]
    async with make.client(app) as guest, make.signed_in(app, "suzie") as suzie:
        for path, new in leads.items():
            answer = await guest.get(path)
            assert (answer.status_code, answer.headers.get("location")) == (301, new), path
            assert "no-store" in answer.headers["cache-control"]
        said = {_said(await guest.get(path)) for path in (*closed, *nowhere)}
        assert len(said) == 1
        for path, new in closed.items():
            assert (await suzie.get(path)).headers.get("location") == new, path


def _said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.text
