"""Measures that change words: what they take out of the posts of a thread, and how it comes back, in any order.

A post says what its author wrote last, without what the measures that stand took out of it since, one after the
other. So each of them remembers of each post from which revision on it counts and in which one the post says what
it made of it; and of what it took, positions only: words may have to be erased one day.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.revisions import (
    get_words,
    list_other_posts_with,
    lock_post_row,
    replace_body_by_moderator,
    seal_revisions,
    unseal_revisions,
)
from forum.content.posts.tables import WARNING_MAX, Post
from forum.core.errors import Conflict
from moderation import redaction
from moderation.measures.tables import TEXT_MEASURES, AppliedMeasure, Kind, MeasureContext, MeasureInput, UndoData
from moderation.redaction import MaskedText, Removal, Span

SHORTEST_LINE = 12  # characters that tell a repetition of what was removed from chance
BODY, WARNING = PARTS = ("body", "warning")  # an author may write one of them anew and leave the other

Words = tuple[str, str | None]
Touch = tuple[AppliedMeasure, UndoData]  # a measure, and what it changed in one post


@dataclass(frozen=True)
class BaseText:
    """What a post says, and whose words these are: the revisions that have them whole."""

    own: Sequence[int]  # the author's, of the body and of the warning
    whole: int  # of the body: the author's, or a moderator's if they were edited since
    masked: MaskedText


# Verbs


async def edit(session: AsyncSession, context: MeasureContext, wanted: MeasureInput) -> UndoData:
    """Let a post say what a moderator wrote; under a rule, what is gone from it goes wherever others repeat it."""
    says = wanted.body_markdown or ""
    standing = await _standing(session, context.post.thread_id)
    base = await _base_text(session, context.post, standing)
    spans = redaction.replaced(context.post.body_markdown, says) if context.rules else []
    memory = _undo_data(context, base, spans) | {"wrote": context.post.revision + 1}
    if not context.rules:  # a correction, not a breach
        words = (says, context.post.content_warning)
        await replace_body_by_moderator(session, context.moderator, context.post, *words, context.now, sealed=False)
        return memory | {"changes": [_change(context.post, base, [])]}
    removal = await _taken(session, context.post.id, Kind.EDIT, memory)
    return memory | {"changes": await _rewrite_post(session, context, base, says, removal, standing)}


async def redact(session: AsyncSession, context: MeasureContext, wanted: MeasureInput) -> UndoData:
    """Mark spans of a post, and the same words wherever others repeat them."""
    standing = await _standing(session, context.post.thread_id)
    base = await _base_text(session, context.post, standing)
    memory = _undo_data(context, base, wanted.spans)
    removal = await _taken(session, context.post.id, Kind.REDACT, memory)
    says = base.masked.without(base.masked.from_original(memory["spans"][-1][1]), removal.mark).text
    return memory | {"changes": await _rewrite_post(session, context, base, says, removal, standing)}


async def redact_repeats(session: AsyncSession, context: MeasureContext) -> UndoData:
    """Mark the words of a removed post wherever others repeat them."""
    standing = await _standing(session, context.post.thread_id)
    base = await _base_text(session, context.post, standing)
    memory = _undo_data(context, base, redaction.own_lines(context.post.body_markdown))
    removal = await _taken(session, context.post.id, Kind.REMOVE, memory)
    return memory | {"changes": await _redact_in_other_posts(session, context, removal, standing)}


async def restore(session: AsyncSession, context: MeasureContext, applied: AppliedMeasure) -> None:
    """Let every post say what it would without this measure; what no other one hides is open again.

    Words that their author wrote since stay. Raises Conflict where a later measure rests on one that did not keep
    what it took.
    """
    standing = await _standing(session, applied.thread_id)
    for change in applied.memory["changes"]:
        post = await lock_post_row(session, change["post_id"])
        others = _on(post, standing)
        retold: dict[str, Any] = {}
        for part in PARTS:
            if own := await _still_told(session, post, part, change, others):
                retold[part] = await _retold(session, post, part, own, others)
        words = (retold.get(BODY, post.body_markdown), retold.get(WARNING, post.content_warning))
        if words != _says(post):
            await replace_body_by_moderator(session, context.moderator, post, *words, context.now, sealed=False)
        _update_references(others, [part for part in retold if part in change], change, post.revision)
        hidden = {number for _, other in others for number in other["sealed"]}
        await unseal_revisions(session, post, sorted(set(change["sealed"]) - hidden))


# What is kept


def _undo_data(context: MeasureContext, base: BaseText, spans: Sequence[Span]) -> UndoData:
    """What a measure took: spans of the words it was decided on and, last, of the whole ones."""
    seen, whole = context.post.revision, base.whole
    spans = redaction.checked(base.masked.text, spans)
    kept = [[seen, spans]] if seen != whole else []
    return {"mark": redaction.marker(context.rules), "spans": [*kept, [whole, base.masked.to_original(spans)]]}


async def _taken(session: AsyncSession, post_id: int, kind: str, memory: UndoData) -> Removal:
    """What a measure took, in words again."""
    post = await session.get_one(Post, post_id)
    wordings = []
    for revision, spans in memory["spans"]:
        said, _ = await get_words(session, post, revision)
        wordings.append((said, [(start, end) for start, end in spans]))
    least = redaction.SHORTEST_ECHO if kind == Kind.REDACT else SHORTEST_LINE
    phrases = [phrase.strip() for wording in wordings for phrase in redaction.excerpts(*wording)]
    return Removal(wordings, memory["mark"], [phrase for phrase in phrases if len(phrase) >= least])


async def _standing(session: AsyncSession, thread_id: int) -> Sequence[AppliedMeasure]:
    """The measures that stand and hide something in a thread, in order."""
    found = select(AppliedMeasure).where(
        col(AppliedMeasure.thread_id) == thread_id,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.kind).in_([*TEXT_MEASURES, Kind.REMOVE]),
    )
    return (await session.execute(found.order_by(col(AppliedMeasure.id)))).scalars().all()


def _on(post: Post, measures: Sequence[AppliedMeasure]) -> list[Touch]:
    """What they made of a post, those that touched it."""
    return [
        (measure, change)
        for measure in measures
        for change in measure.memory["changes"]
        if change["post_id"] == post.id
    ]


def _recorded_revisions(change: UndoData, part: str) -> tuple[int, int] | None:
    """From which revision on a change counts, and in which one the post says what came of it; None without either.

    A measure that was stored before there were parts counts from what it found.
    """
    own, after = change[part] if part in change else (change["before"], change["after"])
    return (own, after) if own else None


def _same_base(part: str, own: int, touches: Sequence[Touch]) -> list[Touch]:
    """Those that count from the same revision."""
    return [(measure, change) for measure, change in touches if part in change and change[part][0] == own]


def _update_references(touches: Sequence[Touch], parts: Collection[str], undone: UndoData, revision: int) -> None:
    """These parts now are, in this revision, what the measures made of them that count from where the undone did."""
    for measure, change in touches:
        masked = {part: [change[part][0], revision] for part in parts if change.get(part, [])[:1] == undone[part][:1]}
        changes = [{**one, **masked} if one is change else one for one in measure.memory["changes"]]
        measure.memory = {**measure.memory, "changes": changes}


# What a post says, and why


def _says(post: Post) -> Words:
    return post.body_markdown, post.content_warning


async def _says_still(session: AsyncSession, post: Post, part: str, revision: int) -> bool:
    """Whether a part of a post is as it was in a revision."""
    index = PARTS.index(part)
    return (await get_words(session, post, revision))[index] == _says(post)[index]


async def _base_text(session: AsyncSession, post: Post, standing: Sequence[AppliedMeasure]) -> BaseText:
    own, touches = [], _on(post, standing)
    for part in PARTS:
        last = max((change[part][::-1] for _, change in touches if part in change), default=None)
        is_told = last is not None and await _says_still(session, post, part, last[0])
        own.append(last[1] if last and is_told else post.revision)
    whole, masked = await _body(session, post, own[0], touches)
    if masked.text != post.body_markdown:  # marked by rules of another time: what it says now is a beginning
        return BaseText((post.revision, own[1]), post.revision, MaskedText.of(post.body_markdown))
    return BaseText(own, whole, masked)


async def _still_told(
    session: AsyncSession, post: Post, part: str, change: UndoData, others: Sequence[Touch]
) -> int | None:
    """From which revision the measures count that made a part what it is; None where its author wrote since."""
    reach = _recorded_revisions(change, part)
    if reach is None:
        return None
    own, after = reach
    last = max([after, *(other[part][1] for _, other in _same_base(part, own, others))])
    resting = [_recorded_revisions(other, part) for _, other in others]
    if part == BODY and any(found and found[0] == last != own for found in resting):
        raise Conflict("A later decision changed these words again. That one has to be overturned first.")
    return own if await _says_still(session, post, part, last) else None


async def _retold(session: AsyncSession, post: Post, part: str, own: int, others: Sequence[Touch]) -> str | None:
    """A part of a post as the measures that stand leave it."""
    if part == WARNING:
        return await _warning(session, post, own, others)
    return (await _body(session, post, own, others))[1].text


async def _body(session: AsyncSession, post: Post, own: int, touches: Sequence[Touch]) -> tuple[int, MaskedText]:
    """The revision that has a body whole, a moderator's if they edited it, and what measures leave of it."""
    whole, masked = own, MaskedText.of((await get_words(session, post, own))[0])
    for measure, _ in _same_base(BODY, own, touches):
        is_own, memory = measure.post_id == post.id, measure.memory
        if is_own and "wrote" in memory:
            whole = memory["wrote"]
            masked = MaskedText.of((await get_words(session, post, whole))[0])
        elif is_own and memory["spans"][-1][0] == whole:
            masked = masked.without(masked.from_original(memory["spans"][-1][1]), memory["mark"])
        else:
            removal = await _taken(session, measure.post_id, measure.kind, memory)
            masked = removal.apply(masked, quotes_only=not is_own)
    return whole, masked


