"""Statements of reasons over HTTP: what was decided about a member's words or standing, and why."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember
from forum.http.fields import Identity, Moment, Uuid
from forum.http.problems import documented
from forum.http.services import CurrentWork, Route
from moderation import appeals, own_statements
from moderation.own_statements import OwnStatement

router = APIRouter(tags=["statements"], route_class=Route)


class MeasureTaken(ResponseBody):
    """A measure, and until when it holds."""

    kind: str = Field(examples=["redact"])
    until: Moment | None = Field(description="Null: it has no end, unless an appeal overturns it")


class Renaming(ResponseBody):
    """Which names a decision took, and which it gave instead. Null: it left that name alone, or the member has left."""

    name_was: str | None = Field(examples=["Jamie Smith's mum"])
    name_became: str | None = Field(examples=["A swift"])
    handle_was: str | None = Field(examples=["jamie-smiths-mum"])
    handle_became: str | None = Field(examples=["member-8f3k"])


class CitedRule(ResponseBody):
    """A rule, as it stood when the decision was taken."""

    number: int = Field(examples=[10])
    version: int = Field(examples=[1])
    title: str = Field(examples=["Respect other members and the professionals you mention"])
    text: str = Field(examples=["Disagree with what was said, never with who said it."])


class AppealState(ResponseBody):
    """An appeal, and what came of it."""

    id: Uuid
    text: str = Field(description="Your words", examples=["I asked a question; I named nobody."])
    lodged_at: Moment
    outcome: Literal["uphold", "change", "overturn"] | None = Field(description="Null until it is decided")
    message: str | None = Field(
        description="What whoever decided it says", examples=["You are right: nobody was named."]
    )
    heard_at: Moment | None
    hearers: Literal["moderator", "administrator", "nobody"] | None = Field(
        description="Who can decide it now. `nobody`: it waits until the charity names somebody. Null when decided"
    )

    @classmethod
    def of(cls, state: appeals.AppealState) -> "AppealState":
        """Render an appeal."""
        return cls.of_row(state.appeal, hearers=state.deciders)


class Statement(ResponseBody):
    """What was decided about your words or your standing, and why: article 17 of the Digital Services Act."""

    id: Uuid
    post_id: Identity | None = Field(
        description="The post, or the first of several; null when it is about no post", examples=[4711]
    )
    post_ids: list[Identity] = Field(description="All the posts that it is about", examples=[[4711]])
    measures: list[MeasureTaken]
    territory: Literal["the whole forum"] = "the whole forum"
    excerpts: list[str] = Field(description="The words of yours that it is about", examples=[["Ms Example is a witch"]])
    renamed: Renaming | None = Field(description="Which names of yours it took; null when it took none")
    reason: str = Field(examples=["You called her a name. Say what she did instead."])
    rules: list[CitedRule]
    law: str | None = Field(description="For illegal content: the law", examples=[None])
    initiative: Literal["report", "hold", "moderator"] = Field(description="What led to it")
    automated_detection: bool
    automated_decision: bool
    from_old_board: bool = Field(description="Whether the old board decided it")
    issued_at: Moment
    appeal_until: Moment = Field(description="Until then you can appeal, free of charge, and somebody else decides")
    appeal_at: str = Field(description="Where to send the appeal", examples=["/api/v1/statements/0197…/appeal"])
    appeal: AppealState | None

    @classmethod
    def of(cls, own: OwnStatement) -> "Statement":
        """Render a statement."""
        appeal = AppealState.of(own.appeal) if own.appeal else None
        address = f"/api/v1/statements/{own.statement.id}/appeal"
        renamed = Renaming.model_validate(own.renamed) if own.renamed else None
        row = own.statement._mapping
        more = {"post_ids": own.post_ids, "renamed": renamed, "from_old_board": own.from_old_board}
        return cls(**row, **more, appeal_at=address, appeal=appeal)


class StatementList(ResponseBody):
    """What was decided about you, newest first."""

    items: list[Statement]
    next: None = Field(description="Always null: the list is the newest hundred")


@router.get("/me/statements", response_model=StatementList, responses=documented(401, 422))
async def list_my_statements(request: Request, viewer: AnyMember, work: CurrentWork) -> Response:
    """List the statements of reasons that you received. Suspended and banned members may read theirs too."""
    found = await own_statements.list_own_statements(work, viewer)
    items = [Statement.of(own) for own in found]
    return cacheable_response(request, StatementList(items=items, next=None), shared=False)


@router.get("/statements/{id}", response_model=Statement, responses=documented(401, 404, 422))
async def get_statement(request: Request, id: Uuid, viewer: AnyMember, work: CurrentWork) -> Response:
    """Read one statement that you received."""
    own = await own_statements.get_own_statement(work, viewer, id)
    return cacheable_response(request, Statement.of(own), shared=False)
