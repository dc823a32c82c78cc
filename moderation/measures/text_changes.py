"""Measures that change words: what they take out of the posts of a thread, and how it comes back, in any order.

The text of a post is always computed: what its author wrote last, without what each measure in force took out, one
after the other. So a measure records, for each post that it changed, the revision that it started from and the
revision that it led to. Of the words that it took out it records positions only, because words may have to be erased
one day.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.draft import Draft
from forum.content.posts.held_edits import rewrite_bodies
from forum.content.posts.lengths import WARNING_MAX
from forum.content.posts.quotes import list_copies, list_naming
from forum.content.posts.revisions import (
    get_words,
    lock_post_row,
    refresh_html,
    replace_body_by_moderator,
    seal_revisions,
    unseal_revisions,
)
from forum.content.posts.tables import Post
from forum.content.words import SHORTEST_REPEAT, Span, own_lines
from forum.core import side_process
from forum.core.errors import Conflict, Invalid
from moderation import redaction
from moderation.measures.tables import (
    TEXT_MEASURES,
    AppliedMeasure,
    MeasureContext,
    MeasureInput,
    MeasureKind,
    UndoData,
)
from moderation.redaction import MaskedText, Removal

SHORTEST_LINE = 12  # characters: a shorter line of a removed post may be repeated by chance
BODY, WARNING = PARTS = ("body", "warning")  # separate, for an author may rewrite one and leave the other

Words = tuple[str, str | None]  # a body and a content warning
PostChange = tuple[AppliedMeasure, UndoData]  # a measure, and what it recorded about one post


@dataclass(frozen=True)
class BaseText:
    """From which revisions the present text of a post is computed."""

    author_revisions: Sequence[int]  # the author's last, of the body and of the warning
    whole_revision: int  # of the body: the author's, or a moderator's if one edited it since
    masked: MaskedText  # that body, without what measures took out


# Measures


async def edit(context: MeasureContext, wanted: MeasureInput) -> UndoData:
    """Replace the body of a post. Under a rule, the words that are gone are redacted wherever others repeat them."""
    body = wanted.body_markdown or ""
    if (await Draft(body).parse()).is_blank:
        raise Invalid("A post whose words are all gone is removed, not edited.", "#/measures", code="blank")
    base = await _base_text(context.session, context.post)
    before = context.post.body_markdown
    spans = await side_process.run(redaction.replaced, before, body) if context.rules else []
    undo_data = _undo_data(context, base, spans) | {"wrote": context.post.revision + 1}
    if not context.rules:  # a correction, not a breach: readers may see the earlier revisions
        await _replace(context, context.post, (body, context.post.content_warning), sealed=False)
        return undo_data | {"changes": [_recorded_change(context.post, base, [])]}
    removal = await _removal(context.session, context.post.id, MeasureKind.EDIT, undo_data)
    return undo_data | {"changes": await _rewrite(context, base, body, removal)}


async def redact(context: MeasureContext, wanted: MeasureInput) -> UndoData:
    """Redact spans of a post, and the same words wherever others repeat them."""
    base = await _base_text(context.session, context.post)
    undo_data = _undo_data(context, base, wanted.spans)
    removal = await _removal(context.session, context.post.id, MeasureKind.REDACT, undo_data)
    body = base.masked.without(base.masked.from_original(undo_data["spans"][-1][1]), removal.mark).text
    return undo_data | {"changes": await _rewrite(context, base, body, removal)}


async def redact_repeats(context: MeasureContext) -> UndoData:
    """Redact the words of a removed post wherever others repeat them."""
    base = await _base_text(context.session, context.post)
    undo_data = _undo_data(context, base, own_lines(context.post.body_markdown))
    removal = await _removal(context.session, context.post.id, MeasureKind.REMOVE, undo_data)
    return undo_data | {"changes": await _redact_in_other_posts(context, removal)}


async def restore(context: MeasureContext, undone: AppliedMeasure) -> None:
    """Give every post the text that it has without this measure, and unseal revisions that no other measure seals.

    A part that its author rewrote since stays as it is. Raises Conflict where a later measure in force started from
    the words of this one.
    """
    session = context.session
    for change in undone.memory["changes"]:
        post = await lock_post_row(session, change["post_id"])
        others = await _changes_of(session, post)
        restored: dict[str, Any] = {}
        for part in PARTS:
            if own := await _start_if_unchanged(session, post, part, change, others):
                restored[part] = await _computed_part(session, post, part, own, others)
        words = (restored.get(BODY, post.body_markdown), restored.get(WARNING, post.content_warning))
        if words != _words_of(post):
            await _replace(context, post, words, sealed=False)
        _update_references(others, [part for part in restored if part in change], change, post.revision)
        still_sealed = {number for _, other in others for number in other["sealed"]}
        await unseal_revisions(session, post, sorted(set(change["sealed"]) - still_sealed))
    for post_id in await list_naming(session, undone.on_post):
        await refresh_html(session, await lock_post_row(session, post_id))


# What is recorded


def _undo_data(context: MeasureContext, base: BaseText, spans: Sequence[Span]) -> UndoData:
    """Return what a measure takes out: spans of the revision that was decided on and, last, of the whole one."""
    present, whole = context.post.revision, base.whole_revision
    spans = redaction.checked(base.masked.text, spans)
    of_present = [[present, spans]] if present != whole else []
    mark = redaction.marker(context.rules)
    return {"mark": mark, "spans": [*of_present, [whole, base.masked.to_original(spans)]]}


async def _removal(session: AsyncSession, post_id: int, kind: str, undo_data: UndoData) -> Removal:
    """Return what a measure took out, as words again."""
    post = await session.get_one(Post, post_id)
    versions = []
    for revision, spans in undo_data["spans"]:
        body, _ = await get_words(session, post, revision)
        versions.append((body, [(start, end) for start, end in spans]))
    shortest = SHORTEST_REPEAT if kind == MeasureKind.REDACT else SHORTEST_LINE
    phrases = [phrase.strip() for version in versions for phrase in redaction.excerpts(*version)]
    return Removal(versions, undo_data["mark"], [phrase for phrase in phrases if len(phrase) >= shortest])


async def _changes_of(session: AsyncSession, post: Post) -> list[PostChange]:
    """Return what the measures in force changed in a post, wherever they were taken, in the order of that."""
    found = select(AppliedMeasure).where(
        col(AppliedMeasure.memory).contains({"changes": [{"post_id": post.id}]}),
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.kind).in_([*TEXT_MEASURES, MeasureKind.REMOVE]),
    )
    measures = (await session.execute(found.order_by(col(AppliedMeasure.id)))).scalars().all()
    return [
        (measure, change)
        for measure in measures
        for change in measure.memory["changes"]
        if change["post_id"] == post.id
    ]


def _recorded_revisions(change: UndoData, part: str) -> tuple[int, int] | None:
    """Return the revisions from which a change started and to which it led; None where it left the part alone.

    Measures that were stored before warnings were recorded separately have one pair for both.
    """
    own, after = change[part] if part in change else (change["before"], change["after"])
    return (own, after) if own else None


def _with_same_start(part: str, own: int, changes: Sequence[PostChange]) -> list[PostChange]:
    """Return those changes that started from this revision."""
    return [(measure, change) for measure, change in changes if part in change and change[part][0] == own]


def _update_references(changes: Sequence[PostChange], parts: Collection[str], undone: UndoData, revision: int) -> None:
    """Record that the changes which started where the undone one did now lead to this revision."""
    for measure, change in changes:
        moved = {part: [change[part][0], revision] for part in parts if change.get(part, [])[:1] == undone[part][:1]}
        recorded = [{**other, **moved} if other is change else other for other in measure.memory["changes"]]
        measure.memory = {**measure.memory, "changes": recorded}


def _recorded_change(post: Post, base: BaseText, sealed: Sequence[int]) -> UndoData:
    parts = {part: [own, post.revision] for part, own in zip(PARTS, base.author_revisions, strict=True)}
    return {"post_id": post.id, **parts, "sealed": list(sealed)}


# How the text of a post is computed


def _words_of(post: Post) -> Words:
    return post.body_markdown, post.content_warning


async def _is_as_in(session: AsyncSession, post: Post, part: str, revision: int) -> bool:
    """Whether a part of a post is as it was in a revision."""
    index = PARTS.index(part)
    return (await get_words(session, post, revision))[index] == _words_of(post)[index]


async def _base_text(session: AsyncSession, post: Post) -> BaseText:
    author_revisions, changes = [], await _changes_of(session, post)
    for part in PARTS:
        last = max((change[part][::-1] for _, change in changes if part in change), default=None)
        is_computed = last is not None and await _is_as_in(session, post, part, last[0])
        author_revisions.append(last[1] if last and is_computed else post.revision)
    whole, masked = await _computed_body(session, post, author_revisions[0], changes)
    if masked.text != post.body_markdown:  # redacted by an older version of this program: begin with what it is now
        return BaseText((post.revision, author_revisions[1]), post.revision, MaskedText.unmasked(post.body_markdown))
    return BaseText(author_revisions, whole, masked)


async def _start_if_unchanged(
    session: AsyncSession, post: Post, part: str, change: UndoData, others: Sequence[PostChange]
) -> int | None:
    """Return the revision from which a part was computed; None where its author rewrote it since."""
    recorded = _recorded_revisions(change, part)
    if recorded is None:
        return None
    own, after = recorded
    last = max([after, *(other[part][1] for _, other in _with_same_start(part, own, others))])
    later = [_recorded_revisions(other, part) for _, other in others]
    if part == BODY and any(found and found[0] == last != own for found in later):
        detail = "A later decision changed these words again. That one has to be overturned first."
        raise Conflict(detail, code="later_decision_in_force")
    return own if await _is_as_in(session, post, part, last) else None


async def _computed_part(
    session: AsyncSession, post: Post, part: str, own: int, changes: Sequence[PostChange]
) -> str | None:
    """Return a part of a post as the measures in force leave it."""
    if part == WARNING:
        return await _computed_warning(session, post, own, changes)
    return (await _computed_body(session, post, own, changes))[1].text


async def _computed_body(
    session: AsyncSession, post: Post, own: int, changes: Sequence[PostChange]
) -> tuple[int, MaskedText]:
    """Return the revision that has the body whole, a moderator's if one edited it, and what measures leave of it."""
    whole, masked = own, MaskedText.unmasked((await get_words(session, post, own))[0])
    for measure, _ in _with_same_start(BODY, own, changes):
        is_own, undo_data = measure.post_id == post.id, measure.memory
        if is_own and "wrote" in undo_data:
            whole = undo_data["wrote"]
            masked = MaskedText.unmasked((await get_words(session, post, whole))[0])
        elif is_own and undo_data["spans"][-1][0] == whole:
            masked = masked.without(masked.from_original(undo_data["spans"][-1][1]), undo_data["mark"])
        else:
            removal = await _removal(session, measure.on_post, measure.kind, undo_data)
            masked = await _without(removal, masked, quotes_only=not is_own)
    return whole, masked


