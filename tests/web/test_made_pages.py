"""Pages are kept once they were made: nobody gets one that was made for somebody else."""

import pytest

from forum.web import visits
from forum.web.content import post_fragments
from tests.web.routes import ROLES
from tests.web.village import HANDLES, Village

ADDRESSES = (
    *("/", "/?done=sent", "/boards/{board}", "/threads/{thread}", "/threads/{thread}?advisers=yes", "/rules"),
    *("/advisers", "/help", "/members/{handle}", "/threads/{thread}?done=waits"),
)


@pytest.mark.parametrize("order", [ROLES, ROLES[::-1]])
async def test_everybody_gets_the_page_that_would_be_made_for_them(order: tuple[str, ...], lived_in: Village) -> None:
    kept = lived_in.app.state.site.state.made_pages
    paths = [path.format(**lived_in.places) for path in ADDRESSES]
    paths += [f"/members/{handle}" for handle in HANDLES.values()]
    anew = dict[tuple[str, str], str]()
    for path in paths:
        for role in order:
            kept.clear()
            post_fragments._KEPT.clear()
            anew[role, path] = (await lived_in.browsers[role].get(path)).text
    for path in paths * 2:
        for role in order:
            assert (await lived_in.browsers[role].get(path)).text == anew[role, path], (role, path)
    assert kept


async def test_what_is_kept_has_a_bound_in_bytes(lived_in: Village, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = lived_in.app.state.site.state.made_pages
    monkeypatch.setattr(visits, "MOST_KEPT", 150_000)
    small = visits.made_pages()
    lived_in.app.state.site.state.made_pages = small
    try:
        for number in range(30):
            page = await lived_in.browsers["guest"].get(f"/threads/{lived_in.places['thread']}?x={number}")
            assert page.status_code == 200
            assert 0 < small.currsize <= small.maxsize
    finally:
        lived_in.app.state.site.state.made_pages = kept


async def test_words_that_were_removed_leave_the_memory_after_ten_minutes(lived_in: Village) -> None:
    await lived_in.browsers["guest"].get(f"/threads/{lived_in.places['thread']}")
    for room in (lived_in.app.state.site.state.made_pages, post_fragments._KEPT):
        assert room
        room.expire(room.timer() + 600)
        assert not room
