"""A visit: one request for a page, with who asks, their language and look; and how pages are answered."""

import gzip
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Concatenate, NamedTuple, ParamSpec, TypeVar
from urllib.parse import urlencode, urlsplit

from cachetools import TTLCache
from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup

from forum.content.crisis_help import Help
from forum.core import clock
from forum.core.database import Reader
from forum.core.errors import Forbidden, ForumError, NotFound, NotSignedIn, RoleWithheld, SignInAgain
from forum.core.idempotency import do_once
from forum.core.settings import Settings
from forum.core.text import carried
from forum.core.work import Transactions, Work
from forum.http.caching import etag_headers
from forum.http.current_member import Anybody, AnyMember, CurrentMember, viewer_of
from forum.http.services import Services, services_of
from forum.members.standing import SHUT_OUT
from forum.members.viewer import GUEST, Viewer
from forum.permissions import Refusal
from forum.web import assets
from forum.web.branding import Branding
from forum.web.done import DONE
from forum.web.forms import EMPTY, Form, read_form
from forum.web.languages import NAMES, Language, language_of, mark, preferred
from forum.web.look import Look, look_of
from forum.web.pages import Entry, FormPage, Page, SiteParts, environment
from forum.web.texts import Text
from forum.web.words import HELP, sentence, words_of

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
COMPRESSED_FROM = 600  # bytes: compressing less saves nothing
# For pages: links of the forum to itself say where one comes from, so that forms work in browsers which send an
# `Origin` only with it (iPhones before iOS 16.4); other sites learn nothing.
HEADERS = {"Referrer-Policy": "same-origin"}
WORK = mark("Work")  # what several entries of staff are folded into
VARY = "Accept-Encoding, Accept-Language, Cookie"


