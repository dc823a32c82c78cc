"""The README keeps its word: its tour works when it is pasted, and it names every setting."""

import asyncio
import os
import re
import subprocess
from datetime import timedelta
from pathlib import Path

from sqlmodel import SQLModel

import forum.app
from forum.authentication import sessions
from forum.core.settings import Settings
from forum.http.current_member import FRESH_FOR
from tests.architecture.test_openapi import API, operations
from tests.support import running

README = (running.ROOT / "README.md").read_text(encoding="utf-8")


async def test_the_tour_works_when_it_is_pasted(tmp_path: Path) -> None:
    tour = README.partition("## A tour with curl")[2].partition("```sh\n")[2].partition("```")[0]
    async with running.started(tmp_path, "demo") as forum:
        await forum.ready()
        address = str(forum.http.base_url).rstrip("/")
        pasted = tour.replace("http://127.0.0.1:8000", address)
        assert pasted != tour
        where = {**os.environ, "FORUM_DATA": str(forum.data)}
        done = await asyncio.to_thread(
            subprocess.run, ["bash", "-e"], input=pasted, capture_output=True, text=True, env=where
        )
    assert done.returncode == 0, done.stderr
    assert "ring 999" in done.stdout
    assert "What happens on Monday?" in done.stdout
    assert "{'name': 'Suzie', 'title': 'Online adviser', 'organisation': 'Example Family Charity'}" in done.stdout
    assert '"title":"Stale","status":409' in done.stdout
    assert '"changed_by":"Suzie"' in done.stdout


def test_the_readme_names_every_setting() -> None:
    named = set(re.findall(r"`(FORUM_[A-Z_]+)`", README))
    missing = {f"FORUM_{name.upper()}" for name in Settings.model_fields} - named
    assert missing == set()


def test_the_readme_says_of_every_table_how_it_is_guarded() -> None:
    assert forum.app.FEATURES  # whose models are the tables
    kept = README.partition("**What is kept**")[2].partition("**What is written down**")[0]
    rows = [row.split("|")[2] for row in kept.splitlines() if row.startswith("| ")]
    named = [table for row in rows for table in re.findall(r"`([a-z_]+)`", row)]
    assert sorted(named) == sorted(SQLModel.metadata.tables)


def test_the_readme_names_every_way_that_ends_in_a_session() -> None:
    ways = README.partition("**Ways in.**")[2].partition("**Sessions.**")[0]
    named = {tuple(way.split()) for way in re.findall(r"`([A-Z]+ /[^`]+)`", ways)}
    opening = {
        (method, path.removeprefix(API))
        for method, path, operation in operations()
        if "Set-Cookie" in operation["responses"].get("201", {}).get("headers", {})
    }
    assert opening
    assert opening <= named


def test_the_readme_says_how_long_a_session_lasts() -> None:
    said = README.partition("**Sessions.**")[2].partition("**What is kept**")[0].replace("\n", " ")
    days = f"ends after {sessions.MEMBERS_LAST.days} days, or {sessions.IDLE_TIMEOUT.days} without use"
    assert f"{days}; a role's after {sessions.STAFF_LAST // timedelta(hours=1)} hours" in said
    assert f"sign-in within the last {FRESH_FOR // timedelta(minutes=1)} minutes" in said


def test_the_readme_names_every_line_that_is_logged_of_a_request() -> None:
    written = README.partition("**What is written down**")[2].partition("## Backups")[0]
    for name in ("api/middleware", "api/problems", "signing_in"):
        code = (running.ROOT / "forum" / f"{name}.py").read_text(encoding="utf-8")
        events = re.findall(r"log\.(?:info|warning|error)\(\s*\"(\w+)\"", code)
        assert events
        assert {event for event in events if f"`{event}`" not in written} == set()
