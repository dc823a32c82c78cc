"""The page to write to the charity, and the page on which moderators read what was written."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import Response
from pydantic import EmailStr, Field

from forum.core.errors import ForumError
from forum.http.current_member import address_of
from forum.http.fields import Text as FieldText
from forum.http.fields import Words
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.texts import Text
from forum.web.visits import AnybodyForm, AnybodyVisit, MemberForm, MemberVisit, Visit
from moderation import contact
from moderation.contact import TEXT_MAX, ContactDraft
from moderation.web.pages import ModerationPage

KEY_LENGTH = 22  # 128 bits in base64url

router = page_router()


class ContactForm(FormModel):
    """A message to the charity."""

    text: Annotated[Words, Field(min_length=1, max_length=TEXT_MAX)]
    email: Annotated[EmailStr, Field(max_length=254)] | None = None
    key: Annotated[FieldText, Field(max_length=100)] = ""


@dataclass(frozen=True, kw_only=True)
class ContactPage(FormPage):
    """How to reach the charity: its own text, then a form."""

    template: ClassVar[str] = "moderation/contact.html"

    text: Text
    lines: Text
    sounds_urgent: bool
    key: str  # of this page: a form that is sent twice is one message


@dataclass(frozen=True, kw_only=True)
class MessagesPage(ModerationPage):
    """The messages that wait."""

    template: ClassVar[str] = "moderation/messages.html"

    messages: Sequence[Any]


@router.get("/contact")
async def show_contact(visit: AnybodyVisit) -> Response:
    """Show how to reach the charity, with a form; once something urgent was sent, who helps at once."""
    return visit.show(_page(visit))


@router.post("/contact")
async def write_to_charity(visit: AnybodyForm) -> Response:
    """Keep a message to the charity."""
    try:
        wanted = visit.form.parse(ContactForm)
        draft = ContactDraft(wanted.text, wanted.email, address_of(visit.request), _key(wanted))
        sounds_urgent = await visit.act(contact.write_to_charity, draft)
    except ForumError as error:
        return visit.show(_page(visit.refusing(error)), 422)
    return visit.go("/contact", done="written-urgently" if sounds_urgent else "written")


@router.get("/moderation/messages")
async def show_messages(visit: MemberVisit) -> Response:
    """Show the messages to the charity that wait."""
    found = await visit.act(contact.list_messages)
    return visit.show(MessagesPage(title=visit.say(mark("Messages to us")), messages=found))


@router.post("/moderation/messages/{id}/settled")
async def settle_message(id: UUID, visit: MemberForm) -> Response:
    """Say that a message needs nobody any more."""
    await visit.act(contact.settle_message, id)
    return visit.go("/moderation/messages", done="message-settled")


def _page(visit: Visit) -> ContactPage:
    text = visit.text("contact")
    is_urgent = visit.query("done") == "written-urgently"
    return ContactPage(
        title=text.title,
        text=text,
        lines=visit.text("lines"),
        sounds_urgent=is_urgent,
        key=secrets.token_urlsafe(24),
        form=visit.form,
    )


def _key(wanted: ContactForm) -> str | None:
    """Return the key of what was sent. Other words on a page that Back brought are another message."""
    said = "\0".join((wanted.key, wanted.text, str(wanted.email)))
    return sha256(said.encode()).hexdigest() if len(wanted.key) >= KEY_LENGTH else None
