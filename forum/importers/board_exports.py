"""Take one board along, for administrators: the same records as of a whole forum, sent as they are read."""

import asyncio
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from forum.administration import board_settings
from forum.core import audit, backup
from forum.core.errors import NotFound
from forum.core.settings import Settings
from forum.core.work import Work
from forum.importers.moving_out.collecting import Wishes
from forum.importers.moving_out.writing import contents
from forum.importers.own.archive import ArchiveWriter
from forum.members.viewer import Viewer
from forum.permissions import require_recent_sign_in

_PIECE = 1 << 16  # bytes that are sent together
_PATIENCE = 60  # seconds for which a reader may take nothing


@dataclass(frozen=True)
class BoardExport:
    """A board that somebody may take along, as it is at the moment when it is read."""

    slug: str
    wishes: Wishes
    settings: Settings
    now: datetime

    async def read(self) -> AsyncIterator[bytes]:
        """Give the bytes of the file, some at a time; whatever ends before its last bytes is refused by its readers.

        It is read in a transaction of its own, and no more of it is in memory than was not sent yet.
        """
        sink = _Sink()
        async with backup.read_snapshot(self.settings.direct_url) as session:
            await session.execute(text("SET TRANSACTION READ ONLY"))
            # A telephone that stops reading must not keep the database from tidying up: the file then ends, and is no
            # whole one.
            await session.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{_PATIENCE}s'"))
            with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as opened:
                archive = ArchiveWriter(opened)
                for kind, records in contents(session, self.settings, self.wishes, self.now).items():
                    with archive.lines(kind) as lines:
                        async for record in records:
                            lines.write(record)
                            if len(sink.waiting) >= _PIECE:
                                yield sink.take()
                                await asyncio.sleep(0)  # others are answered meanwhile
                archive.finish(with_passwords=False, with_removed=False)
        yield sink.take()


async def begin_export(work: Work, administrator: Viewer, slug: str) -> BoardExport:
    """Note in the record that an administrator takes a board along, and return what gives its bytes.

    Without the words that moderators removed; those that wait go only to whoever moderates there. Raises SignInAgain,
    Forbidden, and NotFound for a board that is not there or not theirs to read.
    """
    board = await board_settings.get_board(work, administrator, slug)
    require_recent_sign_in(administrator, work.now)
    moderates = administrator.moderates(board.id)
    if not (moderates or {*administrator.audience_groups} & {*board.readers}):
        raise NotFound("There is no such board for you.", code="board_not_found")
    await audit.record(
        work.session, actor_id=administrator.id, act="board.exported", subject=("board", board.id), now=work.now
    )
    wishes = Wishes(with_waiting=moderates, board=board.id)
    return BoardExport(slug, wishes, work.settings, work.now)


class _Sink:
    """A file that cannot go back: what is written into it waits to be taken."""

    def __init__(self) -> None:
        self.waiting = bytearray()

    def write(self, data: bytes, /) -> int:
        self.waiting += data
        return len(data)

    def flush(self) -> None:
        pass  # nothing waits elsewhere

    def close(self) -> None:
        pass  # what waits can still be taken

    def take(self) -> bytes:
        taken = bytes(self.waiting)
        self.waiting.clear()
        return taken
