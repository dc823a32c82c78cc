"""README and docs are true: the tour works when it is pasted, every setting and table is named, every link leads on."""

import asyncio
import os
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import SQLModel

import forum.app
from forum.authentication import sessions
from forum.core.settings import Settings
from forum.permissions import RECENT
from tests.architecture.test_openapi import API, operations
from tests.support import running

README = (running.ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = (running.ROOT / "docs/settings.md").read_text(encoding="utf-8")
SECURITY = (running.ROOT / "docs/security.md").read_text(encoding="utf-8")
PAGES = sorted([running.ROOT / "README.md", running.ROOT / "CONTRIBUTING.md", *(running.ROOT / "docs").glob("*.md")])


def section(page: str, heading: str) -> str:
    """What stands beneath a heading, up to the next one of its size."""
    begins = page.partition(f"\n## {heading}\n")[2]
    assert begins, heading
    return begins.partition("\n## ")[0]


def anchors(page: str) -> set[str]:
    """The names under which a page's headings can be linked to."""
    headings = re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


async def test_the_tour_works_when_it_is_pasted(tmp_path: Path) -> None:
    tour = section(README, "A tour with curl").partition("```sh\n")[2].partition("```")[0]
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
    letters = [file.read_text() for file in (tmp_path / "data/mailbox").glob("*.eml")]
    assert any(f"{address}/email-verifications#" in letter for letter in letters)
    assert "ring 999" in done.stdout
    assert "What happens on Monday?" in done.stdout
    assert "{'name': 'Suzie', 'title': 'Online adviser', 'organisation': 'Example Family Charity'}" in done.stdout
    assert '"status":409,"code":"post_changed"' in done.stdout
    assert '"changed_by":{"handle":"suzie","name":"Suzie"' in done.stdout


def test_the_settings_page_names_every_setting() -> None:
    named = set(re.findall(r"`(FORUM_[A-Z_]+)`", SETTINGS))
    missing = {f"FORUM_{name.upper()}" for name in Settings.model_fields} - named
    assert missing == set()


def test_the_security_page_says_of_every_table_how_it_is_guarded() -> None:
    assert forum.app.RESOURCES  # whose models are the tables
    kept = section(SECURITY, "What is kept")
    rows = [row.split("|")[2] for row in kept.splitlines() if row.startswith("| ")]
    named = [table for row in rows for table in re.findall(r"`([a-z_]+)`", row)]
    assert sorted(named) == sorted(SQLModel.metadata.tables)


def test_the_security_page_names_every_way_that_ends_in_a_session() -> None:
    ways = section(SECURITY, "Ways in")
    named = {tuple(way.split()) for way in re.findall(r"`([A-Z]+ /[^`]+)`", ways)}
    opening = {
        (method, path.removeprefix(API))
        for method, path, operation in operations()
        if "Set-Cookie" in operation["responses"].get("201", {}).get("headers", {})
    }
    assert opening
    assert opening <= named


def test_the_security_page_says_how_long_a_session_lasts() -> None:
    said = section(SECURITY, "Sessions").replace("\n", " ")
    days = (
        f"session ends after {sessions.MEMBERS_LAST.days} days, or after {sessions.IDLE_TIMEOUT.days} days without use"
    )
    hours = f"The session of somebody with a role ends after {sessions.STAFF_LAST // timedelta(hours=1)} hours"
    assert f"A member's {days}. {hours}." in said
    assert f"sign-in within the last {RECENT // timedelta(minutes=1)} minutes" in said


def test_the_security_page_names_every_line_that_is_logged() -> None:
    written = section(SECURITY, "What is written down")
    files = [path for package in ("forum", "moderation") for path in (running.ROOT / package).rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    events = set(re.findall(r"\blog\.(?:debug|info|warning|error|critical)\(\s*\"([^\"]+)\"", code))
    assert {"request", "refused", "busy", "unexpected", "signed_in"} <= events
    assert {event for event in events if f"`{event}`" not in written} == set()


def test_every_link_between_the_pages_leads_somewhere() -> None:
    links = [
        (page, target, anchor)
        for page in PAGES
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", page.read_text(encoding="utf-8"))
    ]
    assert links
    for page, target, anchor in links:
        there = (page.parent / target) if target else page
        assert there.is_file(), (page.name, target)
        assert not anchor or anchor in anchors(there.read_text(encoding="utf-8")), (page.name, target, anchor)


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = {(running.ROOT / target).resolve() for target in re.findall(r"\]\(([^)#:]+)\)", README)}
    assert linked == set(PAGES) - {running.ROOT / "README.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    """But for the example of a feature that somebody may add, and the pages that are still to come."""
    named = set(re.findall(r"`((?:forum|moderation|tests|migrations|docs)/[\w/.]+)`", page.read_text(encoding="utf-8")))
    missing = {name for name in named if not (running.ROOT / name).exists()}
    assert {name for name in missing if "reactions" not in name and not name.startswith("forum/web/")} == set()
