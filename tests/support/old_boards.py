"""Boards of phpBB, made up: with everything that an old board of a charity has, written as its host would export it.

`make_board(posts=…)` gives a scene of some thirty posts that tests know by name, then ordinary threads up to the number
that was asked for. Nothing is read from anywhere and nothing is random: the same call gives the same bytes.
"""
# ruff: noqa: E501, PLR0911, SIM905 (rows are read across)

import bz2
import gzip
import random
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Literal

Value = int | str | bytes | None
Style = Literal["phpmyadmin", "mysqldump", "acp"]

UID = "2k9x4m7q"
START = 1_230_768_000  # 1 January 2009
END = 1_793_000_000  # late in October 2026
PASSWORD = "four quiet herons"
# Of PASSWORD: what phpBB 3.0 stored (phpass, few rounds).
HASH = "$H$5abcdefghGNsHyCuy.HC1mxhhNzzGN."

# Words that nobody may read who could not before; each stands once in the dump, where its name says.
SOFT_DELETED, UNAPPROVED, TEAM_ONLY = "harebell-soft", "harebell-unapproved", "harebell-team"
PRIVATE, BEHIND_PASSWORD, IN_DELETED_THREAD = "harebell-private", "harebell-password", "harebell-thread"
QUOTED_HIDDEN = "harebell-quoted"  # in a visible post, which quotes the soft-deleted one
ADDRESS_OF_MACHINE = "203.0.113.77"

SECTION, COURT, LETTERS, MEMBERS, TEAM, LOCKED_AWAY, LINK = range(1, 8)
PRIYA, SUZIE, WORRIED, MUM_AND_DAD, SUNNY, SUNNY_TOO, SUNNY_SUN, BANNED, INACTIVE, ROBOT, DORMANT, TWIN = range(2, 14)
NAMES = {
    PRIYA: "Priya",
    SUZIE: "Suzie",
    WORRIED: "Worried Mum of 3",
    MUM_AND_DAD: "Mum & Dad",
    SUNNY: "Sunny",
    SUNNY_TOO: "sunny.",
    SUNNY_SUN: "Sunny 🌞",
    BANNED: "Angry1",
    INACTIVE: "Never Came",
    ROBOT: "Google [Bot]",
    DORMANT: "Long Gone",
    TWIN: "Şükran",
}
_FIRST = "I we they she he our the my his her social court school letter meeting judge review Monday nobody".split(" ")
_THEN = "said told asked wrote came rang waited cried hoped knew felt heard went stayed slept called thought".split(" ")
_LAST = (
    "yesterday again at last in the end before Christmas without a word on the phone with my sister for weeks".split(
        " "
    )
)


# A text, once, and how both kinds of phpBB store it


@dataclass(frozen=True)
class Bit:
    """A part of a post: `words`, or a tag around parts."""

    kind: str
    words: str = ""
    inside: tuple["Bit", ...] = ()
    name: str = ""
    post: int = 0


def words(text: str) -> Bit:
    return Bit("words", text)


def bold(text: str) -> Bit:
    return Bit("b", inside=(words(text),))


def quote(name: str, text: str, post: int = 0) -> Bit:
    return Bit("quote", inside=(words(text),), name=name, post=post)


def link(address: str, text: str) -> Bit:
    return Bit("url", inside=(words(text),), name=address)


def points(*lines: str) -> Bit:
    return Bit("list", inside=tuple(Bit("li", inside=(words(line),)) for line in lines))


def smiley() -> Bit:
    return Bit("smiley", ":)")


def as_s9e(bits: Sequence[Bit]) -> str:
    """Write a text as phpBB 3.2 and later store it."""
    inside = "".join(map(_s9e, bits))
    return f"<t>{inside}</t>" if all(bit.kind == "words" for bit in bits) else f"<r>{inside}</r>"


