"""An old board moves in: its people, boards, threads and posts are as the house's own verbs would have made them."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from passlib.hash import phpass

from forum.core import clock
from forum.http.services import Services
from forum.importers.plan import Plan
from forum.importers.records import (
    BoardRecord,
    PersonKind,
    PersonRecord,
    PostRecord,
    Readers,
    Shown,
    SourceRecord,
    TextForm,
    ThreadRecord,
    WatchRecord,
)
from forum.importers.run import Import, carry_over
from forum.importers.staging import Staging
from forum.members.tables import Role
from moderation.gate import BoardGate
from tests.support import make
from tests.support.scenes import sql

API = "/api/v1"
THEN = datetime(2009, 3, 1, 3, 0, tzinfo=UTC)
PASSWORD = "six wet geese & a goose"
OLD_HASH = str(phpass.using(ident="H", rounds=8, salt="abcdefgh").hash(PASSWORD.replace("&", "&amp;")))


def post(old: int, thread: int, author: str | None, said: str, **more: Any) -> PostRecord:
    at = more.pop("at", THEN + timedelta(hours=old))
    return PostRecord(
        old=str(old), thread=str(thread), author=author, written_at=at, form=TextForm.PLAIN, text=said, **more
    )


def small_board(now: datetime) -> list[Any]:
    """Four boards and twenty people, some of whom are hard to name; some posts are hidden."""
    recent = now - timedelta(days=30)
    people = [
        PersonRecord(old="2", name="Suzie", posts=3, was=("moderator",), joined_at=THEN, last_seen_at=recent),
        PersonRecord(old="3", name="Worried Mum of 3", email="mum@example.org", password=OLD_HASH, last_seen_at=recent),
        PersonRecord(old="4", name="Sunny 🌞", email="sunny@example.org", password="0" * 31, last_seen_at=THEN),
        PersonRecord(old="5", name="sunny", password=hashlib.md5(b"rain").hexdigest(), last_seen_at=recent),
        PersonRecord(old="6", name="Moderator Max", email="max@example.org", last_seen_at=recent),
        PersonRecord(old="7", name="Left Long Ago", what=PersonKind.INACTIVE),
        PersonRecord(old="8", name="Google [Bot]", what=PersonKind.BOT),
        PersonRecord(old="9", name="Sleeper", last_seen_at=THEN),
        PersonRecord(old="10", name="Nia", email="nia@example.org", last_seen_at=recent),
    ]
    threads = [
        ThreadRecord(old="1", board="11", author="3", title="Is it my fault?", opened_at=THEN),
        ThreadRecord(old="2", board="12", author="2", title="For staff", is_pinned=True),
        ThreadRecord(old="3", board="11", author="4", title="x", is_locked=True),
        ThreadRecord(old="4", board="11", title="A pointer", moved_to="1"),
        ThreadRecord(old="5", board="11", author="3", title="Gone", shown=Shown.REMOVED),
        ThreadRecord(old="6", board="13", author="3", title="New one", opened_at=recent),
        ThreadRecord(old="7", board="14", author="3", title="Not taken"),
    ]
    posts = [
        post(1, 1, "3", "My son was taken into care. What can I do?"),
        post(2, 1, "10", "You are not to blame."),
        post(3, 1, "4", "Thank you @suzie, **so** much [removed: rule 3]", reply_to="2"),
        post(4, 1, "4", "You toad.", shown=Shown.REMOVED),
        post(5, 1, None, "I only pass by.", author_name="Reader 7"),
        post(6, 1, None, "So do I.", author_name="reader 7"),
        post(7, 1, "7", "I closed my account.", edited_by="2", edit_reason="no telephone numbers", edited_at=THEN),
        post(8, 1, "99", "Nobody knows me.", edited_by="99", edit_reason="a slip"),
        post(9, 1, "3", "Long. " * 6_000),
        post(10, 2, "2", "Who knows the toad?"),
        post(11, 3, "4", "   "),
        post(12, 5, "3", "Nobody is to read this."),
        post(13, 6, "3", "Is anybody here?", at=now - timedelta(days=3)),
        post(14, 6, "5", "I wait for a moderator.", at=now - timedelta(days=2), shown=Shown.WAITING),
        post(15, 6, "5", "And I have for years.", at=THEN, shown=Shown.WAITING),
        post(16, 7, "3", "This board stays behind."),
    ]
    return [
        SourceRecord(program="phpbb", version="3.3.14", name="Kin"),
        BoardRecord(old="10", name="Welcome", is_section=True, readers=Readers.EVERYONE),
        BoardRecord(old="11", parent="10", name="Mums & Dads", readers=Readers.EVERYONE),
        BoardRecord(old="12", parent="10", name="Team room", readers=Readers.STAFF, position=1),
        BoardRecord(old="13", name="Members", readers=Readers.MEMBERS, position=2),
        BoardRecord(old="14", name="Jokes", readers=Readers.EVERYONE, position=3),
        *people,
        *threads,
        *posts,
        WatchRecord(person="3", thread="1"),
        WatchRecord(person="9", thread="1"),
        WatchRecord(person="10", board="13"),
    ]


def plan_of(staging: Staging) -> Plan:
    """The plan that is proposed, with an adviser, and without the jokes."""
    proposed = Plan.proposed(staging)
    boards = {**proposed.boards, "14": proposed.boards["14"].model_copy(update={"take": False})}
    return proposed.model_copy(update={"advisers": ("nia",), "boards": boards})


async def move_in(services: Services, folder: Path, records: list[Any], name: str = "moving") -> None:
    with Staging(folder / f"{name}.sqlite") as staging:
        staging.add(records)
        gate = BoardGate(3, "GB")
        await carry_over(services.database, Import(staging, plan_of(staging), services.settings, gate))


@pytest.fixture
async def moved(services: Services, tmp_path: Path) -> Services:
    """A forum with a moderator of its own, into which the small board moved."""
    await make.member(services, "orla", Role.MODERATOR)
    await move_in(services, tmp_path, small_board(clock.now()))
    return services


async def test_everything_is_there_as_the_house_would_have_made_it(
    moved: Services, app: FastAPI, guest: httpx.AsyncClient
) -> None:
    services = moved
    people = await sql(
        services,
        "SELECT name, handle, email, password_hash <> '' FROM member "
        "WHERE handle <> 'orla' OR handle IS NULL ORDER BY name",
    )
    assert [tuple(row) for row in people] == []