@dataclass(frozen=True)
class Visit:
    """One request for a page."""

    request: Request
    viewer: Viewer  # as whom the page is read: one who is shut out reads as a guest
    member: Viewer  # who is signed in, in any standing
    form: Form = EMPTY  # what was sent, for a POST

    @cached_property
    def services(self) -> Services:
        """The services of this process."""
        return services_of(self.request)

    @property
    def settings(self) -> Settings:
        """The settings of this forum."""
        return self.services.settings

    @property
    def reader(self) -> Reader:
        """The reader of the database."""
        return self.services.database.reader

    @cached_property
    def now(self) -> datetime:
        """The time of this request."""
        return clock.now()

    @cached_property
    def transactions(self) -> Transactions:
        """What begins transactions, for actions that must do something outside of one."""
        return self.services.transactions(self.now)

    @cached_property
    def parts(self) -> SiteParts:
        """What the composer handed to the pages."""
        parts: SiteParts = self.request.app.state.parts
        return parts

    @cached_property
    def branding(self) -> Branding:
        """What makes the pages those of one charity."""
        branding: Branding = self.request.app.state.branding
        return branding

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every page."""
        return HEADERS | {"Content-Security-Policy": self.branding.policy}

    def text(self, name: str) -> Text:
        """Return one of the longer texts, in the language of the page if it is there."""
        return self.branding.texts.get(name, self.language.code)

    @cached_property
    def look(self) -> Look:
        """How pages look on this device."""
        return look_of(self.request, self.settings.languages)

    @cached_property
    def language(self) -> Language:
        """The language of the page: the one chosen on this device, otherwise what the browser asks for."""
        asked = self.request.headers.get("accept-language", "")
        code = self.look.language or preferred(asked, self.settings.languages)
        return language_of(code, self.settings.time_zone)

    @property
    def path(self) -> str:
        """The path of the page with its query, to come back to."""
        query = self.request.url.query
        return self.request.url.path + (f"?{query}" if query else "")

    @property
    def came_from(self) -> str:
        """The page of this site on which a form was sent; the first page where the browser does not tell."""
        sender = urlsplit(self.request.headers.get("referer", ""))
        if sender.netloc != self.request.headers.get("host"):
            return "/"
        return own_path(sender.path + (f"?{sender.query}" if sender.query else ""))

    def query(self, name: str) -> str:
        """Return a parameter of the address, or an empty text; those that a page does not know are ignored.

        Without characters that no page can show and no database can compare, as in forms.
        """
        return carried(self.request.query_params.get(name, ""))

    def say(self, message: str, **values: object) -> str:
        """Return a message in the language of the page."""
        return self.language.say(message, **values)

    async def act(
        self,
        action: Callable[Concatenate[Work, Viewer, Arguments], Awaitable[Result]],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Do one action in one transaction, as this viewer. What it raises undoes all of it.

        Of four taps, three wait for what the first does: an action that takes a key does it once.
        """
        return await do_once(self.transactions, lambda work: action(work, self.viewer, *args, **kwargs))

    async def act_by_link(self, action: Callable[[Work, str], Awaitable[Result]], token: str) -> Result:
        """Do what a mailed link is for, in one transaction: its token says whose it is, whoever is signed in."""
        async with self.transactions.begin() as work:
            return await action(work, token)

    def refusing(self, error: ForumError, *about_it: type[ForumError]) -> "Visit":
        """Return the same visit with what is wrong with its form, to show it once more.

        What is not about the form is raised again, unless it is one of `about_it`: the page about that error keeps
        what was typed.
        """
        if isinstance(error, NotFound | NotSignedIn | RoleWithheld | SignInAgain) and not isinstance(error, about_it):
            raise error
        return replace(self, form=self.form.refused(error))

    def show(self, page: Page, status: int = 200) -> Response:
        """Return a page as a response: with an ETag and compressed, or 304 when the browser has the same bytes."""
        headers = self.headers | {"Content-Language": self.language.code, "Vary": VARY}
        if not page.indexable:
            headers["X-Robots-Tag"] = "noindex"
        if status != 200 or page.is_own:
            content = self._render(page)
            headers["Cache-Control"] = "no-store"
            if page.has_secret:
                return Response(content, status, headers, media_type="text/html")
            return _encoded(self.request, content, status, headers)
        kept = self._kept(page)
        caching, is_unchanged = etag_headers(self.request, kept.tag, shared=True)
        headers |= {"Cache-Control": caching["Cache-Control"], "ETag": caching["ETag"]}
        if is_unchanged:
            return Response(status_code=304, headers=headers)
        if "gzip" in self.request.headers.get("accept-encoding", ""):
            return Response(kept.packed, status, {**headers, "Content-Encoding": "gzip"}, media_type="text/html")
        return Response(gzip.decompress(kept.packed), status, headers, media_type="text/html")

    def _render(self, page: Page) -> bytes:
        template = environment(self.language, self.parts.templates).get_template(page.template)
        return template.render(page=page, layout=Layout(self, page)).encode()

    def _kept(self, page: Page) -> "MadePage":
        """Return a page as it was made before from the same things, otherwise make it.

        A page of a thread costs three times as much to make as to read what is on it.
        """
        known: TTLCache[Hashable, MadePage] = self.request.app.state.made_pages
        known.expire()
        navigation = tuple(entry.is_shown(self.member) for entry in self.parts.navigation)
        about = (page.template, page.section, self.path, self.language.code, self.look)
        around = (*about, navigation, bool(self.member.withheld))
        key = (around, *(key_of(getattr(page, part.name)) for part in fields(page)))
        found = known.get(key)
        if found is None:
            content = self._render(page)
            tag = f'"{sha256(content).hexdigest()[:24]}"'
            packed = gzip.compress(content, 6, mtime=0)
            found = MadePage(tag, packed, size=len(packed) + 3 * len(content))
            if found.size <= known.maxsize:
                known[key] = found
        return found

    def go(self, path: str, *, done: str | None = None) -> Response:
        """Return the answer to a form: the browser asks for that page, which says what was done."""
        if done:
            path, mark, place = path.partition("#")
            path += ("&" if "?" in path else "?") + urlencode({"done": done}) + mark + place
        return RedirectResponse(path, 303, HEADERS)


