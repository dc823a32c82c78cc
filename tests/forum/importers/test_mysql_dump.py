"""Dumps of MySQL as they come: each way of writing the same rows, and each file that is none."""

import bz2
import contextlib
import gzip
import io
import lzma
import random
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from forum.importers.errors import CannotMove
from forum.importers.sources import files
from forum.importers.sources.mysql_dump import MysqlDump, Row, Value

CREATE = (
    b"CREATE TABLE `phpbb_posts` (\n  `post_id` int(10) unsigned NOT NULL AUTO_INCREMENT,\n"
    b"  `post_text` mediumtext COLLATE utf8_bin NOT NULL COMMENT 'a, b) ; it''s',\n"
    b"  `score` decimal(5,2) DEFAULT '0.00',\n"
    b"  PRIMARY KEY (`post_id`),\n  KEY `score` (`score`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8;\n"
)
WANTED = {"phpbb_posts": ("post_text", "post_id", "nothing")}


def wanted(table: str) -> Sequence[str] | None:
    return WANTED.get(table)


def read(path: Path, text: bytes) -> list[tuple[Value, ...]]:
    path.write_bytes(text)
    rows = list(MysqlDump(path, wanted).rows())
    assert all(row.table == "phpbb_posts" for row in rows)
    return [row.values[:2] for row in rows]


# What follows CREATE, and the texts and ids that it has.
WAYS: list[tuple[bytes, list[tuple[Value, Value]]]] = [
    (b"INSERT INTO `phpbb_posts` VALUES (1,'one',0.50),(2,'two',-1);", [(b"one", b"1"), (b"two", b"2")]),
    (b"INSERT INTO phpbb_posts (post_id, score, post_text) VALUES(1, 1e5, 'one'),\n (2, NULL, NULL);",
     [(b"one", b"1"), (None, b"2")]),  # as phpBB's own backup
    (b"insert ignore into `kin`.`phpbb_posts` (`post_text`) values ('a');replace into phpbb_posts values (3,'b',0);",
     [(b"a", None), (b"b", b"3")]),
    (rb"""INSERT INTO phpbb_posts VALUES (1,'it\'s ''so'' \"x\" "y" \\n \n\r\t\0\Z\b\%\_\q; -- ) , (2,', 0);""",
     [(b"it's 'so' \"x\" \"y\" \\n \n\r\t\x00\x1a\b\\%\\_q; -- ) , (2,", b"1")]),
    (rb"""INSERT INTO phpbb_posts VALUES (1,"it's ""so"" \" \\",0);""", [(b"it's \"so\" \" \\", b"1")]),
    (b"INSERT INTO phpbb_posts VALUES (1,0x6f6E65,0),(2,_binary 'two\\'s',0),(3,X'33',0),"
     b"(b'100','',0),(5,_utf8mb4'\xc3\xa9',0);",
     [(b"one", b"1"), (b"two's", b"2"), (b"3", b"3"), (b"", b"4"), (b"\xc3\xa9", b"5")]),
    (b"INSERT INTO phpbb_posts VALUES (1,'\xff\xfe bytes',0);", [(b"\xff\xfe bytes", b"1")]),
    (b"-- a comment; '\n# another \"\n/* INSERT INTO phpbb_posts VALUES (9,'x',0); */\n/*!40101 SET NAMES latin1 */;\n"
     b"--\nINSERT INTO phpbb_posts VALUES (1,'one',0);\n-- no end of line", [(b"one", b"1")]),
    (b"DROP TABLE IF EXISTS x;LOCK TABLES `x` WRITE;/*!40000 ALTER TABLE `x` DISABLE KEYS */;\n"
     b"INSERT INTO other VALUES (1,'; INSERT INTO phpbb_posts VALUES (7,\\'x\\',0);');UNLOCK TABLES;",
     []),
    (b"DELIMITER ;;\nCREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET @a = ';''\"'; INSERT INTO phpbb_posts "
     b"VALUES (8,'x',0); END ;;\nDELIMITER ;\nINSERT INTO phpbb_posts VALUES (1,'one',0);", [(b"one", b"1")]),
    (b"DELIMITER $$\nCREATE PROCEDURE p() BEGIN SELECT 1; END$$\n\nCREATE FUNCTION q() BEGIN END$$\nDELIMITER ;\n"
     b"INSERT INTO phpbb_posts VALUES (1,'one',0) ON DUPLICATE KEY UPDATE score = 1;", [(b"one", b"1")]),
    (b"CREATE VIEW v AS SELECT 1;CREATE DATABASE `kin`;USE `kin`;CREATE TABLE y LIKE x;"
     b"INSERT INTO phpbb_posts VALUES (1,'one',0),(2,'two',0);", [(b"one", b"1"), (b"two", b"2")]),
    (b"mysqldump: Error: 'Access denied; you need PROCESS' when trying to dump tablespaces\nCREATE DATABASE `kin`;"
     b"USE `kin`;\nWarning: Using a password on the command line\nINSERT INTO phpbb_posts VALUES (1,'one',0);"
     b"USE mysql;INSERT INTO other VALUES (1);", [(b"one", b"1")]),
    (b"INSERT INTO phpbb_posts VALUES (1,'it''s\n\\\\_o_/',0),(2,'a\\_b',0);",  # lines as they are
     [(b"it's\n\\_o_/", b"1"), (b"a\\_b", b"2")]),
    (b"SET SQL_MODE = 'NO_AUTO_VALUE_ON_ZERO';START TRANSACTION;INSERT INTO phpbb_posts VALUES (1,'one',0);COMMIT;",
     [(b"one", b"1")]),
]  # fmt: skip


