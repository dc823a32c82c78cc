"""Reads a board of phpBB 3.0 to 3.3 from a dump of its database, or from the database itself."""

from collections.abc import Callable

from forum.core import clock
from forum.importers.phpbb.boards import read_boards, read_source
from forum.importers.phpbb.encoding import Decoder, is_double
from forum.importers.phpbb.moderation import Moderation
from forum.importers.phpbb.people import moment, read_people
from forum.importers.phpbb.spool import Spool, spooled
from forum.importers.phpbb.threads import Content, stored_texts
from forum.importers.remarks import Remark
from forum.importers.sources.live import Source
from forum.importers.staging import Notebook, Staging


def read(dump: Source, staging: Staging, *, seen: Callable[[int], None] = lambda _: None) -> None:
    """Read a board into a staging file; `seen` gets how many bytes of its file were read so far.

    Raises CannotMove when it is no dump, is cut or broken, or holds no such board.
    """
    with spooled(dump, staging.path, seen) as spool, Notebook(staging) as notebook:
        _convert(spool, staging, notebook)


def _convert(spool: Spool, staging: Staging, notebook: Notebook) -> None:
    decoder = Decoder(is_double(stored_texts(spool)), notebook)
    source = read_source(spool, decoder)
    # Clocks were wrong now and then: nothing is newer than now.
    [(newest,)] = spool.rows("SELECT max(post_time) FROM {posts} WHERE post_time < ?", clock.now().timestamp())
    staging.add([source.model_copy(update={"until": moment(newest)})])

    boards = read_boards(spool, decoder)
    staging.add(boards.records)
    staging.note(boards.remarks)

    staging.add(read_people(spool, decoder))
    people = {person.old for person in staging.people()}
    open_boards = {board.old for board in boards.records if not board.is_section}

    content = Content(spool, decoder, open_boards, boards.of_global_threads, people, notebook)
    staging.add(content.threads())
    staging.add(content.posts())
    rest = Moderation(spool, decoder, people, content.titles.keys(), open_boards, clock.now(), notebook)
    for records in (rest.bans(), rest.warnings(), rest.reports(), rest.watches(), rest.ignored(), rest.terms()):
        staging.add(records)
    for table in spool.others:
        notebook.add(Remark.OTHER_TABLE, table[:100], table)
    for (message,) in spool.rows("SELECT msg_id FROM {privmsgs}"):
        notebook.add(Remark.PRIVATE_MESSAGES, str(message))
