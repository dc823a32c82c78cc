"""Own words are one's own, also on a board that their author can no longer read."""

from fastapi import FastAPI

from forum.content.posts.queries import get_post
from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Standing
from forum.privacy import export_contents
from tests.support import make
from tests.support.scenes import a_post, report, sql

API = "/api/v1"


async def test_what_one_wrote_on_a_board_that_closed_is_in_the_copy_and_can_be_withdrawn(
    app: FastAPI, services: Services
) -> None:
    post = await a_post(services)
    await sql(services, "UPDATE board SET readers = '{moderator}'")
    stepdad = await make.viewer(services, "stepdad")
    async with services.database.work() as session:
        written, *_ = await export_contents.export_posts(session, stepdad, clock.now())
        opened, *_ = await export_contents.export_threads(session, await make.viewer(services, "heron"), clock.now())
    assert [(row["body_markdown"], row["thread_title"]) for row in written.items] == [(post.body_markdown, None)]
    assert [(row["title"], row["board"]) for row in opened.items] == [("A question", None)]

    async with make.signed_in(app, "stepdad") as client, make.signed_in(app, "magpie") as magpie:
        assert (await client.get(f"{API}/posts/{post.id}")).status_code == 404
        assert (await magpie.delete(f"{API}/posts/{post.id}")).status_code == 404
        assert (await client.delete(f"{API}/posts/{post.id}")).status_code == 204
    await sql(services, "UPDATE board SET readers = '{everyone}'")
    assert (await get_post(services.database.reader, stepdad, post.id)).visibility == "withdrawn"


async def test_who_is_suspended_or_banned_sees_their_own_reports(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    async with make.signed_in(app, "magpie") as magpie:
        assert (await report(magpie, post.id)).status_code == 201
        for standing in (Standing.SUSPENDED, Standing.BANNED):
            await make.sanction(services, "magpie", standing)
            services.session_cache.invalidate((await make.viewer(services, "magpie")).member_id)
            listed = await magpie.get(f"{API}/me/reports")
            assert [row["post_id"] for row in listed.json()["items"]] == [post.id]
