"""What advisers have under way in the made-up community: one keeps a thread, and another left them a note on it."""

from datetime import timedelta

from sqlalchemy import select
from sqlmodel import col

from forum.advising import claims, notes
from forum.content.threads.tables import Thread
from forum.core.work import Work
from forum.demo.moderation import Cast

KEPT = "Plan says I can't be alone with the kids"
NOTE = "His next date is Friday. Please answer what happens with her shifts first; the rest can wait a day."


async def advise(work: Work, cast: Cast) -> None:
    """Leave a note on a thread, and keep it."""
    found = select(Thread).where(col(Thread.title).startswith(KEPT))
    thread = (await work.session.execute(found)).scalar_one()
    await notes.add_note(work.at(work.now - timedelta(hours=3)), cast["suzie"], thread.id, NOTE)
    await claims.claim(work, cast["marcus"], thread.id, thread.version)