def _s9e(bit: Bit) -> str:
    inside = "".join(map(_s9e, bit.inside))
    match bit.kind:
        case "words":
            return escape(bit.words, quote=False).replace("\n", "<br/>\n")
        case "smiley":
            return f"<E>{bit.words}</E>"
        case "quote":
            attributes = f' author="{escape(bit.name)}"' + (f' post_id="{bit.post}"' if bit.post else "")
            tag = f"[quote={bit.name}{f' post_id={bit.post}' if bit.post else ''}]"
            return f"<QUOTE{attributes}><s>{escape(tag, quote=False)}</s>{inside}<e>[/quote]</e></QUOTE>"
        case "url":
            address = escape(bit.name)
            return f'<URL url="{address}"><s>[url={escape(bit.name, quote=False)}]</s>{inside}<e>[/url]</e></URL>'
        case "list":
            return f"<LIST><s>[list]</s>\n{inside}<e>[/list]</e></LIST>"
        case "li":
            return f"<LI><s>[*]</s>{inside}</LI>\n"
    return f"<B><s>[b]</s>{inside}<e>[/b]</e></B>"


def as_uid(bits: Sequence[Bit]) -> str:
    """Write a text as phpBB 3.0 and 3.1 store it."""
    return "".join(map(_uid, bits))


def _uid(bit: Bit) -> str:
    inside = "".join(map(_uid, bit.inside))
    match bit.kind:
        case "words":
            return escape(bit.words).replace("&#x27;", "'")
        case "smiley":
            picture = f'<img src="{{SMILIES_PATH}}/icon_e_smile.gif" alt="{bit.words}" title="Smile" />'
            return f"<!-- s{bit.words} -->{picture}<!-- s{bit.words} -->"
        case "quote":
            return f"[quote=&quot;{escape(bit.name)}&quot;:{UID}]{inside}[/quote:{UID}]"
        case "url":
            address = escape(bit.name).replace(":", "&#58;").replace(".", "&#46;")
            return f"[url={address}:{UID}]{inside}[/url:{UID}]"
        case "list":
            return f"[list:{UID}]{inside}[/list:u:{UID}]"
        case "li":
            return f"[*:{UID}]{inside}[/*:m:{UID}]"
    return f"[b:{UID}]{inside}[/b:{UID}]"


# The board


@dataclass
class Post:
    """A post of the scene; `stored` is written as it is."""

    thread: int
    author: int
    bits: Sequence[Bit] = ()
    stored: str | bytes | None = None
    guest: str = ""
    visibility: int = 1  # 0: not approved yet, 2: softly deleted, 3: to be approved again
    title: str = ""
    edited_by: int = 0
    edit_reason: str = ""
    old_form: bool = False
    id: int = 0
    time: int = 0


@dataclass
class Thread:
    """A thread of the scene."""

    id: int
    board: int
    title: str
    author: int
    status: int = 0
    kind: int = 0
    moved_to: int = 0
    visibility: int = 1
    poll: tuple[str, tuple[tuple[str, int], ...]] | None = None


@dataclass
class Table:
    """A table: its columns, and its rows, made as they are written."""

    columns: Sequence[str]
    rows: Callable[[], Iterable[Sequence[Value]]]


@dataclass
class OldBoard:
    """A board of phpBB."""

    version: str
    prefix: str
    tables: Mapping[str, Table]
    posts: Sequence[Post] = field(default_factory=list)  # of the scene
    threads: Sequence[Thread] = field(default_factory=list)


def scene_threads() -> list[Thread]:
    return [
        Thread(1, COURT, "What happens on Monday & after?", WORRIED),
        Thread(2, COURT, "Court &lt;dates&gt;", SUNNY, status=1, kind=1),
        Thread(3, COURT, "Moved: letters", SUNNY, status=2, moved_to=4),
        Thread(4, LETTERS, "A letter came 🌧", MUM_AND_DAD),
        Thread(5, MEMBERS, "Among ourselves", SUNNY_TOO, kind=2),
        Thread(6, TEAM, "About a member", SUZIE),
        Thread(7, LOCKED_AWAY, "Our own group", SUNNY),
        Thread(8, COURT, "Taken down", BANNED, visibility=2),
        Thread(9, COURT, "Which day?", WORRIED, poll=("Which <day> suits?", (("Monday & Tuesday", 3), ("Never", 0)))),
        Thread(10, COURT, "?", 1),
        Thread(11, 99, "On a board that is gone", SUNNY),
        Thread(12, COURT, "Moved and gone", SUNNY, status=2, moved_to=404),
    ]


