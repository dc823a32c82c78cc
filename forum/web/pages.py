"""A page: one frozen dataclass with what its template shows; and the Jinja environments that render it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

from forum.content.posts.tables import SHOWN
from forum.members.viewer import Viewer
from forum.web.forms import EMPTY, Form
from forum.web.languages import Language

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a template shows: `page` in the template. Subclasses name their template and add their fields."""

    template: ClassVar[str]
    section: ClassVar[str] = ""  # the path of the entry of the navigation to which the page belongs
    is_wide: ClassVar[bool] = False  # a list; without it, as wide as one reads
    is_own: ClassVar[bool] = False  # made for this viewer: nothing on the way may store it
    has_tools: ClassVar[bool] = False  # needs the styles of forms and tables beside those of every page

    title: str
    indexable: bool = False
    done: str = ""  # the key of what was done, where the answer to a form is a page and no other address

    @property
    def has_secret(self) -> bool:
        """Whether it is not compressed: its length would tell how like a secret in it is to what was typed (BREACH)."""
        return False


@dataclass(frozen=True, kw_only=True)
class FormPage(Page):
    """A page with a form: what was typed, and what is wrong with it."""

    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    form: Form = field(default=EMPTY)


@dataclass(frozen=True)
class Entry:
    """An entry of the navigation: its path, its words, and to whom it is shown."""

    path: str
    words: str
    is_shown: Callable[[Viewer], bool] = field(default=lambda _viewer: True)
    is_work: bool = False  # of staff: several such entries are folded into one


@dataclass(frozen=True)
class PostLink:
    """A link below each post, to `path` with the post's `id`, `number` and `thread_id`: its words, and who gets it."""

    path: str
    words: str
    readers: frozenset[str]  # of guest, member, own, moderator
    needs: str = ""  # what the reader may do in the thread: "reply" or "edit"
    was_changed: bool = False  # only for posts with earlier versions
    was_removed: bool = False  # only for posts in whose place a notice stands; the others are for those with words

    def is_for(self, reader: str, offers: frozenset[str], post: Any) -> bool:
        """Return whether this reader, who may do what is offered, gets the link below this post."""
        is_offered = not self.needs or self.needs in offers
        is_such = self.was_removed == (post.visibility not in SHOWN) and (not self.was_changed or post.revision > 1)
        return reader in self.readers and is_offered and is_such

    def path_of(self, post: Any) -> str:
        """Return the address for one post."""
        return self.path.format(id=post.id, number=post.number, thread_id=post.thread_id)


@dataclass(frozen=True)
class MemberLink:
    """A link on the page of a member, to `path` with the handle, for everybody but that member."""

    path: str
    words: str

    def path_of(self, handle: str) -> str:
        """Return the address for one member."""
        return self.path.format(handle=handle)


@dataclass(frozen=True)
class SiteParts:
    """What the composer hands to the pages: navigation, links below posts, more folders of templates."""

    navigation: Sequence[Entry] = ()
    post_links: Sequence[PostLink] = ()
    own: Sequence[Entry] = ()  # more about oneself, below what happened
    templates: tuple[Path, ...] = ()
    member_links: Sequence[MemberLink] = ()
    done: Mapping[str, str] = field(default_factory=dict)  # what a page says after something was done, by its key


@cache
def environment(language: Language, folders: tuple[Path, ...]) -> Environment:
    """Return what renders templates in one language. A name that a template misspells is an error, not a gap."""
    made = Environment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in (TEMPLATES, *folders)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_callables(  # type: ignore[attr-defined]  # of the extension
        language.translations.gettext, language.translations.ngettext, newstyle=True
    )
    made.filters["moment"] = language.moment
    made.filters["day"] = language.day
    made.filters["parsed_time"] = datetime.fromisoformat
    made.filters["parsed_day"] = date.fromisoformat
    made.filters["colour"] = colour
    made.filters["initial"] = initial
    made.filters["unbroken"] = unbroken
    return made


def colour(name: str | None) -> int:
    """Return which of the eight muted colours the mark of a member has: always the same one, by their handle."""
    return sum(map(ord, name or "")) % 8


def unbroken(heading: str) -> str:
    """Return a heading whose hyphens end no line: on a phone, "e-" would stand above "mail"."""
    return heading.replace("-", "\N{NON-BREAKING HYPHEN}")


def initial(name: str) -> str:
    """Return the first letter or digit of a name, as a capital, for the mark beside a post."""
    return next((char for char in name if char.isalnum()), "·").upper()
