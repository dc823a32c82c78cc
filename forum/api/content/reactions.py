"""Reactions over HTTP: react to a post, take it back, and see who reacted to your own post."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from forum.api.schemas import Author, Next, ResponseBody
from forum.content.reactions import actions
from forum.content.reactions.tables import ReactionKind
from forum.core.errors import NotFound
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import After, Id, Limit, Moment, Text
from forum.http.problems import documented
from forum.http.services import CurrentWork, Route

router = APIRouter(tags=["reactions"], route_class=Route)


class SentReaction(ResponseBody):
    """How somebody reacted to your post."""

    kind: ReactionKind = Field(description="Never `same_here`: who feels the same is told to nobody")
    author: Author
    reacted_at: Moment

    @classmethod
    def of_sender(cls, row: Any) -> "SentReaction":
        """Return the reaction of a row."""
        return cls(kind=row.kind, author=Author.of(row, "author"), reacted_at=row.reacted_at)


class SentReactionList(ResponseBody):
    """A page of reactions, the newest first."""

    items: list[SentReaction]
    next: Next


# A text and no enumeration: what the forum does not have is not found.
_Kind = Annotated[
    Text,
    Path(
        description="How to react: see `reaction_kinds` of the thread for you",
        examples=["thank"],
        max_length=20,
        json_schema_extra={"enum": list(ReactionKind)},
    ),
]


@router.put("/posts/{id}/reactions/{kind}", status_code=204, responses=documented(401, 403, 404, 422, 429))
async def react(id: Id, kind: _Kind, viewer: CurrentMember, work: CurrentWork) -> Response:
    """React to somebody else's post. Idempotent. Readers see how many did so, and its author also who.

    Nobody sees who said `same_here`.
    """
    await actions.react(work, viewer, id, _kind(kind))
    return Response(status_code=204)


@router.delete("/posts/{id}/reactions/{kind}", status_code=204, responses=documented(401, 403, 404, 422))
async def take_reaction_back(id: Id, kind: _Kind, viewer: AnyMember, work: CurrentWork) -> Response:
    """Take your reaction back, also where you no longer see the post. Idempotent."""
    await actions.take_back(work, viewer, id, _kind(kind))
    return Response(status_code=204)


@router.get("/posts/{id}/reactions", response_model=SentReactionList, responses=documented(401, 403, 404, 422))
async def list_reactions(
    request: Request, id: Id, viewer: CurrentMember, work: CurrentWork, *, limit: Limit = 20, after: After = None
) -> Response:
    """See who reacted to your own post, the newest first. Nobody is told who said `same_here`."""
    page = await actions.list_senders(work, viewer, id, after, limit)
    body = SentReactionList(items=[SentReaction.of_sender(row) for row in page.rows], next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


def _kind(text: str) -> ReactionKind:
    if text not in set(ReactionKind):
        raise NotFound("This forum has no such reaction.", code="reaction_not_found")
    return ReactionKind(text)
