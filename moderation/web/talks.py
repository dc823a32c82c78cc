"""Writing to a member about a case, from its page."""

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Response
from pydantic import Field

from forum.core.errors import Busy, ForumError, NotFound
from forum.http.fields import Uuid, Words
from forum.web.forms import FormModel
from forum.web.routing import page_router
from forum.web.visits import MemberForm, Visit
from moderation.talks import actions
from moderation.talks.actions import MessageToMember
from moderation.talks.tables import MESSAGE_MAX
from moderation.web.cases import MESSAGE, case_page, go_on
from moderation.web.pages import repeat_of

router = page_router()


class MessageForm(FormModel):
    """What a moderator writes to a member."""

    message: Annotated[Words, Field(min_length=1, max_length=MESSAGE_MAX)]
    signed: Literal["yes"] | None = None
    report_id: Uuid | None = None


class TalkForm(FormModel):
    """On which page the talk stands."""

    case: Uuid


@router.post("/moderation/cases/{id}/talks")
async def write_to_member(id: Uuid, visit: MemberForm) -> Response:
    """Write to the member whom a case is about, or to who reported."""
    done = "message-sent"
    try:
        wanted = visit.form.parse(MessageForm)
        message = MessageToMember(wanted.message, wanted.signed is not None, wanted.report_id)
        await visit.act(actions.write_to_member, id, message, repeat=repeat_of(visit))
    except Busy:
        done = "sending"
    except ForumError as error:
        visit = visit.refusing(error)
    return await go_on(visit, id, done=done, but=MESSAGE, place="#talks")


@router.post("/moderation/cases/{id}/first-words")
async def use_first_words(id: Uuid, visit: MemberForm) -> Response:
    """Show the case again with words of the charity below the message that was written."""
    page = await case_page(visit, id)
    chosen = visit.form.values.get("first_words")
    texts = [one.text for one in page.screen.file.first_words if one.slug == chosen]
    message = "\n\n".join(filter(None, [visit.form.values.get("message"), *texts]))
    return visit.show(replace(page, form=visit.form.with_values(message=message)))


@router.post("/moderation/talks/{id}/close")
async def close_talk(id: Uuid, visit: MemberForm) -> Response:
    """Close a talk: both sides can still read it."""
    await visit.act(actions.close_talk, id)
    return await go_on(visit, _case_of(visit), done="talk-closed", but=(), place="#talks")


@router.post("/moderation/talks/{id}/reopen")
async def reopen_talk(id: Uuid, visit: MemberForm) -> Response:
    """Open a closed talk again."""
    await visit.act(actions.reopen_talk, id)
    return await go_on(visit, _case_of(visit), done="talk-opened", but=(), place="#talks")


def _case_of(visit: Visit) -> UUID:
    try:
        return visit.form.parse(TalkForm).case
    except ForumError:
        raise NotFound("There is no such case.", code="case_not_found") from None
