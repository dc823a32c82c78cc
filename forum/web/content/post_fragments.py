"""Posts as HTML, each kept as long as nothing in it changes: to render one takes longer than to read it."""

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from cachetools import TTLCache
from markupsafe import Markup

from forum.content.explained_terms import Term, explain
from forum.content.posts.queries import PostView
from forum.content.posts.tables import Visibility
from forum.content.reactions.tables import ReactionKind
from forum.content.reading import ThreadReading
from forum.web.content.reactions import BUTTONS
from forum.web.pages import environment
from forum.web.visits import MadeLater, Visit, key_of, room_for

# A key holds the words of its post twice: as Markdown and as HTML.
_KEPT: TTLCache[Hashable, Markup] = room_for(lambda html: 3 * len(html))


class Around(NamedTuple):
    """What else than the post decides how it looks: who reads it, what they may do in the thread and did already."""

    reader: str
    opener: str | None
    offers: frozenset[str]
    is_ignored: bool
    is_saved: bool
    reactions: tuple[str, ...]
    terms: tuple[Term, ...]  # of the glossary


class ShownPosts(MadeLater):
    """The posts of a page of a thread, with their numbers: made into HTML when they are gone through."""

    def __init__(self, visit: Visit, read: ThreadReading) -> None:
        _KEPT.expire()
        self.visit, self.read = visit, read
        place, marks = read.place, read.marks
        self.key = (
            key_of(tuple(read.page.posts)),
            read.page.terms,
            read.thread.author_handle,
            visit.viewer.id is None,
            read.moderates,
            self.offers,
            frozenset(place.own),
            frozenset(place.ignored),
            frozenset(marks.bookmarks),
            key_of(marks.reactions),
        )

    def __iter__(self) -> Iterator[tuple[int, Markup]]:
        for post in self.read.page.posts:
            read = self.read
            reader, opener = _reader(self.visit, post, read), read.thread.author_handle
            around = Around(reader, opener, _offers_at(post, self.offers), *_marks(post, read), read.page.terms)
            yield post.number, _fragment(self.visit, post, around)

    @property
    def numbers(self) -> Sequence[int]:
        """Their numbers."""
        return [post.number for post in self.read.page.posts]

    @property
    def offers(self) -> frozenset[str]:
        """What the reader may do with posts here."""
        read = self.read
        offers = {
            "reply": not read.no_reply_because,
            "edit": read.may_edit,
            "react": read.may_react,
            "endorse": read.may_endorse,
        }
        return frozenset(name for name, is_offered in offers.items() if is_offered)


def _offers_at(post: PostView, offers: frozenset[str]) -> frozenset[str]:
    """Return what is offered at one post: nobody says of an adviser's, or of one that waits, that it is right."""
    is_endorsable = post.visibility == Visibility.VISIBLE and post.adviser_name is None
    return offers if is_endorsable else offers - {"endorse"}


def _reader(visit: Visit, post: PostView, read: ThreadReading) -> str:
    """Return who reads a post: for each of them it has other links."""
    if visit.viewer.id is None:
        return "guest"
    if post.number in read.place.own:
        return "own"
    return "moderator" if read.moderates else "member"


def _marks(post: PostView, read: ThreadReading) -> tuple[bool, bool, tuple[str, ...]]:
    """Return whether the reader ignores who wrote a post, whether they saved it, and how they reacted to it."""
    number, marks = post.number, read.marks
    return number in read.place.ignored, number in marks.bookmarks, tuple(marks.reactions.get(number, ()))


def _fragment(visit: Visit, post: PostView, around: Around) -> Markup:
    is_opener = post.author_handle is not None and post.author_handle == around.opener
    offered = tuple(visit.settings.reactions)  # as text: an enumeration hashes each of its members in Python
    key = (visit.language.code, offered, is_opener, around[0], around[2:], key_of(post._replace(last_number=0)))
    found = _KEPT.get(key)
    if found is None:
        kinds = tuple(map(ReactionKind, offered))
        links = [
            (link.path_of(post), visit.say(link.words))
            for link in visit.parts.post_links
            if link.is_for(around.reader, around.offers, post)
        ]
        is_offered = "react" in around.offers and around.reader != "own" and post.visibility == Visibility.VISIBLE
        buttons = [(kind, visit.say(BUTTONS[kind]), kind in around.reactions) for kind in kinds if is_offered]
        template = environment(visit.language, visit.parts.templates).get_template("content/post.html")
        said = [(kind, num, kind in around.reactions) for kind, num in post.counted(kinds).items()]
        about = {"is_opener": is_opener, "is_ignored": around.is_ignored, "is_saved": around.is_saved}
        explained = post._replace(body_html=explain(post.body_html or "", around.terms))
        words = {"post": explained, "reader": around.reader, "links": links, "said": said, "buttons": buttons, **about}
        found = Markup(template.render(words))  # noqa: S704
        _KEPT[key] = found
    return found