def test_each_way_of_writing_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for piece in (1 << 18, 7):  # in pieces that end anywhere
        monkeypatch.setattr(files, "PIECE", piece)
        for number, (text, rows) in enumerate(WAYS):
            assert read(tmp_path / "board.sql", b"\xef\xbb\xbf" * (number % 2) + CREATE + text) == rows, text


def test_packed_files_and_what_was_seen(tmp_path: Path) -> None:
    text = CREATE + b"INSERT INTO phpbb_posts VALUES (1,'one',0);"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("README.txt", "hello")
        packed.writestr("kin/board.SQL", text)
    for packing in (gzip.compress(text), bz2.compress(text), lzma.compress(text), archive.getvalue(), text):
        seen: list[int] = []
        path = tmp_path / "board"
        path.write_bytes(packing)
        dump = MysqlDump(path, wanted, seen.append)
        assert list(dump.rows()) == [Row("phpbb_posts", (b"one", b"1", None))]
        assert seen[-1] <= len(packing)
        assert dump.columns == {"phpbb_posts": ("post_id", "post_text", "score")}
        assert dump.tables == {"phpbb_posts": 1}
    list((dump := MysqlDump(tmp_path / "board", wanted)).rows())
    assert dump.charset == ""
    # The backup of a whole site has files of XML, too: it is no export of WordPress.
    for names, exports in ((("b.xml", "a.XML", "notes.txt"), ["a.XML", "b.xml"]), (("a.sql", "theme/style.xml"), [])):
        (tmp_path / "board").write_bytes(_zip(*names))
        assert list(files.list_exports(tmp_path / "board")) == exports
    read(path, b"/*!40101 SET NAMES utf8mb4 */;" + CREATE)


def _tar() -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as packed:
        member = tarfile.TarInfo("backup/board.sql")
        member.size = len(CREATE)
        packed.addfile(member, io.BytesIO(CREATE))
    return archive.getvalue()


def _zip(*names: str, password: bool = False) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for name in names:
            packed.writestr(name, CREATE)
    text = bytearray(archive.getvalue())
    if password:
        for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            struct.pack_into("<H", text, text.index(signature) + place, 1)
    return bytes(text)


