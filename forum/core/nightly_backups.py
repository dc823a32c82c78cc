"""A backup each night, so that nobody has to think of it; once a week, one is restored elsewhere to try it.

The folder itself says what there is: a backup has its name only when it is complete. Old ones are deleted after a new
one was made, never before.
"""

import asyncio
import os
import re
import shutil
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from forum.core import backup, jobs, trial_restore
from forum.core.backup import BackupError, BackupSummary
from forum.core.database import LEAST_ROOM
from forum.core.figures import figure
from forum.core.jobs import Job, Payload
from forum.core.milestones import Milestone, MilestoneKind, reach
from forum.core.settings import Settings
from forum.core.weekly_hours import zone_of

LOOK_FOR_BACKUP, TELL_BACKUP_FAILED = Job("look_for_backup"), Job("tell_backup_failed")
HOUR = 2  # of the night, in the forum's time zone
TEST_EVERY = timedelta(days=6, hours=12)  # the night after the sixth day
GROWTH = 1.25  # how much larger than the last backup the next may be

_NAME = re.compile(r"forum-(\d{8}T\d{6}Z)\.dump")
_LEFT = re.compile(r"forum-\d{8}T\d{6}Z\.(dump|json)(\.part)?")
_WRITTEN = "%Y%m%dT%H%M%SZ"

FIGURES = (
    figure(
        "forum_backup_age_seconds",
        "How long ago the last good backup was made; infinite when there is none",
        "coalesce(extract(epoch FROM now() - max(last_at)), 'Infinity')",
        "FROM milestone WHERE kind = 'backup_made'",
    ),
    figure(
        "forum_restore_test_age_seconds",
        "How long ago a backup was restored and found good; infinite when none was",
        "coalesce(extract(epoch FROM now() - max(last_at)), 'Infinity')",
        "FROM milestone WHERE kind = 'restore_tested'",
    ),
)

log = structlog.get_logger()


@dataclass(frozen=True)
class NightlyFile:
    """A nightly backup: its file, and the moment that it shows."""

    made_at: datetime
    file: Path
    is_tested: bool = False


@dataclass(frozen=True)
class Night:
    """What is to be done: a backup of this moment, and perhaps its restore."""

    folder: Path
    now: datetime
    is_test_due: bool


@dataclass(frozen=True)
class NightOutcome:
    """How it ended; a restore that was not tried is None."""

    is_made: bool
    is_restored: bool | None = None


# The folder


def name_at(now: datetime) -> str:
    """Return the name of the backup of a moment."""
    return f"forum-{now.astimezone(UTC):{_WRITTEN}}.dump"


def list_backups(folder: Path) -> Sequence[NightlyFile]:
    """Return the nightly backups in a folder, the newest first. Raises OSError."""
    named = [(found[1], file) for file in folder.iterdir() if (found := _NAME.fullmatch(file.name))]
    moments = [(datetime.strptime(at, _WRITTEN).replace(tzinfo=UTC), file) for at, file in named]
    backups = [NightlyFile(at, file, _is_tested(file)) for at, file in moments]
    return sorted(backups, key=lambda each: each.made_at, reverse=True)


def _is_tested(file: Path) -> bool:
    notes = trial_restore.read_notes(file)
    return notes is not None and notes.is_tested


def choose_old(backups: Sequence[NightlyFile], now: datetime, kept: int, days: int) -> Sequence[NightlyFile]:
    """Return which of these backups, the newest first, are deleted: what is over the number, and what is too old.

    The newest one always stays, and the newest that was seen to be good.
    """
    tested = next((each for each in backups if each.is_tested), None)
    oldest = now - timedelta(days=days)
    return [
        each
        for place, each in enumerate(backups)
        if place and each is not tested and (place >= kept or each.made_at < oldest)
    ]


def is_due(backups: Sequence[NightlyFile], now: datetime, zone: ZoneInfo) -> bool:
    """Return whether no backup was made since it was last two o'clock at night."""
    local = now.astimezone(zone)
    day = local.date() if local.hour >= HOUR else local.date() - timedelta(days=1)
    return not backups or backups[0].made_at < datetime.combine(day, time(HOUR), zone)