def scene_posts() -> list[Post]:
    """Return the posts that tests know; their ids count from 1."""
    rule = "Edited by Suzie as breaches rule 10"
    posts = [
        Post(1, WORRIED, [words("They are coming on Monday 😟\nWhat do I "), bold("do"), words("?")]),
        Post(1, SUZIE, [quote("Worried Mum of 3", "They are coming on Monday", 1), words("\nLet us get you ready. "), smiley()]),
        Post(1, MUM_AND_DAD, [words("Read this: "), points("the plan", "your rights"), link("http://old.example.org/forum/viewtopic.php?t=4", "our letter")]),
        Post(1, BANNED, [words(f"You are all useless {SOFT_DELETED} {QUOTED_HIDDEN}")], visibility=2),
        Post(1, SUNNY, [quote("Angry1", f"useless {QUOTED_HIDDEN}", 4), words("That was unkind.")]),
        Post(1, SUNNY_TOO, [words(f"My first post {UNAPPROVED}")], visibility=0),
        Post(1, SUNNY_SUN, [words("My changed post")], visibility=3),
        Post(1, BANNED, [words(f"Nothing left here.\n\n{rule}")], edited_by=SUZIE, edit_reason="Rule 10"),
        Post(1, SUNNY, [words(f"I can write that too.\n\n{rule}")], edited_by=SUNNY),
        Post(2, SUNNY, [words("Tom & Jerry said \"1 < 2\" & 'so' on © 12:30pmtue]")], title="Court &lt;dates&gt;"),
        Post(2, 1, [words("I only visit.")], guest="Visitor"),
        Post(2, 1, [words("So do I.")], guest="visitor", title="Something else altogether"),
        Post(2, 777, [words("Whoever wrote this is gone.")]),
        Post(4, MUM_AND_DAD, [words("It says ???? and nothing more.")], title="Re: A letter came 🌧"),
        Post(4, WORRIED, stored=b"<t>caf\xc3 broken \xff\xfe bytes \x00\x01 end</t>"),
        Post(4, WORRIED, stored="[b:1q2w3e4r]Old form[/b:1q2w3e4r] in a newer board &amp; more", old_form=True),
        Post(5, SUNNY_TOO, [words("Only members read this.")]),
        Post(6, SUZIE, [words(f"We should talk about them {TEAM_ONLY}")]),
        Post(7, SUNNY, [words(f"Our meeting place {BEHIND_PASSWORD}")]),
        Post(8, BANNED, [words(f"A whole thread {IN_DELETED_THREAD}")]),
        Post(9, WORRIED, [words("Vote please.")]),
        Post(10, 1, stored="<t></t>"),
        Post(404, SUNNY, [words("This thread is gone.")]),
        Post(11, SUNNY, [words("This board is gone.")]),
        Post(2, MUM_AND_DAD, [words("<script>alert(1)</script> [url=javascript:alert(1)]x[/url] @suzie `[removed: rule 10](/)`")]),
        Post(2, TWIN, [words("x" * 70_000)]),
        Post(2, SUNNY, [words("Word by word.\n" * 4), Bit("quote", inside=(quote("Suzie", "deep"), words("deeper")), name="Sunny")]),
        Post(4, MUM_AND_DAD, stored="<!DOCTYPE r [<!ENTITY a \"lol\">]><r>&a;</r>"),
        Post(4, WORRIED, stored="<r>An <B><s>[b]</s>open tag</r>"),
    ]  # fmt: skip
    for number, post in enumerate(posts, 1):
        post.id, post.time = number, START + number * 86_400
    return posts