async def _warning(session: AsyncSession, post: Post, own: int, touches: Sequence[Touch]) -> str | None:
    """What measures leave of a content warning."""
    masked = MaskedText.of((await get_words(session, post, own))[1] or "")
    for measure, _ in _same_base(WARNING, own, touches):
        removal = await _taken(session, measure.post_id, measure.kind, measure.memory)
        masked = removal.apply(masked, quotes_only=measure.post_id != post.id)
    return _fitting(masked.text)


def _fitting(warning: str) -> str | None:
    return warning if 0 < len(warning) <= WARNING_MAX else None


# Taking words out


async def _rewrite_post(
    session: AsyncSession,
    context: MeasureContext,
    base: BaseText,
    says: str,
    removal: Removal,
    standing: Sequence[AppliedMeasure],
) -> list[UndoData]:
    """Let the post say something else, its warning nothing of what was taken out, and no other post either."""
    post = context.post
    words = (says, _fitting(removal.apply_to_text(post.content_warning or "", quotes_only=False)))
    await replace_body_by_moderator(session, context.moderator, post, *words, context.now, sealed=True)
    sealed = await seal_revisions(session, post, removal.occurs_in, since=base.whole)
    return [_change(post, base, sealed), *await _redact_in_other_posts(session, context, removal, standing)]


async def _redact_in_other_posts(
    session: AsyncSession, context: MeasureContext, removal: Removal, standing: Sequence[AppliedMeasure]
) -> list[UndoData]:
    """Mark the words wherever others of this thread repeat them, as a quote does, and seal where they once did.

    A post in which another measure hid them already is touched too: they stay hidden when that one is undone.
    """
    changes = []
    for post_id in await list_other_posts_with(session, context.post, removal.phrases):
        post = await lock_post_row(session, post_id)
        base = await _base_text(session, post, standing)
        words = (removal.apply(base.masked).text, _fitting(removal.apply_to_text(post.content_warning or "")))
        since = None
        if words != _says(post):
            since = min(base.own)  # what came of these words may have them still, between others' marks
            await replace_body_by_moderator(session, context.moderator, post, *words, context.now, sealed=True)
        if sealed := await seal_revisions(session, post, lambda text: removal.apply_to_text(text) != text, since=since):
            changes.append(_change(post, base, sealed))
    return changes


def _change(post: Post, base: BaseText, sealed: Sequence[int]) -> UndoData:
    parts = {part: [own, post.revision] for part, own in zip(PARTS, base.own, strict=True)}
    return {"post_id": post.id, **parts, "sealed": list(sealed)}
