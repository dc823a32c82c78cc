"""The report in sentences: what was found, what changes, what stays behind. A volunteer must understand each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from forum.importers.plan import Plan
from forum.importers.records import BoardRecord, PersonKind, Readers, Shown
from forum.importers.remarks import Remark
from forum.importers.report.facts import NAMED, Facts
from forum.importers.report.proving import Example, ProvedTexts
from forum.importers.staging import Staging
from forum.importers.texts import How, Loss

# What stands before a number.
_LOSSES: Mapping[Loss, str] = {
    Loss.UNDERLINE: "Posts with underlined words, which move without the line",
    Loss.COLOUR: "Posts with coloured words, which move without the colour",
    Loss.SIZE: "Posts with larger or smaller words, which move in the usual size",
    Loss.ALIGNMENT: "Posts with words in the middle or on the right, which move to the left",
    Loss.EMPHASIS: "Posts that lose bold, italic or struck-out type where it cannot be written here",
    Loss.LIST_LETTERS: "Posts with lists that count by letters, which will count by numbers",
    Loss.PICTURE: "Posts that showed a picture from another site, which becomes a link",
    Loss.ATTACHMENT: "Posts with a picture or a file attached: they will say so, and the file stays with you",
    Loss.SMILEY: "Posts with a smiley for which there is no sign: its letters stay, such as :geek:",
    Loss.EFFECT: "Posts with a tag that your board alone had: its words move",
    Loss.SPOILER: "Posts that hid words until a reader asked for them, which get a content warning instead",
    Loss.ADDRESS: "Posts with a link that is not safe to follow, which becomes words",
    Loss.DEPTH: "Posts with quotes in quotes, more than eight deep: the innermost move up",
    Loss.HIDDEN_QUOTE: "Posts that quote a hidden post: the quoted words are left out",
    Loss.OF_FEW: "Posts with words that not everybody could read, as in [hide]: these words are left out, and say so",
    Loss.STRUCTURE: "Posts with quotes or lists that can only be told in words",
    Loss.DAMAGE: "Posts that are damaged in the old database: their words move as plain text",
    Loss.NO_WORDS: "Posts without words, which will say so",
}
_REPAIRED: Mapping[Remark, str] = {
    Remark.DOUBLE_ENCODED: "Posts with broken letters, such as Ã© for é, which were mended",
    Remark.LATIN: "Posts in an old way of storing letters such as é, which were mended",
    Remark.BYTES_DROPPED: "Posts with a piece that is no text at all, which was dropped",
    Remark.CONTROLS_DROPPED: "Posts with signs that nobody sees and that can do harm, which were dropped",
    Remark.LOST_BEFORE: "Posts that say “????”, often for an emoji that the old board lost: it cannot come back",
    Remark.LINE_MENDED: "Names, titles and descriptions with broken letters, which were mended",
    Remark.LINE_DROPPED: "Names, titles and descriptions with signs or pieces that are no text, which were dropped",
    Remark.LINE_LOST: "Names, titles and descriptions that say “????”, often for an emoji that the old board lost",
    Remark.OLD_FORM_IN_NEW_BOARD: "Posts that no update of the old board converted: they move all the same",
}
_OF_EXTENSIONS: Mapping[Remark, str] = {
    Remark.HIDDEN_BY_EXTENSION: "Posts and threads among them that an extension of the old board hid",
    Remark.UNNAMED: "Posts that were shown without their author’s name: they move without it, as by “Anonymous”",
}
_OF_BLOG: Mapping[Remark, str] = {
    Remark.ANSWERS_NOTHING: "Comments on a comment that does not move: they move, and do not say whom they answer",
    Remark.ANSWERS_LATER: "Comments that answer themselves, or a later one: they move, and do not say whom they answer",
    Remark.NO_DATE: "Articles and comments without a date: comments get that of their article",
    Remark.OF_FEW: "Articles with words for some readers only, as in [members]: these words are left out, and say so",
    Remark.READ_TWICE: "Articles and comments that came twice: the newer export counts",
    Remark.NO_NUMBER: "Articles and comments without a number, which cannot be read",
}
_LEFT_OF_BLOG: Mapping[Remark, str] = {
    Remark.PINGBACK: "Pingbacks and trackbacks: other sites that named an article",
    Remark.SPAM_OR_BIN: "Comments that are spam or in the bin",
    Remark.NOT_APPROVED: "Comments that nobody approved: approve those that are to move, and export again",
    Remark.OTHER_COMMENT: "Comments of plugins, such as orders",
    Remark.NOT_PUBLIC: "Articles and pages that are not public: drafts, private, planned, in the bin",
    Remark.LOCKED_ARTICLE: "Articles and pages with a password",
    Remark.RESTRICTED: "Articles, pages and comments that a plugin showed to some readers only",
    Remark.OTHER_CONTENT: "Pages without comments, menus, pictures and the like: they stay on your site",
    Remark.PLUGIN_FORUM: "Topics and answers in a forum of bbPress: people wrote them, and they cannot be moved",
    Remark.COMMENT_LEFT_BEHIND: "Comments below what stays behind",
}
_READERS = {Readers.EVERYONE: "everybody, guests too", Readers.MEMBERS: "members", Readers.STAFF: "staff"}


@dataclass(frozen=True)
class Line:
    """A sentence, or a number with what stands before it; and what stands behind it."""

    says: str
    count: int | None = None
    names: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Part:
    """A heading, and sentences."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class LookReport:
    """All that is said, and the figures for programs."""

    title: str
    parts: tuple[Part, ...]
    counts: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it for a program."""
        return asdict(self)


def write_report(staging: Staging, facts: Facts, proof: ProvedTexts, plan: Plan) -> LookReport:
    """Return the report of a board."""
    boards = [board for board in staging.boards() if not board.is_section]
    parts = (
        Part("In short", tuple(_in_short(facts, proof))),
        Part("Boards, and who reads them", tuple(_boards(boards, facts, plan))),
        Part("The words", tuple(_words(facts, proof))),
        Part("People", tuple(_people(facts))),
        Part("What was decided on the old board", tuple(_decided(facts))),
        Part("What stays behind", tuple(_left(staging, facts, proof))),
        Part("What you do now", tuple(_next())),
    )
    name = facts.source.name or "The old board"
    return LookReport(f"{name}: what moves", tuple(part for part in parts if part.lines), _counts(facts, proof))


def _in_short(facts: Facts, proof: ProvedTexts) -> Iterator[Line]:
    people = facts.people.kinds
    yield Line("Posts", facts.found_posts)
    yield Line("Threads", facts.threads)
    yield Line("Boards", facts.boards)
    yield Line("Members", people[PersonKind.MEMBER])
    if facts.oldest and facts.source.until:
        yield Line(f"The oldest post is of {_day(facts.oldest)}, the newest of {_day(facts.source.until)}.")
    whole = proof.how[How.WORD_FOR_WORD]
    few = proof.losses[Loss.OF_FEW]
    yield from _counted((_LOSSES[Loss.OF_FEW], few))
    if whole == proof.posts and not few:
        yield Line("All posts move word for word.")
    else:
        yield Line("Posts that move word for word", whole)
        yield Line("Posts that change a little, and lose no word: see “The words”", proof.posts - whole)
    yield Line(f"Moving takes about {max(1, round(facts.seconds / 60))} min and {facts.megabytes:,} MB of disk.")
    yield Line("Nothing has been changed yet, neither there nor here.")


def _boards(boards: list[BoardRecord], facts: Facts, plan: Plan) -> Iterator[Line]:
    few = sum(board.readers is not Readers.EVERYONE for board in boards)
    yield from _counted(("Boards that not everybody could read; so it stays", few))
    if cut := facts.cut_descriptions:
        yield Line("Boards whose description is too long for here, and is cut", len(cut), _some(cut))
    for board in boards:
        planned = plan.boards[board.old]
        why = f" {board.doubt} If that was meant otherwise, change it in the plan." if board.doubt else ""
        closed = " Nobody could write there, and so it stays." if board.is_closed else ""
        yield Line(f"“{planned.name}” (in “{planned.section}”): {_READERS[board.readers]}.{closed}{why}")


def _words(facts: Facts, proof: ProvedTexts) -> Iterator[Line]:
    for loss, count in proof.losses.most_common():
        yield Line(_LOSSES[loss], count, examples=tuple(proof.examples.get(loss, ())))
    if facts.titles:
        says = "Threads whose title cannot stand here as it was: all of it stands above the first post"
        yield Line(says, facts.titles, _some(facts.changed_titles, facts.titles))
    yield from _counted(
        *((says, facts.remarks.get(remark, 0)) for remark, says in _REPAIRED.items()),
        ("Posts that are longer than one can be here, which become two or more", proof.split),
        ("Links to the old board, which will lead to the new one", proof.links),
    )


def _people(facts: Facts) -> Iterator[Line]:
    people = facts.people
    yield Line("Members sign in with the name that they had, as they typed it, and their old password.")
    for kind, count in people.passwords.items():
        yield Line(f"Members whose password is of a kind that cannot be used here ({kind}): they get a new one", count)
    yield from _counted(
        ("Members without a password: they choose one by mail", people.without_password),
        ("Members without an address for mail", people.without_address),
        ("Members who share an address with somebody", people.sharing),
    )
    if people.names:
        yield Line("Names that change a little", len(people.names), _some(people.names))
    if people.handles:
        yield Line(
            "Members whose handle is not simply their name, as somebody has it already, or it is not allowed",
            len(people.handles),
            _some(people.handles),
        )
    if unlike := people.without_old_name():
        says = "Members whose old name leads to somebody else: tell them to sign in with their handle or address"
        yield Line(says, len(unlike), _some(unlike))
    yield from _counted(
        ("Visitors who wrote without an account", people.kinds[PersonKind.GUEST]),
        (
            "Members who never wrote a post and were away for three years: they are left out, unless the plan says "
            "“take”",
            people.dormant,
        ),
    )
    if people.staff:
        names = _some([f"{name}: {', '.join(was)}" for name, was in people.staff])
        yield Line(
            "Nobody gets a role by moving. Those who had one, for your administrator to invite",
            len(people.staff),
            names,
        )


def _decided(facts: Facts) -> Iterator[Line]:
    found, waiting = facts.others, facts.shown.get(Shown.WAITING, 0)
    yield from _counted(
        (
            "Posts that were removed: they stay hidden, and your moderators read why and can bring them back",
            facts.shown.get(Shown.REMOVED, 0),
        ),
        *((says, facts.remarks.get(remark, 0)) for remark, says in _OF_EXTENSIONS.items()),
        ("Posts that wait for a moderator: after 90 days they stay behind, else they wait here too", waiting),
        ("Members who are banned: they are banned here for a month at most, and your moderators decide", found["ban"]),
        ("Reasons of moderators for changing a post that are too long for a notice, and are cut", facts.cut_reasons),
        ("Warnings that members had: they stand on their records, for moderators", found["warning"]),
        ("Reports that nobody settled, of the last 90 days: each waits here too", facts.open_reports),
        (
            "Words that the old board replaced: they are offered as terms to watch for, and none is replaced",
            found["term"],
        ),
        ("Threads and boards that somebody follows: they still do", found["watch"]),
        ("Members whom another member ignores: they still do, and only that other member knows", found["ignore"]),
    )
    yield from _counted(*((says, facts.remarks.get(remark, 0)) for remark, says in _OF_BLOG.items()))


def _left(staging: Staging, facts: Facts, proof: ProvedTexts) -> Iterator[Line]:
    found, kinds = facts.remarks, facts.people.kinds
    yield from _counted(
        ("Private messages: they hold other people’s words", found.get(Remark.PRIVATE_MESSAGES, 0)),
        ("Attached files: a photo can show where a child is", sum(proof.attachments.values())),
        ("Accounts that were never activated, or were switched off", kinds[PersonKind.INACTIVE]),
        ("Accounts of search engines", kinds[PersonKind.BOT]),
        ("Bans of addresses of mail or of machines", found.get(Remark.BAN_OF_ADDRESS, 0)),
        ("Bans that are over", found.get(Remark.BAN_OVER, 0)),
        ("Reasons that members gave for changing a post of their own", facts.left_reasons),
        ("Posts of no thread that can be read", found.get(Remark.POST_WITHOUT_THREAD, 0)),
        *((says, found.get(remark, 0)) for remark, says in _LEFT_OF_BLOG.items()),
    )
    named = (
        (Remark.LINK_BOARD, "Boards that only led to another page"),
        (Remark.THREAD_WITHOUT_BOARD, "Threads on no board"),
        (Remark.POINTER_TO_NOTHING, "Threads that were moved to where nothing is any more"),
        (Remark.OTHER_TABLE, "Tables that extensions made, such as a chat: look whether people wrote in some of them"),
    )
    for remark, says in named:
        if count := found.get(remark, 0):
            yield Line(says, count, _some([title for _, title in staging.examples(remark, NAMED)], count))
    if kinds_of_plugins := staging.details(Remark.OTHER_KIND):
        says = "Entries of kinds that plugins made, which cannot be moved: look whether people wrote some of them"
        names = _some([f"{kind}: {count:,}" for kind, count in kinds_of_plugins])
        yield Line(says, found[Remark.OTHER_KIND], names)
    yield from _counted(
        (
            "Posts of which nobody knows the author: they do move, as by “A former member”",
            found.get(Remark.AUTHOR_UNKNOWN, 0),
        )
    )
    if old := facts.old_reports:
        posts = [f"post {report.post}, {_day(report.reported_at)}" for report in old]
        yield Line("Reports that nobody settled for 90 days: settle them on the old board", len(old), _some(posts))
    yield Line(
        "Addresses of machines, birthdays, profiles, signatures, pictures of members, drafts, bookmarks, friends and "
        "the old log are never read."
    )


def _next() -> Iterator[Line]:
    yield Line("Open the plan, moving.toml, in any editor. Each line has a sentence above it.")
    yield Line("Check who reads each board, and name your advisers.")
    yield Line("Then run: forum import run FILE --plan moving.toml. It makes a backup first.")
    yield Line("Keep this report and the dump where nobody else can read them: they hold what members wrote.")


def _counts(facts: Facts, proof: ProvedTexts) -> dict[str, Any]:
    return {
        "boards": facts.boards,
        "sections": facts.sections,
        "threads": facts.threads,
        "posts": facts.posts,
        "found_posts": facts.found_posts,
        "shown": {str(shown): count for shown, count in facts.shown.items()},
        "people": {str(kind): count for kind, count in facts.people.kinds.items()},
        "dormant": facts.people.dormant,
        "passwords_of_no_use": dict(facts.people.passwords),
        "sharing_an_address": facts.people.sharing,
        "without_old_name": len(facts.people.without_old_name()),
        "titles": facts.titles,
        "cut_descriptions": len(facts.cut_descriptions),
        "cut_reasons": facts.cut_reasons,
        "left_reasons": facts.left_reasons,
        "decided": dict(facts.others),
        "remarks": {str(remark): count for remark, count in facts.remarks.items()},
        "how": {str(how): count for how, count in proof.how.items()},
        "losses": {str(loss): count for loss, count in proof.losses.items()},
        "split": proof.split,
        "links": proof.links,
        "seconds": round(facts.seconds),
        "megabytes": facts.megabytes,
    }


def _counted(*lines: tuple[str, int]) -> Iterator[Line]:
    """Give a line for each number that is not nought."""
    for says, count in lines:
        if count:
            yield Line(says, count)


def _day(time: datetime) -> str:
    return f"{time.day} {time:%B %Y}"


def _some(names: Sequence[str], total: int = 0) -> tuple[str, ...]:
    """Return the first of these names, and how many others there are of all."""
    rest = max(total, len(names)) - min(NAMED, len(names))
    return (*names[:NAMED], f"and {rest:,} more") if names and rest > 0 else tuple(names)
