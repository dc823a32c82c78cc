"""The composer: one form for replies, new threads and edits. What is not sent is kept as a draft, and shown by a GET.

So no page is the answer to a form: Back and reloading never ask whether to send something again.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Literal, Protocol, TypeVar

from fastapi import Response
from pydantic import Field

from forum.content import composing, drafts
from forum.content.before_writing import BeforeWriting
from forum.content.crisis_help import Help
from forum.content.drafts import DraftWords, SavedDraft, Saving
from forum.content.personal_details import Details
from forum.content.posts.lengths import BODY_MAX
from forum.content.posts.tables import NUMBER_MAX
from forum.core import errors
from forum.core.errors import ForumError, Throttled
from forum.core.idempotency import MemberKey, Repeat
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Refusal
from forum.web.forms import Form, InvalidForm
from forum.web.pages import FormPage
from forum.web.visits import Visit

Sent = TypeVar("Sent")
Place = TypeVar("Place")
# Numbers of forms come as text.
FormNumber = Annotated[int, Field(ge=1, lt=2**31)]
# Whether what is written asks something: yes, no, or not said.
AsksChoice = Literal["yes", "no"] | None

SEND, LOOK, KEEP = "send", "look", "keep"  # what the three buttons of the composer do
FILL = "fill"  # of who has templates: the words of one come below what is written
_TYPED = ("title", "body_markdown", "content_warning", "reply_to")
_REFUSALS: Mapping[str, type[ForumError]] = {
    kind.__name__: kind for kind in (errors.Forbidden, errors.RoleWithheld, errors.Conflict, errors.Overloaded)
}


class WithDraft(Protocol):
    """What was read for a page with the composer."""

    @property
    def refusal(self) -> Refusal | None: ...  # noqa: D102
    @property
    def before(self) -> BeforeWriting: ...  # noqa: D102
    @property
    def draft(self) -> Any: ...  # noqa: D102
    @property
    def preview_html(self) -> str | None: ...  # noqa: D102
    @property
    def help(self) -> Help | None: ...  # noqa: D102
    @property
    def details(self) -> Details: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class Composer:
    """What the composer shows besides its form, wherever it stands."""

    path: str  # where the form goes, and where its page is
    draft_path: str  # below /me/drafts/
    refusal: Refusal | None  # why it cannot be sent, if so
    draft: Any
    is_look: bool
    preview_html: str | None
    most_links: int
    before: BeforeWriting
    help: Help | None  # for what was kept, if that sounds like danger
    details: Details  # that may show who somebody is
    is_asked: bool  # whether it hopes for an answer of an adviser
    seen: int  # the last number on the screen: the same words after it are another post

    @property
    def version(self) -> int:
        """The version of the draft on the screen; 0 for none."""
        return int(self.draft.version) if self.draft else 0


@dataclass(frozen=True, kw_only=True)
class ComposerPage(FormPage):
    """A page with the composer."""

    composer: Composer

    @property
    def has_secret(self) -> bool:  # noqa: D102
        return self.composer.details.confirm is not None

    @property
    def length(self) -> int:
        """How many characters are written: browsers count in another way."""
        return len(self.form.values.get("body_markdown", ""))

    @property
    def longest(self) -> int:
        """How many characters a post may have."""
        return BODY_MAX


def is_asked(visit: Visit, board: Any) -> bool:
    """Return whether somebody is asked if they hope for an answer: a member, where advisers answer."""
    return bool(board.advised) and not visit.viewer.is_staff


def composer_at(
    visit: Visit, path: str, draft_path: str, read: WithDraft, *, board: Any = None, seen: int = 0
) -> Composer:
    """Return the composer at one place, with what was read for it."""
    return Composer(
        path=path,
        draft_path=draft_path,
        refusal=read.refusal,
        draft=read.draft,
        is_look=is_look(visit),
        preview_html=read.preview_html,
        most_links=visit.settings.newcomer_links,
        before=read.before,
        help=read.help,
        details=read.details,
        is_asked=board is not None and is_asked(visit, board),
        seen=seen,
    )


def composer_form(draft: Any, now: datetime, **otherwise: str | None) -> Form:
    """Return the form with the words of a draft and what was wrong with it; without a draft, with other words."""
    values = {name: str(getattr(draft, name) or "") for name in _TYPED} if draft else {}
    if draft and draft.asks is not None:
        values["asks"] = "yes" if draft.asks else "no"
    form = Form({name: value or "" for name, value in otherwise.items()} | values)
    refused = _refused_before(draft.refused, now) if draft and draft.refused else None
    return form.refused(refused) if refused else form


def is_look(visit: Visit) -> bool:
    """Return whether the page shows how the draft looks."""
    return visit.query("look") == "yes"


def wants_to_send(visit: Visit) -> bool:
    """Return whether the form was sent with the button that sends it: the others keep it, and one shows it."""
    return visit.form.values.get("do", SEND) not in (LOOK, KEEP, FILL)


def is_fill(visit: Visit) -> bool:
    """Return whether the form was sent to have the words of a template in it."""
    return visit.form.values.get("do") == FILL


def confirm_of(visit: Visit) -> str | None:
    """Return the answer to what was asked about the words: it came with the button that posts them as they are."""
    return visit.form.values.get("confirm") or None


def said_of(choice: str | None) -> bool | None:
    """Return what somebody said of whether their words ask something; None where they did not say."""
    return None if choice not in {"yes", "no"} else choice == "yes"


def repeat_of(visit: Visit) -> Repeat:
    """Return the key of what was sent: the same words after the same post on the screen are the same post."""
    values = visit.form.values
    parts = [values.get(name, "") for name in ("seen", *_TYPED)]
    key = sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
    return MemberKey(visit.viewer.member_id, visit.request.url.path, key, b"")


async def send_or_keep(
    visit: Visit,
    send: Callable[[], Awaitable[Sent | None]],
    save: Callable[[Work, Viewer, Place, Saving], Awaitable[SavedDraft]],
    place: Place,
) -> Sent | None:
    """Send what was written; where it is refused or not yet meant to be sent, keep it at its place with the reason.

    Raises as `composing.send_or_keep` does.
    """
    return await composing.send_or_keep(
        visit.transactions, send, lambda work, error: save(work, visit.viewer, place, _saving(visit, error))
    )


def kept(visit: Visit, path: str) -> Response:
    """Return the answer to a form that was kept: the page of the composer, which shows the draft."""
    wish = visit.form.values.get("do", SEND)
    if wish == LOOK:
        return visit.go(f"{path}?look=yes#look")
    return visit.go(path, done="kept") if wish == KEEP else visit.go(path)


def _saving(visit: Visit, error: ForumError | None) -> Saving:
    """Return what is to be kept of a form, as it was typed."""
    typed = visit.form.values
    words = DraftWords(
        typed.get("body_markdown", ""),
        typed.get("title") or None,
        typed.get("content_warning") or None,
        number_of(typed.get("reply_to", "")),
        number_of(typed.get("revision", "")),
        said_of(typed.get("asks")),
    )
    return Saving(words, number_of(typed.get("version", "")) or 0, keeps_both=True, refused=_refusal(error, visit.now))


def number_of(text: str) -> int | None:
    """Return the number that a field or an address has, or None."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= 10
    return int(text) if is_number and 0 < int(text) <= NUMBER_MAX else None


