"""Statements of reasons over HTTP: what was decided about one's own words, and why."""

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.api.schemas import Identity, Moment, ResponseBody, Uuid
from forum.core.database import Record
from forum.core.errors import NotFound
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember
from forum.http.problems import documented
from forum.http.services import Route, WorkSession
from forum.members.viewer import Viewer
from moderation import appeals, statements
from moderation.statements import Statement as StatementRow

router = APIRouter(tags=["statements"], route_class=Route)


class MeasureTaken(ResponseBody):
    """What was done, and until when it holds."""

    kind: str = Field(examples=["redact"])
    until: Moment | None = Field(description="Null: for good, unless it is overturned")


class CitedRule(ResponseBody):
    """A rule, as it stood when the decision was taken."""

    number: int = Field(examples=[10])
    version: int = Field(examples=[1])
    title: str = Field(examples=["Respect other members and the professionals you mention"])
    text: str = Field(examples=["Disagree with what was said, never with who said it."])


class AppealState(ResponseBody):
    """How an appeal stands."""

    id: Uuid
    text: str = Field(description="Your words", examples=["I asked a question; I named nobody."])
    lodged_at: Moment
    outcome: Literal["uphold", "change", "overturn"] | None = Field(description="Null while it waits to be heard")
    message: str | None = Field(
        description="What the one who heard it says", examples=["You are right: nobody was named."]
    )
    heard_at: Moment | None
    hearers: Literal["moderator", "administrator", "nobody"] | None = Field(
        description="Who can hear it now; `nobody`: it waits until the charity names somebody"
    )


class Statement(ResponseBody):
    """What was decided about your words or your standing, and why: article 17 of the Digital Services Act."""

    id: Uuid
    post_id: Identity = Field(examples=[4711])
    measures: list[MeasureTaken]
    territory: Literal["the whole forum"] = "the whole forum"
    excerpts: list[str] = Field(description="Your words that it is about", examples=[["Ms Example is a witch"]])
    reason: str = Field(examples=["You called her a name. Say what she did instead."])
    rules: list[CitedRule]
    law: str | None = Field(description="For illegal content: the law", examples=[None])
    initiative: Literal["report", "hold", "moderator"] = Field(description="What led to it")
    automated_detection: bool
    automated_decision: bool
    issued_at: Moment
    appeal_until: Moment = Field(description="Until then you can appeal, free of charge, and somebody else decides")
    appeal_at: str = Field(description="Where to send the appeal", examples=["/api/v1/statements/0197…/appeal"])
    appeal: AppealState | None


class StatementList(ResponseBody):
    """What was decided about you, newest first."""

    items: list[Statement]
    next: None = Field(description="Always null: the newest hundred")


@router.get("/me/statements", response_model=StatementList, responses=documented(401, 422))
async def list_my_statements(request: Request, viewer: AnyMember, work: WorkSession) -> Response:
    """List the statements of reasons that you received. Open to suspended and banned members too."""
    rows = (await work.execute(statements.of_member(viewer).limit(100))).all()
    items = [await _shown(work, row) for row in rows]
    return cacheable_response(request, StatementList(items=items, next=None), shared=False)


@router.get("/statements/{id}", response_model=Statement, responses=documented(401, 404, 422))
async def get_statement(request: Request, id: Uuid, viewer: AnyMember, work: WorkSession) -> Response:
    """Read one statement that you received."""
    return cacheable_response(request, await _mine(work, viewer, id), shared=False)


async def appeal_state(session: AsyncSession, appeal: appeals.Appeal) -> AppealState:
    """How an appeal stands, for whoever appealed."""
    waits_for = None if appeal.outcome else await appeals.appeal_deciders(session, appeal)
    return AppealState(**appeal.model_dump(include=set(AppealState.model_fields)), hearers=waits_for)


async def _mine(session: AsyncSession, viewer: Viewer, statement_id: UUID) -> Statement:
    query = statements.of_member(viewer).where(col(StatementRow.id) == statement_id)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound("There is no such statement.")
    return await _shown(session, row)


async def _shown(session: AsyncSession, row: Record) -> Statement:
    appeal = await appeals.of_statement(session, row.id)
    state = await appeal_state(session, appeal) if appeal else None
    return Statement(**row._mapping, appeal_at=f"/api/v1/statements/{row.id}/appeal", appeal=state)
