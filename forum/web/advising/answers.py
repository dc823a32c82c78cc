"""The button by which whoever opened a thread says that they have what they need."""

from fastapi import Response

from forum.advising import answers
from forum.http.fields import Id
from forum.web.routing import page_router
from forum.web.visits import OwnForm

router = page_router()


@router.post("/threads/{id}/answered")
async def mark_answered(id: Id, visit: OwnForm) -> Response:
    """Let one's own thread wait for nobody, and go back to it."""
    await visit.act(answers.mark_answered, id)
    return visit.go(f"/threads/{id}", done="helped")
