"""The page of notes from shift to shift."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import Field

from forum.core.errors import Busy, ForumError
from forum.http.fields import BoardSlug, Words
from forum.web.forms import FormModel
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import handover
from moderation.handover import Handover
from moderation.web.pages import ModerationPage, repeat_of, status_of

router = page_router()

PATH = "/moderation/handover"


class LeaveNoteForm(FormModel):
    """What the next shift should know."""

    board: BoardSlug
    text: Annotated[Words, Field(min_length=1, max_length=handover.NOTE_MAX)]


@dataclass(frozen=True, kw_only=True)
class HandoverPage(ModerationPage):
    """The notes on a board, newest first, and the form to leave one."""

    template: ClassVar[str] = "moderation/handover.html"

    reading: Handover

    @property
    def board_choices(self) -> list[tuple[str, str]]:
        """The boards to choose from."""
        return [(board.slug, board.name) for board in self.reading.boards]


@router.get(PATH)
async def show_handover(visit: MemberVisit) -> Response:
    """Show what earlier shifts left for the next one."""
    return visit.show(await _page(visit, visit.query("board") or None))


@router.post(PATH)
async def leave_note(visit: MemberForm) -> Response:
    """Leave a note for the next shift."""
    board = visit.form.values.get("board") or None
    try:
        wanted = visit.form.parse(LeaveNoteForm)
        await visit.act(handover.add_note, wanted.board, wanted.text, repeat=repeat_of(visit))
    except Busy:
        pass  # the same words are being stored at this moment
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), board), status_of(error))
    return visit.go(f"{PATH}?board={board}", done="note-kept")


async def _page(visit: Visit, slug: str | None) -> HandoverPage:
    reading = await visit.act(handover.read_handover, slug, visit.query("after") or None)
    return HandoverPage(title=visit.say("Notes from shift to shift"), reading=reading, form=visit.form)
