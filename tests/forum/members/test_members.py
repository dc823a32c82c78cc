"""Members: who may join under which name, what others learn of them, and which roles they were given."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlmodel import col

from forum.administration import roles
from forum.authentication import profiles
from forum.content import boards
from forum.core import audit, clock
from forum.core.errors import Conflict, Forbidden, Invalid, NotFound
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.queries import get_member, lock_account_row
from forum.members.standing import add_sanction, lift_sanction, standing_of
from forum.members.tables import Member, Role, RoleGrant, RulesEdition, Standing
from forum.members.viewer import GUEST, Viewer
from forum.passwords import policy
from tests.support import make

API = "/api/v1"
NOW = datetime(2026, 7, 27, 9, 0, tzinfo=UTC)


async def _joined(services: Services) -> int:
    async with services.database.work() as session:
        return (await session.execute(select(func.count()).select_from(Member))).scalar_one()


def _pointers(response: httpx.Response) -> list[str]:
    return [fault["pointer"] for fault in response.json()["errors"]]


# Joining.


async def test_a_new_forum_has_nobody_in_it_and_no_password_that_everybody_knows(services: Services) -> None:
    async with services.database.work() as session:
        assert (await session.execute(select(Member))).all() == []


async def test_who_joins_is_told_their_own_profile(services: Services, guest: httpx.AsyncClient) -> None:
    wish = make.joining("Quiet-Heron", name="  Quiet   Heron ")
    joined = await guest.post(f"{API}/members", json=wish)
    assert joined.status_code == 201, joined.text
    assert joined.headers["location"] == f"{API}/members/quiet-heron"
    profile = joined.json()
    assert profile.pop("id")
    assert datetime.fromisoformat(profile.pop("joined_at")) <= clock.now()
    assert profile == {
        "handle": "quiet-heron",
        "name": "Quiet Heron",
        "title": None,
        "email": "Quiet-Heron@example.org",
        "email_verified": False,
        "wanted_email": None,
        "roles": [],
        "moderated_boards": [],
        "roles_withheld": False,
        "standing": "active",
        "rules_version": None,
        "rules_accepted": True,
        "needs_other_address": False,
        "least_age": None,
    }
    async with services.database.work() as session:
        kept = await get_member(session, "quiet-heron")
    assert kept.password_hash.startswith("$argon2id$")
    assert make.PASSWORD not in kept.password_hash


async def test_what_cannot_be_accepted_is_refused_where_it_is(services: Services, guest: httpx.AsyncClient) -> None:
    wishes: list[tuple[dict[str, Any], str]] = [
        ({"handle": "ab"}, "#/handle"),
        ({"handle": "two words"}, "#/handle"),
        ({"handle": "x" * 31}, "#/handle"),
        ({"handle": "heron\x00"}, "#/handle"),
        ({"handle": "admin"}, "#/handle"),
        ({"handle": "M0dеrаtоr"}, "#/handle"),
        ({"name": "Staff"}, "#/name"),
        ({"name": "s.t-a f_f"}, "#/name"),
        ({"name": "МОDЕRАТОR"}, "#/name"),  # in Cyrillic capitals, of which only these look Latin
        ({"name": "\u3164"}, "#/name"),
        ({"name": ""}, "#/name"),
        ({"email": "nonsense"}, "#/email"),
        ({"email": "a@b"}, "#/email"),
        ({"password": "short"}, "#/password"),
        ({"password": "passwordpassword"}, "#/password"),
        ({"rules_version": 99}, "#/rules_version"),
        ({"least_age": 15}, "#/least_age"),
        ({"role": "administrator"}, "#/role"),
        ({"standing": "active"}, "#/standing"),
    ]
    for changes, pointer in wishes:
        refused = await guest.post(f"{API}/members", json=make.joining("heron") | changes)
        assert (refused.status_code, _pointers(refused)) == (422, [pointer]), changes
    assert await _joined(services) == 0


async def test_people_of_every_script_can_join_be_found_and_sign_in(guest: httpx.AsyncClient) -> None:
    for handle in ("zoë", "ольга", "فاطمة", "हिन्दी", "さくら"):
        joined = await guest.post(f"{API}/members", json=make.joining(handle, email="somebody@example.org"))
        assert joined.status_code == 201, joined.text
        assert (await guest.get(joined.headers["location"])).json()["handle"] == handle
        signed_in = await guest.post(f"{API}/sessions", json=make.signing_in(handle.upper()))
        assert signed_in.json()["member"]["handle"] == handle


async def test_a_handle_that_another_member_could_be_taken_for_says_so(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await make.member(services, "heron")
    alike = "looks like another member's"
    wishes = {
        "heron": "is taken",
        "HERON": "is taken",
        "ｈｅｒｏｎ": "is taken",
        "he\u200dron": "is taken",
        "he-ron": alike,
        "h\u0435r\u043en": alike,  # Cyrillic
        "hér0n": alike,
    }
    for handle, said in wishes.items():
        refused = await guest.post(f"{API}/members", json=make.joining(handle, email="other@example.org"))
        assert (refused.status_code, _pointers(refused)) == (409, ["#/handle"])
        assert said in refused.json()["detail"], handle
    assert await _joined(services) == 1


async def test_nobody_looks_like_somebody_who_works_here(services: Services, guest: httpx.AsyncClient) -> None:
    await make.member(services, "bittern")
    await make.member(services, "heide", Role.MODERATOR)
    suzie = await make.member(services, "suzie", Role.ADVISER)
    async with services.database.work() as session:
        await profiles.rename_member(session, await session.merge(suzie), "Susanne")
    refused: list[tuple[dict[str, str], int, str]] = [
        ({"handle": "suzie"}, 409, "#/handle"),
        ({"handle": "suz1e"}, 422, "#/handle"),
        ({"handle": "susanne"}, 422, "#/handle"),  # what Suzie is called, not her handle
        ({"name": "Suz\u0456e"}, 422, "#/name"),
        ({"name": "НЕIDЕ"}, 422, "#/name"),  # Cyrillic, and only its capitals look Latin
        ({"name": "S U S A N N E"}, 422, "#/name"),
        ({"name": "Dear Susanne and all"}, 422, "#/name"),
        ({"handle": "ask-heide-here"}, 422, "#/handle"),
        ({"name": "Your 0nline Adv1ser"}, 422, "#/name"),
        ({"name": "Ann, Example Family Charity"}, 422, "#/name"),
        ({"name": "From Peer Support F0rum"}, 422, "#/name"),
        ({"handle": "new"}, 422, "#/handle"),
        ({"name": "Heron ✓"}, 422, "#/name"),
    ]
    for changes, status, pointer in refused:
        answer = await guest.post(f"{API}/members", json=make.joining("heron") | changes)
        assert (answer.status_code, _pointers(answer)) == (status, [pointer]), changes
    for number, name in enumerate(["Suzanna", "Bittern", "Family first"]):  # ordinary members share display names
        answer = await guest.post(f"{API}/members", json=make.joining(f"heron{number}", name=name))
        assert answer.status_code == 201, answer.text


async def test_who_moderates_one_board_only_is_protected_like_all_staff(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.member(services, "marcus", boards=("new-here",))
    refused = await guest.post(f"{API}/members", json=make.joining("heron", name="Marcus"))
    assert (refused.status_code, _pointers(refused)) == (422, ["#/name"])


async def test_an_address_that_has_an_account_gets_exactly_the_same_answer(guest: httpx.AsyncClient) -> None:
    first = await guest.post(f"{API}/members", json=make.joining("heron", email="shared@example.org"))
    second = await guest.post(f"{API}/members", json=make.joining("bittern", email="shared@example.org"))
    unknown = await guest.post(f"{API}/members", json=make.joining("curlew", email="fresh@example.org"))
    assert first.status_code == second.status_code == unknown.status_code == 201
    assert first.json().keys() == second.json().keys() == unknown.json().keys()
    assert second.headers.keys() == unknown.headers.keys()
    own = {"id", "handle", "name", "email", "joined_at"}
    assert {key: value for key, value in second.json().items() if key not in own} == {
        key: value for key, value in unknown.json().items() if key not in own
    }
    for handle in ("heron", "bittern"):
        signed_in = await guest.post(f"{API}/sessions", json=make.signing_in(handle))
        assert (signed_in.status_code, signed_in.json()["member"]["handle"]) == (201, handle)


async def test_joining_with_a_known_and_an_unknown_address_sends_the_same_statements(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await make.member(services, "marcus")
    sent = []
    for handle, address in (("first", "first"), ("heron", "marcus"), ("bittern", "nobody")):  # the first warms it up
        with make.note_of_statements(services) as statements:
            body = make.joining(handle, email=f"{address}@example.org")
            assert (await guest.post(f"{API}/members", json=body)).status_code == 201
        sent.append(statements)
    assert sent[1] == sent[2] != []


async def test_two_who_want_one_handle_at_the_same_moment_do_not_both_get_it(
    services: Services, guest: httpx.AsyncClient
) -> None:
    wishes = [make.joining("heron", email=f"{number}@example.org") for number in range(4)]
    answers = await asyncio.gather(*(guest.post(f"{API}/members", json=wish) for wish in wishes))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert await _joined(services) == 1


async def test_the_version_of_the_rules_that_somebody_accepts_is_kept(
    services: Services, guest: httpx.AsyncClient
) -> None:
    async with services.database.work() as session:
        session.add(RulesEdition(version=3, since=NOW))
    joined = await guest.post(f"{API}/members", json=make.joining("heron", rules_version=3))
    assert joined.json()["rules_version"] == 3


async def test_a_name_passes_the_gate_before_anybody_reads_it(settings: Settings) -> None:
    gate = make.HoldingGate()
    async with make.application(settings, gate) as app, make.client(app) as guest:
        refused = await guest.post(f"{API}/members", json=make.joining("heron", name="HOLD me"))
        assert (refused.status_code, _pointers(refused)) == (422, ["#/name"])
        assert await _joined(app.state.services) == 0
        async with make.signed_in(app, "heron") as heron:
            refused = await heron.patch(f"{API}/me", json={"name": "Please HOLD"})
            assert (refused.status_code, _pointers(refused)) == (422, ["#/name"])
            assert (await heron.get(f"{API}/me")).json()["name"] == "Heron"
    assert [submission.texts for submission in gate.judged] == [("HOLD me",), ("Please HOLD",)]


# Profiles and cards.


async def test_a_new_name_is_seen_at_once(app: FastAPI, guest: httpx.AsyncClient) -> None:
    async with make.signed_in(app, "heron") as heron:
        assert (await heron.get(f"{API}/me")).json()["name"] == "Heron"
        changed = await heron.patch(f"{API}/me", json={"name": " Grey  Heron "})
        assert (changed.status_code, changed.json()["name"]) == (200, "Grey Heron")
        assert (await heron.get(f"{API}/me")).json()["name"] == "Grey Heron"
    assert (await guest.get(f"{API}/members/heron")).json()["name"] == "Grey Heron"


async def test_a_new_name_is_held_to_the_same_rules(app: FastAPI, services: Services) -> None:
    await make.member(services, "suzie", Role.ADVISER)
    await make.member(services, "bittern")
    async with make.signed_in(app, "heron") as heron:
        for name in ("Suzie", "S.U.Z.I.E", "Admin", "\u200b", "x" * 61):
            answer = await heron.patch(f"{API}/me", json={"name": name})
            assert (answer.status_code, _pointers(answer)) == (422, ["#/name"]), name
            assert (await heron.get(f"{API}/me")).json()["name"] == "Heron"
        for name in ("Heron", "HERON", "Bittern"):
            answer = await heron.patch(f"{API}/me", json={"name": name})
            assert (answer.status_code, answer.json()["name"]) == (200, name)


async def test_a_reply_does_not_wait_for_the_change_of_its_authors_name(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, services.database.work() as session:
        thread, viewer = await make.thread(services, "heron"), await make.viewer(services, "heron")
        account = await lock_account_row(session, viewer.member_id, clock.now())
        await profiles.rename_member(session, account.member, "Grey Heron")
        async with asyncio.timeout(10):
            reply = await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "I see"})
    assert reply.status_code == 201


async def test_staff_may_keep_their_own_name(app: FastAPI) -> None:
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        assert (await suzie.patch(f"{API}/me", json={"name": "SUZIE"})).status_code == 200


async def test_a_card_tells_what_everybody_may_know_and_no_more(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await make.board(services)
    await make.board(services, "staff-room", readers=("moderator",))
    heron = await make.member(services, "heron", boards=("staff-room",))
    await make.thread(services, "heron")
    await make.thread(services, "heron", "staff-room")
    card = await guest.get(f"{API}/members/Heron")
    assert card.status_code == 200
    shown = card.json()
    assert datetime.fromisoformat(shown.pop("joined_at")) == heron.joined_at
    assert shown == {"handle": "heron", "name": "Heron", "title": None, "posts": 1, "adviser": None}
    async with make.signed_in(app, "marcus", Role.MODERATOR) as marcus:
        assert (await marcus.get(f"{API}/members/heron")).json()["posts"] == 2


async def test_an_adviser_carries_their_organisation_on_the_card(services: Services, guest: httpx.AsyncClient) -> None:
    await make.member(services, "suzie", Role.ADVISER)
    badge = {"title": "Online adviser", "organisation": "Example Family Charity"}
    assert (await guest.get(f"{API}/members/suzie")).json()["adviser"] == badge


async def test_several_cards_come_at_once_and_strangers_are_left_out(
    services: Services, guest: httpx.AsyncClient
) -> None:
    for handle in ("heron", "bittern", "curlew"):
        await make.member(services, handle)
    asked = [("handle", "HERON"), ("handle", "bittern"), ("handle", "nobody"), ("handle", "heron")]
    page = (await guest.get(f"{API}/members", params=asked)).json()
    assert [card["handle"] for card in page["items"]] == ["bittern", "heron"]
    assert page["next"] is None


async def test_nobody_has_a_card_who_does_not_exist(guest: httpx.AsyncClient) -> None:
    answer = await guest.get(f"{API}/members/nobody")
    assert (answer.status_code, answer.json()["detail"]) == (404, "There is no such member.")
    assert (await guest.get(f"{API}/members", params={"handle": "nobody"})).json()["items"] == []


async def test_only_its_owner_reads_a_profile(guest: httpx.AsyncClient) -> None:
    assert (await guest.get(f"{API}/me")).status_code == 401
    assert (await guest.patch(f"{API}/me", json={"name": "Heron"})).status_code == 401


async def test_a_profile_tells_the_roles_and_the_boards(app: FastAPI, services: Services) -> None:
    for slug in ("new-here", "court"):
        await make.board(services, slug)
    async with make.signed_in(app, "marcus", Role.ADVISER, boards=("new-here", "court")) as marcus:
        profile = (await marcus.get(f"{API}/me")).json()
    assert (profile["roles"], profile["moderated_boards"]) == (["adviser", "moderator"], ["court", "new-here"])


# Standing.


async def test_the_gravest_measure_counts_until_it_has_run_out(services: Services) -> None:
    measures: list[tuple[list[tuple[Standing, timedelta | None]], Standing]] = [
        ([], Standing.ACTIVE),
        ([(Standing.SILENCED, None)], Standing.SILENCED),
        ([(Standing.SILENCED, timedelta(seconds=1))], Standing.SILENCED),
        ([(Standing.SILENCED, timedelta(0))], Standing.ACTIVE),
        ([(Standing.SUSPENDED, -timedelta(days=1))], Standing.ACTIVE),
        ([(Standing.BANNED, None)], Standing.BANNED),
        ([(Standing.BANNED, None), (Standing.SILENCED, None)], Standing.BANNED),
        ([(Standing.SILENCED, None), (Standing.SUSPENDED, timedelta(days=1))], Standing.SUSPENDED),
        ([(Standing.SILENCED, None), (Standing.SUSPENDED, timedelta(0))], Standing.SILENCED),
    ]
    for number, (given, counts) in enumerate(measures):
        heron = await make.member(services, f"heron{number}")
        async with services.database.work() as session:
            for standing, lasts in given:
                until = None if lasts is None else NOW + lasts
                await add_sanction(session, heron.id, standing, NOW - timedelta(days=2), until)
            assert await standing_of(session, heron.id, NOW) == counts, given


async def test_a_measure_that_is_lifted_was_never_there(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "heron") as heron:
        async with services.database.work() as session:
            member = await get_member(session, "heron")
            given = await add_sanction(session, member.id, Standing.SILENCED, clock.now(), None)
        assert (await heron.get(f"{API}/me")).json()["standing"] == "silenced"
        async with services.database.work() as session:
            await lift_sanction(session, given.id)
        assert (await heron.get(f"{API}/me")).json()["standing"] == "active"


@pytest.mark.parametrize(
    ("viewer", "is_new"),
    [
        (GUEST, False),
        (Viewer(joined_at=NOW), True),
        (Viewer(joined_at=NOW - timedelta(days=3, seconds=-1)), True),
        (Viewer(joined_at=NOW - timedelta(days=3)), False),
        (Viewer(joined_at=NOW, roles=frozenset({Role.ADVISER})), False),
        (Viewer(joined_at=NOW, moderated_boards=frozenset({1})), False),
    ],
)
def test_a_newcomer_joined_less_than_three_days_ago_and_has_no_role(viewer: Viewer, is_new: bool) -> None:
    assert viewer.is_newcomer(3, NOW) is is_new


def test_a_guest_writes_nothing() -> None:
    with pytest.raises(RuntimeError):
        _ = GUEST.member_id


# Roles.


async def _acts(services: Services) -> list[tuple[str, str, dict[str, Any]]]:
    entries = select(col(audit.AuditEntry.act), col(audit.AuditEntry.subject_id), col(audit.AuditEntry.details))
    of_members = entries.where(col(audit.AuditEntry.subject_kind) == "member").order_by(col(audit.AuditEntry.number))
    async with services.database.work() as session:
        return [(row.act, row.subject_id, row.details) for row in (await session.execute(of_members)).all()]


async def _grant(services: Services, handle: str, role: Role, board_id: int | None = None) -> None:
    async with services.database.work() as session:
        await roles.grant(session, await get_member(session, handle), role, NOW, board_id=board_id)


async def _revoke(services: Services, handle: str, role: Role, board_id: int | None = None) -> None:
    async with services.database.work() as session:
        await roles.revoke(session, await get_member(session, handle), role, NOW, board_id=board_id)


async def test_every_role_that_is_given_or_taken_is_in_the_record(services: Services) -> None:
    board = await make.board(services)
    chief = await make.member(services, "chief", Role.ADMINISTRATOR)
    marcus = await make.member(services, "marcus")
    given = [
        (Role.MODERATOR, board.id),
        (Role.MODERATOR, None),
        (Role.SAFEGUARDING_LEAD, None),
        (Role.ADMINISTRATOR, None),
    ]
    async with services.database.work() as session:
        someone = await get_member(session, "Marcus")
        for role, board_id in given:
            await roles.grant(session, someone, role, NOW, board_id=board_id, by=chief.id)
        for role, board_id in given:
            await roles.revoke(session, someone, role, NOW, board_id=board_id, by=chief.id)
        await audit.verify(session)
    assert (await _acts(services))[1:] == [
        (act, str(marcus.id), {"role": role, "board": board_id})
        for act in ("role.granted", "role.revoked")
        for role, board_id in given
    ]
    async with services.database.work() as session:
        actors = (await session.execute(select(audit.AuditEntry.actor_id).distinct())).scalars().all()
        assert set(actors) == {None, chief.id}


async def test_a_role_is_of_the_whole_forum_or_of_one_board(services: Services) -> None:
    board, other = await make.board(services), await make.board(services, "court")
    await make.member(services, "marcus", boards=("new-here",))
    await make.member(services, "miriam", Role.MODERATOR)
    marcus, miriam = await make.viewer(services, "marcus"), await make.viewer(services, "miriam")
    assert (marcus.moderates(board.id), marcus.moderates(other.id)) == (True, False)
    assert (miriam.moderates(board.id), miriam.moderates(other.id)) == (True, True)
    assert marcus.is_staff
    assert miriam.is_staff
    assert marcus.audience_groups == miriam.audience_groups == ("everyone", "member", "moderator")


async def test_a_role_is_given_once(services: Services) -> None:
    board = await make.board(services)
    await make.member(services, "marcus", Role.MODERATOR, boards=("new-here",))
    for board_id in (None, board.id):
        with pytest.raises(Conflict, match="marcus is moderator already"):
            await _grant(services, "marcus", Role.MODERATOR, board_id)
    assert len(await _acts(services)) == 2


async def test_a_role_that_nobody_has_cannot_be_taken(services: Services) -> None:
    board = await make.board(services)
    await make.member(services, "marcus", boards=("new-here",))
    for role, board_id in ((Role.ADMINISTRATOR, None), (Role.MODERATOR, None)):
        with pytest.raises(NotFound, match=f"marcus is not {role}"):
            await _revoke(services, "marcus", role, board_id)
    await _revoke(services, "marcus", Role.MODERATOR, board.id)
    assert not (await make.viewer(services, "marcus")).is_staff


async def test_only_a_moderators_role_is_for_one_board(services: Services) -> None:
    board = await make.board(services)
    await make.member(services, "marcus")
    for role in set(Role) - {Role.MODERATOR}:
        with pytest.raises(Invalid, match="Only a moderator's role"):
            await _grant(services, "marcus", role, board.id)


async def test_nobody_with_a_short_password_is_given_a_role(services: Services, guest: httpx.AsyncClient) -> None:
    short = "heron!tea+9kt"
    assert policy.MEMBER_MIN <= len(short) < policy.STAFF_MIN
    assert (await guest.post(f"{API}/members", json=make.joining("curlew", password=short))).status_code == 201
    for role in Role:
        with pytest.raises(Forbidden, match="at least 15 characters"):
            await _grant(services, "curlew", role)
    async with services.database.work() as session:
        assert (await session.execute(select(func.count()).select_from(RoleGrant))).scalar_one() == 0
    assert await _acts(services) == []


async def test_roles_go_with_a_board_that_goes(services: Services) -> None:
    board = await make.board(services)
    await make.member(services, "marcus", boards=("new-here",))
    async with services.database.work() as session:
        await session.delete(await session.get(boards.Board, board.id))
    assert not (await make.viewer(services, "marcus")).is_staff


async def test_by_handle_finds_however_it_is_typed_or_says_that_there_is_none(services: Services) -> None:
    heron = await make.member(services, "heron")
    async with services.database.work() as session:
        assert (await get_member(session, "HERON")).id == heron.id
        with pytest.raises(NotFound, match="There is no member called nobody"):
            await get_member(session, "nobody")
