"""The tables of a phpBB board that matter, in a file of SQLite: a dump has them in any order, records need all at once.

The file stands beside the staging file, for its owner alone. It has no name once it is open, so that nothing of it is
left when reading ends, even if it is killed.
"""

import re
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from forum.importers.batches import batches
from forum.importers.errors import CannotMove
from forum.importers.sources.live import Source, open_tables
from forum.importers.sources.mysql_dump import Row, Value

_BATCH = 2_000
_LARGEST = 1 << 62  # of SQLite's numbers, nearly
# Columns of numbers, then columns of text. The first is what no table goes without.
TABLES: Mapping[str, tuple[str, str]] = {
    "config": ("", "config_name config_value"),
    "forums": (
        "forum_id parent_id left_id forum_type forum_status",
        "forum_name forum_desc forum_desc_uid forum_password",
    ),
    "topics": (
        "topic_id forum_id topic_poster topic_time topic_status topic_type topic_moved_id topic_visibility "
        "topic_approved poll_start topic_first_post_id",
        "topic_title topic_first_poster_name poll_title topic_delete_reason",
    ),
    "posts": (
        "post_id topic_id poster_id post_time post_visibility post_approved post_edit_time post_edit_user "
        "post_delete_time post_delete_user",
        "post_username post_subject post_text bbcode_uid post_edit_reason post_delete_reason",
    ),
    "users": (
        "user_id user_type user_regdate user_lastvisit user_lastpost_time user_last_active user_posts",
        "username user_password user_email",
    ),
    "groups": ("group_id group_type", "group_name"),
    "user_group": ("group_id user_id user_pending", ""),
    "acl_groups": ("group_id forum_id auth_option_id auth_role_id auth_setting", ""),
    "acl_users": ("user_id forum_id auth_option_id auth_role_id auth_setting", ""),
    "acl_options": ("auth_option_id", "auth_option"),
    "acl_roles_data": ("role_id auth_option_id auth_setting", ""),
    "banlist": ("ban_id ban_userid ban_start ban_end ban_exclude", "ban_ip ban_email ban_reason ban_give_reason"),
    "warnings": ("warning_id user_id warning_time log_id", ""),
    "log": ("log_id user_id", ""),
    "reports": ("report_id post_id pm_id user_id report_closed report_time reason_id", "report_text"),
    "reports_reasons": ("reason_id", "reason_title"),
    "topics_watch": ("topic_id user_id", ""),
    "forums_watch": ("forum_id user_id", ""),
    "zebra": ("user_id zebra_id foe", ""),
    "words": ("word_id", "word replacement"),
    "poll_options": ("poll_option_id topic_id poll_option_total", "poll_option_text"),
    "attachments": ("attach_id post_msg_id in_message is_orphan", "mimetype extension attach_comment"),
    "privmsgs": ("msg_id", ""),
}  # fmt: skip
# The other tables of phpBB's own, from 3.0 to 3.3.
_OF_PHPBB = {
    *("acl_roles", "bbcodes", "bookmarks", "bots", "captcha_answers", "captcha_questions", "config_text"),
    *("confirm", "disallow", "drafts", "ext", "extension_groups", "extensions", "forums_access", "forums_track"),
    *("icons", "lang", "login_attempts", "migrations", "moderator_cache", "modules", "notification_emails"),
    *("notification_push", "notification_types", "notifications", "oauth_accounts", "oauth_states"),
    *("oauth_tokens", "poll_votes", "privmsgs_folder", "privmsgs_rules", "privmsgs_to", "profile_fields"),
    *("profile_fields_data", "profile_fields_lang", "profile_lang", "push_subscriptions", "qa_confirm", "ranks"),
    *("search_results", "search_wordlist", "search_wordmatch", "sessions", "sessions_keys", "sitelist"),
    *("smilies", "sphinx", "storage", "styles", "styles_imageset", "styles_imageset_data", "styles_template"),
    *("styles_template_data", "styles_theme", "teampage", "topics_posted", "topics_track", "user_notifications"),
}  # fmt: skip
_NEEDED = ("forums", "topics", "posts", "users")  # without one of these, a dump is no whole board
_OF_WORDPRESS = ("posts", "comments", "options")  # tables that it has
_ALL = _OF_PHPBB.union(TABLES)
_KEYS = {"posts": "post_id", "topics": "topic_id", "forums": "forum_id", "users": "user_id"}
_INDEXES = {"posts": "topic_id", "attachments": "post_msg_id", "poll_options": "topic_id", "user_group": "user_id"}
_LONGEST_FIRST = sorted(TABLES, key=len, reverse=True)
# Columns that extensions add. What they hide on display, phpBB itself calls visible: 3.0 could remove nothing softly.
_HIDES = re.compile(
    r"(?:(?:post|topic|thread|forum|is)_)*(?:soft_?)?"
    r"(?:deleted|hidden|hide|invisible|trash|trashed|removed|private|secret|confidential|restricted|password)"
    r"(?:_(?:at|by|date|from|status|time|user))?"
)
# Those by which a post was shown without its author's name.
_UNNAMES = re.compile(r"(?:(?:post|topic|first|is)_)*anonym(?:ous|ised|ized)?(?:_(?:author|post|poster|user))?")
_EXTENDED = ("forums", "topics", "posts")
_NOT_SET = {b"n", b"no", b"none", b"null", b"f", b"false"}
_VERSION = re.compile(rb"3\.[0-3](?!\d)")


