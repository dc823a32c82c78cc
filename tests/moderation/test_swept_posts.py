"""What moved is swept for personal information: one list for moderators, and nobody is told."""

from datetime import timedelta
from pathlib import Path

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.importers.records import ThreadRecord
from forum.members.tables import Role
from moderation.known_details import KnownDetail
from moderation.swept_posts import Swept, export_own, sweep
from tests.forum.importers.test_moving_in import THEN, move_in, post, small_board
from tests.support import make
from tests.support.jobs import clean_up
from tests.support.scenes import API, house_rules, sql

SWEPT = f"{API}/moderation/swept-posts"
CALL = "Ring me on 07700 900123, please."


async def swept(services: Services) -> Swept:
    return await sweep(services.database, "GB", clock.now())


async def test_moderators_get_one_list_and_settle_what_is_on_it(
    services: Services, app: FastAPI, guest: httpx.AsyncClient, tmp_path: Path
) -> None:
    now, lately = clock.now(), {"written_at": clock.now() - timedelta(days=40)}
    threads = [
        ThreadRecord(old="20", board="11", author="3", title="Visits", opened_at=lately["written_at"]),
        ThreadRecord(old="21", board="13", author="3", title="Of members", opened_at=lately["written_at"]),
    ]
    posts = [
        post(30, 20, "3", CALL, **lately),
        post(31, 20, "5", "Write to jo.bloggs@example.org; I want to die.", **lately),
        post(32, 20, "10", CALL, **lately),  # of an adviser
        post(33, 20, "3", "Our own line is 0161 496 0000.", **lately),
        post(34, 20, "4", f"You toad. {CALL}", **lately, shown="removed"),
        post(35, 20, "4", CALL, written_at=THEN),
        post(36, 21, "3", CALL, **lately),
        post(37, 20, "5", "I want to die.", **lately),
    ]
    await house_rules(services)
    await make.member(services, "joan", Role.ADMINISTRATOR)
    await move_in(services, tmp_path, [*small_board(now), *threads, *posts])
    async with services.database.work() as session:
        words = {"words": "0161 496 0000", "compared": "01614960000"}
        joan = (await make.viewer(services, "joan")).member_id
        session.add(KnownDetail(**words, added_at=now, added_by=joan))
    cases = await sql(services, "SELECT count(*) FROM moderation_case")
    found = await swept(services)
    assert found == await swept(services)
    assert found.found == 2
    assert await sql(services, "SELECT count(*) FROM moderation_case") == cases

    assert (await guest.get(SWEPT)).status_code == 401
    async with make.signed_in(app, "heron", Role.ADVISER) as heron:
        assert (await heron.get(SWEPT)).status_code == 403
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        first = (await orla.get(SWEPT, params={"limit": 1})).json()
        assert [(one["body_markdown"], one["kinds"]) for one in first["items"]] == [(CALL, ["telephone"])]
        rest = (await orla.get(SWEPT, params={"after": first["next"]})).json()
        assert [one["kinds"] for one in rest["items"]] == [["email"]]
        assert rest["next"] is None
        page = (await orla.get("/moderation/swept-posts")).text
        assert "Telephone numbers of people" in page
        [call], [mail] = first["items"], rest["items"]
        assert f"/moderation/posts/{call['id']}/case" in page

        # One is left as it is, and stays so; of the other, its author takes the words out.
        for _ in range(2):
            assert (await orla.put(f"{SWEPT}/{call['id']}/settlement")).status_code == 204
        assert (await orla.put(f"{SWEPT}/{call['id'] + 100}/settlement")).status_code == 404
        await swept(services)
        assert [one["id"] for one in (await orla.get(SWEPT)).json()["items"]] == [mail["id"]]
    log = "SELECT act, subject_id FROM audit_entry WHERE act = 'swept_post.settled'"
    assert (await sql(services, log))[0] == ("swept_post.settled", str(call["id"]))

    # It is in its author's copy, and goes with the words.
    mum = await make.viewer(services, "worried-mum-of-3")
    async with services.database.work() as session:
        [section] = await export_own(session, mum, clock.now())
    assert [item["kinds"] for item in section.items] == [["telephone"]]
    await sql(services, f"UPDATE post SET revision = 2, body_markdown = 'Gone.' WHERE id = {call['id']}")
    async with services.database.work() as session:
        await clean_up(session, clock.now())
    assert await sql(services, "SELECT post_id FROM swept_post") == [(mail["id"],)]
