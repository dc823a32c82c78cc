"""What an adviser does with a thread: keep it, give it back, say that it needs no answer, leave a note."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import Field

from forum.advising import claims, notes
from forum.advising.notes import NoAnswer, NoAnswerReason, ThreadWithNotes
from forum.core.errors import Busy, ForumError
from forum.core.idempotency import MemberKey
from forum.http.fields import Id, Words
from forum.web.content.composer import FormNumber
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit, own_path

router = page_router()

NOTES_SHOWN = 20
REASONS: Mapping[NoAnswerReason, str] = {
    NoAnswerReason.THANKS: mark("It says thank you"),
    NoAnswerReason.ANSWERED_BY_MEMBER: mark("A member answered it well"),
    NoAnswerReason.OFF_TOPIC: mark("It is about something else"),
    NoAnswerReason.ELSEWHERE: mark("We answer somewhere else"),
}


class KeepForm(FormModel):
    """Which thread was on the screen."""

    version: FormNumber


class NoAnswerForm(FormModel):
    """Why a thread needs no answer."""

    version: FormNumber
    up_to: FormNumber
    reason: NoAnswerReason
    note: Annotated[Words, Field(max_length=notes.NOTE_MAX)] | None = None


class NoteForm(FormModel):
    """What other advisers should know."""

    text: Annotated[Words, Field(max_length=notes.NOTE_MAX)]


@dataclass(frozen=True, kw_only=True)
class AdvisedThreadPage(FormPage):
    """The notes on a thread, and the forms to leave one and to say that it needs no answer."""

    template: ClassVar[str] = "advising/thread.html"
    section: ClassVar[str] = "/advising"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    read: ThreadWithNotes
    reasons: list[tuple[str, str]]
    words: Mapping[str, str]  # of the reasons


@router.post("/advising/threads/{id}/claim")
async def claim_thread(id: Id, visit: MemberForm) -> Response:
    """Keep a thread that one wants to answer, and go back."""
    await visit.act(claims.claim, id, visit.form.parse(KeepForm).version)
    return visit.go(own_path(visit.form.values.get("back") or "/advising?lane=mine"), done="thread-kept")


@router.post("/advising/threads/{id}/release")
async def give_thread_back(id: Id, visit: MemberForm) -> Response:
    """Give a thread back, and go back."""
    await visit.act(claims.give_back, id)
    return visit.go(own_path(visit.form.values.get("back") or "/advising"), done="thread-given-back")


@router.get("/advising/threads/{id}")
async def show_advised_thread(id: Id, visit: MemberVisit) -> Response:
    """Show the notes on a thread."""
    return visit.show(await _page(visit, id))


@router.post("/advising/threads/{id}/no-answer")
async def need_no_answer(id: Id, visit: MemberForm) -> Response:
    """Say that a thread needs no answer, and go to the list."""
    try:
        wanted = visit.form.parse(NoAnswerForm)
        no_answer = NoAnswer(wanted.version, wanted.reason, wanted.note, wanted.up_to)
        await visit.act(notes.need_no_answer, id, no_answer)
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), id), 422)
    return visit.go("/advising", done="no-answer")


@router.post("/advising/threads/{id}/notes")
async def leave_note(id: Id, visit: MemberForm) -> Response:
    """Leave a note, and show it."""
    try:
        words = visit.form.parse(NoteForm).text
        await visit.act(notes.add_note, id, words, repeat=_repeat_of(visit, words))
    except Busy:
        pass  # the same words are being stored at this moment
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), id), 422)
    return visit.go(f"/advising/threads/{id}", done="adviser-note")


def _repeat_of(visit: Visit, words: str) -> MemberKey:
    """Return the key of a note: the same words after the same note on the screen are the same note."""
    digest = sha256(f"{visit.form.values.get('seen', '')}\0{words}".encode()).hexdigest()
    return MemberKey(visit.viewer.member_id, visit.request.url.path, digest, digest.encode())


async def _page(visit: Visit, thread_id: int) -> AdvisedThreadPage:
    read = await visit.act(notes.read_thread_with_notes, thread_id, visit.query("after") or None, NOTES_SHOWN)
    words = {str(reason): visit.say(said) for reason, said in REASONS.items()}
    title = visit.say("For advisers: “%(title)s”", title=read.thread.title)
    return AdvisedThreadPage(title=title, read=read, reasons=list(words.items()), words=words, form=visit.form)
