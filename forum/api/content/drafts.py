"""Drafts over HTTP: what you began to write, kept for a week."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BeforeValidator, Field

from forum.api.schemas import RequestBody, ResponseBody
from forum.content import drafts
from forum.content.drafts import DraftWords, Saving
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import Asks, Id, Identity, Moment, Number, Slug, Text, numeric
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Now, Reading, Route

router = APIRouter(tags=["drafts"], route_class=Route)

Version = Annotated[
    int,
    Field(
        ge=0,
        lt=2**31,
        description="The `version` of the draft that was on the screen; 0 where there was none",
        examples=[0],
    ),
    BeforeValidator(numeric),
]


class DraftRequest(RequestBody):
    """What was typed so far; none of it needs to be acceptable yet."""

    version: Version
    body_markdown: Text = Field(
        max_length=drafts.LONGEST_BODY, description="Longer than a post may be, too", examples=["Hello all,\nI am"]
    )
    content_warning: Text | None = Field(None, max_length=drafts.LONGEST_LINE, examples=["about loss"])


class ReplyDraftRequest(DraftRequest):
    """A reply that is not sent yet."""

    reply_to: Number | None = Field(None, description="The number of a post in this thread", examples=[1])
    asks: Asks = None


class ThreadDraftRequest(DraftRequest):
    """A new thread that is not sent yet."""

    title: Text | None = Field(None, max_length=drafts.LONGEST_LINE, examples=["What happens at a"])
    asks: Asks = None


class EditDraftRequest(DraftRequest):
    """An edit that is not sent yet."""

    revision: Number = Field(description="The `revision` of the post that was on the screen", examples=[1])


class SavedDraft(ResponseBody):
    """What you began to write at one place."""

    version: int = Field(description="Send it with the next change, so that you lose no words", examples=[1])
    title: str | None = Field(description="Of a new thread", examples=[None])
    body_markdown: str = Field(examples=["Hello all,\nI am"])
    content_warning: str | None = Field(examples=[None])
    reply_to: int | None = Field(examples=[None])
    asks: bool | None = Field(description="Whether you said that it asks something", examples=[None])
    revision: int | None = Field(description="Of an edit: the revision of the post that it began with", examples=[None])
    other_words: str | None = Field(
        description="Other words that you kept here at the same time, perhaps on another device", examples=[None]
    )
    saved_at: Moment
    expires_at: Moment = Field(description="Then it is deleted, unless you go on with it")


class ListedDraft(SavedDraft):
    """A draft, with its place."""

    kind: Literal["thread", "board", "post"] = Field(
        description="`thread`: a reply in it. `board`: a new thread on it. `post`: an edit of it"
    )
    thread_id: Identity | None = Field(description="Null for a new thread", examples=[42])
    post_id: Identity | None = Field(description="Null unless it is an edit", examples=[None])
    board: str | None = Field(examples=["court"])
    place_title: str | None = Field(
        description="Of the thread or the board. Null where you can no longer see it",
        examples=["What happens at a first conference?"],
    )


class DraftList(ResponseBody):
    """All your drafts, the newest first."""

    items: list[ListedDraft]
    next: None = Field(description=f"Always null: there are at most {drafts.MOST}")


@router.get("/me/drafts", response_model=DraftList, responses=documented(401, 422))
async def list_drafts(request: Request, viewer: AnyMember, reading: Reading, now: Now) -> Response:
    """List what you began to write. Nobody else can read it."""
    rows = await drafts.list_drafts(reading, viewer, now)
    return cacheable_response(request, DraftList(items=list(map(_listed, rows)), next=None), shared=False)


KEPT = documented(401, 403, 404, 409, 413, 422)


@router.put("/me/drafts/threads/{id}", response_model=SavedDraft, responses=KEPT)
async def keep_reply(id: Id, draft: ReplyDraftRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Keep a reply for later, for a week. It goes when you reply in the thread.

    Where another device kept other words meanwhile, the answer is 409 with these in `draft`.
    """
    words = DraftWords(draft.body_markdown, None, draft.content_warning, draft.reply_to, asks=draft.asks)
    return _saved(await drafts.save_reply(work, viewer, id, Saving(words, draft.version)))


@router.put("/me/drafts/boards/{slug}", response_model=SavedDraft, responses=KEPT)
async def keep_thread(slug: Slug, draft: ThreadDraftRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Keep a new thread for later, for a week. It goes when you open a thread on the board.

    Where another device kept other words meanwhile, the answer is 409 with these in `draft`.
    """
    words = DraftWords(draft.body_markdown, draft.title, draft.content_warning, asks=draft.asks)
    return _saved(await drafts.save_thread(work, viewer, slug, Saving(words, draft.version)))


@router.put("/me/drafts/posts/{id}", response_model=SavedDraft, responses=KEPT)
async def keep_edit(id: Id, draft: EditDraftRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Keep an edit of your own post for later, for a week. It goes when you edit the post.

    Where another device kept other words meanwhile, the answer is 409 with these in `draft`.
    """
    words = DraftWords(draft.body_markdown, None, draft.content_warning, None, draft.revision)
    return _saved(await drafts.save_edit(work, viewer, id, Saving(words, draft.version)))


@router.delete("/me/drafts/threads/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def delete_reply_draft(id: Id, viewer: AnyMember, work: CurrentWork) -> Response:
    """Delete the draft of a reply. Idempotent."""
    await drafts.delete_reply(work, viewer, id)
    return Response(status_code=204)


@router.delete("/me/drafts/boards/{slug}", status_code=204, responses=documented(401, 403, 404, 422))
async def delete_thread_draft(slug: Slug, viewer: AnyMember, work: CurrentWork) -> Response:
    """Delete the draft of a new thread. Idempotent."""
    await drafts.delete_thread(work, viewer, slug)
    return Response(status_code=204)


@router.delete("/me/drafts/posts/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def delete_edit_draft(id: Id, viewer: AnyMember, work: CurrentWork) -> Response:
    """Delete the draft of an edit. Idempotent."""
    await drafts.delete_edit(work, viewer, id)
    return Response(status_code=204)


def draft_of(row: Any) -> SavedDraft:
    """Return a draft as the API gives it."""
    return SavedDraft.of_row(row, expires_at=row.saved_at + drafts.KEPT_FOR)


def _saved(draft: Any) -> Response:
    return json_response(draft_of(draft))


def _listed(row: Any) -> ListedDraft:
    post_id = row.place_id if row.kind == drafts.PlaceKind.POST else None
    return ListedDraft.of_row(row, expires_at=row.saved_at + drafts.KEPT_FOR, post_id=post_id)
