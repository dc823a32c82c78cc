"""Cases over HTTP: the queue, one case on one screen, claims, notes, stepping back."""

from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from forum.api.content.posts import PostInThread, Revision, post_response
from forum.api.content.threads import TitleRevision
from forum.api.schemas import Author, Next, RequestBody, ResponseBody
from forum.content.posts.tables import Visibility
from forum.core.database import Record
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.fields import After, BoardSlug, Id, Identity, Limit, Moment, RevisionNumber, Uuid, Words
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentTransactions, CurrentWork, Route
from forum.members.tables import Standing
from moderation import case_actions, case_file, case_queue
from moderation.api.statements import Renaming
from moderation.case_file import AppealFile, CaseFile
from moderation.case_priority import HEAVY, Category
from moderation.case_queue import ClaimedBy, QueueSearch
from moderation.cases import CaseKind, CaseState
from moderation.findings import TextPart
from moderation.reports import Capacity, IllegalKind
from moderation.screening.finding import FindingKind, Level, SignEffect
from moderation.screening.watched_terms import TermKind

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)


class Claim(ResponseBody):
    """Who is working on a case, and until when."""

    by: Author
    until: Moment


class Case(ResponseBody):
    """A case in the queue."""

    id: Uuid
    kind: Literal["post", "posts", "member", "appeal"] = Field(
        description="`posts`: several of one author, decided together. `member`: about the member, without a post"
    )
    state: Literal["open", "decided"]
    category: Category
    is_heavy: bool = Field(description="Fold its words until somebody wants them", examples=[False])
    dangers: list[str] = Field(
        description="The kinds of acute danger that screening found, if it did", examples=[["attempt"]]
    )
    reports: int = Field(description="How many members reported it", examples=[2])
    version: int = Field(description="Send it with the decision: it says what was on your screen", examples=[1])
    board: str | None = Field(description="Its slug; null, as all of the post, without a post", examples=["new-here"])
    thread_id: Identity | None = Field(examples=[42])
    thread_title: str | None = Field(examples=["What happens at a first conference?"])
    post_id: Identity | None = Field(description="The post, or the first of several", examples=[4711])
    post_number: int | None = Field(examples=[7])
    post_revision: int | None = Field(description="Send it with the decision too", examples=[1])
    excerpt: str | None = Field(
        description="How the post begins, in Markdown; null without a post, or when its author withdrew it",
        examples=["Cheap loans for everybody!"],
    )
    title_revision: int | None = Field(
        description="Send it with the decision too. Null unless the post opens its thread", examples=[1]
    )
    author: Author = Field(description="Of the posts, or the member whom it is about")
    opened_at: Moment
    due_at: Moment
    decided_at: Moment | None
    claim: Claim | None

    @classmethod
    def of_case(cls, row: Record, **others: Any) -> Self:
        """Render what the queue shows of a case."""
        claim = Claim(by=Author.of(row, "claimant"), until=row.claimed_until) if row.claimant_handle else None
        return cls.of_row(
            row,
            board=row.board_slug,
            author=Author.of(row, "author"),
            claim=claim,
            is_heavy=row.category in HEAVY,
            **others,
        )


class CaseList(ResponseBody):
    """Cases: open ones worst first, decided ones with the newest decision first."""

    items: list[Case]
    next: Next


class CategoryCount(ResponseBody):
    """How many cases of a category there are."""

    category: Category
    cases: int = Field(examples=[3])
    late: int = Field(description="Of these, how many are open and should have been decided", examples=[1])


class CategoryCounts(ResponseBody):
    """The categories of which there are cases, the gravest first."""

    items: list[CategoryCount]
    next: None = Field(description="Always null: the list is whole")


