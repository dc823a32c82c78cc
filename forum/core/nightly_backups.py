"""A backup each night, so that nobody has to think of it; once a week, one is restored elsewhere to try it.

The folder itself says what there is: a backup has its name only when it is complete. Old ones are deleted after a new
one was made, never before.
"""

import asyncio
import fcntl
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
LONGEST = timedelta(hours=12)  # that a backup and its restore may take
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
    """What is to be done if it is time: a backup of this moment, and perhaps its restore."""

    folder: Path
    now: datetime
    noted_at: datetime | None  # when the last backup was made, as far as the database knows
    is_test_due: bool


@dataclass(frozen=True)
class NightOutcome:
    """How it ended: when the backup was made that is to be noted. A restore that was not tried is None."""

    made_at: datetime | None = None
    has_failed: bool = False
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
        earlier = await asyncio.to_thread(list_backups, folder)
    except OSError as error:
        raise BackupError(f"FORUM_BACKUP_DIR names {folder}, which cannot be read ({error.strerror}).") from error
    await asyncio.to_thread(_refuse_full_disk, folder, earlier)
    file = folder / name_at(now)
    made = await backup.make(url, file, counted=True)
    try:
        await asyncio.to_thread(trial_restore.write_notes, file, made)
    except (BackupError, OSError):
        file.unlink()  # nobody could say whether it brings back all
        raise
    await asyncio.to_thread(_delete_old, folder, now, settings)
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
        if not _LEFT.fullmatch(path.name):
            continue
        if path.stem not in kept if path.suffix != ".part" else not _is_being_written(path):
            path.unlink(missing_ok=True)


def _is_being_written(part: Path) -> bool:
    """Return whether a backup writes to a file at this moment: it keeps it locked (`backup.new_file`)."""
    try:
        with part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # it is gone, or is no file of ours
        return False
    return False


# The job


class NightlyBackup:
    """The errand: once in the night, or as soon as there is a worker again; what failed is tried again in an hour."""

    at_once = 1

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._zone = zone_of(settings.time_zone)

    async def prepare(self, session: AsyncSession, _payload: Payload, now: datetime) -> Night | None:
        """Return what is to be done if it is time; None when no folder is named."""
        folder = self._settings.backup_dir
        if folder is None:
            return None
        made = await session.get(Milestone, MilestoneKind.BACKUP_MADE)
        tested = await session.get(Milestone, MilestoneKind.RESTORE_TESTED)
        is_test_due = tested is None or tested.last_at < now - TEST_EVERY
        return Night(folder, now, made.last_at if made else None, is_test_due)

    async def go(self, night: Night) -> NightOutcome:
        """Make the backup if it is time, and restore it elsewhere if that is.

        The folder may be on another machine that does not answer: it is looked at beside the loop, and has an end.
        """
        try:
            async with asyncio.timeout(LONGEST.total_seconds()):
                return await self._go(night)
        except BackupError as error:
            log.error("backup_failed", reason=str(error))
        except (OSError, DBAPIError) as error:  # TimeoutError is an OSError
            log.error("backup_failed", reason=type(error).__name__)
        return NightOutcome(has_failed=True)

    async def _go(self, night: Night) -> NightOutcome:
        backups: Sequence[NightlyFile] = ()
        with suppress(OSError):  # the backup says so
            backups = await asyncio.to_thread(list_backups, night.folder)
        if is_due(backups, night.now, self._zone):
            file, _ = await make(self._settings.sqlalchemy_url, self._settings, night.now)
            newest = NightlyFile(night.now, file)
        elif night.noted_at is None or backups[0].made_at > night.noted_at.replace(microsecond=0):
            newest = backups[0]  # its worker ended before it could note it
        else:
            return NightOutcome()
        return NightOutcome(newest.made_at, is_restored=await _try_restore(newest.file) if night.is_test_due else None)

    async def settle(self, session: AsyncSession, _night: Night, outcome: NightOutcome, now: datetime) -> None:
        """Note how it ended, and have administrators told of a failure."""
        if outcome.made_at:
            await reach(session, MilestoneKind.BACKUP_MADE, outcome.made_at)
        if outcome.has_failed:
            await reach(session, MilestoneKind.BACKUP_FAILED, now)
        if outcome.is_restored is not None:
            tested = MilestoneKind.RESTORE_TESTED if outcome.is_restored else MilestoneKind.RESTORE_FAILED
            await reach(session, tested, now)
        if outcome.has_failed or outcome.is_restored is False:
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
