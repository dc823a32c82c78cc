"""A board of phpBB becomes records: both forms of text, what was hidden, who could read, and broken bytes."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from forum.importers import phpbb
from forum.importers.errors import CannotMove
from forum.importers.phpbb.encoding import Decoder, is_double, plain
from forum.importers.records import (
    BanRecord,
    BoardRecord,
    IgnoreRecord,
    PersonKind,
    PollRecord,
    PostRecord,
    Readers,
    RemovalRecord,
    ReportRecord,
    Shown,
    TermRecord,
    TextForm,
    WarningRecord,
    WatchRecord,
)
from forum.importers.remarks import Remark
from forum.importers.staging import Staging
from tests.support import old_boards, other_tools
from tests.support.old_boards import (
    ADDRESS_OF_MACHINE,
    BANNED,
    COURT,
    LETTERS,
    LOCKED_AWAY,
    MEMBERS,
    PRIVATE,
    SUNNY,
    SUNNY_TOO,
    SUZIE,
    TEAM,
    WORRIED,
    OldBoard,
    Style,
    Table,
    make_board,
    write,
)


def read(board: OldBoard, folder: Path, style: Style = "phpmyadmin", name: str = "board.sql") -> Staging:
    staging = Staging(folder / f"staging-{len(list(folder.iterdir()))}.sqlite")

    def seen(_: int) -> None:
        assert not list(folder.glob("*.tables"))  # it has no name, so that nothing is left when it is killed

    phpbb.read(write(board, folder / name, style), staging, seen=seen)
    return staging


def posts(staging: Staging) -> dict[str, PostRecord]:
    return {post.old: post for thread in staging.threads() for post in staging.posts(thread.old)}


def changed(board: OldBoard, **tables: Sequence[Sequence[old_boards.Value]]) -> OldBoard:
    """Return a board whose tables have other rows."""
    new = {name: Table(board.tables[name].columns, lambda rows=rows: rows) for name, rows in tables.items()}
    return OldBoard(board.version, board.prefix, {**board.tables, **new})


def test_the_same_board_in_each_kind_of_dump(tmp_path: Path) -> None:
    ways: list[tuple[Style, str]] = [("phpmyadmin", "a.zip"), ("mysqldump", "a.sql.gz"), ("acp", "a.sql.bz2")]
    first, *others = [records(read(make_board(60), tmp_path, style, name)) for style, name in ways]
    assert all(other == first for other in others)


@pytest.mark.parametrize("version", ["3.3.14", "3.0.14-PL1"])
def test_the_same_board_as_other_programs_export_it(tmp_path: Path, version: str) -> None:
    board = make_board(version=version)
    expected = records(read(board, tmp_path))
    for program, dump in other_tools.ways(board):
        (tmp_path / "other.sql").write_bytes(dump)
        staging = Staging(tmp_path / f"{program}.sqlite")
        phpbb.read(tmp_path / "other.sql", staging)
        assert records(staging) == expected, program


def records(staging: Staging) -> list[list[tuple[Any, ...]]]:
    tables = ("board", "person", "thread", "post", "other")
    return [list(staging.connection.execute(f"SELECT * FROM {table}")) for table in tables]


def test_boards_and_who_could_read_them(tmp_path: Path) -> None:
    boards = {board.old: board for board in read(make_board(), tmp_path).boards()}
    assert [board.is_section for board in boards.values()] == [True, False, False, False, False, False]
    assert boards["2"] == BoardRecord(
        old="2", parent="1", name="Court & family", description="Dates & letters", readers=Readers.EVERYONE, position=2
    )
    assert {int(old): (board.readers, bool(board.doubt)) for old, board in boards.items()} == {
        1: (Readers.EVERYONE, False),
        COURT: (Readers.EVERYONE, False),
        LETTERS: (Readers.EVERYONE, False),
        MEMBERS: (Readers.MEMBERS, False),
        TEAM: (Readers.STAFF, False),
        LOCKED_AWAY: (Readers.STAFF, True),
    }
    assert boards["3"].is_closed


# Rows of acl_groups and acl_users (group or user, board, option or 0, role or 0, setting), and who reads board 2 then.
# Options: 1 f_, 2 f_list, 3 f_read. Roles: 15 standard, 16 no access, 17 read only. Groups: 1 guests, 2 members, 8 own.
READ = [(1, 1, 0, 17, 0), (2, 1, 0, 15, 0)]
AUDIENCES: list[tuple[list[tuple[int, ...]], list[tuple[int, ...]], Readers, str]] = [
    ([(1, 2, 0, 17, 0), (2, 2, 0, 15, 0)], [], Readers.EVERYONE, ""),
    ([(1, 2, 3, 0, 1), (1, 2, 2, 0, 1), (2, 2, 0, 15, 0)], [], Readers.EVERYONE, ""),
    ([(1, 2, 0, 17, 0), (1, 2, 3, 0, 0), (2, 2, 0, 15, 0)], [], Readers.MEMBERS, ""),  # NEVER beats YES
    ([(1, 2, 3, 0, 0), (1, 2, 0, 17, 0), (2, 2, 0, 15, 0)], [], Readers.MEMBERS, ""),  # in any order
    ([(1, 2, 0, 16, 0), (1, 2, 0, 17, 0), (2, 2, 0, 15, 0)], [], Readers.MEMBERS, ""),
    ([(2, 2, 3, 0, -1), (2, 2, 0, 17, 0)], [], Readers.MEMBERS, ""),  # not set
    ([(1, 2, 0, 17, 0)], [], Readers.STAFF, ""),
    ([(1, 0, 0, 17, 0), (2, 0, 0, 15, 0)], [], Readers.STAFF, ""),  # for no board
    ([(8, 2, 0, 15, 0)], [], Readers.STAFF, ""),
    ([(2, 2, 0, 99, 1)], [], Readers.STAFF, ""),  # a role that there is not
    ([(2, 2, 3, 0, 1)], [], Readers.STAFF, "not listed"),
    ([(2, 2, 0, 15, 0), (8, 2, 3, 0, 0)], [], Readers.STAFF, "kept out"),
    ([(2, 2, 0, 15, 0)], [(6, 2, 3, 0, 0)], Readers.STAFF, "kept out"),
    ([(1, 2, 0, 17, 0), (2, 2, 0, 15, 0)], [(6, 2, 3, 0, 0)], Readers.EVERYONE, ""),  # guests read it: so could they
    ([(2, 2, 0, 15, 0)], [(6, 4, 3, 0, 0)], Readers.MEMBERS, ""),
    # Guests share account 1, and group 9, which is not theirs alone.
    ([(1, 2, 0, 17, 0), (2, 2, 0, 15, 0)], [(1, 2, 3, 0, 0)], Readers.MEMBERS, ""),
    ([(1, 2, 0, 17, 0), (2, 2, 0, 15, 0)], [(1, 2, 0, 16, 0)], Readers.MEMBERS, ""),
    ([(1, 2, 0, 17, 0), (2, 2, 0, 15, 0), (9, 2, 2, 0, 0)], [], Readers.MEMBERS, ""),
    ([(1, 2, 0, 17, 0), (2, 2, 0, 15, 0)], [(1, 2, 4, 0, 0)], Readers.EVERYONE, ""),  # they could not write
]  # fmt: skip


def test_never_wider_than_before(tmp_path: Path) -> None:
    for groups, users, readers, doubt in AUDIENCES:
        shared = [(1, 1, 0, 0), (9, 1, 0, 0)]
        board = changed(make_board(), acl_groups=[*READ, *groups], acl_users=users, user_group=shared)
        staging = read(board, tmp_path)
        board = next(board for board in staging.boards() if board.old == "2")
        assert board.readers is readers, (groups, users)
        assert doubt in (board.doubt or ""), (groups, users)
        assert bool(board.doubt) is bool(doubt), (groups, users)
    hidden_above = [(2, 1, 0, 16, 0), (1, 2, 0, 17, 0), (2, 2, 0, 15, 0)]
    [board] = [
        board for board in read(changed(make_board(), acl_groups=hidden_above), tmp_path).boards() if board.old == "2"
    ]
    assert (board.readers, "stood below" in (board.doubt or "")) == (Readers.STAFF, True)
    # Nothing is set for the section, or nothing but for a group of the board's own: it was listed for no member.
    for trustees in ([], [(8, 1, 0, 15, 0)]):
        unsaid = read(changed(make_board(), acl_groups=[*AUDIENCES[0][0], *trustees]), tmp_path)
        board = next(board for board in unsaid.boards() if board.old == "2")
        assert (board.readers, "stood below" in (board.doubt or "")) == (Readers.STAFF, True)
    for lost in ("acl_options", "groups"):
        boards = [
            board for board in read(changed(make_board(), **{lost: []}), tmp_path).boards() if not board.is_section
        ]
        assert {board.readers for board in boards} == {Readers.STAFF}
        assert all(board.doubt for board in boards)


# An option of an extension, its setting for members, and whether they could read the board as a whole.
OPTIONS_OF_EXTENSIONS = [
    ("f_read_others", -1, False),
    ("f_read_other_topics", 0, False),
    ("f_view_all_topics", 1, True),
    ("f_see_others", 1, True),
    ("f_own_topics_only", 1, False),
    ("f_topics_private", -1, True),
    ("f_view_own", 1, False),
    ("f_private_topics", 1, False),
    ("f_hide_bbcode", 1, True),
    ("f_edit_own", 1, True),
    ("f_view_topic_stats", -1, True),
    ("f_thanks", -1, True),
    ("f_topic_tags", 1, True),
]


def test_a_board_of_which_members_read_a_part_is_for_staff(tmp_path: Path) -> None:
    options = [*make_board().tables["acl_options"].rows()]
    for option, setting, is_whole in OPTIONS_OF_EXTENSIONS:
        groups = [(1, 1, 0, 17, 0), (2, 1, 0, 15, 0), (1, 2, 0, 17, 0), (2, 2, 0, 15, 0), (2, 2, 40, 0, setting)]
        board = changed(make_board(), acl_options=[*options, (40, option, 0)], acl_groups=groups)
        found = next(board for board in read(board, tmp_path).boards() if board.old == "2")
        assert found.readers is (Readers.EVERYONE if is_whole else Readers.STAFF), option
        assert ("extension" in (found.doubt or "")) is not is_whole, option


# Columns that extensions add, with a value; and whether what has it was hidden, or shown without a name.
COLUMNS_OF_EXTENSIONS: list[tuple[str, str, old_boards.Value, bool, bool]] = [
    ("posts", "post_deleted", SUZIE, True, False),
    ("posts", "post_deleted_time", old_boards.START, True, False),
    ("posts", "is_hidden", 1, True, False),
    ("posts", "post_private", b"\x01", True, False),
    ("posts", "post_private", "no", False, False),
    ("posts", "post_deleted", 0, False, False),
    ("posts", "post_deleted_at", "0000-00-00 00:00:00", False, False),
    ("posts", "post_deleted_at", "2016-05-01 00:00:00", True, False),
    ("posts", "post_deleted_reason", "none", False, False),
    ("posts", "post_hide_signature", 1, False, False),
    ("posts", "is_anonymous", 1, False, True),
    ("posts", "anonymous_index", 3, False, False),
    ("posts", "post_anonymous", 0, False, False),
    ("topics", "topic_deleted", 1, True, False),
    ("topics", "topic_password", "lark", True, False),
    ("topics", "topic_first_is_anonymous", 1, False, True),
    ("topics", "topic_last_is_anonymous", 1, False, False),
    ("forums", "forum_private", 1, True, False),
]


def test_what_an_extension_hid_stays_hidden(tmp_path: Path) -> None:
    board = make_board(members=0, version="3.0.14")
    for name, column, value, is_hidden, is_unnamed in COLUMNS_OF_EXTENSIONS:
        table = board.tables[name]
        rows = [[*row, value if row[0] == 2 else 0] for row in table.rows()]
        added = Table([*table.columns, column], lambda rows=rows: rows)
        style: Style = "acp" if name == "posts" else "mysqldump"
        staging = read(OldBoard(board.version, board.prefix, {**board.tables, name: added}), tmp_path, style)
        post, thread = posts(staging)["2"], next(thread for thread in staging.threads() if thread.old == "2")
        found = next(board for board in staging.boards() if board.old == "2")
        others = {post.shown for post in staging.posts("2")}
        on_topic, on_post = name == "topics", name == "posts"
        assert (post.shown is Shown.REMOVED) is (is_hidden and on_post), column
        assert (post.author, post.author_name) == (
            (None, "Anonymous") if is_unnamed and on_post else (str(SUZIE), None)
        )
        assert others == ({Shown.REMOVED} if is_hidden and on_topic else {Shown.VISIBLE}), column
        assert (thread.shown is Shown.REMOVED) is (is_hidden and on_topic), column
        assert (thread.author_name == "Anonymous") is (is_unnamed and on_topic), column
        assert (found.readers is Readers.STAFF, bool(found.doubt)) == ((is_hidden and name == "forums",) * 2), column
        count = 1 if on_post else 1 + len(list(staging.posts("2")))  # the thread, and its posts
        assert staging.remarks().get(Remark.HIDDEN_BY_EXTENSION, 0) == (is_hidden and name != "forums") * count, column
        for one in (post, *staging.posts("2")):
            assert "extension" in (one.removed.reason if one.removed else "extension"), column
        assert staging.remarks().get(Remark.UNNAMED, 0) == (is_unnamed and on_post), column
    # Data alone says by itself which columns it has.
    rows = [[*row, 1] for row in board.tables["posts"].rows()]
    hidden = Table([*board.tables["posts"].columns, "post_deleted"], lambda: rows)
    dump = write(OldBoard(board.version, board.prefix, {**board.tables, "posts": hidden}), tmp_path / "hidden.sql")
    dump.write_bytes(re.sub(rb"CREATE TABLE .*?;\n", b"", dump.read_bytes(), flags=re.DOTALL))
    alone = Staging(tmp_path / "alone.sqlite")
    phpbb.read(dump, alone)
    assert {post.shown for post in posts(alone).values()} == {Shown.REMOVED}


@pytest.mark.parametrize("version", ["3.0.12", "3.1.12", "3.2.11", "3.3.14"])
def test_posts_of_each_version(tmp_path: Path, version: str) -> None:
    staging = read(make_board(version=version), tmp_path)
    records, is_new = posts(staging), version >= "3.2"
    assert staging.source.version == version
    assert (staging.source.name, staging.source.address) == ("Kin & Care", "https://old.example.org/forum/")
    first = records["1"]
    assert first.form is (TextForm.S9E if is_new else TextForm.BBCODE)
    assert first.uid == ("" if is_new else old_boards.UID)
    assert "😟" in first.text
    assert records["16"].form is TextForm.BBCODE
    assert records["16"].uid == "1q2w3e4r"
    assert {old: post.shown for old, post in records.items() if post.shown is not Shown.VISIBLE} == {
        "4": Shown.REMOVED if is_new else Shown.WAITING,
        "6": Shown.WAITING,
        "7": Shown.WAITING,
    }
    assert (records["8"].edited_by, records["8"].edit_reason) == (str(SUZIE), "Rule 10")
    assert records["9"].edited_by == str(SUNNY)
    assert (records["3"].attachments, records["3"].below_files) == (("picture", "file"), ("What I <drew>",))
    assert records["2"].reply_to == ("1" if is_new else None)
    assert (records["10"].title, records["12"].title) == ("", "Something else altogether")
    assert records["14"].title == ""
    assert (records["13"].author, records["13"].author_name) == (None, None)
    assert records["11"].author == records["12"].author == next(p.old for p in staging.people() if p.name == "Visitor")
    assert {"23", "24"}.isdisjoint(records)  # whose thread or board is gone


def test_threads_people_and_what_was_decided(tmp_path: Path) -> None:
    staging = read(make_board(), tmp_path)
    threads = {thread.old: thread for thread in staging.threads()}
    assert threads["2"].title == "Court <dates>"
    assert (threads["2"].is_locked, threads["2"].is_pinned, threads["5"].is_pinned) == (True, True, True)
    assert (threads["3"].moved_to, threads["8"].shown) == ("4", Shown.REMOVED)
    assert threads["9"].poll == PollRecord(
        question="Which <day> suits?", options=(("Monday & Tuesday", 3), ("Never", 0))
    )
    assert {"11", "12"}.isdisjoint(threads)

    people = {person.name: person for person in staging.people()}
    assert people["Priya"].was == ("founder", "administrator")
    assert people["Suzie"].was == ("global moderator", "group Advisers")
    assert people["Sunny"].was == ()  # only asked to be one
    assert people["Mum & Dad"].password == old_boards.HASH
    kinds = {name: person.what for name, person in people.items() if person.what is not PersonKind.MEMBER}
    assert kinds == {
        "Never Came": PersonKind.INACTIVE,
        "Google [Bot]": PersonKind.BOT,
        "Visitor": PersonKind.GUEST,
    }

    [ban] = staging.others(BanRecord)
    assert (ban.person, ban.until, ban.reason, ban.note) == (str(BANNED), None, "Rule 3 & 4", "for the team")
    gone = {post.old: post.removed for thread in ("1", "8") for post in staging.posts(thread) if post.removed}
    at = datetime.fromtimestamp(old_boards.START + 4 * 86_400 + 3600, UTC)
    assert gone == {"4": RemovalRecord(at=at, by=str(SUZIE), reason="spite")}
    # The posts of a thread that was deleted as a whole have no reason of their own.
    board = make_board()
    columns = board.tables["posts"].columns
    whole = dict(zip(columns, next(row for row in board.tables["posts"].rows() if row[0] == 20), strict=True))
    whole |= {"post_visibility": 2, "post_delete_time": old_boards.START, "post_delete_user": 777}
    with_whole = changed(board, posts=[[whole[column] for column in columns]])
    [post] = read(with_whole, tmp_path).posts("8")
    assert post.removed == RemovalRecord(at=datetime.fromtimestamp(old_boards.START, UTC), reason="not for here")
    [warning] = staging.others(WarningRecord)
    assert (warning.person, warning.by) == (str(BANNED), str(SUZIE))
    reports = [(report.post, report.by, report.reason, report.title) for report in staging.others(ReportRecord)]
    assert reports == [("8", str(WORRIED), 'He named my "son"', "other"), ("5", str(SUNNY_TOO), "spam", "spam")]
    watches = {(watch.person, watch.thread, watch.board) for watch in staging.others(WatchRecord)}
    assert watches == {(str(WORRIED), "1", None), (str(SUNNY), "1", None), (str(SUNNY), None, str(COURT))}
    assert [*staging.others(IgnoreRecord)] == [IgnoreRecord(person=str(WORRIED), ignored=str(BANNED))]
    assert [term.replacement for term in staging.others(TermRecord)] == ["SW & co", "d*mn"]
    assert staging.remarks() == {
        Remark.LINK_BOARD: 1,
        Remark.THREAD_WITHOUT_BOARD: 1,
        Remark.POINTER_TO_NOTHING: 1,
        Remark.AUTHOR_UNKNOWN: 1,
        Remark.LOST_BEFORE: 1,
        Remark.BYTES_DROPPED: 1,
        Remark.CONTROLS_DROPPED: 1,
        Remark.OLD_FORM_IN_NEW_BOARD: 2,
        Remark.POST_WITHOUT_THREAD: 2,
        Remark.BAN_OVER: 1,
        Remark.BAN_OF_ADDRESS: 2,
        Remark.OTHER_TABLE: 1,
        Remark.PRIVATE_MESSAGES: 2,
    }
    assert staging.examples(Remark.OTHER_TABLE) == [("phpbb_mchat", "phpbb_mchat")]


def test_rows_that_make_no_sense_stop_nothing(tmp_path: Path) -> None:
    board = make_board()
    rows = {name: list(table.rows()) for name, table in board.tables.items()}
    wild: list[old_boards.Value] = [10**30, -1, None, "", "x", b"\xff", "1e3", 10**12]
    for name in [
        "posts",
        "topics",
        "users",
        "forums",
        "banlist",
        "reports",
        "poll_options",
        "attachments",
        "acl_groups",
    ]:
        count = len(board.tables[name].columns)
        rows[name] += [[9_000 + n, *[value] * (count - 1)] for n, value in enumerate(wild)]
        rows[name] += [[value] * count for value in wild]
    assert posts(read(board, tmp_path)).keys() <= posts(read(changed(board, **rows), tmp_path)).keys()


def test_nothing_private_is_in_the_staging_file(tmp_path: Path) -> None:
    staging = read(make_board(), tmp_path)
    kept = staging.path.read_bytes()
    for words in (PRIVATE, ADDRESS_OF_MACHINE, "daisy at school", "A signature", "$H$9secret", "spam.example"):
        assert words.encode() not in kept


DECODED: Mapping[bytes, tuple[str, Remark | None]] = {
    "café 😟 “so”".encode(): ("café 😟 “so”", None),
    b"plain": ("plain", None),
    "cafÃ© ðŸ˜Ÿ â€œso".encode(): ("café 😟 “so", Remark.DOUBLE_ENCODED),
    "Ã  la carte".encode(): ("Ã  la carte", None),  # cut letters are no proof
    "price in €, cafÃ©".encode(): ("price in €, cafÃ©", None),  # one letter was not encoded twice: none was
    b"caf\xe9 \x93so\x94 \xa35": ("café “so” £5", Remark.LATIN),
    b"caf\xc3\xa9 \xe9": ("café ", Remark.BYTES_DROPPED),
    b"cut in a letter caf\xc3": ("cut in a letter caf", Remark.BYTES_DROPPED),
    b"Andr\xe9": ("André", Remark.LATIN),
    b"cut in a mark \xe2": ("cut in a mark ", Remark.BYTES_DROPPED),
    b"\xff\xfe": ("", Remark.BYTES_DROPPED),
    b"a\x00b\x0bc\xef\xbf\xbed": ("ab\ncd", Remark.CONTROLS_DROPPED),
    b"\xed\xa0\xbd half a pair": (" half a pair", Remark.BYTES_DROPPED),
    b"what????": ("what????", Remark.LOST_BEFORE),
    b"": ("", None),
}


def test_bytes_become_text(tmp_path: Path) -> None:
    decoder = Decoder(is_double=True)
    for value, (text, remark) in DECODED.items():
        decoded = decoder.decode(value)
        assert (decoded.text, list(decoded.remarks)) == (text, [remark] if remark else []), value
    assert decoder.line(b"Tom &amp;amp; Jerry\n&#128554;") == "Tom &amp; Jerry 😪"
    double = "cafÃ©".encode()
    assert Decoder().decode(double).text == "cafÃ©"  # one person wrote so, on a sound board
    assert is_double([double, *["é".encode()] * 98])
    assert not is_double([double, *["é".encode()] * 100])
    assert not is_double([])
    assert plain("<r>A <B><s>[b]</s>bold<e>[/b]</e></B><br/>\nname &amp; more</r>") == "A bold name & more"
    assert plain("A [b:1a2b]bold[/b:1a2b] 12:30pm] &lt;b&gt;", "1a2b") == "A bold 12:30pm] <b>"
    staging = read(make_board(encoding="double"), tmp_path)
    assert "😟" in posts(staging)["1"].text
    assert {"Mum & Dad", "Sunny 🌞", "Şükran"} <= {person.name for person in staging.people()}
    remarks = staging.remarks()
    assert remarks[Remark.DOUBLE_ENCODED] > 0
    # Names and titles are told apart from posts: Şükran, Sunny 🌞, a board, a thread.
    assert remarks[Remark.LINE_MENDED] == 4
    assert Remark.LINE_DROPPED not in remarks


def test_what_is_no_such_board_is_one_sentence(tmp_path: Path) -> None:
    sound = make_board()
    config = list(sound.tables["config"].rows())
    old, new = ([("version", version, 0), *config[1:]] for version in (".0.23", "4.0.0-a1"))
    two = {**{f"{name}": table for name, table in sound.tables.items()}}
    without = OldBoard("", "", {name: table for name, table in two.items() if name != "posts"})
    nameless = OldBoard("", "kin_", {name: table for name, table in two.items() if name != "users"})
    both = OldBoard("", "", {**{f"a_{n}": t for n, t in two.items()}, **{f"b_{n}": t for n, t in two.items()}})
    words = Table(("ID", "post_author", "post_content"), lambda: [(1, 1, "Hello")])
    other = OldBoard("", "", {"wp_posts": words, "wp_users": words, "wp_options": words})
    blog = OldBoard("", "kin_", dict.fromkeys(("posts", "users", "options", "comments"), words))
    cases: list[tuple[OldBoard, str]] = [
        (changed(sound, config=old), "is phpBB 2: update it"),
        (changed(sound, config=new), "is phpBB 4.0.0-a1; only"),
        (changed(sound, config=[("sitename", "x", 0)]), "is no dump of phpBB: it holds phpbb_acl_groups"),
        (without, "has no table of posts"),
        (nameless, "has no table kin_users: export all tables of the board"),
        (both, "holds 2 boards, whose tables begin with “a_” and “b_”"),
        (other, "it holds wp_options, wp_posts, wp_users, and no table config"),
        (blog, "is a database of WordPress: there, choose Tools, Export"),
        (OldBoard("", "", {}), "holds no table at all"),
        (OldBoard("", "", {name: Table(table.columns, lambda: []) for name, table in two.items()}), "nothing in them"),
    ]
    for board, says in cases:
        with pytest.raises(CannotMove) as refused:
            read(board, tmp_path)
        assert says in str(refused.value)
    # What only some boards have may be missing; and whoever has a prefix like this one.
    few = {name: two[name] for name in ("config", "forums", "topics", "posts", "users")}
    few["posts"] = Table(few["posts"].columns, lambda: [_in_the_far_future(row) for row in two["posts"].rows()])
    bare = read(OldBoard("", "log_posts ", few), tmp_path)
    assert bare.source.until == datetime(2009, 1, 29, tzinfo=UTC)  # of the others
    assert bare.count("post") == len(sound.posts) - 2
    assert {board.readers for board in bare.boards()} == {Readers.STAFF}
    another = OldBoard("", "", {**{f"kin{n}": t for n, t in two.items()}, "wp_posts": words, "wp_config": words})
    assert read(another, tmp_path).count("post") == len(sound.posts) - 2


def _in_the_far_future(row: Sequence[old_boards.Value]) -> Sequence[old_boards.Value]:
    """Return the row of a post; the last one's clock was wrong."""
    return [99_999_999_999_999 if value == old_boards.START + 29 * 86_400 else value for value in row]
