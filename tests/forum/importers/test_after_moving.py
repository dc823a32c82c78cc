"""After an old board moved in: its members are told once by a letter, and what nobody used is forgotten."""

from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from forum.core import clock
from forum.http.services import Services
from forum.importers import telling
from forum.importers.errors import CannotMove
from forum.importers.forgetting import KEPT_FOR, Forgotten, forget
from forum.importers.run import NOT_SET
from forum.importers.telling import Addressees, count_addressees, tell_members
from tests.forum.importers.test_moving_in import API, PASSWORD, move_in, rows, small_board
from tests.support import mailbox, make
from tests.support.jobs import clean_up
from tests.support.scenes import sql

LOGINS = (
    "SELECT handle, login, may_reset_by_mail, left(password_hash, 9) FROM member JOIN old_login ON member_id = id "
    "ORDER BY handle"
)


async def clean(services: Services, now: datetime) -> None:
    async with services.database.work() as session:
        await clean_up(session, now)


async def test_members_get_one_letter_and_a_year_later_old_passwords_open_nothing(
    services: Services, guest: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await move_in(services, tmp_path, small_board(clock.now()))
    settings = services.settings.model_copy(update={"public_url": "https://forum.example.org"})
    monkeypatch.setattr(telling, "AT_ONCE", 1)
    with pytest.raises(CannotMove, match="FORUM_PUBLIC_URL"):
        await tell_members(services.database, settings.model_copy(update={"public_url": NOT_SET}))
    assert (await guest.post(f"{API}/sessions", json=make.signing_in("worried-mum-of-3", PASSWORD))).status_code == 201

    # Nia's board was a forum like this one, so her hash is like ours, and says nothing. Max's old name opens another.
    hashed = (await rows(services, "SELECT password_hash FROM member WHERE handle = 'worried-mum-of-3'"))[0][0]
    await sql(services, f"UPDATE member SET password_hash = '{hashed}' WHERE handle = 'nia' RETURNING 1")
    theirs = "member_id = (SELECT id FROM member WHERE email = '{}@example.org') RETURNING 1"
    await sql(services, f"UPDATE moved SET source = 'forum Kin' WHERE {theirs.format('nia')}")
    await sql(services, f"UPDATE old_login SET login = NULL WHERE {theirs.format('max')}")
    await sql(services, "UPDATE import_run SET state = 'undoing' RETURNING 1")
    with pytest.raises(CannotMove, match="is being taken back"):
        await tell_members(services.database, settings)
    await sql(services, "UPDATE import_run SET state = 'ended' RETURNING 1")

    # Nia and Max were there lately. Mum knows it, and of the others no address can be trusted; Sunny is banned, too.
    async with services.database.work() as session:
        assert await count_addressees(session, clock.now()) == Addressees(2, 0, 1, 3, 0)
    assert await telling.tell_some(services.database)  # it is killed after the first batch
    assert await tell_members(services.database, settings) == Addressees(1, 1, 1, 3, 0)
    assert await tell_members(services.database, settings) == Addressees(0, 2, 1, 3, 0)
    letters = await mailbox.come(services)
    assert [letter.to for letter in letters] == ["max@example.org", "nia@example.org"]
    assert await tell_members(services.database, settings) == Addressees(0, 2, 1, 3, 0)
    assert await mailbox.come(services) == []
    named = ("sign in with this e-mail address and", "sign in with your old name, or this e-mail address, and")
    for letter, opens in zip(letters, named, strict=True):
        assert opens in " ".join(letter.words.split())
        assert letter.subject == "Your account has moved"
        assert "/sign-in" in letter.words
        for secret in ("Kin", "Nia", "Moderator Max", "Mum", services.settings.name):
            assert secret not in letter.words

    # Whoever never came can come by mail from then on, if mail may go to their address.
    digests = "SELECT count(*) FROM moved WHERE digest IS NOT NULL"
    before, marks = await rows(services, LOGINS), await rows(services, digests)
    assert marks != [(0,)]
    await clean(services, clock.now() + KEPT_FOR - timedelta(hours=1))
    assert await rows(services, LOGINS) == before
    assert await rows(services, digests) == marks
    await clean(services, clock.now() + KEPT_FOR + timedelta(hours=1))
    assert await rows(services, LOGINS) == [
        ("sunny", None, False, ""),
        ("sunny-5", None, False, ""),
        ("suzie", None, False, ""),
        ("worried-mum-of-3", "worried mum of 3", True, "$argon2id"),
    ]
    assert await rows(services, "SELECT password_hash FROM member WHERE handle = 'nia'") == [("",)]
    assert await rows(services, digests) == [(0,)]
    assert await rows(services, "SELECT count(*) FROM member WHERE password_hash LIKE '$moved$%'") == [(0,)]
    for login, sent in (("nia", 1), ("sunny", 0), ("sunny-5", 0)):
        assert (await guest.post(f"{API}/password-resets", json={"login": login})).status_code == 204
        assert len(await mailbox.come(services)) == sent, login

    # The next hour ends it. Another run is forgotten at once, where somebody asks for it.
    await clean(services, clock.now() + KEPT_FOR + timedelta(hours=2))
    assert await rows(services, "SELECT count(*) FROM import_run WHERE forgotten_at IS NOT NULL") == [(1,)]
    await sql(services, "UPDATE import_run SET forgotten_at = NULL")
    now = clock.now()
    async with services.database.work() as session:
        assert await forget(session, now, ended_before=now) == Forgotten(0, 0)
        assert await forget(session, now, ended_before=now) is None
    assert (
        await rows(services, "SELECT act FROM audit_entry WHERE act = 'import.forgotten'")
        == [("import.forgotten",)] * 2
    )