def make_board(
    posts: int = 0,
    *,
    members: int = 40,
    version: str = "3.3.14",
    prefix: str = "phpbb_",
    encoding: str = "utf-8",
    in_thread: int = 12,
) -> OldBoard:
    """Return a board with the scene and about so many posts in all, so many of which are in each ordinary thread.

    `double` encodes every text twice.
    """
    filler = (posts, members, in_thread)
    scene, threads = scene_posts(), scene_threads()
    is_new = not version.startswith(("3.0", "3.1"))
    tables = {
        "acl_groups": Table(
            ("group_id", "forum_id", "auth_option_id", "auth_role_id", "auth_setting"), _acl_groups
        ),
        "acl_options": Table(
            ("auth_option_id", "auth_option", "is_global"),
            lambda: [(n, name, 0) for n, name in enumerate(("f_", "f_list", "f_read", "f_post", "m_", "m_edit", "a_"), 1)],
        ),
        "acl_roles_data": Table(
            ("role_id", "auth_option_id", "auth_setting"),
            lambda: [(16, 1, 0), *((17, n, 1) for n in (1, 2, 3)), *((15, n, 1) for n in (1, 2, 3, 4)), (10, 5, 1), (10, 6, 1)],
        ),
        "acl_users": Table(("user_id", "forum_id", "auth_option_id", "auth_role_id", "auth_setting"), lambda: ()),
        "attachments": Table(
            ("attach_id", "post_msg_id", "in_message", "is_orphan", "mimetype", "extension", "real_filename",
             "attach_comment"),
            lambda: [
                (1, 3, 0, 0, "image/jpeg", "jpg", "daisy at school.jpg", "What I &lt;drew&gt;"),
                (2, 3, 0, 0, "application/pdf", "pdf", "plan.pdf", ""),
                (3, 1, 1, 0, "image/png", "png", "private.png", PRIVATE),
            ],
        ),
        "banlist": Table(
            ("ban_id", "ban_userid", "ban_ip", "ban_email", "ban_start", "ban_end", "ban_exclude", "ban_reason",
             "ban_give_reason"),
            lambda: [
                (1, BANNED, "", "", START, 0, 0, "for the team", "Rule 3 &amp; 4"),
                (2, SUNNY, "", "", START, START + 3600, 0, "over", ""),
                (3, 0, ADDRESS_OF_MACHINE, "", START, 0, 0, "", ""),
                (4, 0, "", "*@spam.example", START, 0, 0, "", ""),
                (5, WORRIED, "", "", START, 0, 1, "", ""),
            ],
        ),
        "config": Table(
            ("config_name", "config_value", "is_dynamic"),
            lambda: [
                ("version", version, 0), ("sitename", "Kin &amp; Care", 0), ("server_name", "old.example.org", 0),
                ("server_protocol", "https://", 0), ("server_port", "443", 0), ("script_path", "/forum", 0),
            ],
        ),
        "forums": Table(
            ("forum_id", "parent_id", "left_id", "right_id", "forum_name", "forum_desc", "forum_desc_uid", "forum_link",
             "forum_password", "forum_type", "forum_status"),
            lambda: [
                (SECTION, 0, 1, 12, "Families", "", "", "", "", 0, 0),
                (COURT, 1, 2, 5, "Court &amp; family", "<t>Dates &amp; letters</t>" if is_new else f"Dates [b:{UID}]&amp;[/b:{UID}] letters",
                 "" if is_new else UID, "", "", 1, 0),
                (LETTERS, COURT, 3, 4, "Letters", "", "", "", "", 1, 1),
                (MEMBERS, 1, 6, 7, "Members’ corner", "", "", "", "", 1, 0),
                (TEAM, 1, 8, 9, "Team", "", "", "", "", 1, 0),
                (LOCKED_AWAY, 1, 10, 11, "Behind a password", "", "", "", "$H$9secret", 1, 0),
                (LINK, 0, 13, 14, "Our website", "", "", "https://kin.example.org", "", 2, 0),
            ],
        ),
        "forums_watch": Table(("forum_id", "user_id", "notify_status"), lambda: [(COURT, SUNNY, 0), (99, SUNNY, 0)]),
        "groups": Table(
            ("group_id", "group_type", "group_name"),
            lambda: [
                (1, 3, "GUESTS"), (2, 3, "REGISTERED"), (4, 3, "GLOBAL_MODERATORS"), (5, 3, "ADMINISTRATORS"),
                (6, 3, "BOTS"), (8, 0, "Advisers"),
            ],
        ),
        "log": Table(
            ("log_id", "log_type", "user_id", "log_ip", "log_data"), lambda: [(9, 3, SUZIE, ADDRESS_OF_MACHINE, "a:0:{}")]
        ),
        "poll_options": Table(
            ("poll_option_id", "topic_id", "poll_option_text", "poll_option_total"),
            lambda: _poll_options(threads, is_new=is_new),
        ),
        "posts": Table(_post_columns(is_new), lambda: _post_rows(scene, filler, is_new=is_new)),
        "privmsgs": Table(
            ("msg_id", "author_id", "message_subject", "message_text"),
            lambda: [(1, WORRIED, "Hello", f"<t>Between us {PRIVATE}</t>"), (2, SUNNY, "Re: Hello", "<t>Yes</t>")],
        ),
        "reports": Table(
            ("report_id", "reason_id", "post_id", "pm_id", "user_id", "report_closed", "report_time", "report_text"),
            lambda: [
                (1, 4, 8, 0, WORRIED, 0, START + 10**7, "He named my &quot;son&quot;"),
                (2, 4, 1, 0, WORRIED, 1, START + 10**7, "closed"),
                (3, 4, 0, 1, WORRIED, 0, START + 10**7, f"a private message {PRIVATE}"),
                (4, 2, 5, 0, SUNNY_TOO, 0, START + 10**7, ""),
            ],
        ),
        "reports_reasons": Table(("reason_id", "reason_title"), lambda: [(2, "spam"), (4, "other")]),
        "sessions": Table(
            ("session_id", "session_user_id", "session_ip"), lambda: [("0" * 32, WORRIED, ADDRESS_OF_MACHINE)]
        ),
        "topics": Table(_topic_columns(is_new), lambda: _topic_rows(threads, scene, filler, is_new=is_new)),
        "topics_watch": Table(
            ("topic_id", "user_id", "notify_status"), lambda: [(1, WORRIED, 0), (1, WORRIED, 1), (1, SUNNY, 0), (404, SUNNY, 0)]
        ),
        "user_group": Table(
            ("group_id", "user_id", "group_leader", "user_pending"),
            lambda: [(2, PRIYA, 0, 0), (5, PRIYA, 1, 0), (4, SUZIE, 0, 0), (8, SUZIE, 0, 0), (4, SUNNY, 0, 1)],
        ),
        "users": Table(
            ("user_id", "user_type", "group_id", "user_ip", "user_regdate", "username", "username_clean", "user_password",
             "user_email", "user_lastvisit", "user_lastpost_time", "user_posts", "user_sig"),
            lambda: _user_rows(members),
        ),
        "warnings": Table(
            ("warning_id", "user_id", "post_id", "log_id", "warning_time"),
            lambda: [(1, BANNED, 4, 9, START + 10**6), (2, 777, 4, 9, START)],
        ),
        "mchat": Table(("message_id", "user_id", "message"), lambda: [(1, WORRIED, f"In the chat {PRIVATE}")]),
        "zebra": Table(
            ("user_id", "zebra_id", "friend", "foe"),
            lambda: [(WORRIED, BANNED, 0, 1), (WORRIED, SUZIE, 1, 0), (SUNNY, 777, 0, 1), (SUNNY, SUNNY, 0, 1)],
        ),
        "words": Table(("word_id", "word", "replacement"), lambda: [(1, "social worker*", "SW &amp; co"), (2, "damn", "d*mn")]),
    }  # fmt: skip
    if encoding == "double":
        tables = {name: Table(table.columns, _doubled(table.rows)) for name, table in tables.items()}
    return OldBoard(version, prefix, tables, scene, threads)