ROW = b"INSERT INTO phpbb_posts VALUES (1,'one',0);"
ROWS = CREATE + b"INSERT INTO phpbb_posts VALUES (1,'one',0),(2,'two',0);\n"
NONE: list[tuple[bytes, str]] = [
    (b"", "is empty"),
    (b"\x89PNG\r\n\x1a\n", "is no dump of a MySQL database"),
    (b"<html><body>Session expired</body></html>", "is no dump of a MySQL database"),
    (b"-- nothing but a comment", "is no dump of a MySQL database"),
    (b"\xff\xfeC\0R\0E\0", "UTF-16"),
    ("CREATE TABLE x".encode("utf-16-le"), "UTF-16"),
    (gzip.compress("CREATE TABLE x".encode("utf-16")), "UTF-16"),
    (gzip.compress(b""), "is empty"),
    (gzip.compress(gzip.compress(ROWS)), "is packed twice"),
    (_tar(), "is an archive of files"),
    (b"7z\xbc\xaf\x27\x1c\0\4", "is an archive of files"),
    (b"Rar!\x1a\x07\x01\0", "is an archive of files"),
    (b"PK\x05\x06" + bytes(18), "holds 0 .sql files"),
    (b"USE `a`;" + CREATE + ROW + b"USE `b`;" + CREATE + ROW, "holds two databases, a and b, and each has a table"),
    (CREATE + ROW.replace(b"phpbb_posts", b"a.phpbb_posts") + b"USE `b`;" + ROW, "holds two databases, a and b"),
    (b"/*!40101 SET SQL_MODE='ANSI,NO_BACKSLASH_ESCAPES' */;" + ROWS, "in the mode NO_BACKSLASH_ESCAPES"),
    (  # nothing says so, but the signs do
        CREATE + b"INSERT INTO phpbb_posts VALUES (1,'one\ntwo',0),(2,'it''s in C:\\Users',0);",
        "in the mode NO_BACKSLASH_ESCAPES",
    ),
    (CREATE + b"INSERT INTO phpbb_posts SET post_id = 1;", "“INSERT INTO phpbb_posts SET po…” cannot be understood"),
    (b"-- PostgreSQL database dump\nSET x = 1;", "a dump of PostgreSQL"),
    (b"PRAGMA foreign_keys=OFF;", "is no dump of a MySQL database"),
    (ROWS + b"Fatal error: out of memory", "“Fatal error: out of memory” begins none"),
    (b"INSERT INTO phpbb_posts VALUES (1,'one',0);", "does not say which columns"),
    (CREATE + b"INSERT INTO phpbb_posts VALUES (1,'one');", "has 3 columns, and a row of it 2 values"),
    (CREATE + b"INSERT INTO phpbb_posts VALUES (1,'one',0),(2,'two',0,5);", "has 3 columns, and a row of it 4 values"),
    (CREATE + b"INSERT INTO phpbb_posts VALUES (1,'it's',0);", "phpbb_posts"),
    (CREATE + b"INSERT INTO phpbb_posts VALUES (1,0x6f6,0);", "what follows 0x is no number"),
    (CREATE + b"INSERT INTO phpbb_posts VALUES (1,b'2',0);", "what follows b is no number"),
    (CREATE + b"INSERT INTO phpbb_posts SELECT 1;" + b" " * (2 << 20), "cannot be understood"),
    (b"CREATE TABLE x (" + b"`a` int,\n" * 200_000, "has no end"),
    (CREATE + b"INSERT INTO phpbb_posts VALUES (1,'" + b"x" * (17 << 20) + b"',0);", "longer than 16 MiB"),
    (b"".join(b"CREATE TABLE t%d (a int);" % n for n in range(10_002)), "more than 10,000 tables"),
    (b"-- MySQL dump 10.13\n" + ROWS, "ends in the middle"),
    (b"/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19-11.4\n" + ROWS, "ends in the middle"),
    (b"START TRANSACTION;" + ROWS, "ends in the middle"),
    (ROWS[:-20], "ends in the middle of phpbb_posts"),
    (ROWS[:-3], "ends in the middle of phpbb_posts"),
    (CREATE[:100], "ends in the middle"),
    (CREATE + b"INSERT INTO other VALUES (1,'no end", "ends in the middle of other"),
    (CREATE + b"/* no end", "ends in the middle"),
    (gzip.compress(ROWS * 50)[:-30], "ends in the middle"),
    (bz2.compress(ROWS * 50)[:-30], "ends in the middle"),
    (gzip.compress(ROWS * 50)[:40] + b"damaged" * 20, "is damaged"),
    (_zip("a.sql")[:-30], "cannot be read"),
    (_zip("a.sql", "b.sql"), "holds 2 .sql files"),
    (_zip("a.txt"), "holds 0 .sql files"),
    (_zip("a.sql", password=True), "has a password"),
]  # fmt: skip


def test_what_is_no_whole_dump_is_one_sentence(tmp_path: Path) -> None:
    for text, says in NONE:
        try:
            said = f"it was read: {len(read(tmp_path / 'board.sql', text))}"
        except CannotMove as refused:
            said = str(refused)
        assert says in said, (text[:80], said)
        assert said.endswith(".")
        assert "\n" not in said
    with pytest.raises(CannotMove, match="cannot be read: No such file"):
        list(MysqlDump(tmp_path / "nothing.sql", wanted).rows())


def test_mysqldump_with_its_last_line_and_its_warning_is_whole(tmp_path: Path) -> None:
    text = b"mysqldump: [Warning] Using a password\n-- MySQL dump 10.13\n" + ROWS
    text += b"\n-- Dump completed on 2026-11-01\n"
    assert len(read(tmp_path / "board.sql", text)) == 2
    assert len(read(tmp_path / "board.sql", text.rstrip())) == 2


def test_a_bomb_is_refused_and_memory_stays_bounded(tmp_path: Path) -> None:
    path = tmp_path / "board.sql.gz"
    with gzip.open(path, "wb", compresslevel=1) as bomb:
        bomb.write(CREATE + b"INSERT INTO other VALUES ('")
        for _ in range(200):
            bomb.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(CannotMove, match=r"more than \d+ times its size|ends in the middle"):
        list(MysqlDump(path, wanted).rows())
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_a_file_spoilt_anywhere_is_read_or_refused(tmp_path: Path) -> None:
    text, chance = CREATE + b"".join(way for way, _ in WAYS[:-1]), random.Random(4)
    for _ in range(300):
        at, end = sorted(chance.sample(range(len(text)), 2))
        spoilt = chance.choice(
            [text[:at], text[:at] + text[end:], text[:at] + b"'" + text[at:], text[:at] + b"\0" + text[at:]]
        )
        with contextlib.suppress(CannotMove):
            read(tmp_path / "board.sql", spoilt)
