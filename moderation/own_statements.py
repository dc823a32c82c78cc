"""The author's side: the statements of reasons that a member received, with their appeals."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col

from forum.core.database import Record
from forum.core.errors import NotFound
from forum.core.work import Work
from forum.members.viewer import Viewer
from moderation import appeals, decisions, statements
from moderation.appeals import AppealState
from moderation.measures import renamings
from moderation.measures.renamings import Renaming
from moderation.statements import Statement

SHOWN_MAX = 100


@dataclass(frozen=True)
class OwnStatement:
    """A statement as its author sees it, with their appeal against it."""

    statement: Record
    post_ids: Sequence[int]
    renamed: Renaming | None
    appeal: AppealState | None
    can_appeal: bool
    from_old_board: bool  # which decided it


async def list_own_statements(work: Work, viewer: Viewer) -> Sequence[OwnStatement]:
    """Return the newest statements that the viewer received."""
    rows = (await work.session.execute(statements.select_received(viewer).limit(SHOWN_MAX))).all()
    return await _with_appeals(work, rows)


async def get_own_statement(work: Work, viewer: Viewer, statement_id: UUID) -> OwnStatement:
    """Return a statement that the viewer received. Raises NotFound for any other."""
    this = statements.select_received(viewer).where(col(Statement.id) == statement_id)
    row = (await work.session.execute(this)).one_or_none()
    if row is None:
        raise NotFound("There is no such statement.", code="statement_not_found")
    [own] = await _with_appeals(work, [row])
    return own


async def _with_appeals(work: Work, rows: Sequence[Record]) -> Sequence[OwnStatement]:
    decision_ids = [row.decision_id for row in rows]
    posts = await decisions.list_posts_of(work.session, decision_ids)
    renamed = await renamings.list_of(work.session, decision_ids)
    came = await decisions.list_from_old_board(work.session, decision_ids)
    found = []
    for row in rows:
        appeal = await appeals.get_for_statement(work.session, row.id)
        state = await appeals.state_of_appeal(work, appeal) if appeal else None
        can_appeal = state is None and work.now <= row.appeal_until
        taken = renamed.get(row.decision_id)
        from_old_board = row.decision_id in came
        found.append(OwnStatement(row, posts.get(row.decision_id, ()), taken, state, can_appeal, from_old_board))
    return found