class HeldPost(ResponseBody):
    """A post that a case is about, as it is now; for moderators also when it was removed."""

    id: Identity = Field(examples=[4711])
    thread_id: Identity = Field(examples=[42])
    thread_title: str = Field(examples=["What happens at a first conference?"])
    board: str = Field(description="Its slug", examples=["new-here"])
    number: int = Field(examples=[7])
    revision: int = Field(examples=[1])
    decided_revision: int | None = Field(description="That was decided on; null before that", examples=[1])
    visibility: Visibility
    content_warning: str | None = Field(examples=["self-harm"])
    body_markdown: str = Field(examples=["Cheap loans for everybody!"])
    created_at: Moment


class CaseReport(ResponseBody):
    """What somebody reported: for moderators only."""

    id: Uuid
    by: Author | None = Field(description="Null: it came without an account")
    capacity: Capacity | None = Field(description="Who somebody without an account is to it", examples=[None])
    illegal_kind: IllegalKind | None = Field(description="What offence they see in it", examples=[None])
    post_id: Identity | None = Field(description="Null, as its revision, where a name was reported", examples=[4711])
    revision: int | None = Field(description="The revision that they saw", examples=[1])
    title_revision: int | None = Field(
        description="The title that they saw. Null unless the post opens its thread", examples=[1]
    )
    category: Category
    rules: list[int] = Field(examples=[[10]])
    note: str = Field(examples=["She gives her address away, and he reads here."])
    reported_handle: str | None = Field(
        description="The handle that was reported, as it was; null once its member has another and nothing waits",
        examples=[None],
    )
    reported_name: str | None = Field(
        description="The display name that was reported, as it was. Null where a post was reported", examples=[None]
    )
    filed_at: Moment
    outcome: Literal["upheld", "dismissed"] | None


class HeldEdit(ResponseBody):
    """An edit, of the post or of its thread's title, that was held while the approved words stay."""

    post_id: Identity = Field(examples=[4711])
    state: Literal["waiting", "refused", "dropped"] = Field(
        description="`waiting`: publish it or refuse it. `dropped`: its author wrote something else since"
    )
    title: str | None = Field(description="Null where it is an edit of the body", examples=[None])
    body_markdown: str | None = Field(
        description="Null where it is an edit of the title", examples=["Hello all,\nI am new here, too."]
    )
    content_warning: str | None = Field(examples=[None])
    held_because: str = Field(examples=["A moderator reads it first."])
    written_at: Moment


class CaseNote(ResponseBody):
    """What a moderator tells the other moderators."""

    id: Uuid
    by: Author
    text: str = Field(examples=["I wrote to her: she is safe."])
    at: Moment


class CaseFinding(ResponseBody):
    """Something that screening found in the post or in an edit that waits, as a span of one of its texts."""

    kind: FindingKind
    recogniser: str = Field(description="What recognised it", examples=["telephone"])
    version: str = Field(description="Which version of it; empty where nobody noted it", examples=["1"])
    level: Level | None = Field(description="How near a danger is. Null for what is none", examples=["acute"])
    post_id: Identity | None = Field(description="In which post of the case. Null for the first", examples=[4711])
    part: TextPart = Field(description="The text of which this is a span")
    start: int = Field(validation_alias="starts", description="The first character, in code points", examples=[12])
    end: int = Field(validation_alias="ends", description="The character after the last", examples=[25])
    revision: int = Field(description="Of the post; of an edit that waits, the one that it would make", examples=[1])


class FoundTerm(ResponseBody):
    """A watched term that was found, in the version of that time."""

    id: Uuid = Field(description="The `recogniser` of the findings")
    version: int = Field(examples=[1])
    kind: TermKind
    text: str = Field(examples=["baby snatcher"])
    effect: SignEffect
    note: str = Field(examples=["Of the account that came back five times."])


class RefusedText(ResponseBody):
    """Words of acute danger that were refused: nothing of them is published."""

    kind: str = Field(
        description="What it was to be: `reply`, `thread`, `edit`, `title`, `answer` (in a talk) or `message` (to us)",
        examples=["reply"],
    )
    code: str = Field(description="Why it was refused", examples=["thread_locked"])
    text: str = Field(examples=["I've taken the tablets"])
    written_at: Moment


