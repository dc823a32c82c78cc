"""The notice that readers see on an edited or removed post: "Edited by NAME as breaches rule 10"."""

from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.tables import Post, Visibility
from moderation import redaction
from moderation.measures.tables import TEXT_MEASURES, UNNAMED_MODERATOR, AppliedMeasure, Kind, MeasureContext


async def remove_moderator_name(session: AsyncSession, applied: AppliedMeasure, post: Post) -> None:
    """Let the notice of a measure name nobody: who took it has left. The caller holds the row of its post."""
    if applied.notice:
        by = applied.notice["by"]
        said = applied.notice["text"].replace(f"by {by}", f"by {UNNAMED_MODERATOR}", 1)
        applied.notice = {**applied.notice, "by": UNNAMED_MODERATOR, "text": said}
        await session.flush()
        await refresh_notice(session, post)


# What readers are told


def notice_of(verb: str, context: MeasureContext) -> dict[str, Any]:
    """Return the notice of a measure, whose text begins with `verb`: "Edited by Suzie as breaches rule 10"."""
    reason = f" as breaches {redaction.cited(context.rules)}" if context.rules else ""
    said = f"{verb} by {context.shown_name}{reason}"
    return {"kind": verb.lower(), "by": context.shown_name, "rules": sorted(context.rules), "text": said}


async def refresh_notice(session: AsyncSession, post: Post) -> None:
    """The notice of the newest measure that stands: of a removal while the post is removed, else of an edit."""
    kinds = (Kind.REMOVE,) if post.visibility == Visibility.REMOVED else TEXT_MEASURES
    standing = select(col(AppliedMeasure.notice)).where(
        col(AppliedMeasure.post_id) == post.id,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.kind).in_(kinds),
    )
    post.notice = (await session.execute(standing.order_by(col(AppliedMeasure.id).desc()).limit(1))).scalar()
    await session.flush()


async def has_another_removal(session: AsyncSession, applied: AppliedMeasure) -> bool:
    """Whether another removal of the same post stands."""
    other = exists().where(
        col(AppliedMeasure.post_id) == applied.post_id,
        col(AppliedMeasure.kind) == Kind.REMOVE,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.id) != applied.id,
    )
    return bool((await session.execute(select(other))).scalar_one())