class _Added(NamedTuple):
    """The columns of extensions that a table has, and that say who may see what."""

    hide: tuple[str, ...] = ()
    unname: tuple[str, ...] = ()


class Spool:
    """A board's tables, whatever its prefix is."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        self.connection = sqlite3.connect(path)
        # Without a journal, SQLite never asks again for the file's name.
        self.connection.executescript("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; PRAGMA cache_size = -16000")
        self.connection.execute("CREATE TABLE begun (at INTEGER)")
        path.unlink()
        self.prefix = ""
        self.version = ""
        self.others: list[str] = []  # tables that are none of phpBB
        self._made: set[str] = set()
        self._added: dict[str, _Added] = {}

    def fill(self, dump: Source, seen: Callable[[int], None]) -> None:
        """Read a dump, or a database, into the tables, and find the board in it.

        Raises CannotMove when there is none, or two.
        """
        columns: dict[str, Sequence[str]] = {}

        def wanted(table: str) -> Sequence[str] | None:
            name = _known(table)
            if name is None:
                return None
            if table in (described := source.columns) and _columns(name)[0] not in described[table]:
                return None  # another program's table of the same name
            if table not in columns:
                added = self._added[table] = _added(name, described.get(table, ()))
                columns[table] = [*_columns(name), *added.hide, *added.unname]
            return columns[table]

        source = open_tables(dump, wanted, seen)
        rows = source.rows()
        with self.connection:
            for batch in batches(rows, _BATCH, _size_of):
                self._insert(batch)
        for table in source.tables:
            self._make(table)
        self._choose(dump, [*source.columns, *source.tables])

    def rows(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Give the rows of a query, in which `{posts}` is the board's table of posts."""
        names = {name: self._table(self.prefix + name) for name in TABLES}
        yield from self.connection.execute(query.format(**names), values)

    def _table(self, table: str) -> str:
        return '"' + table.replace('"', '""') + '"'

    def _make(self, table: str) -> None:
        if table in self._made:
            return
        self._made.add(table)
        name = _known(table)
        assert name  # noqa: S101 (only such tables are wanted)
        key = _KEYS.get(name)
        numbers = [f"{column} INTEGER{' PRIMARY KEY' if column == key else ''}" for column in TABLES[name][0].split()]
        texts = [f"{column} BLOB" for column in TABLES[name][1].split()]
        added = ["is_hidden INTEGER", "is_unnamed INTEGER"] if name in _EXTENDED else []
        self.connection.execute(f"CREATE TABLE {self._table(table)} ({', '.join([*numbers, *texts, *added])})")

    def _insert(self, batch: Sequence[Row]) -> None:
        of: dict[str, list[tuple[Value | int, ...]]] = {}
        for table, values in batch:
            name = _known(table) or ""
            count, known = len(TABLES[name][0].split()), len(_columns(name))
            numbers = (_number(value) for value in values[:count])
            of.setdefault(table, []).append((*numbers, *values[count:known], *self._flags(name, table, values[known:])))
        for table, rows in of.items():
            self._make(table)
            marks = ", ".join("?" * len(rows[0]))
            # The same row twice: the dump was joined of two; the later one counts.
            self.connection.executemany(f"INSERT OR REPLACE INTO {self._table(table)} VALUES ({marks})", rows)  # noqa: S608

    def _flags(self, name: str, table: str, values: Sequence[Value]) -> Iterator[int]:
        """Give whether an extension hid a row, and whether it kept its author's name back."""
        if name in _EXTENDED:
            hide = len(self._added[table].hide)
            yield from (any(map(_is_set, values[:hide])), any(map(_is_set, values[hide:])))

    def _choose(self, dump: Source, tables: Sequence[str]) -> None:
        """Find the prefix: of the table that says which version the board has. Make what is missing, empty."""
        prefixes: dict[str, bytes] = {}
        for table in sorted(self._made):
            if table.endswith("config"):
                query = f"SELECT config_value FROM {self._table(table)} WHERE config_name = ?"  # noqa: S608
                if found := self.connection.execute(query, (b"version",)).fetchone():
                    prefixes[table.removesuffix("config")] = found[0] or b""
        boards = {prefix: version for prefix, version in prefixes.items() if prefix + "posts" in self._made}
        if not boards:
            query = "SELECT 1 FROM {} LIMIT 1"
            full = {
                table for table in self._made if self.connection.execute(query.format(self._table(table))).fetchone()
            }
            raise CannotMove(_no_board(dump, tables, prefixes, self._made - full))
        if len(boards) > 1:
            names = " and ".join(f"“{prefix}”" for prefix in boards)
            raise CannotMove(f"{dump} holds {len(boards)} boards, whose tables begin with {names}: export one of them.")
        [(self.prefix, version)] = boards.items()
        self.version = version.decode("ascii", "replace")
        if version.startswith((b".0.", b"2.")):
            raise CannotMove("The board is phpBB 2: update it to phpBB 3.3 first, with phpBB's own convertor.")
        if not _VERSION.match(version):
            raise CannotMove(f"The board is phpBB {self.version}; only 3.0, 3.1, 3.2 and 3.3 are understood.")
        if lacking := [name for name in _NEEDED if self.prefix + name not in self._made]:
            raise CannotMove(
                f"{dump} has no table {self.prefix + lacking[0]}: export all tables of the board, not only some."
            )
        self.others = sorted(
            table
            for table in {*tables}
            if self.prefix and table.startswith(self.prefix) and table.removeprefix(self.prefix) not in _ALL
        )
        for name in TABLES:
            self._make(self.prefix + name)
        for name, column in _INDEXES.items():
            table = self._table(self.prefix + name)
            self.connection.execute(f"CREATE INDEX {self._table('by_' + name)} ON {table} ({column})")