class CaseCall(ResponseBody):
    """That somebody was called to a case."""

    member: Author
    because: str = Field(
        description="`on_call`; `everybody`: nobody is on call; `nobody_answered`: after ten minutes, all others; "
        "`handed_over`; `overdue`",
        examples=["on_call"],
    )
    how: str = Field(description="`mail`: with a notification, and a mail without content", examples=["mail"])
    at: Moment
    acknowledged_at: Moment | None = Field(description="When they took the case")


class CaseComplaint(ResponseBody):
    """What a member complains of: a message that a moderator wrote to them in a talk."""

    id: Uuid
    by: Author
    message: str = Field(description="What the moderator wrote", examples=["You again."])
    text: str = Field(examples=["She laughs at me."])
    at: Moment


class AuthorRecord(ResponseBody):
    """What is known of the author of a post."""

    joined_at: Moment
    posts: int = Field(description="Posts that you may read", examples=[12])
    standing: Standing
    standing_until: Moment | None = Field(description="Null: it has no end, or the member is in good standing")
    measures: dict[str, int] = Field(description="Measures in force on your boards, by kind", examples=[{"warn": 1}])


class Permitted(ResponseBody):
    """Whether you may do something here, and why not."""

    act: str = Field(examples=["decide"])
    allowed: bool
    because: str | None = Field(description="Null when it is allowed", examples=["Orla is working on this case."])


class HeardAppeal(ResponseBody):
    """The appeal that a case of the kind `appeal` is about."""

    text: str = Field(examples=["I asked a question; I named nobody."])
    by_author: bool = Field(description="False: a reporter appeals against the dismissal of their report")
    decision_id: Uuid
    reason: str = Field(description="Of the decision that is appealed", examples=["You called her a name."])
    decided_by: str | None = Field(
        description="The name of whoever took that decision. Null: the old board did", examples=["Orla"]
    )
    hearers: Literal["moderator", "administrator", "nobody"] = Field(description="Who can decide it now")
    renamed: Renaming | None = Field(description="Which names that decision took; null when it took none")


class ReadyMessage(ResponseBody):
    """A message to begin from, to whoever cried for help. Change it to fit before you send it."""

    slug: str = Field(examples=["with-you"])
    title: str = Field(examples=["I am with you"])
    text: str = Field(examples=["I have read what you wrote, and I am with you in this."])


class FullCase(Case):
    """Everything that is needed to decide a case."""

    posts: list[HeldPost] = Field(description="All posts that it is about, oldest first")
    context: list[PostInThread] = Field(description="The post, or the first, with up to three before and after it")
    revisions: list[Revision] = Field(description="Of the post, or the first")
    titles: list[TitleRevision] = Field(description="All titles of the thread, where the post opens it")
    held_edits: list[HeldEdit] = Field(description="Edits that wait, and those that were refused or dropped")
    reported: list[CaseReport]
    findings: list[CaseFinding] = Field(description="What screening found in the present revision")
    terms: list[FoundTerm] = Field(description="The watched terms of these findings")
    copies: list[Identity] = Field(description="Posts that say the same, by their ids", examples=[[4711]])
    signals: list[str] = Field(
        description="What is known of the account of somebody who was new then: `throw_away_mail`, `joined_together`, "
        "`joined_from_one_network`",
        examples=[["throw_away_mail"]],
    )
    refused_texts: list[RefusedText] = Field(description="What the member wrote in danger that was refused")
    notes: list[CaseNote]
    calls: list[CaseCall] = Field(description="Who was called to it, oldest first")
    complaints: list[CaseComplaint] = Field(description="Of messages that the member wrote as a moderator")
    record: AuthorRecord
    permitted: list[Permitted]
    appeal: HeardAppeal | None
    deciders: Literal["moderator", "administrator", "nobody"] | None = Field(
        description="Who can decide it now. `nobody`: it waits until the charity names somebody; but whoever dismissed "
        "a case that an appeal opened again may decide it after all. Null: it is decided"
    )
    first_words: list[ReadyMessage] = Field(
        description="Messages to begin from, where somebody is in danger: they name who listens now"
    )


