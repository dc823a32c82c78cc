"""The same old board as other programs than its host's export it: each has its own way of writing a row."""

from collections.abc import Callable, Iterator, Sequence

from tests.support.old_boards import OldBoard, Table, Value, literal

Rows = Sequence[Sequence[Value]]
# What stands in dumps of whole databases, and is none of the board's.
NOISE = rb"""
/*!50003 SET sql_mode = 'ONLY_FULL_GROUP_BY' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`forum`@`localhost`*/ /*!50003 TRIGGER `t` BEFORE INSERT ON `phpbb_posts` FOR EACH
ROW BEGIN -- it's a comment; with "quotes
  IF NEW.post_text = 'x;;y' THEN INSERT INTO phpbb_posts VALUES (1,'out of a trigger'); END IF; END */;;
DELIMITER ;
/*!50106 DROP EVENT IF EXISTS `e` */;
DELIMITER ;;
CREATE DEFINER=`r`@`%` PROCEDURE `p`(IN a INT)
BEGIN DECLARE done INT DEFAULT FALSE; # don't
  SELECT 'INSERT INTO phpbb_posts VALUES (1,2)'; END ;;
DELIMITER ;
/*!50001 CREATE VIEW `v_posts` AS SELECT
 1 AS `post_id`*/;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`r`@`%` SQL SECURITY DEFINER */
/*!50001 VIEW `v_posts` AS select `post_id` from `phpbb_posts` where (`post_text` like '%;''%') */;
CREATE TABLE `phpbb_gallery_config` (`config_name` text, `config_value` text);
INSERT INTO `phpbb_gallery_config` VALUES ('version','1.2.0');
CREATE TABLE `phpbb_bookmarks_posts` (`bookmark_id` int, `post_id` int);
INSERT INTO `phpbb_bookmarks_posts` VALUES (1,1);
"""


def ways(board: OldBoard) -> Iterator[tuple[str, bytes]]:
    """Give each way of writing a board, by name."""
    yield "mysqldump --skip-extended-insert", _each(board, lambda name, table, rows: b"".join(
        b"INSERT INTO `%s` VALUES (%s);\n" % (name, _listed(row)) for row in rows
    ))  # fmt: skip
    yield "mysqldump --hex-blob", _each(board, lambda name, table, rows: _insert(name, b"", rows, _as_hex))
    yield "mysqldump of binary columns", _each(board, lambda name, table, rows: _insert(name, b"", rows, _introduced))
    yield (
        "mysqldump --complete-insert --no-create-info",
        _each(board, lambda name, table, rows: _insert(name, _columns(table), rows), described=False),
    )
    yield "mysqldump --databases --routines --triggers", b"CREATE DATABASE `kin`;\nUSE `kin`;\n" + _each(
        board, lambda name, table, rows: _insert(name, b"", rows)
    ) + NOISE + b"USE `mysql`;\nCREATE TABLE `user` (`User` text);\nINSERT INTO `user` VALUES ('root');\n"  # fmt: skip
    yield (
        "HeidiSQL",
        b"-- HeidiSQL Version: 12.6\n"
        + _each(board, lambda name, table, rows: _insert(b"kin`.`" + name, _columns(table), rows, between=b",\n\t")),
    )
    yield (
        "Navicat",
        b'/*\n Navicat: it\'s "mine"; DROP\n*/\n'
        + _each(board, lambda name, table, rows: _insert(name, b"", rows, _as_text)),
    )
    yield (
        "Adminer",
        b"-- Adminer 4.8.1 MySQL dump\nSET NAMES utf8;\n"
        + _each(
            board,
            lambda name, table, rows: b"TRUNCATE `%s`;\n" % name + _insert(name, _columns(table), rows, between=b",\n"),
        ),
    )
    yield "Windows", b"\xef\xbb\xbf" + _each(
        board, lambda name, table, rows: _insert(name, _columns(table), rows, between=b",\n")
    ).replace(b"\n", b"\r\n")  # fmt: skip
    yield "columns of extensions", _each(_extended(board), lambda name, table, rows: _insert(name, b"", rows))


def _each(board: OldBoard, write: Callable[[bytes, Table, Rows], bytes], *, described: bool = True) -> bytes:
    """Write each table: what it is, unless it is not `described`, then its rows."""
    whole = list[bytes]()
    for name, table in board.tables.items():
        called, rows = (board.prefix + name).encode(), [*table.rows()]
        columns = b",\n".join(b"  `%s` text COMMENT 'a, b); it''s'" % column.encode() for column in table.columns)
        if described:
            whole.append(b"CREATE TABLE `%s` (\n%s,\n  KEY `k` (`x`(191))\n) ENGINE=MyISAM;\n" % (called, columns))
        whole.append(write(called, table, rows) if rows else b"")
    return b"".join(whole)


def _insert(
    name: bytes,
    columns: bytes,
    rows: Rows,
    write: Callable[[Value], bytes] = literal,
    between: bytes = b",",
) -> bytes:
    return b"INSERT INTO `%s` %sVALUES\n" % (name, columns) + between.join(
        b"(" + _listed(row, write) + b")" for row in rows
    ) + b";\n"  # fmt: skip


def _listed(row: Sequence[Value], write: Callable[[Value], bytes] = literal) -> bytes:
    return b",".join(map(write, row))


def _columns(table: Table) -> bytes:
    return b"(%s) " % b", ".join(b"`%s`" % column.encode() for column in table.columns)


def _as_hex(value: Value) -> bytes:
    text = value.encode() if isinstance(value, str) else value
    return b"0x" + text.hex().upper().encode() if isinstance(text, bytes) and text else literal(value)


def _introduced(value: Value) -> bytes:
    return literal(value) if value is None or isinstance(value, int) else b"_binary " + literal(value)


def _as_text(value: Value) -> bytes:
    return literal(str(value) if isinstance(value, int) else value)


def _extended(board: OldBoard) -> OldBoard:
    """Return a board with columns that extensions added, in front, between and behind."""
    tables = {}
    for name, table in board.tables.items():
        rows = [(None, row[0], "it's", *row[1:], 5) for row in table.rows()]
        columns = ("ext_first", table.columns[0], "ext_note", *table.columns[1:], "ext_last")
        tables[name] = Table(columns, lambda rows=rows: rows)
    return OldBoard(board.version, board.prefix, tables)
