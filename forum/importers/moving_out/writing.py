"""Write all of a forum into one file, as it was at one moment; the forum may run."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forum.core import audit, backup
from forum.core.database import Database
from forum.core.settings import Settings
from forum.importers.errors import CannotMove
from forum.importers.moving_out import collecting
from forum.importers.moving_out.collecting import Wishes
from forum.importers.own.archive import FORMAT, ArchiveWriter, Manifest, new_archive
from forum.importers.records import AnyRecord, SourceRecord

_SEEN_EVERY = 1_000  # records
_NEWEST = text("SELECT max(created_at) FROM post WHERE visibility <> 'withdrawn'")


async def export_all(
    url: str,
    file: Path,
    settings: Settings,
    wishes: Wishes,
    now: datetime,
    *,
    seen: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Write boards, people, threads and posts to `file`, which only its owner can read. Return what it holds.

    The file gets its name when it is complete and on disk, and the act is in the record. `seen` gets how many records
    were written so far. Raises CannotMove when the file is there already, and BackupError when it cannot be written.
    """
    _refuse_existing(file)
    with backup.new_file(file) as part:
        async with backup.read_snapshot(url) as session:
            await session.execute(text("SET TRANSACTION READ ONLY"))
            with new_archive(part) as archive:
                await _write(archive, contents(session, settings, wishes, now), seen)
                manifest = archive.finish(with_passwords=wishes.with_passwords, with_removed=wishes.with_removed)
        await _record(url, manifest, now)
    return manifest


def _refuse_existing(file: Path) -> None:
    if file.exists():
        raise CannotMove(f"{file} is there already: choose another name.")


def contents(
    session: AsyncSession, settings: Settings, wishes: Wishes, now: datetime
) -> dict[str, AsyncIterator[AnyRecord]]:
    """Return what is in an export, by kind, in the order in which it is written."""
    return {
        "source": _source(session, settings),
        "board": collecting.boards(session, wishes),
        "person": collecting.people(session, wishes),
        "ban": collecting.bans(session, wishes, now),
        "thread": collecting.threads(session, wishes),
        "post": collecting.posts(session, wishes),
    }


async def _write(
    archive: ArchiveWriter, contents: dict[str, AsyncIterator[AnyRecord]], seen: Callable[[int], None]
) -> None:
    written = 0
    for kind, records in contents.items():
        with archive.lines(kind) as lines:
            async for record in records:
                lines.write(record)
                written += 1
                if written % _SEEN_EVERY == 0:
                    seen(written)


async def _source(session: AsyncSession, settings: Settings) -> AsyncIterator[SourceRecord]:
    newest: datetime | None = await session.scalar(_NEWEST)
    is_known = "public_url" in settings.model_fields_set
    yield SourceRecord(
        program="forum",
        version=FORMAT.rpartition(" ")[2],
        name=settings.name,
        address=f"{settings.public_url.rstrip('/')}/" if is_known else "",
        until=newest,
    )


async def _record(url: str, manifest: Manifest, now: datetime) -> None:
    database = Database(url, pool_size=1)
    try:
        async with database.work() as session:
            details: audit.Details = {
                "with_passwords": manifest.with_passwords,
                "with_removed": manifest.with_removed,
                **{name.partition(".")[0]: entry.records for name, entry in manifest.files.items() if entry.records},
            }
            subject = ("forum", "all")
            await audit.record(session, actor_id=None, act="export.made", subject=subject, now=now, details=details)
    finally:
        await database.close()