class NoteRequest(RequestBody):
    """What the other moderators should know."""

    text: Words = Field(min_length=1, max_length=5000, examples=["I wrote to her: she is safe."])


class TakeOver(RequestBody):
    """Why you take over a case that somebody else is working on."""

    reason: Words | None = Field(None, min_length=1, max_length=500, examples=["Orla fell ill."])


State = Annotated[
    CaseState, Query(description="Open cases come worst first, decided ones newest first", examples=["open"])
]
Claimed = Annotated[ClaimedBy | None, Query(description="That you, or nobody, is working on", examples=["me"])]


def _search(
    *,
    state: State = CaseState.OPEN,
    category: Annotated[Category | None, Query(description="Of this category only", examples=["spam"])] = None,
    board: Annotated[BoardSlug | None, Query(description="Of this board only", examples=["court"])] = None,
    claimed: Claimed = None,
    kind: Annotated[CaseKind | None, Query(description="Of this kind only", examples=["appeal"])] = None,
    waiting: Annotated[
        bool,
        Query(
            description="Only those that hold something back, the oldest first: the list of a morning", examples=[True]
        ),
    ] = False,
) -> QueueSearch:
    """Return which cases somebody looks for."""
    return QueueSearch(state, category, board, claimed, kind, waiting)


Search = Annotated[QueueSearch, Depends(_search)]


