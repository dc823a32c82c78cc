"""What a decision would come to: the statement as its author will read it, and the posts as readers will see them.

The decision is taken, and undone before it is stored: so a preview refuses what the decision would refuse, and shows
what it would do.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from forum.content.posts.queries import PostView, get_post_in_transaction
from forum.core.idempotency import Repeat
from forum.core.work import Transactions, Work
from forum.members.viewer import Viewer
from moderation import case_actions, case_file, member_posts, own_statements, redaction
from moderation.case_queue import get_workable_case
from moderation.decisions import Decided, DecisionInput
from moderation.measures.tables import MeasureInput, MeasureKind
from moderation.member_posts import SeenPost
from moderation.own_statements import OwnStatement


@dataclass(frozen=True)
class WordsToTakeOut:
    """What a moderator copied from a post, to be taken out; `everywhere` it stands, or where it stands once."""

    phrases: tuple[str, ...] = ()
    everywhere: bool = False


@dataclass(frozen=True)
class DecisionPreview:
    """What a decision would come to. No statement: nothing would be done against the author."""

    statement: OwnStatement | None
    posts: Sequence[PostView]


NO_WORDS_TO_TAKE_OUT = WordsToTakeOut()


class _Undone(Exception):
    """Ends the transaction of a preview."""


async def decide_by_words(
    work: Work,
    moderator: Viewer,
    case_id: UUID,
    wanted: DecisionInput,
    taken: WordsToTakeOut = NO_WORDS_TO_TAKE_OUT,
    *,
    repeat: Repeat | None = None,
) -> Decided:
    """Decide a case, where words to take out are given as somebody copied them.

    Raises as `case_actions.decide` does, and Invalid for words that the post does not have, or has several times.
    """
    await get_workable_case(work, moderator, case_id)
    wanted = await _with_spans(work, case_id, wanted, taken)
    return await case_actions.decide(work, moderator, case_id, wanted, repeat=repeat)


async def preview_decision(
    transactions: Transactions,
    moderator: Viewer,
    case_id: UUID,
    wanted: DecisionInput,
    taken: WordsToTakeOut = NO_WORDS_TO_TAKE_OUT,
) -> DecisionPreview:
    """Return what a decision would come to. Raises as the decision would."""

    async def decide(work: Work) -> Decided:
        return await decide_by_words(work, moderator, case_id, wanted, taken)

    return await _preview(transactions, moderator, decide)


async def preview_joint_decision(
    transactions: Transactions, moderator: Viewer, handle: str, seen: Sequence[SeenPost], wanted: DecisionInput
) -> DecisionPreview:
    """Return what a decision about many posts of a member would come to. Raises as the decision would."""

    async def decide(work: Work) -> Decided:
        return await member_posts.decide_together(work, moderator, handle, seen, wanted)

    return await _preview(transactions, moderator, decide)


async def _preview(
    transactions: Transactions, moderator: Viewer, decide: Callable[[Work], Awaitable[Decided]]
) -> DecisionPreview:
    found: DecisionPreview | None = None
    try:
        async with transactions.begin() as work:
            found = await _look(work, moderator, await decide(work))
            raise _Undone
    except _Undone:
        assert found is not None  # noqa: S101 - it was looked at before it was undone
        return found


async def _look(work: Work, moderator: Viewer, decided: Decided) -> DecisionPreview:
    held = case_file.select_held_posts(decided.decision.case_id)
    post_ids = [row.id for row in (await work.session.execute(held)).all()]
    posts = [await get_post_in_transaction(work.session, moderator, post_id) for post_id in post_ids]
    if decided.statement is None:
        return DecisionPreview(None, posts)
    author = Viewer(id=decided.statement.member_id)
    statement = await own_statements.get_own_statement(work, author, decided.statement.id)
    if statement.renamed and statement.renamed.handle_became:
        # The forum makes another one when it is decided.
        statement = replace(statement, renamed=statement.renamed._replace(handle_became=None))
    return DecisionPreview(statement, posts)


async def _with_spans(work: Work, case_id: UUID, wanted: DecisionInput, taken: WordsToTakeOut) -> DecisionInput:
    """Return the decision with the spans of the words that were copied. Where the post changed since, it refuses."""
    if not any(measure.kind == MeasureKind.REDACT for measure in wanted.measures):
        return wanted
    posts = (await work.session.execute(case_file.select_held_posts(case_id))).all()
    if len(posts) != 1 or posts[0].revision != (wanted.revision or posts[0].revision):
        return wanted
    post = posts[0]
    spans = redaction.spans_of_words(post.body_markdown, taken.phrases, everywhere=taken.everywhere)
    return replace(wanted, measures=tuple(_with(measure, tuple(spans)) for measure in wanted.measures))


def _with(measure: MeasureInput, spans: tuple[tuple[int, int], ...]) -> MeasureInput:
    return replace(measure, spans=spans) if measure.kind == MeasureKind.REDACT else measure