def make_later(board: OldBoard) -> OldBoard:
    """Return a board of phpBB 3.2 or newer as it is some days later: posts were written, changed, removed, deleted."""
    posts, topics = board.tables["posts"], board.tables["topics"]

    def changed_posts() -> Iterator[Sequence[Value]]:
        for row in posts.rows():
            values = dict(zip(posts.columns, row, strict=True))
            old = int(values["post_id"] or 0)
            if old % 13 == 0:
                continue
            if old % 7 == 0:
                values |= {"post_text": as_s9e([words(f"Other words by now: {old}.")]), "post_edit_time": END}
            elif old % 11 == 0:
                values["post_visibility"] = 2
            yield [*values.values()]
        for number, thread in enumerate((1, 2, 4, 5, 1000, 1001, 1002, 1000), start=9001):
            said = [quote("Sunny", "That was unkind.", 5), words(f"Written since: {number}.")]
            new = {"post_id": number, "topic_id": thread, "poster_id": WORRIED, "post_text": as_s9e(said)}
            usual: dict[str, Value] = dict.fromkeys(posts.columns, "")
            usual |= {"post_visibility": 1, "post_time": END + number, "post_edit_time": 0, "post_edit_user": 0}
            yield [*(usual | new).values()]

    def changed_topics() -> Iterator[Sequence[Value]]:
        for row in topics.rows():
            values = dict(zip(topics.columns, row, strict=True))
            if values["topic_id"] in {2, 1001}:
                values |= {"topic_title": f"Another title {values['topic_id']}", "topic_status": 1}
            yield [*values.values()]

    tables = {
        **board.tables,
        "posts": Table(posts.columns, changed_posts),
        "topics": Table(topics.columns, changed_topics),
    }
    return OldBoard(board.version, board.prefix, tables, board.posts, board.threads)