@router.get("/cases", response_model=CaseList, responses=documented(401, 403, 422))
async def list_cases(
    request: Request,
    viewer: CurrentMember,
    work: CurrentWork,
    search: Search,
    *,
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """List the open cases of your boards, worst first; administrators also see those that no moderator can decide."""
    page = await case_queue.list_cases(work, viewer, search, after, limit)
    body = CaseList(items=[Case.of_case(row) for row in page.rows], next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@router.get("/cases/counts", response_model=CategoryCounts, responses=documented(401, 403, 422))
async def count_cases(request: Request, viewer: CurrentMember, work: CurrentWork, search: Search) -> Response:
    """Count the cases that the same list would have, by category, and those that are late."""
    rows = await case_queue.count_cases(work, viewer, search)
    counts = CategoryCounts(items=[CategoryCount.model_validate(row) for row in rows], next=None)
    return cacheable_response(request, counts, shared=False)


@router.get("/cases/{id}", response_model=FullCase, responses=documented(401, 403, 404, 422))
async def get_case(request: Request, id: Uuid, viewer: CurrentMember, transactions: CurrentTransactions) -> Response:
    """Read everything that is needed to decide a case."""
    file = await case_file.get_case_file(transactions, viewer, id)
    return cacheable_response(request, _full_case(file), shared=False)


@router.get(
    "/cases/{id}/posts/{post_id}/revisions/{number}",
    response_model=Revision,
    responses=documented(401, 403, 404, 422),
)
async def read_sealed_revision_in_case(
    request: Request, id: Uuid, post_id: Id, number: RevisionNumber, *, viewer: CurrentMember, work: CurrentWork
) -> Response:
    """Read a revision with redacted words of a post that the case holds.

    For those who may decide the case, also where they moderate no board: whoever hears an appeal reads what it is
    about. That you read it is recorded.
    """
    row = await case_file.read_sealed_revision(work, viewer, id, post_id, number)
    return cacheable_response(request, Revision.model_validate(row), shared=False)


@router.get("/cases/{id}/titles/{number}", response_model=TitleRevision, responses=documented(401, 403, 404, 422))
async def read_sealed_title_in_case(
    request: Request, id: Uuid, number: RevisionNumber, viewer: CurrentMember, work: CurrentWork
) -> Response:
    """Read a title that a moderator took away, of the thread that the case's post opens.

    For those who may decide the case. That you read it is recorded.
    """
    row = await case_file.read_sealed_title(work, viewer, id, number)
    return cacheable_response(request, TitleRevision.model_validate(row), shared=False)


@router.put("/cases/{id}/claim", response_model=Claim, responses=documented(401, 403, 404, 409, 413, 422))
async def claim_case(id: Uuid, viewer: CurrentMember, work: CurrentWork, take_over: TakeOver | None = None) -> Response:
    """Claim a case for ten minutes, or renew your claim. With a reason, take it over from somebody else."""
    reason = take_over.reason if take_over else None
    until = await case_actions.claim(work, viewer, id, takeover_reason=reason)
    return json_response(Claim(by=Author.of_viewer(viewer), until=until))


@router.delete("/cases/{id}/claim", status_code=204, responses=documented(401, 403, 404, 422))
async def release_case(id: Uuid, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Release your claim. Idempotent."""
    await case_actions.release(work, viewer, id)
    return Response(status_code=204)


@router.put("/cases/{id}/recusal", status_code=204, responses=documented(401, 403, 404, 422))
async def recuse_from_case(id: Uuid, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Step back from a case for good, for instance because you know the author. Idempotent."""
    await case_actions.recuse(work, viewer, id)
    return Response(status_code=204)


@router.post(
    "/cases/{id}/notes", status_code=201, response_model=CaseNote, responses=documented(401, 403, 404, 409, 413, 422)
)
async def note_case(
    id: Uuid, wanted: NoteRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Write a note about a case for the other moderators. It renews your claim."""
    note = await case_actions.add_note(work, viewer, id, wanted.text, repeat=key.of(wanted))
    return json_response(CaseNote.of_row(note, by=Author.of_viewer(viewer)), 201)


def _full_case(file: CaseFile) -> FullCase:
    because = file.not_allowed_because.detail if file.not_allowed_because else None
    return FullCase.of_case(
        file.case,
        posts=[HeldPost.model_validate(row) for row in file.posts],
        context=[post_response(post) for post in file.context],
        revisions=[Revision.model_validate(row) for row in file.revisions],
        titles=[TitleRevision.model_validate(row) for row in file.titles],
        held_edits=[HeldEdit.model_validate(edit) for edit in file.held_edits],
        reported=list(map(report_response, file.reports)),
        findings=[CaseFinding.model_validate(row) for row in file.findings],
        copies=list(file.copies),
        signals=list(file.signals),
        terms=[FoundTerm.model_validate(row) for row in file.terms],
        refused_texts=[RefusedText.model_validate(row) for row in file.refused_texts],
        notes=[CaseNote.of_row(row, by=Author.of(row, "author")) for row in file.notes],
        calls=[CaseCall.of_row(row, member=Author.of(row, "called")) for row in file.calls],
        complaints=[CaseComplaint.of_row(row, by=Author.of(row, "member")) for row in file.complaints],
        record=AuthorRecord.model_validate(file.author),
        permitted=[Permitted(act=act, allowed=because is None, because=because) for act in file.acts],
        appeal=_appeal(file.appeal) if file.appeal else None,
        deciders=file.deciders,
        first_words=[ReadyMessage.model_validate(one) for one in file.first_words],
    )


def report_response(row: Any) -> CaseReport:
    """Return a report of a case as the API shows it."""
    return CaseReport.of_row(row, by=None if row.capacity else Author.of(row, "reporter"))


def _appeal(file: AppealFile) -> HeardAppeal:
    return HeardAppeal(
        text=file.appeal.text,
        by_author=file.appeal.statement_id is not None,
        decision_id=file.decision.id,
        reason=file.decision.reason,
        decided_by=file.decided_by,
        hearers=file.deciders,
        renamed=Renaming.model_validate(file.renamed) if file.renamed else None,
    )
