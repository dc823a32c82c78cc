"""A backup each night: which are kept, what a failure leaves and who is told, and a restore that touches nothing."""

import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI

from forum.administration import setup
from forum.core import clock, trial_restore
from forum.core.nightly_backups import NightlyBackup, NightlyFile, choose_old, is_due, list_backups, name_at
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.jobs import run_due_jobs, run_errand
from tests.support.scenes import sql

NIGHT = datetime(2026, 6, 10, 1, 43, tzinfo=UTC)  # 2:43 in London


def nights(*ages: int, tested: int | None = None) -> list[NightlyFile]:
    """Backups of so many days ago; one of them was restored to try it."""
    return [NightlyFile(NIGHT - timedelta(days=age), Path(str(age)), age == tested) for age in ages]


def test_which_backups_are_deleted() -> None:
    def old(backups: list[NightlyFile], kept: int = 3, days: int = 30) -> list[str]:
        return [each.file.name for each in choose_old(backups, NIGHT, kept, days)]

    assert old([]) == []
    assert old(nights(0, 1, 2)) == []
    assert old(nights(0, 1, 2, 3, 4)) == ["3", "4"]
    assert old(nights(0, 1, 2, 3, 4), kept=1) == ["1", "2", "3", "4"]
    assert old(nights(0, 29, 31)) == ["31"]
    assert old(nights(31, 32)) == ["32"]  # the newest stays, however old
    assert old(nights(0, 1, 2, 3, 4, 5, tested=4)) == ["3", "5"]  # so does what is known to be good
    assert old(nights(0, 40, 50, tested=50)) == ["40"]


def test_when_the_next_one_is_due() -> None:
    london = ZoneInfo("Europe/London")
    assert is_due([], NIGHT, london)
    assert is_due(nights(1), NIGHT, london)
    assert not is_due(nights(0), NIGHT + timedelta(hours=23), london)
    assert is_due(nights(0), NIGHT + timedelta(hours=24), london)
    assert not is_due(nights(1), NIGHT - timedelta(hours=1), london)  # before two
    assert is_due(nights(2), NIGHT - timedelta(hours=1), london)  # the worker was away last night


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def settings(settings: Settings, folder: Path) -> Settings:
    """Of a forum that keeps two backups."""
    return settings.model_copy(update={"backup_dir": folder, "backups_kept": 2})


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    async with make.application(settings) as application:
        yield application


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


@contextmanager
def no_room() -> Iterator[None]:
    """Let no file grow beyond what a backup needs, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**14, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_backup_is_made_each_night_and_tried_once_a_week_and_a_failure_is_told(
    services: Services, settings: Settings, folder: Path
) -> None:
    now = clock.now()
    await make.member(services, "joan", Role.ADMINISTRATOR)
    joan = await make.viewer(services, "joan")

    async def at(moment: datetime) -> list[str]:
        await run_errand(services.database, NightlyBackup(settings), {}, moment)
        return await run_due_jobs(services, clock.now())

    async def gaps() -> set[str]:
        async with make.work(services, now) as work:
            found = {gap.code for gap in await setup.list_gaps(work, joan)}
        return found & {"no_backup", "backup_old", "backup_failed", "restore_failed", "backup_untried"}

    async def told() -> int:
        [(count,)] = await sql(services, "SELECT count(*) FROM notification WHERE kind = 'backup_failed'")
        return int(count)

    # The folder is not there: its disk is not mounted, perhaps.
    assert await at(now - timedelta(days=3)) == ["tell_backup_failed"]
    assert await at(now - timedelta(days=3) + timedelta(hours=1)) == ["tell_backup_failed"]
    assert (await told(), await gaps()) == (1, {"no_backup", "backup_failed"})

    (folder / trial_restore.FOLDER / "postgres").mkdir(parents=True)  # what a killed run left, as the next two
    (folder / "forum-20200101T020000Z.dump.part").write_bytes(b"half")
    (folder / "forum-20200101T020000Z.json").write_text("{}")
    (folder / "somebody-elses.dump").write_text("kept")
    assert await at(now - timedelta(days=2)) == []
    [first] = list_backups(folder)
    assert first.is_tested
    found = modes_in(folder)
    assert found.pop("somebody-elses.dump")
    assert found == {first.file.name: 0o600, first.file.with_suffix(".json").name: 0o600}
    assert await gaps() == set()
    assert await at(now - timedelta(days=2)) == []  # done for this night

    with no_room():
        assert await at(now - timedelta(days=1)) == ["tell_backup_failed"]
    assert (await gaps(), set(modes_in(folder))) == ({"backup_failed"}, {*found, "somebody-elses.dump"})

    for days in (1, 0):
        assert await at(now - timedelta(days=days)) == []
    # Two are kept, and the one that is known to be good.
    assert [each.is_tested for each in list_backups(folder)] == [False, False, True]
    assert await gaps() == set()


@pytest.fixture
async def heron(services: Services) -> None:
    await make.member(services, "heron")


@pytest.mark.usefixtures("heron")
def test_a_backup_is_tried_without_touching_the_forum(folder: Path, database_url: str) -> None:
    folder.mkdir()
    ours = os.environ | {"FORUM_BACKUP_DIR": str(folder), "FORUM_DATABASE_URL": database_url}

    def run(*arguments: str | Path) -> tuple[int, str]:
        command = [sys.executable, "-m", "forum", *map(str, arguments)]
        done = subprocess.run(command, env=ours, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    assert run("backup")[0] == 0
    [made] = list_backups(folder)
    notes = made.file.with_suffix(".json")
    # As if rows had not come back.
    counted = json.loads(notes.read_text())
    counted["rows"]["public.member"] += 1
    notes.write_text(json.dumps(counted))
    status, said = run("restore", made.file, "--try")
    assert (status, "other rows than there were: public.member has 1 of 2." in said) == (1, True), said
    assert set(modes_in(folder)) == {made.file.name, notes.name}
    assert name_at(made.made_at) == made.file.name
