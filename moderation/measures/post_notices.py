"""The notice that readers see on an edited or removed post: "Edited by NAME as breaches rule 10"."""

from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.tables import Post, Visibility
from moderation import redaction
from moderation.measures.tables import TEXT_MEASURES, UNNAMED_MODERATOR, AppliedMeasure, MeasureContext, MeasureKind


async def remove_moderator_name(session: AsyncSession, applied: AppliedMeasure, post: Post) -> None:
    """Take the moderator's name, who has left, out of a notice. The caller has locked the row of the post."""
    if applied.notice:
        by = applied.notice["by"]
        text = applied.notice["text"].replace(f"by {by}", f"by {UNNAMED_MODERATOR}", 1)
        applied.notice = {**applied.notice, "by": UNNAMED_MODERATOR, "text": text}
        await session.flush()
        await refresh_notice(session, post)


def notice_of(verb: str, context: MeasureContext) -> dict[str, Any]:
    """Return the notice of a measure, whose text begins with `verb`: "Edited by Suzie as breaches rule 10"."""
    reason = f" as breaches {redaction.rules_in_words(context.rules)}" if context.rules else ""
    text = f"{verb} by {context.shown_name}{reason}"
    return {"kind": verb.lower(), "by": context.shown_name, "rules": sorted(context.rules), "text": text}


async def refresh_notice(session: AsyncSession, post: Post) -> None:
    """Give the post the notice of the newest measure in force: of a removal while it is removed, else of an edit."""
    kinds = (MeasureKind.REMOVE,) if post.visibility == Visibility.REMOVED else TEXT_MEASURES
    in_force = select(col(AppliedMeasure.notice)).where(
        col(AppliedMeasure.post_id) == post.id,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.kind).in_(kinds),
    )
    post.notice = (await session.execute(in_force.order_by(col(AppliedMeasure.id).desc()).limit(1))).scalar()
    await session.flush()


async def has_another_removal(session: AsyncSession, applied: AppliedMeasure) -> bool:
    """Whether another removal of the same post is in force."""
    other = exists().where(
        col(AppliedMeasure.post_id) == applied.post_id,
        col(AppliedMeasure.kind) == MeasureKind.REMOVE,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.id) != applied.id,
    )
    return bool((await session.execute(select(other))).scalar_one())