@contextmanager
def spooled(dump: Source, beside: Path, seen: Callable[[int], None]) -> Iterator[Spool]:
    """Give the tables of the board in a dump or a database."""
    spool = Spool(beside.with_name(beside.name + ".tables"))
    with closing(spool.connection):
        spool.fill(dump, seen)
        yield spool


def _columns(name: str) -> list[str]:
    return " ".join(TABLES[name]).split()


def _added(name: str, described: Sequence[str]) -> _Added:
    """Return what extensions added to a table that says who may see what; of other tables, nothing."""
    if name not in _EXTENDED:
        return _Added()
    others = [column for column in described if column not in _columns(name)]
    return _Added(*(tuple(filter(pattern.fullmatch, others)) for pattern in (_HIDES, _UNNAMES)))


def _is_set(value: Value) -> bool:
    # MySQL's date for “never” is 0000-00-00 00:00:00.
    return value is not None and value.strip(b"\0 0-:.") != b"" and value.lower() not in _NOT_SET


def _known(table: str) -> str | None:
    """Return which table of phpBB one is, whatever its prefix: `phpbb_acl_groups` is not the one of groups."""
    return next((name for name in _LONGEST_FIRST if table.endswith(name)), None)


def _size_of(row: Row) -> int:
    return sum(len(value) for value in row[1] if value)


def _number(value: Value) -> int | None:
    try:
        number = int(value) if value is not None else None
    except ValueError:
        return None
    return number if number is None or abs(number) < _LARGEST else None


def _no_board(dump: Source, tables: Sequence[str], prefixes: Mapping[str, bytes], empty: Collection[str]) -> str:
    if prefixes:
        return f"{dump} has no table of posts: export all tables of the board, not only some."
    if not tables:
        return f"{dump} holds no table at all: export the whole database, structure and data."
    names = sorted(set(tables))
    if any({name, *(f"{name.removesuffix('config')}{other}" for other in _NEEDED)} <= {*empty} for name in names):
        return f"{dump} has the tables of a board, and nothing in them: export structure and data, not structure alone."
    if any({f"{name.removesuffix('posts')}{other}" for other in _OF_WORDPRESS} <= {*names} for name in names):
        return (
            f"{dump} is a database of WordPress: there, choose Tools, Export, All content, and give that file. The "
            "database goes behind --people."
        )
    some = ", ".join(names[:8]) + (" and others" if len(names) > 8 else "")
    return f"{dump} is no dump of phpBB: it holds {some}, and no table config that says which version the board has."