def _refusal(error: ForumError | None, now: datetime) -> dict[str, Any] | None:
    """Return what is kept of a refusal, so that the page says the same when it is loaded again."""
    if error is None:
        return None
    faults = Form().refused(error).faults
    until = now + timedelta(seconds=error.retry_after) if isinstance(error, Throttled) else None
    policy = error.policy if isinstance(error, Throttled) else None
    return {
        "kind": type(error).__name__,
        "code": error.code,
        "faults": dict(faults),
        "policy": policy,
        "until": until.isoformat() if until else None,
    }


def _refused_before(refused: Mapping[str, Any], now: datetime) -> ForumError | None:
    """Return the error that a draft was refused with; None for a limit whose time is over."""
    if refused["until"]:
        left = math.ceil((datetime.fromisoformat(refused["until"]) - now).total_seconds())
        return Throttled("", policy=refused["policy"], quota=1, window=1, retry_after=left) if left > 0 else None
    if refused["faults"]:
        return InvalidForm(refused["faults"])
    if refused["kind"] in {errors.Stale.__name__, errors.PersonalInformation.__name__}:
        return None  # the page compares both, or asks
    return _REFUSALS.get(refused["kind"], errors.Conflict)("", code=refused["code"])


def expires_at(draft: Any) -> datetime:
    """Return when a draft is deleted, unless somebody goes on with it."""
    saved_at: datetime = draft.saved_at
    return saved_at + drafts.KEPT_FOR
