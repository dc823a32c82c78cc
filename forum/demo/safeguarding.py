"""What the safeguarding lead of the made-up community wrote down: one concern, as the staff room tells of it."""

from datetime import timedelta

from sqlalchemy import select
from sqlmodel import col

from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core.work import Work
from forum.demo.moderation import Cast
from moderation.concerns import actions, raising
from moderation.concerns.actions import EntryDraft
from moderation.concerns.raising import ConcernBasis, ConcernDraft
from moderation.concerns.tables import Concern, Consent

THREAD = "Teenager keeps going missing and I'm the one on trial"
TEXT = (
    "Jonty's son is 14, missing nine times since the summer, with new trainers and a second phone. It reads as "
    "criminal exploitation, and nobody seems to have referred him for it."
)
AT_ONCE = "Rang the duty team of the children's services: they had the nine missing reports, and not the phone."
SINCE = (
    "The exploitation team has taken the referral and will see the boy with his father on Thursday. The father knows "
    "that we rang and is relieved."
)


async def look_after(work: Work, cast: Cast) -> None:
    """Raise a concern about a boy at risk, from his father's post, and write down what came of it."""
    priya, since = cast["priya"], work.at(work.now - timedelta(days=2))
    posts = select(col(Post.id)).join(Thread, col(Thread.id) == col(Post.thread_id))
    first = posts.where(col(Thread.title) == THREAD, col(Post.number) == 1)
    draft = ConcernDraft(
        TEXT,
        post_ids=[(await work.session.execute(first)).scalar_one()],
        assessment=ConcernBasis(Consent.GIVEN, "His father asked us to.", "A child's vital interests", AT_ONCE),
    )
    await raising.raise_concern(since, priya, draft)
    concern_id = (await work.session.execute(select(col(Concern.id)))).scalar_one()
    await actions.add_entry(work.at(work.now - timedelta(days=1)), priya, concern_id, EntryDraft(SINCE))
