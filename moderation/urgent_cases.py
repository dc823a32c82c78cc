"""How many urgent cases wait for a moderator: for the first thing that they look at."""

from sqlmodel import col

from forum.core.work import Transactions
from forum.members.viewer import Viewer
from moderation.case_alerts import MAILED
from moderation.case_deciders import list_deciders_of, list_visible
from moderation.case_queue import ALL_CASES, sees_queue
from moderation.cases import Case, CaseState

COUNTED = 100  # counting stops here: more would tell nobody more

_URGENT = (
    ALL_CASES.where(col(Case.state) == CaseState.OPEN, col(Case.category).in_(MAILED))
    .with_only_columns(col(Case.id), maintain_column_froms=True)
    .order_by(col(Case.priority), col(Case.due_at))
    .limit(COUNTED)
)


async def count_urgent_cases(transactions: Transactions, viewer: Viewer) -> int | None:
    """Return how many open cases that cannot wait the viewer may decide, at most `COUNTED`.

    None for those who have no queue. A case about the viewer does not count, as it does not exist for them.
    """
    if viewer.id is None or not sees_queue(viewer):
        return None
    async with transactions.begin() as work:
        found = [row.id for row in await list_visible(work, viewer, _URGENT)]
        deciders = await list_deciders_of(work.session, found, work.now)
    return sum(any(decider.member_id == viewer.id for decider in line) for line in deciders.values())
