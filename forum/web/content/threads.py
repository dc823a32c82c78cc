"""Pages of threads: a page of posts, from any post on, or of advisers' replies alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Response

from forum.advising import answer_templates
from forum.content import reading
from forum.content.addressed_help import find_help_beside
from forum.content.before_writing import BeforeWriting
from forum.content.crisis_help import Help
from forum.content.explained_terms import Term
from forum.content.posts import queries
from forum.content.posts.tables import NUMBER_MAX
from forum.content.posts.thread_page import PageRequest
from forum.content.reading import POSTS_A_PAGE, ThreadReading
from forum.content.resources.queries import ResourceView
from forum.http.fields import Id
from forum.notifications.letter_choices import is_unasked
from forum.permissions import Refusal
from forum.web.content.composer import is_asked
from forum.web.content.post_fragments import ShownPosts
from forum.web.forms import EMPTY, Form
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import Reading, Visit

router = page_router()

JUST_WROTE = ("sent", "held")


@dataclass(frozen=True, kw_only=True)
class ThreadPage(Page):
    """A thread with a page of its posts."""

    template: ClassVar[str] = "content/thread.html"
    section: ClassVar[str] = "/"

    thread: Any
    board: Any
    posts: ShownPosts
    terms: tuple[Term, ...]  # of the glossary, that stand in them
    unread_from: int | None
    mode: str | None  # what the reader wants to hear of it
    is_told: bool
    start: int
    following: int | None
    advisers_only: bool
    no_reply_because: Refusal | None
    before: BeforeWriting
    is_guest: bool
    has_draft: bool
    may_retitle: bool
    has_earlier_titles: bool  # that the reader may read
    may_say_helped: bool
    may_advise: bool
    is_asked: bool
    has_templates: bool  # of answers
    claim: Any
    keeps_it: bool
    moderates: bool
    resources: Sequence[ResourceView]
    may_attach: bool
    asks_about_mails: bool
    help: Help | None  # for whom something here may be hard to read
    form: Form = EMPTY

    @property
    def preceding(self) -> int | None:
        """The number with which the page before begins, if there is one."""
        return max(1, self.start - POSTS_A_PAGE) if self.start > 1 else None

    @property
    def new_from(self) -> int | None:
        """The first post on this page that the reader has not read, if something above it was read."""
        numbers = self.posts.numbers
        found = next((number for number in numbers if self.unread_from and number >= self.unread_from), None)
        return found if found != 1 else None

    @property
    def goes_on_at(self) -> str | None:
        """The address of the first unread post, where it is on another page."""
        numbers = self.posts.numbers
        is_here = self.unread_from is None or self.unread_from in numbers
        return None if is_here or self.unread_from is None else place_of(self.thread.id, self.unread_from)

    @property
    def to_mark(self) -> int | None:
        """The number up to which the reader has read, once they have read this page, if that is news."""
        last = self.posts.numbers[-1] if self.posts.numbers else 0
        return last if self.unread_from and last >= self.unread_from and not self.advisers_only else None

    @property
    def adviser_numbers(self) -> list[int]:
        """The first and the newest reply of an adviser, for links."""
        found = (self.thread.first_adviser_number, self.thread.latest_adviser_number)
        return list(dict.fromkeys(number for number in found if number))


@router.get("/threads/{id}")
async def show_thread(id: Id, visit: Reading) -> Response:
    """Show a thread with a page of its posts."""
    start, advisers_only = _number(visit.query("start")), visit.query("advisers") == "yes"
    wanted = PageRequest(POSTS_A_PAGE, first=start, advisers_only=advisers_only)
    read = await reading.read_thread(visit.reader, visit.viewer, id, wanted, visit.now)
    asks_about_mails = visit.query("done") in JUST_WROTE and await is_unasked(visit.reader, visit.viewer)
    return visit.show(_page(visit, read, wanted, asks_about_mails=asks_about_mails))


@router.get("/posts/{id}")
async def find_post(id: Id, visit: Reading) -> Response:
    """Go to the place of a post in its thread."""
    post = await queries.get_post(visit.reader, visit.viewer, id)
    return visit.go(place_of(post.thread_id, post.number))


def place_of(thread_id: int, number: int) -> str:
    """Return the address of a post: of the page of its thread that it is on."""
    start = (number - 1) // POSTS_A_PAGE * POSTS_A_PAGE + 1
    return f"/threads/{thread_id}" + (f"?start={start}" if start > 1 else "") + f"#post-{number}"


def _page(visit: Visit, read: ThreadReading, wanted: PageRequest, *, asks_about_mails: bool) -> ThreadPage:
    posts = read.page.posts
    return ThreadPage(
        title=read.thread.title,
        thread=read.thread,
        board=read.board,
        posts=ShownPosts(visit, read),
        terms=read.page.terms,
        unread_from=read.place.unread_from,
        mode=read.place.subscription,
        is_told=read.place.is_told,
        start=wanted.first,
        following=posts[-1].number + 1 if read.page.next and posts else None,
        advisers_only=wanted.advisers_only,
        no_reply_because=read.no_reply_because,
        before=read.before,
        is_guest=visit.viewer.id is None,
        has_draft=read.has_draft,
        may_retitle=read.may_retitle,
        has_earlier_titles=read.has_earlier_titles,
        may_say_helped=read.may_say_helped,
        may_advise=read.may_advise,
        is_asked=is_asked(visit, read.board),
        claim=read.claim,
        has_templates=read.may_advise and answer_templates.why_no_templates(visit.viewer) is None,
        keeps_it=read.claim is not None and read.claim.member_id == visit.viewer.id,
        moderates=read.moderates,
        resources=read.resources,
        may_attach=read.may_attach,
        asks_about_mails=asks_about_mails,
        help=find_help_beside(visit.settings, visit.now) if read.marks.is_helped else None,
        indexable=read.page.indexable,
    )


def _number(text: str) -> int:
    """Return the number in an address; what is none begins at the first post."""
    return min(int(text), NUMBER_MAX) if text.isdecimal() and text.isascii() and 0 < len(text) < 12 and int(text) else 1