class NavigationEntry(NamedTuple):
    """An entry of the navigation as a page shows it: where it leads, or what is folded into it."""

    path: str
    words: str
    is_current: bool  # the page belongs to it
    within: tuple["NavigationEntry", ...] = ()


@dataclass(frozen=True)
class Layout:
    """What every page has around it: `layout` in the templates."""

    visit: Visit
    page: Page

    @property
    def settings(self) -> Settings:
        """The settings of this forum."""
        return self.visit.settings

    @property
    def viewer(self) -> Viewer:
        """Who is signed in, in any standing."""
        return self.visit.member

    @property
    def language(self) -> Language:
        """The language of the page."""
        return self.visit.language

    @property
    def look(self) -> Look:
        """How pages look on this device."""
        return self.visit.look

    @property
    def here(self) -> str:
        """The path of the page with its query, to come back to: it does not say once more what was done."""
        query = [(name, value) for name, value in self.visit.request.query_params.multi_items() if name != "done"]
        return self.visit.request.url.path + (f"?{urlencode(query)}" if query else "")

    @cached_property
    def entries(self) -> Sequence[NavigationEntry]:
        """The navigation. More than one entry of work is folded into one, or it takes three rows on a phone."""
        shown = [entry for entry in self.visit.parts.navigation if entry.is_shown(self.viewer)]
        work = [entry for entry in shown if entry.is_work]
        if len(work) < 2:
            return [self._entry(entry) for entry in shown]
        within = tuple(map(self._entry, work))
        folded = NavigationEntry("", self.visit.say(WORK), any(entry.is_current for entry in within), within)
        first = shown.index(work[0])
        before, after = shown[:first], [entry for entry in shown[first:] if not entry.is_work]
        return [*map(self._entry, before), folded, *map(self._entry, after)]

    def _entry(self, entry: Entry) -> NavigationEntry:
        return NavigationEntry(entry.path, self.visit.say(entry.words), entry.path == self.page.section)

    @property
    def done(self) -> str | None:
        """What was done just now, in words: from a closed list, never a text of the address."""
        words = self._done.get(self.page.done or self.visit.query("done"))
        return self.visit.say(words) if words else None

    @property
    def _done(self) -> Mapping[str, str]:
        return {**DONE, **self.visit.parts.done}

    @property
    def other_languages(self) -> list[tuple[str, str]]:
        """The other languages of the forum, each with its own name."""
        return [(code, NAMES[code]) for code in self.settings.languages if code != self.language.code]

    @property
    def style(self) -> Markup:
        """The styles of every page: of the wheel, with the charity's accent."""
        return Markup(self.visit.branding.style)  # noqa: S704 - a file of ours, and colours that were checked

    @property
    def app_name(self) -> str:
        """What the title of every page says for those who chose neutral titles."""
        page = self.visit.say(mark("Page"))
        return f"{page} – {self.settings.app_name}" if self.settings.app_name else page

    @property
    def own_mark(self) -> str | None:
        """The address of the charity's own mark, if it has one."""
        own = self.visit.branding.mark
        return own.path if own else None

    def fault(self, code: str | None) -> str:
        """Return the words for the code of a fault in the page's form; without a code, for the error itself."""
        error = self.page.form.error if isinstance(self.page, FormPage) else None
        if error is None:
            raise RuntimeError("A page without an error has no fault.")
        if code is None or code == error.code:
            return words_of(error, self.language, self.visit.now)
        return sentence(code, type(error), self.language)

    def refusal(self, reason: Refusal) -> str:
        """Return why something is not offered, in words."""
        return sentence(reason.code, Forbidden, self.language)

    def help_words(self, help_: Help) -> str:
        """Return what is said first to somebody whose words sound like danger."""
        return self.language.say(HELP[help_.kind])

    def asset(self, name: str) -> str:
        """Return the address of a file of the pages."""
        return self.own_mark if name == "mark.svg" and self.own_mark else assets.ASSETS[name].path


async def _visit(request: Request) -> Visit:
    # It asks for the member itself: each dependency costs more than most of what a page does.
    member = await viewer_of(request)
    return Visit(request, GUEST if member.standing in SHUT_OUT else member, member)


