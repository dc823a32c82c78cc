"""What advisers have in the made-up community: a thread that one keeps, a note on it, and templates of answers."""

from datetime import timedelta

from sqlalchemy import select
from sqlmodel import col

from forum.advising import answer_templates, claims, notes
from forum.advising.answer_templates import TemplateWords
from forum.content.threads.tables import Thread
from forum.core.work import Work
from forum.demo.moderation import Cast

KEPT = "Plan says I can't be alone with the kids"
NOTE = "His next date is Friday. Please answer what happens with her shifts first; the rest can wait a day."
TEMPLATES = (
    TemplateWords(
        "Before a first child protection conference",
        """Hello {name},

A first conference is frightening, and it helps to know how it goes. You should get the report before the day: ask for \
it, read it with somebody, and write down what is right, what is wrong and what has changed since. You can bring \
somebody with you, and you can ask for a break.

This says more: {link:our page on child protection conferences}

Which day is it? Write here before it, if something in the report is not clear.""",
    ),
    TemplateWords(
        "Legal advice is needed",
        """Hello {name},

What you write about has a date in it after which things are hard to change, so please speak to a solicitor this week. \
Parents get legal aid in care proceedings, whatever they earn.

You find a solicitor for children law here: {link:the search for solicitors of the Law Society}

We can go on here on {board} with everything around it.""",
    ),
)


async def advise(work: Work, cast: Cast) -> None:
    """Leave a note on a thread, keep it, and write templates for answers."""
    for number, words in enumerate(TEMPLATES, 1):
        await answer_templates.add_template(work.at(work.now - timedelta(days=30 * number)), cast["suzie"], words)
    found = select(Thread).where(col(Thread.title).startswith(KEPT))
    thread = (await work.session.execute(found)).scalar_one()
    await notes.add_note(work.at(work.now - timedelta(hours=3)), cast["suzie"], thread.id, NOTE)
    await claims.claim(work, cast["marcus"], thread.id, thread.version)
