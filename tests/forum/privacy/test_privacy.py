"""Leaving: asked for, taken back, done after fourteen days; held up by the law, and by nobody else."""

import asyncio
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text, update
from sqlmodel import col

from forum import worker
from forum.content.markup import GONE
from forum.core import clock
from forum.core.audit import AuditEntry
from forum.core.settings import Settings
from forum.features import handlers_of
from forum.http.services import Services
from forum.members.tables import FORMER, Role, Standing
from forum.privacy import exports
from forum.privacy.account_deletion import DEPART
from forum.privacy.tables import Export, ExportPart
from tests.support import mailbox, make
from tests.support.jobs import clean_up, run_due_jobs, run_hourly_jobs
from tests.support.scenes import REDACT, RUDE, a_case, a_post, appeal, decide, report

API = "/api/v1"
LATER = timedelta(days=14, minutes=1)


@pytest.fixture
async def heron(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who thinks of leaving."""
    async with make.signed_in(app, "heron") as client:
        yield client


async def ask(client: httpx.AsyncClient, kind: str = "leave") -> httpx.Response:
    return await client.put(f"{API}/me/departure", json={"kind": kind})


async def test_who_leaves_is_gone_after_fourteen_days_and_not_before(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    await make.board(services)
    thread = await make.thread(services, "heron", body="What happens on Monday?")
    asked = await ask(heron)
    assert asked.status_code == 200, asked.text
    assert asked.json()["kind"] == "leave"
    assert asked.json() == (await heron.get(f"{API}/me/departure")).json()

    assert await run_due_jobs(services, clock.now() + timedelta(days=13, hours=23)) == []
    assert (await guest.get(f"{API}/members/heron")).status_code == 200

    assert await run_due_jobs(services, clock.now() + LATER) == ["depart"]
    assert (await heron.get(f"{API}/me")).status_code == 401
    assert (await guest.get(f"{API}/members/heron")).status_code == 404
    sign_in = await guest.post(f"{API}/sessions", json=make.signing_in("heron"))
    assert sign_in.status_code == 401
    [post] = (await guest.get(f"{API}/threads/{thread}/posts")).json()["items"]
    assert post["author"] == {"handle": None, "name": FORMER, "title": None}
    assert post["body_markdown"] == "What happens on Monday?"


async def test_who_changes_their_mind_stays(heron: httpx.AsyncClient, services: Services) -> None:
    await ask(heron)
    assert [letter.to for letter in await mailbox.come(services)] == ["heron@example.org"]
    for _ in range(2):
        assert (await heron.delete(f"{API}/me/departure")).status_code == 204
    assert (await heron.get(f"{API}/me/departure")).json()["kind"] is None
    assert await run_due_jobs(services, clock.now() + LATER) == ["depart"]
    assert (await heron.get(f"{API}/me")).status_code == 200


async def test_asked_again_it_is_as_asked_once_and_the_other_kind_begins_anew(
    heron: httpx.AsyncClient, services: Services
) -> None:
    first = (await ask(heron)).json()
    assert (await ask(heron)).json() == first
    other = (await ask(heron, "erase")).json()
    assert other["kind"] == "erase"
    assert other["due_at"] > first["due_at"]
    assert len(await mailbox.come(services)) == 1


async def test_somebody_else_in_ones_session_is_stopped_by_the_link_that_was_mailed(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    await ask(heron, "erase")
    [letter] = await mailbox.come(services)
    assert letter.subject == "About your account"
    assert "erase" not in letter.words
    assert (await guest.post(f"{API}/departures/refusal", json={"token": letter.token})).status_code == 204
    assert (await heron.get(f"{API}/me")).status_code == 401
    assert (await guest.post(f"{API}/departures/refusal", json={"token": letter.token})).status_code == 404
    await run_hourly_jobs(services, clock.now() + LATER)
    assert (await guest.get(f"{API}/members/heron")).status_code == 200


async def test_a_mail_that_was_not_sent_is_not_sent_to_who_stays(heron: httpx.AsyncClient, services: Services) -> None:
    await ask(heron)
    await heron.delete(f"{API}/me/departure")
    assert await mailbox.come(services) == []


@pytest.mark.parametrize("standing", [Standing.SILENCED, Standing.SUSPENDED, Standing.BANNED])
async def test_nobody_is_kept_by_a_sanction(heron: httpx.AsyncClient, services: Services, standing: Standing) -> None:
    await make.sanction(services, "heron", standing)
    assert (await ask(heron)).status_code == 200


async def test_the_last_administrator_names_another_one_first(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        refused = await ask(joan)
        assert refused.status_code == 409
        assert "Appoint another" in refused.json()["detail"]
        await make.member(services, "orla", Role.ADMINISTRATOR)
        assert (await ask(joan)).status_code == 200
        # Since then, the other one is gone.
        await make.sanction(services, "orla", Standing.BANNED)
        await run_hourly_jobs(services, clock.now() + LATER)
        assert (await joan.get(f"{API}/me/departure")).json()["waits_since"] is not None
        await make.member(services, "nell", Role.ADMINISTRATOR)
        await run_hourly_jobs(services, clock.now() + LATER)
        assert (await joan.get(f"{API}/me")).status_code == 401


async def test_of_two_administrators_who_leave_at_once_one_stays(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "orla", Role.ADMINISTRATOR) as orla,
    ):
        await ask(joan)
        await ask(orla)
        depart = handlers_of(worker.FEATURES, services.settings)[DEPART]

        async def go(client: httpx.AsyncClient) -> None:
            me = (await client.get(f"{API}/me")).json()["id"]
            async with services.database.work() as session:
                await depart(session, {"member": me}, clock.now() + LATER)

        await asyncio.gather(go(joan), go(orla))
        assert sorted([(await one.get(f"{API}/me")).status_code for one in (joan, orla)]) == [200, 401]


async def test_a_legal_hold_keeps_everything_until_it_is_released(
    app: FastAPI, heron: httpx.AsyncClient, services: Services
) -> None:
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        hold = f"{API}/members/heron/legal-hold"
        assert (await joan.put(hold, json={"reason": "court"})).status_code == 204
        await ask(heron, "erase")
        await mailbox.come(services)
        for _ in range(2):
            await run_hourly_jobs(services, clock.now() + LATER)
        assert (await heron.get(f"{API}/me/departure")).json()["waits_since"] is not None
        [told] = (await heron.get(f"{API}/me/notifications")).json()["items"]
        assert told["kind"] == "departure_waits"
        assert [letter.subject for letter in await mailbox.come(services)] == ["About your account"]
        [held] = (await joan.get(f"{API}/legal-holds")).json()["items"]
        assert (held["member"]["handle"], held["reason"], held["by"]["handle"]) == ("heron", "court", "joan")
        assert held["departure_due_at"] is not None

        for _ in range(2):
            assert (await joan.delete(hold)).status_code == 204
        assert (await joan.get(f"{API}/legal-holds")).json()["items"] == []
        done = await run_due_jobs(services, clock.now() + LATER)
        assert sorted(done) == ["depart", "depart", "erase_words"]
        assert (await heron.get(f"{API}/me")).status_code == 401
        async with services.database.work() as session:
            acts = (await session.execute(select(col(AuditEntry.act)).order_by(col(AuditEntry.number)))).scalars().all()
        assert acts[-3:] == ["hold.placed", "hold.released", "member.left"]


async def test_nobody_gets_the_handle_of_somebody_who_left(
    heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    await ask(heron)
    await run_due_jobs(services, clock.now() + LATER)
    for handle in ("heron", "H.e.r.o.n", "hеron"):
        joining = make.joining(handle, name="Somebody", email="other@example.org")
        answer = await guest.post(f"{API}/members", json=joining)
        assert answer.status_code == 409, answer.text


async def test_done_twice_it_is_as_done_once(heron: httpx.AsyncClient, services: Services) -> None:
    await ask(heron)
    me = (await heron.get(f"{API}/me")).json()["id"]
    depart = handlers_of(worker.FEATURES, services.settings)[DEPART]
    async with services.database.work() as session:
        await depart(session, {"member": me}, clock.now())  # too soon
    assert (await heron.get(f"{API}/me")).status_code == 200

    async def go() -> None:
        async with services.database.work() as session:
            await depart(session, {"member": me}, clock.now() + LATER)

    await asyncio.gather(*(go() for _ in range(4)))
    async with services.database.work() as session:
        left = select(func.count()).where(col(AuditEntry.act) == "member.left")
        assert (await session.execute(left)).scalar_one() == 1


# Copies


async def copy_of(client: httpx.AsyncClient, services: Services) -> str:
    """The address of a copy that was made."""
    asked = await client.post(f"{API}/me/exports")
    assert (asked.status_code, asked.json()["state"]) == (201, "making"), asked.text
    await run_due_jobs(services, clock.now() + timedelta(minutes=1))
    return f"{API}/me/exports/{asked.json()['id']}"


async def opened(client: httpx.AsyncClient, address: str) -> dict[str, str]:
    """The files of a copy."""
    answer = await client.get(f"{address}/archive")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith('attachment; filename="export-')
    assert answer.headers["cache-control"] == "private, no-store"
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


async def test_a_copy_has_everything_of_ones_own_and_nothing_of_others(
    app: FastAPI, heron: httpx.AsyncClient, services: Services
) -> None:
    """Others' words, who reported, what moderators noted and what was taken out are not in it."""
    post = await a_post(services, f'{RUDE}\nI am <b>cross</b> & "tired".', author="heron")
    async with make.signed_in(app, "magpie") as magpie:
        await magpie.post(f"{API}/threads/{post.thread_id}/posts", json={"body_markdown": "Magpie's own words"})
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        async with make.signed_in(app, "magpie") as magpie:
            assert (await report(magpie, post.id, note="Reporter's note")).status_code == 201
        case = await a_case(suzie, post.id)
        await suzie.post(f"{API}/moderation/cases/{case['id']}/notes", json={"text": "Moderator's note"})
        assert (await decide(suzie, await a_case(suzie, post.id), REDACT, note="Another note")).status_code == 201
        statement = (await heron.get(f"{API}/me/statements")).json()["items"][0]["id"]
        assert (await appeal(heron, statement)).status_code == 201

    files = await opened(heron, await copy_of(heron, services))
    assert set(files) == {"index.html"} | {
        f"data/{name}.json"
        for name in (
            "profile",
            "old_board",
            "rules",
            "talks",
            "complaints",
            "dangers",
            "findings",
            "service_complaints",
            "refused_texts",
            "calls",
            "on_call",
            "handover_notes",
            "adviser_notes",
            "notes_on_threads",
            "left_out",
            "here",
            "posts",
            "revisions",
            "held_edits",
            "drafts",
            "searches",
            "read_marks",
            "subscriptions",
            "address_disclosures",
            "bookmarks",
            "help_shown",
            "reactions",
            "ignored",
            "messages",
            "threads",
            "titles",
            "notifications",
            "mails",
            "sessions",
            "passkeys",
            "statements",
            "reports",
            "appeals",
            "past_warnings",
            "arrival",
            "swept_posts",
        )
    }
    [profile] = json.loads(files["data/profile.json"])
    assert (profile["handle"], profile["email"]) == ("heron", "heron@example.org")
    written = {row["id"]: row for row in json.loads(files["data/posts.json"])}
    assert "[removed: rule 10]" in written[post.id]["body_markdown"]
    assert json.loads(files["data/appeals.json"])[0]["text"] == "It was not meant so."
    assert json.loads(files["data/statements.json"])[0]["excerpts"] == ["a lying toad "]
    for name, said in files.items():
        assert ("a lying toad" in said) is (name in {"data/statements.json", "index.html"}), name
        for others in ("Magpie", "magpie", "note", "password", "token"):
            assert others not in said.replace("It holds what you may read", ""), (name, others)
    page = files["index.html"]
    assert "&lt;b&gt;cross&lt;/b&gt;" in page
    assert not re.search(r"<(script|img|link|iframe|form)|src=|@import|url\(", page)


async def test_a_copy_is_nobody_elses(
    app: FastAPI, heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    address = await copy_of(heron, services)
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        for path in (address, f"{address}/archive"):
            assert (await heron.get(path)).status_code == 200
            assert (await joan.get(path)).status_code == 404
            assert (await guest.get(path)).status_code == 401


async def test_its_owner_is_told_when_a_copy_is_ready(heron: httpx.AsyncClient, services: Services) -> None:
    address = await copy_of(heron, services)
    [told] = (await heron.get(f"{API}/me/notifications")).json()["items"]
    assert (told["kind"], told["subject_id"]) == ("export_ready", address.rpartition("/")[2])
    [letter] = await mailbox.come(services)
    assert (letter.to, letter.subject) == ("heron@example.org", "What you asked for is ready")


async def test_a_copy_is_gone_after_two_days(heron: httpx.AsyncClient, services: Services) -> None:
    address = await copy_of(heron, services)
    async with services.database.work() as session:
        await clean_up(session, clock.now() + timedelta(hours=47))
    assert (await heron.get(address)).status_code == 200
    async with services.database.work() as session:
        await session.execute(update(Export).values(expires_at=clock.now()))
    assert (await heron.get(f"{address}/archive")).status_code == 404
    async with services.database.work() as session:
        await clean_up(session, clock.now())
        assert (await session.execute(select(func.count()).select_from(ExportPart))).scalar_one() == 0


async def test_one_copy_is_made_at_a_time_and_few_a_day(settings: Settings) -> None:
    usual = settings.model_copy(update={"export_limit": Settings().export_limit})
    async with make.application(usual) as app, make.signed_in(app, "heron") as heron:
        services: Services = app.state.services
        twice = [(await heron.post(f"{API}/me/exports")).json()["id"] for _ in range(5)]
        assert len(set(twice)) == 1
        assert (await heron.get(f"{API}/me/exports/{twice[0]}/archive")).status_code == 404
        await run_due_jobs(services, clock.now() + timedelta(minutes=1))
        second = await copy_of(heron, services)
        assert (await heron.get(f"{API}/me/exports/{twice[0]}")).status_code == 404
        await copy_of(heron, services)
        refused = await heron.post(f"{API}/me/exports")
        assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
        assert (await heron.get(second)).status_code == 404


async def test_a_large_copy_comes_in_pieces_and_whole(
    heron: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PART", 100)
    assert "index.html" in await opened(heron, await copy_of(heron, services))
    async with services.database.work() as session:
        assert (await session.execute(select(func.count()).select_from(ExportPart))).scalar_one() > 5


async def test_who_takes_an_address_away_cannot_erase_its_owner(
    app: FastAPI, heron: httpx.AsyncClient, guest: httpx.AsyncClient, services: Services
) -> None:
    change = {"email": "thief@example.org", "current": make.PASSWORD}
    assert (await heron.put(f"{API}/me/email", json=change)).status_code == 204
    theirs, thiefs = await mailbox.come(services)
    assert (
        await guest.post(f"{API}/email-verifications/confirmation", json={"token": thiefs.token})
    ).status_code == 204
    await ask(heron, "erase")
    assert [letter.to for letter in await mailbox.come(services)] == ["thief@example.org"]
    assert (await guest.post(f"{API}/email-verifications/refusal", json={"token": theirs.token})).status_code == 204
    await run_hourly_jobs(services, clock.now() + LATER)
    assert (await guest.get(f"{API}/members/heron")).status_code == 200


async def test_a_departure_whose_job_was_lost_is_done_within_the_hour(
    heron: httpx.AsyncClient, services: Services
) -> None:
    await ask(heron)
    async with services.database.work() as session:
        await session.execute(text("DELETE FROM jobs.queue"))
    assert await run_hourly_jobs(services, clock.now() + LATER - timedelta(hours=1)) == []
    assert await run_hourly_jobs(services, clock.now() + LATER) == ["depart"]
    assert await run_hourly_jobs(services, clock.now() + LATER) == []


async def test_a_busy_forum_goes_on_while_somebody_is_erased(app: FastAPI, services: Services) -> None:
    """Their own last words, replies that quote them, edits, reports and withdrawals, all at once."""
    post = await a_post(services, "Where do I find the form for legal aid?", author="stepdad")
    thread, own = post.thread_id, [post.id]
    own += [(await make.post(services, "stepdad", thread, f"And what of number {n} of these?")).id for n in range(5)]

    async def talk(client: httpx.AsyncClient, name: str) -> None:
        for number in range(6):
            body = f"> @stepdad #2\n> Where do I find the form for legal aid?\n\n{name} {number}, @stepdad"
            said = await client.post(f"{API}/threads/{thread}/posts", json={"body_markdown": body})
            assert said.status_code < 500, said.text
            if said.status_code == 201 and number % 2:
                again = {"revision": 1, "body_markdown": f"{body} again"}
                edited = await client.patch(f"{API}/posts/{said.json()['id']}", json=again)
                assert edited.status_code < 500, edited.text
            minded = await report(client, own[number])
            assert minded.status_code < 500, minded.text

    async with (
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "nell") as nell,
    ):
        await ask(stepdad, "erase")
        later = clock.now() + LATER
        await asyncio.gather(
            talk(stepdad, "Stepdad"), talk(magpie, "Magpie"), talk(nell, "Nell"), run_hourly_jobs(services, later)
        )
    async with services.database.work() as session:
        await session.execute(text("UPDATE moderation_case SET state = 'decided', decided_at = now()"))
        await session.execute(text("UPDATE report SET outcome = 'upheld', settled_at = now()"))
    for _ in range(2):
        await run_hourly_jobs(services, later)
    async with services.database.work() as session:
        theirs = text(
            "SELECT p.body_markdown, p.visibility FROM post p JOIN member m ON m.id = p.author_id "
            "WHERE m.left_at IS NOT NULL"
        )
        rows = (await session.execute(theirs)).all()
        assert {(body.strip(GONE), visibility) for body, visibility in rows} == {("", "withdrawn")}
        counted = text(
            "SELECT t.posts, (SELECT count(*) FROM post p WHERE p.thread_id = t.id AND p.visibility = 'visible') "
            "FROM thread t"
        )
        assert all(posts == seen for posts, seen in (await session.execute(counted)).all())


async def test_the_last_administrator_stays_one(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        taking = f"{API}/accounts/joan/roles/administrator"
        assert (await joan.delete(taking)).status_code == 409
        await make.member(services, "orla", Role.ADMINISTRATOR)
        assert (await joan.delete(taking)).status_code == 200


async def test_who_left_is_no_account_any_more(app: FastAPI, heron: httpx.AsyncClient, services: Services) -> None:
    await ask(heron)
    await run_hourly_jobs(services, clock.now() + LATER)
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        accounts = (await joan.get(f"{API}/accounts")).json()["items"]
        assert [account["handle"] for account in accounts] == ["joan"]