async def _computed_warning(session: AsyncSession, post: Post, own: int, changes: Sequence[PostChange]) -> str | None:
    """Return what measures leave of a content warning."""
    masked = MaskedText.unmasked((await get_words(session, post, own))[1] or "")
    for measure, _ in _with_same_start(WARNING, own, changes):
        removal = await _removal(session, measure.on_post, measure.kind, measure.memory)
        masked = await _without(removal, masked, quotes_only=measure.post_id != post.id)
    return _fitting(masked.text)


def _fitting(warning: str) -> str | None:
    return warning if 0 < len(warning) <= WARNING_MAX else None


# Taking words out


async def _rewrite(context: MeasureContext, base: BaseText, body: str, removal: Removal) -> list[UndoData]:
    """Give the post another body, and take the removed words out of its warning and of every other post."""
    post = context.post
    warning = await _warning_without(removal, post, quotes_only=False)
    await _replace(context, post, (body, warning), sealed=True)
    sealed = await seal_revisions(context.session, post, partial(_occurs_in, removal), since=base.whole_revision)
    others = await _redact_in_other_posts(context, removal)
    return [_recorded_change(post, base, sealed), *others]


async def _redact_in_other_posts(context: MeasureContext, removal: Removal) -> list[UndoData]:
    """Redact the words wherever other posts repeat them, as quotes do in any thread, and seal revisions that did.

    A post from which another measure took them already is recorded too: they stay hidden when that one is undone. Posts
    that are removed together need no mark from each other: for a hundred adverts, that would be ten thousand looks.
    Of edits that were held nothing is recorded: an undo leaves them as they are.
    """
    session, changes = context.session, []
    for post_id in await list_copies(session, context.post, removal.versions, removal.phrases):
        if post_id in context.together:
            continue
        post = await lock_post_row(session, post_id)
        await rewrite_bodies(session, post, partial(_blanked, removal))
        base = await _base_text(session, post)
        words = ((await _without(removal, base.masked)).text, await _warning_without(removal, post))
        since = None
        if words != _words_of(post):
            since = min(base.author_revisions)  # revisions since then may have the words between others' marks
            await _replace(context, post, words, sealed=True)
        else:
            await refresh_html(session, post)
        if sealed := await seal_revisions(session, post, partial(_is_repeated_in, removal), since=since):
            changes.append(_recorded_change(post, base, sealed))
    return changes


async def _without(removal: Removal, masked: MaskedText, *, quotes_only: bool = True) -> MaskedText:
    texts = [masked.whole, *removal.bodies]
    return await side_process.run_unless_short(texts, removal.apply, masked, quotes_only=quotes_only)


async def _warning_without(removal: Removal, post: Post, *, quotes_only: bool = True) -> str | None:
    warning = MaskedText.unmasked(post.content_warning or "")
    return _fitting((await _without(removal, warning, quotes_only=quotes_only)).text) if warning.whole else None


async def _is_repeated_in(removal: Removal, text: str) -> bool:
    return (await _without(removal, MaskedText.unmasked(text))).text != text


async def _blanked(removal: Removal, text: str) -> str:
    return await side_process.run_unless_short([text, *removal.bodies], removal.blank_in, text)


async def _occurs_in(removal: Removal, text: str) -> bool:
    return await side_process.run_unless_short([text, *removal.bodies], removal.occurs_in, text)


async def _replace(context: MeasureContext, post: Post, words: Words, *, sealed: bool) -> None:
    await replace_body_by_moderator(context.session, context.moderator, post, words, now=context.now, sealed=sealed)
