"""The counts that are kept beside what they count: right after whatever is written, and found where they are not."""

from collections.abc import Sequence

from fastapi import FastAPI

from forum import worker
from forum.core.kept_counts import WrongCount
from forum.features import compare_counts
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.changes import BODY, BY_HAND, People, changes
from tests.support.scenes import a_post, sql


async def wrong_counts(services: Services, *, mend: bool = False) -> Sequence[WrongCount]:
    """Which counts are not what counting gives, in every feature."""
    async with services.database.work() as session:
        return await compare_counts(session, worker.FEATURES, mend=mend)


async def test_whatever_is_written_every_count_is_what_counting_gives(app: FastAPI, services: Services) -> None:
    await make.board(services, "court")
    await a_post(services, BODY)
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "rosie", Role.ADVISER) as rosie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        for what, change in changes(app, People(heron, stepdad, rosie, suzie, joan)):
            if not what.startswith(BY_HAND):
                await change()
                assert await wrong_counts(services) == [], what


# What somebody did by hand, or a trigger forgot, and the counts that are wrong then.
FAULTS = {
    "UPDATE thread SET posts = 1, participants = 1, last_number = 9": ["posts", "participants", "last_number"],
    "UPDATE thread SET posts = 2, participants = 1, last_number = 2": ["posts", "participants", "last_number"],
    "UPDATE thread SET last_post_at = now(), last_post_by = author_id": ["last_post_at", "last_post_by"],
    "UPDATE thread SET adviser_replies = 7, first_adviser_number = NULL, latest_adviser_number = 1": [
        *("adviser_replies", "first_adviser_number", "latest_adviser_number"),
    ],
    "UPDATE thread SET asked_since = now(), asked_number = 2, news_since = now(), news_number = 3": [
        *("asked_since", "asked_number", "news_since", "news_number"),
    ],
    "UPDATE thread SET last_post_number = 1": ["last_post_number"],
    "DELETE FROM post_tally": ["posts"] * 3,
    "UPDATE post_tally SET posts = posts + 1, board_id = (SELECT min(id) FROM board)": ["posts"] * 6,
    "DELETE FROM board_tally": ["threads", "posts"],
    "UPDATE board_tally SET posts = posts + 1": ["posts"],
    "DELETE FROM reaction_count": ["thank", "hug"],
    "UPDATE reaction_count SET thank = 0, same_here = 4": ["thank", "same_here"],
    "INSERT INTO reaction_count VALUES (1, 0, 5, 0, 0)": ["hug"],
}


async def test_a_wrong_count_is_found_and_put_right(app: FastAPI, services: Services) -> None:
    await make.board(services, "court")
    post = await a_post(services, BODY)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "rosie", Role.ADVISER) as rosie:
        for kind in ("thank", "hug"):
            assert (await heron.put(f"/api/v1/posts/{post.id}/reactions/{kind}")).status_code == 204
        answer = {"body_markdown": "We can help with that."}
        assert (await rosie.post(f"/api/v1/threads/{post.thread_id}/posts", json=answer)).status_code == 201
    for fault, names in FAULTS.items():
        await sql(services, fault)
        found = await wrong_counts(services, mend=True)
        assert sorted(wrong.what.split()[0] for wrong in found) == sorted(names), fault
        assert await wrong_counts(services) == [], fault
