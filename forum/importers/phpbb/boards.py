"""Boards and sections of a phpBB board."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from forum.importers.phpbb.encoding import Decoder, plain
from forum.importers.phpbb.readers import BELOW, BY_EXTENSION, LOCKED_AWAY, BoardAudience, Permissions, narrower
from forum.importers.phpbb.spool import Spool
from forum.importers.records import BoardRecord, Readers, SourceRecord
from forum.importers.remarks import Remark

SECTION, BOARD, LINK = 0, 1, 2  # of `forum_type`
_LOCKED = 1  # of `forum_status`
_WIDEST_FIRST = tuple(Readers)


@dataclass(frozen=True)
class Boards:
    """All boards, and what was found of them."""

    records: tuple[BoardRecord, ...]
    remarks: tuple[tuple[Remark, str, str], ...]

    @property
    def of_global_threads(self) -> str | None:
        """The board for announcements that stood on all of them (phpBB 3.0): the first that most people can read."""
        boards = [board for board in self.records if not board.is_section]
        return min(boards, key=lambda board: _WIDEST_FIRST.index(board.readers)).old if boards else None


def read_source(spool: Spool, decoder: Decoder) -> SourceRecord:
    """Return where the board was, and what it was called."""
    names = b"sitename", b"server_protocol", b"server_name", b"server_port", b"script_path", b"force_server_vars"
    query = "SELECT config_name, config_value FROM {config}"
    found = {name: value or b"" for name, value in spool.rows(query) if name in names}
    host = decoder.line(found.get(b"server_name", b""))
    port, protocol = (decoder.line(found.get(name, b"")) for name in (b"server_port", b"server_protocol"))
    path = decoder.line(found.get(b"script_path", b"")).strip("/")
    address = f"{protocol or 'http://'}{host}{f':{port}' if port not in {'', '0', '80', '443'} else ''}/"
    return SourceRecord(
        program="phpbb",
        version=spool.version,
        name=decoder.line(found.get(b"sitename", b""), "name"),
        address=f"{address}{path}/" if host and path else address if re.fullmatch(r"\S+", host) else "",
    )


def read_boards(spool: Spool, decoder: Decoder) -> Boards:
    """Return the boards in the order in which they were listed, each with who can read it."""
    permissions = Permissions(spool)
    query = (
        "SELECT forum_id, parent_id, forum_type, forum_status, forum_name, forum_desc, forum_desc_uid, forum_password, "
        "is_hidden FROM {forums} ORDER BY left_id, forum_id"
    )
    rows = {row[0]: row for row in spool.rows(query)}
    locked_away = {old: LOCKED_AWAY if row[7] else BY_EXTENSION for old, row in rows.items() if row[7] or row[8]}
    parents = {old: row[1] or 0 for old, row in rows.items()}

    def records() -> Iterator[BoardRecord]:
        for position, (old, row) in enumerate(rows.items(), 1):
            _, parent, kind, status, name, description, uid, *_ = row
            if kind == LINK:
                continue
            audience = _audience(old, permissions, parents, locked_away, is_section=kind == SECTION)
            text = decoder.text(description, f"board:{old}")
            yield BoardRecord(
                old=str(old),
                parent=str(parent) if parent in rows and rows[parent][2] != LINK else None,
                is_section=kind == SECTION,
                name=decoder.line(name, f"board:{old}") or f"Board {old}",
                description=plain(text, decoder.decode(uid).text),
                readers=audience.readers,
                doubt=audience.doubt,
                position=position,
                is_closed=status == _LOCKED,
            )

    links = ((Remark.LINK_BOARD, str(old), decoder.line(row[4])) for old, row in rows.items() if row[2] == LINK)
    return Boards(tuple(records()), tuple(links))


def _audience(
    board: int, permissions: Permissions, parents: dict[int, int], locked_away: dict[int, str], *, is_section: bool
) -> BoardAudience:
    """Return who could read a board, given what it stood below."""
    own = BoardAudience(permissions.listed(board)) if is_section else permissions.audience(board)
    above, seen = parents[board], {board}
    while above in parents and above not in seen:  # a broken list can go in a circle
        seen.add(above)
        listed = permissions.listed(above)
        if narrower(own.readers, listed) is not own.readers:
            own = BoardAudience(listed, BELOW)
        above = parents[above]
    return next((BoardAudience(Readers.STAFF, locked_away[old]) for old in seen & locked_away.keys()), own)