def _doubled(rows: Callable[[], Iterable[Sequence[Value]]]) -> Callable[[], Iterable[Sequence[Value]]]:
    def doubled() -> Iterator[Sequence[Value]]:
        for row in rows():
            yield [_twice(value) if isinstance(value, str) else value for value in row]

    return doubled


def _twice(text: str) -> bytes:
    """Encode a text as UTF-8, take each byte for one of Windows' Western letters, and encode those."""
    return "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in text.encode()).encode()


def _acl_groups() -> list[Sequence[Value]]:
    read, write, nothing, moderate = 17, 15, 16, 10
    return [
        *((1, board, 0, read, 0) for board in (SECTION, COURT, LETTERS, LOCKED_AWAY, LINK)),
        *((2, board, 0, write, 0) for board in (SECTION, COURT, LETTERS, MEMBERS, LOCKED_AWAY, LINK)),
        (1, MEMBERS, 0, nothing, 0),
        (1, TEAM, 0, nothing, 0),
        (2, TEAM, 0, nothing, 0),
        *((4, board, 0, write, 0) for board in (COURT, TEAM)),
        (4, 0, 0, moderate, 0),
        (8, COURT, 6, 0, 1),
    ]


def _user_rows(members: int) -> Iterator[Sequence[Value]]:
    for old in (1, *NAMES, *range(100, 100 + max(0, members - len(NAMES)))):
        name = "Anonymous" if old == 1 else NAMES.get(old, f"Heron {old}")
        kind = {1: 2, ROBOT: 2, INACTIVE: 1, PRIYA: 3}.get(old, 0)
        posts = 0 if old in {DORMANT, INACTIVE, ROBOT} else 1 + old % 7
        seen = START + 1000 if old == DORMANT else END - old * 3600
        email = (
            "" if kind == 2 else "family@example.org" if old in {WORRIED, MUM_AND_DAD} else f"member{old}@example.org"
        )
        yield (
            old, kind, 2, ADDRESS_OF_MACHINE, START - 1000, escape(name, quote=False), name.casefold(),
            "" if kind == 2 else HASH, email, seen, seen if posts else 0, posts, "A signature",
        )  # fmt: skip


