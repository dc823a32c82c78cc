"""What advisers have in the made-up community: a thread that one keeps, a note on it, and templates of answers.

And they wrote down who helps elsewhere. None of these places exists: the numbers are of those kept for drama.
"""

from datetime import timedelta

from sqlalchemy import select
from sqlmodel import col

from forum.advising import answer_templates, claims, notes
from forum.advising.answer_templates import TemplateWords
from forum.content.resources import actions as resources
from forum.content.resources.actions import ResourceWish
from forum.content.resources.tables import ResourceState
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
ADVICE_LINE = ResourceWish(
    "Kitchen Table advice line",
    "Free advice about social services and family court, from people who do nothing else.",
    telephone="0808 157 0123",
    hours="Weekdays 9.30 to 3",
    url="https://www.example.org/advice",
    tags=("children's services", "court"),
)
AT_HOME = ResourceWish(
    "Safe at Home",
    "If you are frightened of somebody at home. They help women and men, and plan with you what is safe.",
    telephone="0808 157 0456",
    text_number="07700 900456",
    hours="Day and night; texts until 10 in the evening",
    tags=("abuse at home",),
)
ELSEWHERE = (
    ADVICE_LINE,
    AT_HOME,
    ResourceWish(
        "Grandparents and Kin",
        "Groups of relatives who bring up a child, in many towns and on the telephone.",
        telephone="01632 960 123, then press 2",
        hours="Weekdays 10 to 4",
        url="https://www.example.org/kin",
        region="England",
        tags=("kinship care",),
    ),
    ResourceWish(
        "Llinell Teulu",
        "Cyngor am ddim yn Gymraeg ac yn Saesneg. Free advice in Welsh and English.",
        telephone="01632 960 456",
        region="Wales",
        tags=("children's services", "kinship care"),
    ),
    ResourceWish(
        "Court Company",
        "Somebody who comes to court with you and sits beside you. They give no advice on the law.",
        url="https://www.example.org/company",
        region="Wales",
        tags=("court",),
        state=ResourceState.DOUBTFUL,
    ),
)


async def advise(work: Work, cast: Cast) -> None:
    """Leave a note on a thread, keep it, write templates of answers, and say who helps elsewhere."""
    for number, words in enumerate(TEMPLATES, 1):
        await answer_templates.add_template(work.at(work.now - timedelta(days=30 * number)), cast["suzie"], words)
    found = select(Thread).where(col(Thread.title).startswith(KEPT))
    thread = (await work.session.execute(found)).scalar_one()
    await notes.add_note(work.at(work.now - timedelta(hours=3)), cast["suzie"], thread.id, NOTE)
    await claims.claim(work, cast["marcus"], thread.id, thread.version)
    earlier = work.at(work.now - timedelta(days=9))
    made = {wish: await resources.add_resource(earlier, cast["marcus"], wish) for wish in ELSEWHERE}
    for wish in (ADVICE_LINE, AT_HOME):
        await resources.attach_to_board(earlier, cast["marcus"], "child-protection", made[wish].id)
    await resources.attach_to_thread(work, cast["suzie"], thread.id, made[ADVICE_LINE].id)