async def make(url: str, settings: Settings, now: datetime) -> tuple[Path, BackupSummary]:
    """Make the backup of a night in FORUM_BACKUP_DIR, and delete those that are too old or too many.

    Raises BackupError, also where there is no such folder: a disk that is not mounted must not be taken for an empty
    one; and where it has hardly any room, which a forum on the same disk may need.
    """
    folder = settings.backup_dir
    if folder is None:
        raise BackupError("Name a file, or a folder for backups in FORUM_BACKUP_DIR.")
    try:
        earlier = list_backups(folder)
    except OSError as error:
        raise BackupError(f"FORUM_BACKUP_DIR names {folder}, which cannot be read ({error.strerror}).") from error
    _refuse_full_disk(folder, earlier)
    file = folder / name_at(now)
    made = await backup.make(url, file, counted=True)
    try:
        trial_restore.write_notes(file, made)
    except (BackupError, OSError):
        file.unlink()  # nobody could say whether it brings back all
        raise
    _delete_old(folder, now, settings)
    return file, made


def _refuse_full_disk(folder: Path, earlier: Sequence[NightlyFile]) -> None:
    needed = (int(GROWTH * earlier[0].file.stat().st_size) if earlier else 0) + LEAST_ROOM
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BackupError(
            f"Make room in {folder}: the next backup takes up to {needed // 2**20} MB, and {free // 2**20} are free."
        )


def _delete_old(folder: Path, now: datetime, settings: Settings) -> None:
    backups = list_backups(folder)
    for old in choose_old(backups, now, settings.backups_kept, settings.backup_days):
        old.file.unlink(missing_ok=True)
    # What a killed run left, and notes whose backup is gone.
    kept = {each.file.stem for each in list_backups(folder)}
    for path in list(folder.iterdir()):
        if _LEFT.fullmatch(path.name) and (path.suffix == ".part" or path.stem not in kept):
            path.unlink(missing_ok=True)


# The job


class NightlyBackup:
    """The errand: once in the night, or as soon as there is a worker again; what failed is tried again in an hour."""

    at_once = 1

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._zone = zone_of(settings.time_zone)

    async def prepare(self, session: AsyncSession, _payload: Payload, now: datetime) -> Night | None:
        """Return what is to be done; None when it is done for this night, or no folder is named."""
        folder = self._settings.backup_dir
        if folder is None:
            return None
        backups: Sequence[NightlyFile] = ()
        with suppress(OSError):  # the backup says so
            backups = list_backups(folder)
        if not is_due(backups, now, self._zone):
            return None
        tested = await session.get(Milestone, MilestoneKind.RESTORE_TESTED)
        return Night(folder, now, is_test_due=tested is None or tested.last_at < now - TEST_EVERY)

    async def go(self, night: Night) -> NightOutcome:
        """Make the backup, and restore it elsewhere if it is time."""
        try:
            file, _ = await make(self._settings.sqlalchemy_url, self._settings, night.now)
        except BackupError as error:
            log.error("backup_failed", reason=str(error))
            return NightOutcome(is_made=False)
        except (OSError, DBAPIError) as error:
            log.error("backup_failed", reason=type(error).__name__)
            return NightOutcome(is_made=False)
        return NightOutcome(is_made=True, is_restored=await _try_restore(file) if night.is_test_due else None)

    async def settle(self, session: AsyncSession, night: Night, outcome: NightOutcome, now: datetime) -> None:
        """Note how it ended, and have administrators told of a failure."""
        made = MilestoneKind.BACKUP_MADE if outcome.is_made else MilestoneKind.BACKUP_FAILED
        await reach(session, made, night.now)
        if outcome.is_restored is not None:
            tested = MilestoneKind.RESTORE_TESTED if outcome.is_restored else MilestoneKind.RESTORE_FAILED
            await reach(session, tested, now)
        if not outcome.is_made or outcome.is_restored is False:
            await jobs.enqueue(session, TELL_BACKUP_FAILED, {})


async def _try_restore(file: Path) -> bool:
    """Restore a backup in a process of its own, whose main thread can start a server. Return whether it is good.

    What that process says of a failure can have people's words: it is not logged. Whoever runs the command reads it.
    """
    command = (sys.executable, "-m", "forum", "restore", str(file), "--try")
    process = await asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
    )
    async with backup.kill_at_end(process):
        with suppress(OSError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process.pid, backup.NICENESS)  # its server inherits that
        status = await process.wait()
    if status:
        log.error("restore_test_failed", file=file.name, status=status)
    return not status