def _post_columns(is_new: bool) -> tuple[str, ...]:
    gone = ("post_delete_time", "post_delete_reason", "post_delete_user")
    seen = ("post_visibility", *gone) if is_new else ("post_approved",)
    return (
        "post_id", "topic_id", "forum_id", "poster_id", "icon_id", "poster_ip", "post_time", *seen, "enable_bbcode",
        "post_username", "post_subject", "post_text", "post_checksum", "bbcode_bitfield", "bbcode_uid", "post_edit_time",
        "post_edit_reason", "post_edit_user", "post_edit_count",
    )  # fmt: skip


def _post_rows(scene: Sequence[Post], filler: Sequence[int], *, is_new: bool) -> Iterator[Sequence[Value]]:
    boards = {thread.id: thread.board for thread in scene_threads()}
    for post in (*scene, *_filler(scene, *filler)):
        stored = post.stored
        if stored is None:
            stored = as_s9e(post.bits) if is_new else as_uid(post.bits)
        uid = "1q2w3e4r" if post.old_form else "" if is_new else UID
        gone = (post.time + 3600, "spite", SUZIE) if post.visibility == 2 else (0, "", 0)
        seen = (post.visibility, *gone) if is_new else (int(post.visibility == 1),)
        yield (
            post.id, post.thread, boards.get(post.thread, COURT), post.author, 0, ADDRESS_OF_MACHINE, post.time, *seen, 1,
            post.guest, post.title, stored, "0" * 32, "", uid, post.time + 60 if post.edited_by else 0, post.edit_reason,
            post.edited_by, int(bool(post.edited_by)),
        )  # fmt: skip


def _topic_columns(is_new: bool) -> tuple[str, ...]:
    return (
        "topic_id", "forum_id", "topic_visibility" if is_new else "topic_approved", "topic_title", "topic_poster",
        "topic_time", "topic_status", "topic_type", "topic_first_post_id", "topic_first_poster_name", "topic_moved_id",
        "poll_title", "poll_start", "topic_delete_reason",
    )  # fmt: skip


def _topic_rows(
    threads: Sequence[Thread], scene: Sequence[Post], filler: Sequence[int], *, is_new: bool
) -> Iterator[Sequence[Value]]:
    first = {post.thread: post.id for post in reversed(scene)}
    for thread in threads:
        title = thread.title if "&lt;" in thread.title else escape(thread.title)
        question = _stored(thread.poll[0], is_new=is_new) if thread.poll else ""
        yield (
            thread.id, thread.board, thread.visibility if is_new else int(thread.visibility == 1), title, thread.author,
            START + thread.id * 3600, thread.status, thread.kind, first.get(thread.id, 0), "", thread.moved_to, question,
            START if thread.poll else 0, "not for here" if thread.visibility == 2 else "",
        )  # fmt: skip
    seen = 0
    for post in _filler(scene, *filler):
        if post.thread != seen:
            seen = post.thread
            title = f"A question about the {_FIRST[post.id % len(_FIRST)]} ({post.id})"
            yield (post.thread, COURT, 1, title, post.author, post.time, 0, 0, post.id, "", 0, "", 0, "")


def _poll_options(threads: Sequence[Thread], *, is_new: bool) -> Iterator[Sequence[Value]]:
    for thread in threads:
        for number, (option, votes) in enumerate(thread.poll[1] if thread.poll else (), 1):
            yield number, thread.id, _stored(option, is_new=is_new), votes


def _stored(text: str, *, is_new: bool) -> str:
    return as_s9e([words(text)]) if is_new else as_uid([words(text)])


