"""Turn the posts of a thread of an old board into ours: words, numbers, quotes. It runs in other processes."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from forum.content import markup
from forum.content.lanes import Lane, PostPlace, lane_of
from forum.content.markup import Known, QuotedPost, QuoteRef
from forum.content.posts.lengths import WARNING_MAX
from forum.content.words import said_in, stands_in
from forum.importers.records import PollRecord, PostRecord, TextForm
from forum.importers.said_before import SaidBefore, Written
from forum.importers.texts import Files, How, Loss, Quoted, split, to_markdown
from forum.importers.texts.escaping import escape_all

SPOILER_WARNING = "Some of this was hidden on the old board until somebody asked for it"
NOTICE_MAX = 200
_STAFF_LINE = re.compile(r"^\W*edited by .{1,80}? as (?:it )?breach\w* rules?\b.{0,60}$", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


class StaffEdit(NamedTuple):
    """What readers see of a change by the staff of the old board: by whom, and in what words."""

    by: str
    text: str


class WordsHere(NamedTuple):
    """What a post says that is here already: its number, and its HTML, in the parts that it has."""

    number: int
    parts: Sequence[str]


@dataclass(frozen=True)
class OldPost:
    """A post that comes, and what is known of its author and its place."""

    record: PostRecord
    author: str  # by whom: the same for all posts of one person
    handle: str | None
    name: str
    called: str  # on the old board
    is_visible: bool
    is_adviser: bool = False
    is_recent: bool = False  # it may wait for an adviser
    edited_by: str | None = None  # the name of somebody else of the staff who changed it
    here: WordsHere | None = None  # it came with an earlier run
    is_reworded: bool = False  # and gets other words now


@dataclass(frozen=True)
class OldThread:
    """The posts of a thread, in their order here, and what their words need."""

    posts: Sequence[OldPost]
    poll: PollRecord | None = None
    named: Mapping[str, str] = field(default_factory=dict)  # handles of whom quotes may name; empty: they have left
    hidden: frozenset[str] = frozenset()  # which posts elsewhere these may quote, and nobody may read
    address: str = ""  # of the old board
    new_address: str = ""
    is_for_staff: bool = False
    left_out: Sequence[PostRecord] = ()  # posts of this thread that do not come
    whole_title: str = ""  # where not all of it could be the title here
    next_number: int = 1  # of the first post that is new
    opener: str = ""  # where the posts here do not begin with theirs
    wrote: frozenset[str] = frozenset()  # who wrote here besides
    gone_words: Sequence[str] = ()  # Markdown of ours that stood here, and that nobody may read any more


@dataclass
class NewPost:
    """A post as it is here. A very long one of the old board becomes several."""

    old: str
    part: int
    number: int
    markdown: str
    html: str
    reply_to: int | None
    content_warning: str | None
    edited: StaffEdit | None
    lane: Lane | None
    how: How
    losses: Sequence[Loss]
    runs: Sequence[int] = ()
    quoted: Sequence[int] = ()  # numbers of posts of this thread


def convert(threads: Sequence[OldThread]) -> list[list[NewPost]]:
    """Return the posts of each of these threads as they are here."""
    return [_convert(thread) for thread in threads]


def _convert(thread: OldThread) -> list[NewPost]:
    with Conversion(thread) as conversion:
        return conversion.turn(thread.posts)


def count_parts(record: PostRecord) -> int:
    """Return how many posts an old one becomes, but for a few signs that depend on what stands around it."""
    return len(split(to_markdown(record.text, record.form, uid=record.uid, around=_Nothing()).markdown))


# The long thread that this process turns, if it does.
_long = list["Conversion"]()


def begin_long(thread: OldThread) -> None:
    """Begin to turn a thread whose posts come in pieces: this process turns no other any more."""
    _long.append(Conversion(thread))


def hide_long(records: Sequence[PostRecord]) -> None:
    """Note more of the posts of the long thread that nobody may read."""
    _long[0].hide(records)


def hide_long_words(words: Sequence[str]) -> None:
    """Note Markdown of ours that stood in the long thread, and that nobody may read any more."""
    _long[0].hide_words(words)


def turn_long(posts: Sequence[OldPost]) -> list[NewPost]:
    """Return the next posts of the long thread as they are here."""
    return _long[0].turn(posts)


class _Nothing:
    """What stands around a post that nobody may read."""

    is_for_staff = True

    def hides(self, posts: Collection[str]) -> bool:
        return False

    def quote(self, post: str | None, name: str | None, words: str) -> Quoted:
        return Quoted()

    def link(self, url: str) -> str:
        return url


class Conversion:
    """Turns one thread. A very long one comes in pieces: first all that nobody may read, then its posts in their order.

    A context manager: what it remembers of the thread goes with it.
    """

    def __init__(self, thread: OldThread) -> None:
        self.thread = thread
        self.before = SaidBefore()
        self.wrote = set(thread.wrote)
        self.opener = thread.opener
        self.next_number = thread.next_number
        self.hide_words(thread.gone_words)
        self.hide(thread.left_out)
        self.hide(post.record for post in thread.posts if not post.is_visible)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.before.close()

    def hide(self, records: Iterable[PostRecord]) -> None:
        """Note posts that nobody may read, and whose words no quote may show: before any post is turned."""
        for record in records:
            self._hide(to_markdown(record.text, record.form, uid=record.uid, around=_Nothing()).markdown)

    def hide_words(self, words: Iterable[str]) -> None:
        """Do the same with Markdown of ours."""
        for markdown in words:
            self._hide(markdown)

    def _hide(self, markdown: str) -> None:
        self.before.hide(said_in(markup.parse(markdown).html(markup.NOTHING_KNOWN)))

    def turn(self, posts: Sequence[OldPost]) -> list[NewPost]:
        """Return those of the posts that follow which are new or get other words, as they are here."""
        found = list[NewPost]()
        for post in posts:
            is_opening = not self.before.is_any
            if is_opening and not self.opener:
                self.opener = post.author
            if post.here and not post.is_reworded:
                self._note(post, post.here.number, post.here.parts)
            elif is_opening:
                found += self._add(post, self.thread.poll, self.thread.whole_title)
            else:
                found += self._add(post, None, "")
        return found

    def _add(self, post: OldPost, poll: PollRecord | None, title: str) -> list[NewPost]:
        markdown, quoting, how, losses = self._words(post, poll, title)
        markdown, edited = _take_staff_line(markdown, post)
        first = post.here.number if post.here else self.next_number
        # In our own Markdown, a mark of a redaction that is not escaped is one.
        ours = markdown if post.record.form == TextForm.MARKDOWN else ""
        parts = [
            self._new_post(post, (first, part), text, quoting, (how, losses))
            for part, text in enumerate(split(markup.escape_typed_marks(markdown, ours)), start=1)
        ]
        parts[0].edited = edited
        if not post.here:
            self.next_number += len(parts)
        self._note(post, first, [part.html for part in parts])
        return parts

    def _note(self, post: OldPost, number: int, parts: Sequence[str]) -> None:
        """Note what stands before the posts that follow."""
        written = Written(
            number=number,
            old=post.record.old,
            called=post.called.casefold(),
            handle=post.handle,
            name=post.name,
            is_visible=post.is_visible,
            is_adviser=post.is_adviser,
            html=parts[0],
            said="\n".join(map(said_in, parts)),
        )
        self.before.add(written)
        self.wrote.add(post.author)

    def _words(self, post: OldPost, poll: PollRecord | None, title: str) -> tuple[str, bool, How, Sequence[Loss]]:
        """Return the words as Markdown, and whether their quotes name posts: only where all say what was said."""
        record = post.record
        for may_name in (True, False):
            around = _Around(self, may_name)
            files = Files(record.attachments, record.below_files)
            moved = to_markdown(record.text, record.form, uid=record.uid, around=around, files=files)
            markdown = "\n\n".join([*_heading(title), *_heading(record.title), moved.markdown, *_result(poll)])
            parsed = markup.parse(markdown)
            if not may_name or not parsed.unfound(self._known(parsed.references.quotes)):
                break
        return markdown, may_name, moved.how, moved.losses

    def _new_post(
        self, post: OldPost, place: tuple[int, int], text: str, quoting: bool, fidelity: tuple[How, Sequence[Loss]]
    ) -> NewPost:
        """Return a part of a post; `place` is the number of the first part, and which part it is."""
        first, part = place
        parsed = markup.parse(text)
        known = self._known(parsed.references.quotes) if quoting else markup.NOTHING_KNOWN
        quotations = markup.quotations_of(parsed, text, known)
        how, losses = fidelity
        answered = self.before.find(post.record.reply_to) if part == 1 and post.record.reply_to else None
        return NewPost(
            old=post.record.old,
            part=part,
            number=first + part - 1,
            markdown=text,
            html=parsed.html(known),
            reply_to=answered.number if answered and answered.is_visible else None,
            content_warning=SPOILER_WARNING if Loss.SPOILER in losses else _warning(post.record),
            edited=None,
            lane=self._lane(post, text, answered) if part == 1 else None,
            how=how,
            losses=losses,
            runs=quotations.runs,
            quoted=[quoted.post_id for quoted in quotations.quoted],
        )

    def _lane(self, post: OldPost, text: str, answered: Written | None) -> Lane | None:
        if post.is_adviser or not post.is_recent:
            return None
        place = PostPlace(
            is_first=not (self.before.is_any or self.thread.wrote),
            by_opener=post.author == self.opener,
            to_adviser=answered is not None and answered.is_adviser,
            is_newcomer_here=post.author not in self.wrote,
        )
        return lane_of(text, place, None)

    def _known(self, quotes: frozenset[QuoteRef]) -> Known:
        found: dict[QuoteRef, Sequence[QuotedPost]] = {}
        for ref in quotes:
            said = self.before.at(ref.number)
            if said and said.is_visible and said.handle == ref.handle:
                found[ref] = [QuotedPost(said.number, 1, said.name, said.html)]
        return Known({}, found)

    def find_quoted(self, post: str | None, name: str | None, words: str) -> Written | None:
        """Return the post that says these words: the one that is named, else one by somebody of that name."""
        if post is not None:
            return self.before.find(post)
        said = said_in(escape(words))
        named = (name or "").casefold()
        before = self.before.by(named) if named and said else ()
        return next((one for one in before if stands_in(said, one.said)), None)


class _Around:
    """What stands around one post."""

    def __init__(self, conversion: Conversion, may_name: bool) -> None:
        self._conversion, self._may_name = conversion, may_name

    @property
    def is_for_staff(self) -> bool:
        """Whether only staff read this thread."""
        return self._conversion.thread.is_for_staff

    def hides(self, posts: Collection[str]) -> bool:
        """Return whether a post of this thread is hidden, or one of these that a text quotes."""
        return self._conversion.before.hides or not self._conversion.thread.hidden.isdisjoint(posts)

    def quote(self, post: str | None, name: str | None, words: str) -> Quoted:
        """Return who is quoted: a post that stands before this one, where it says these words, else a mere member.

        Whoever has an account is called by their handle, and whoever has left by nothing: what stands in the words of
        others stays there.
        """
        said = self._conversion.find_quoted(post, name, words)
        if (said and not said.is_visible) or (post in self._conversion.thread.hidden):
            return Quoted(is_hidden=True)
        quoted = said_in(escape(words))
        is_said = said is not None and stands_in(quoted, said.said)
        if not is_said and self._conversion.before.has_hidden(quoted):
            return Quoted(is_hidden=True)
        if said is None:
            handle = self._conversion.thread.named.get(folded_name(name or ""))
            return Quoted(name=name or "") if handle is None else Quoted(handle=handle)
        if self._may_name and said.handle and is_said:
            return Quoted(handle=said.handle, number=said.number, name=said.name)
        return Quoted(handle=said.handle or "", name=said.name)

    def link(self, url: str) -> str:
        """Return the address here of what an address of the old board leads to; any other as it is."""
        return rewritten(url, self._conversion.thread.address, self._conversion.thread.new_address)


def folded_name(name: str) -> str:
    """Return the form in which names of an old board are compared."""
    return " ".join(name.split()).casefold()


def rewritten(url: str, old: str, new: str) -> str:
    """Return an address of the old board as one of this forum, which knows where it leads; any other as it is."""
    if not (old and new):
        return url
    try:
        asked, ours = urlsplit(url), urlsplit(old)
        host, our_host = _host(asked.netloc), _host(ours.netloc)
    except ValueError:
        return url
    path = ours.path.rstrip("/")
    is_inside = asked.path == path or asked.path.startswith(path + "/")
    if asked.scheme not in {"http", "https"} or host != our_host or not is_inside:
        return url
    rest = asked.path[len(path) :].lstrip("/")
    asked_for = f"?{asked.query}" if asked.query else ""
    anchor = f"#{asked.fragment}" if asked.fragment else ""
    return f"{new.rstrip('/')}/{rest}{asked_for}{anchor}"


def _host(netloc: str) -> str:
    return netloc.lower().removeprefix("www.")


def _warning(record: PostRecord) -> str | None:
    return " ".join(record.warning.split())[:WARNING_MAX].rstrip() or None


def _heading(of_post: str) -> Iterator[str]:
    if title := " ".join(of_post.split()):
        yield f"**{escape_all(title)}**"


def _result(poll: PollRecord | None) -> Iterator[str]:
    if poll:
        yield f"**Poll: {escape_all(' '.join(poll.question.split()))}**"
        counted = (
            f"- {escape_all(' '.join(option.split()))}: {votes} {'vote' if votes == 1 else 'votes'}"
            for option, votes in poll.options
        )
        yield "\n".join(counted)


def _take_staff_line(markdown: str, post: OldPost) -> tuple[str, StaffEdit | None]:
    """Return the words without the last line in which the staff said that they changed them, and what readers see.

    Who wrote such a line about their own post is not believed: it stays.
    """
    if post.edited_by is None:
        return markdown, None
    body, _, last = markdown.rstrip().rpartition("\n")
    line = _ESCAPED.sub(r"\1", last).strip(" *_")
    if body.strip() and _STAFF_LINE.match(line):
        return body.rstrip(), StaffEdit(post.edited_by, line[:NOTICE_MAX])
    reason = " ".join((post.record.edit_reason or "").split())
    said = f"Edited by {post.edited_by}: {reason}" if reason else f"Edited by {post.edited_by}"
    return markdown, StaffEdit(post.edited_by, said[:NOTICE_MAX])