# A reader: somebody who is suspended or banned reads as a guest does.
Reading = Annotated[Visit, Depends(_visit)]


async def _member_visit(request: Request, viewer: CurrentMember) -> Visit:
    return Visit(request, viewer, viewer)


# A member who may use the forum.
MemberVisit = Annotated[Visit, Depends(_member_visit)]


async def _own_visit(request: Request, viewer: AnyMember) -> Visit:
    return Visit(request, viewer, viewer)


# A member in any standing: for their own account, statements and appeals.
OwnVisit = Annotated[Visit, Depends(_own_visit)]


async def _anybody_visit(request: Request, viewer: Anybody) -> Visit:
    return Visit(request, viewer, viewer)


# A member in any standing, or a guest.
AnybodyVisit = Annotated[Visit, Depends(_anybody_visit)]


async def _with_form(request: Request, visit: Visit) -> Visit:
    return replace(visit, form=await read_form(request))


async def _reading_form(request: Request, visit: Reading) -> Visit:
    return await _with_form(request, visit)


async def _member_form(request: Request, visit: MemberVisit) -> Visit:
    return await _with_form(request, visit)


async def _own_form(request: Request, visit: OwnVisit) -> Visit:
    return await _with_form(request, visit)


async def _anybody_form(request: Request, visit: AnybodyVisit) -> Visit:
    return await _with_form(request, visit)


# The same with the form that was sent.
AnybodyForm = Annotated[Visit, Depends(_anybody_form)]
ReadingForm = Annotated[Visit, Depends(_reading_form)]
MemberForm = Annotated[Visit, Depends(_member_form)]
OwnForm = Annotated[Visit, Depends(_own_form)]


def guest_visit(request: Request) -> Visit:
    """Return a visit of nobody in particular: for pages of errors, when it is not known who asks."""
    return Visit(request, GUEST, GUEST)


def own_path(path: str) -> str:
    """Return a path of this site to go back to; anything that could lead to another site becomes the first page."""
    is_ours = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_ours and len(path) <= 500 else "/"


@dataclass(frozen=True)
class MadePage:
    """A page as it is sent, and its ETag: a weak one, for it is the same for the compressed page and the plain one."""

    tag: str
    packed: bytes
    size: int  # in bytes, with the posts that its key holds, as Markdown and as HTML


MOST_KEPT = 32 * 1024 * 1024  # bytes in each process; a page of a thread has some 30 KB
KEPT_FOR = 600  # seconds: words that were removed or erased must not stay in memory for long


def room_for(size: Callable[[Result], int]) -> "TTLCache[Hashable, Result]":
    """Return room for what was made of people's words: it goes in time, or when it was not asked for the longest."""
    return TTLCache(MOST_KEPT, KEPT_FOR, getsizeof=size)


def made_pages() -> "TTLCache[Hashable, MadePage]":
    """Return room for the pages of one application."""
    return room_for(lambda made: made.size)


class MadeLater:
    """A part of a page that is made only when the page is: its key is equal where it would look the same."""

    key: Hashable


def key_of(value: object) -> Hashable:
    """Return what is equal for equal values, also of lists, mappings and dataclasses that hold such."""
    if isinstance(value, MadeLater):
        return value.key
    try:
        hash(value)
    except TypeError:
        if isinstance(value, Mapping):
            return tuple((name, key_of(part)) for name, part in value.items())
        if isinstance(value, Iterable):
            return tuple(map(key_of, value))
        if is_dataclass(value):
            return tuple(key_of(getattr(value, part.name)) for part in fields(value))
        raise
    return value


def _encoded(request: Request, content: bytes, status: int, headers: Mapping[str, str]) -> Response:
    """Return the response, compressed where the browser takes it."""
    if len(content) < COMPRESSED_FROM or "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(content, status, dict(headers), media_type="text/html")
    packed = gzip.compress(content, 6, mtime=0)
    return Response(packed, status, {**headers, "Content-Encoding": "gzip"}, media_type="text/html")
