"""Reads: the talks of a case, a member's own talks, and the messages of a talk."""

from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, case, func, literal, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.core.database import Query, columns, query
from forum.members.queries import named_columns
from forum.members.tables import Member, Persona
from forum.members.viewer import Viewer
from moderation.reports import Report
from moderation.talks.tables import Talk, TalkMessage

# What a cursor into talks or messages holds: the id of the last one of the page before.
BY_ID = TypeAdapter(tuple[UUID])

_Moderator = aliased(Member, name="moderator")

_LAST_AT = select(func.max(col(TalkMessage.at))).where(col(TalkMessage.talk_id) == col(Talk.id)).scalar_subquery()
_LENGTH = select(func.count()).where(col(TalkMessage.talk_id) == col(Talk.id)).scalar_subquery()
# An alias has its name in its own row, a member's own persona in the member's.
_TALKS = (
    query(
        *columns(Talk),
        _LAST_AT.label("last_at"),
        _LENGTH.label("messages"),
        col(Member.handle).label("member_handle"),
        func.coalesce(col(Member.name), col(Persona.name)).label("member_name"),
        col(Member.title).label("member_title"),
    )
    .join(Persona, col(Persona.id) == col(Talk.persona_id))
    .outerjoin(Member, col(Member.id) == col(Talk.persona_id))
)
_OWN_REPORT = (
    select(col(Report.id))
    .where(col(Report.case_id) == col(Talk.case_id), col(Report.reporter_id) == col(Talk.persona_id))
    .order_by(col(Report.id).desc())
    .limit(1)
    .scalar_subquery()
)
_OWN = query(
    col(Talk.id),
    col(Talk.side),
    col(Talk.opened_at),
    col(Talk.closed_at),
    _LAST_AT.label("last_at"),
    _LENGTH.label("messages"),
    _OWN_REPORT.label("report_id"),
)
_MESSAGES = (
    query(
        *columns(TalkMessage),
        *named_columns(_Moderator, "moderator"),
    )
    .outerjoin(_Moderator, col(_Moderator.id) == col(TalkMessage.moderator_id))
    .order_by(col(TalkMessage.id))
)
# What the member may know: the name of a moderator only where it was signed.
_MESSAGES_TO_MEMBER = (
    query(
        col(TalkMessage.id),
        col(TalkMessage.talk_id),
        col(TalkMessage.persona_id).is_not(None).label("mine"),
        case((col(TalkMessage.signed), col(_Moderator.name))).label("moderator"),
        col(TalkMessage.text),
        col(TalkMessage.at),
    )
    .join(Talk, col(Talk.id) == col(TalkMessage.talk_id))
    .outerjoin(_Moderator, col(_Moderator.id) == col(TalkMessage.moderator_id))
    .order_by(col(TalkMessage.talk_id), col(TalkMessage.id))
)


def is_with(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition, on Talk, that the viewer is the member of the talk, under any of their personas."""
    return col(Talk.persona_id) == any_(literal(list(viewer.personas), ARRAY(Uuid())))


def select_of_case(case_id: UUID, after: tuple[UUID] | None, limit: int) -> Query:
    """Return a select of the talks of a case, oldest first, with whom each is."""
    page = _TALKS.where(col(Talk.case_id) == case_id)
    if after:
        page = page.where(col(Talk.id) > after[0])
    return page.order_by(col(Talk.id)).limit(limit)


def select_own(viewer: Viewer, before: tuple[UUID] | None, limit: int) -> Query:
    """Return a select of the viewer's own talks, newest first. It says nothing of the case."""
    page = _OWN.where(is_with(viewer))
    if before:
        page = page.where(col(Talk.id) < before[0])
    return page.order_by(col(Talk.id).desc()).limit(limit)


def select_messages(talk_id: UUID, after: tuple[UUID] | None, limit: int) -> Query:
    """Return a select of the messages of a talk, oldest first, with the moderator who wrote each: for moderators."""
    page = _MESSAGES.where(col(TalkMessage.talk_id) == talk_id)
    if after:
        page = page.where(col(TalkMessage.id) > after[0])
    return page.limit(limit)


def select_message(message_id: UUID) -> Query:
    """Return a select of one message, with the moderator who wrote it: for moderators."""
    return _MESSAGES.where(col(TalkMessage.id) == message_id)


def select_messages_to(viewer: Viewer, talk_id: UUID, after: tuple[UUID] | None, limit: int) -> Query:
    """Return a select of the messages of the viewer's own talk, oldest first."""
    page = select_all_messages_to(viewer).where(col(TalkMessage.talk_id) == talk_id)
    if after:
        page = page.where(col(TalkMessage.id) > after[0])
    return page.limit(limit)


def select_all_messages_to(viewer: Viewer) -> Query:
    """Return a select of the messages of all the viewer's own talks."""
    return _MESSAGES_TO_MEMBER.where(is_with(viewer))