def _filler(scene: Sequence[Post], posts: int, members: int, in_thread: int) -> Iterator[Post]:
    """Give ordinary posts until there are as many as were asked for."""
    chance = random.Random(16)
    authors = [WORRIED, MUM_AND_DAD, SUNNY, *range(100, 100 + max(0, members - len(NAMES)))]
    count = max(0, posts - len(scene))
    for number in range(count):
        old = len(scene) + 1 + number
        before = [words(" ".join(_sentence(chance) for _ in range(chance.randint(1, 9))))]
        match number % 12:
            case 3:
                before = [quote("Sunny", _sentence(chance), old - 1), *before]
            case 5:
                before += [words("\n\n"), bold("Hold on"), words(" & write to us. "), smiley()]
            case 7:
                before += [words("\n"), points(_sentence(chance), _sentence(chance))]
            case 9:
                before += [words("\n“Love”, Zoë 💜 "), link("https://example.org/a?b=1&c=2", "a page")]
        time = START + 40 * 86_400 + int((END - START - 41 * 86_400) * number / max(1, count))
        yield Post(1000 + number // in_thread, authors[chance.randrange(len(authors))], before, id=old, time=time)


def _sentence(chance: random.Random) -> str:
    return f"{chance.choice(_FIRST)} {chance.choice(_THEN)} {chance.choice(_LAST)} {chance.choice(_THEN)}."


# How a host exports it


def write(board: OldBoard, path: Path, style: Style = "phpmyadmin") -> Path:
    """Write a board as a dump; a name that ends with .gz, .bz2 or .zip is packed."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("board.sql", "w") as file:
            file.writelines(dump(board, style))
        return path
    opener: Callable[..., object] = {".gz": gzip.open, ".bz2": bz2.open}.get(path.suffix, open)
    with opener(path, "wb") as file:  # type: ignore[attr-defined]
        file.writelines(dump(board, style))
    return path


def dump(board: OldBoard, style: Style) -> Iterator[bytes]:
    """Give the lines of a dump."""
    yield {
        "phpmyadmin": b'-- phpMyAdmin SQL Dump\n-- version 5.2.1\n\nSET SQL_MODE = "NO_AUTO_VALUE_ON_ZERO";\n'
        b"START TRANSACTION;\n/*!40101 SET NAMES utf8mb4 */;\n\n",
        "mysqldump": b"-- MariaDB dump 10.19  Distrib 10.11.6\n--\n/*!40101 SET NAMES utf8mb4 */;\n",
        "acp": b"#\n# phpBB Backup Script\n# Dump of tables for phpbb_\n#\n",
    }[style]
    for name, table in board.tables.items():
        yield from _table(board.prefix + name, table, style)
    yield {
        "phpmyadmin": b"ALTER TABLE `x`\n  ADD PRIMARY KEY (`y`);\nCOMMIT;\n",
        "mysqldump": b"-- Dump completed on 2026-11-01  3:00:00\n",
        "acp": b"",
    }[style]


def _table(name: str, table: Table, style: Style) -> Iterator[bytes]:
    tick = "" if style == "acp" else "`"
    columns = ",\n".join(f"  {tick}{column}{tick} {'int(11)' if column.endswith('_id') else 'mediumtext'} NOT NULL"
                         for column in table.columns)  # fmt: skip
    yield f"DROP TABLE IF EXISTS {tick}{name}{tick};\nCREATE TABLE {tick}{name}{tick} (\n{columns},\n".encode()
    yield f"  PRIMARY KEY ({tick}{table.columns[0]}{tick})\n) ENGINE=InnoDB DEFAULT CHARSET=utf8;\n\n".encode()
    named = f" ({', '.join(f'{tick}{column}{tick}' for column in table.columns)})" if style != "mysqldump" else ""
    between = {"phpmyadmin": b",\n", "mysqldump": b",", "acp": b","}[style]
    is_open = False
    for number, row in enumerate(table.rows()):
        if number % 500 == 0:
            yield b";\n" if is_open else b""
            yield f"INSERT INTO {tick}{name}{tick}{named} VALUES{' ' if style != 'phpmyadmin' else chr(10)}".encode()
        else:
            yield between
        is_open = True
        yield b"(" + (b", " if style == "phpmyadmin" else b",").join(literal(value) for value in row) + b")"
    yield b";\n\n" if is_open else b"\n"


_SPECIAL = ((b"\\", b"\\\\"), (b"'", b"\\'"), (b'"', b'\\"'), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\0", b"\\0"))


def literal(value: Value) -> bytes:
    """Write a value as most programs do."""
    if value is None:
        return b"NULL"
    if isinstance(value, int):
        return str(value).encode()
    text = value.encode() if isinstance(value, str) else value
    for sign, written in _SPECIAL:
        text = text.replace(sign, written)
    return b"'" + text + b"'"
