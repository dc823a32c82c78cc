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
from moderation.enforcement.tables import TEXTUAL, AppliedMeasure, Kind, Memory, Scene, Wanted
from moderation.redaction import Span, Taken, Telling

SHORTEST_LINE = 12  # characters that tell a repetition of what was removed from chance
BODY, WARNING = PARTS = ("body", "warning")  # an author may write one of them anew and leave the other

Words = tuple[str, str | None]
Touch = tuple[AppliedMeasure, Memory]  # a measure, and what it changed in one post


@dataclass(frozen=True)
class Ground:
    """What a post says, and whose words these are: the revisions that have them whole."""

    own: Sequence[int]  # the author's, of the body and of the warning
    whole: int  # of the body: the author's, or a moderator's if they were edited since
    told: Telling


# Verbs


async def edit(session: AsyncSession, scene: Scene, wanted: Wanted) -> Memory:
    """Let a post say what a moderator wrote; under a rule, what is gone from it goes wherever others repeat it."""
    says = wanted.body_markdown or ""
    standing = await _standing(session, scene.post.thread_id)
    ground = await _ground(session, scene.post, standing)
    spans = redaction.replaced(scene.post.body_markdown, says) if scene.rules else []
    memory = _memory(scene, ground, spans) | {"wrote": scene.post.revision + 1}
    if not scene.rules:  # a correction, not a breach
        words = (says, scene.post.content_warning)
        await replace_body_by_moderator(session, scene.moderator, scene.post, *words, scene.now, sealed=False)
        return memory | {"changes": [_change(scene.post, ground, [])]}
    taken = await _taken(session, scene.post.id, Kind.EDIT, memory)
    return memory | {"changes": await _retell(session, scene, ground, says, taken, standing)}


async def redact(session: AsyncSession, scene: Scene, wanted: Wanted) -> Memory:
    """Mark spans of a post, and the same words wherever others repeat them."""
    standing = await _standing(session, scene.post.thread_id)
    ground = await _ground(session, scene.post, standing)
    memory = _memory(scene, ground, wanted.spans)
    taken = await _taken(session, scene.post.id, Kind.REDACT, memory)
    says = ground.told.without(ground.told.where(memory["spans"][-1][1]), taken.mark).text
    return memory | {"changes": await _retell(session, scene, ground, says, taken, standing)}


async def silence(session: AsyncSession, scene: Scene) -> Memory:
    """Mark the words of a removed post wherever others repeat them."""
    standing = await _standing(session, scene.post.thread_id)
    ground = await _ground(session, scene.post, standing)
    memory = _memory(scene, ground, redaction.own_lines(scene.post.body_markdown))
    taken = await _taken(session, scene.post.id, Kind.REMOVE, memory)
    return memory | {"changes": await _silence_echoes(session, scene, taken, standing)}


async def restore(session: AsyncSession, scene: Scene, applied: AppliedMeasure) -> None:
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
            await replace_body_by_moderator(session, scene.moderator, post, *words, scene.now, sealed=False)
        _follow(others, [part for part in retold if part in change], change, post.revision)
        hidden = {number for _, other in others for number in other["sealed"]}
        await unseal_revisions(session, post, sorted(set(change["sealed"]) - hidden))


# What is kept


def _memory(scene: Scene, ground: Ground, spans: Sequence[Span]) -> Memory:
    """What a measure took: spans of the words it was decided on and, last, of the whole ones."""
    seen, whole = scene.post.revision, ground.whole
    spans = redaction.checked(ground.told.text, spans)
    kept = [[seen, spans]] if seen != whole else []
    return {"mark": redaction.marker(scene.rules), "spans": [*kept, [whole, ground.told.whence(spans)]]}


async def _taken(session: AsyncSession, post_id: int, kind: str, memory: Memory) -> Taken:
    """What a measure took, in words again."""
    post = await session.get_one(Post, post_id)
    wordings = []
    for revision, spans in memory["spans"]:
        said, _ = await get_words(session, post, revision)
        wordings.append((said, [(start, end) for start, end in spans]))
    least = redaction.SHORTEST_ECHO if kind == Kind.REDACT else SHORTEST_LINE
    phrases = [phrase.strip() for wording in wordings for phrase in redaction.excerpts(*wording)]
    return Taken(wordings, memory["mark"], [phrase for phrase in phrases if len(phrase) >= least])


async def _standing(session: AsyncSession, thread_id: int) -> Sequence[AppliedMeasure]:
    """The measures that stand and hide something in a thread, in order."""
    found = select(AppliedMeasure).where(
        col(AppliedMeasure.thread_id) == thread_id,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.kind).in_([*TEXTUAL, Kind.REMOVE]),
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


def _reach(change: Memory, part: str) -> tuple[int, int] | None:
    """From which revision on a change counts, and in which one the post says what came of it; None without either.

    A measure that was stored before there were parts counts from what it found.
    """
    own, after = change[part] if part in change else (change["before"], change["after"])
    return (own, after) if own else None


def _mates(part: str, own: int, touches: Sequence[Touch]) -> list[Touch]:
    """Those that count from the same revision."""
    return [(measure, change) for measure, change in touches if part in change and change[part][0] == own]


def _follow(touches: Sequence[Touch], parts: Collection[str], undone: Memory, revision: int) -> None:
    """These parts now are, in this revision, what the measures made of them that count from where the undone did."""
    for measure, change in touches:
        told = {part: [change[part][0], revision] for part in parts if change.get(part, [])[:1] == undone[part][:1]}
        changes = [{**one, **told} if one is change else one for one in measure.memory["changes"]]
        measure.memory = {**measure.memory, "changes": changes}


# What a post says, and why


def _says(post: Post) -> Words:
    return post.body_markdown, post.content_warning


async def _says_still(session: AsyncSession, post: Post, part: str, revision: int) -> bool:
    """Whether a part of a post is as it was in a revision."""
    index = PARTS.index(part)
    return (await get_words(session, post, revision))[index] == _says(post)[index]


async def _ground(session: AsyncSession, post: Post, standing: Sequence[AppliedMeasure]) -> Ground:
    own, touches = [], _on(post, standing)
    for part in PARTS:
        last = max((change[part][::-1] for _, change in touches if part in change), default=None)
        is_told = last is not None and await _says_still(session, post, part, last[0])
        own.append(last[1] if last and is_told else post.revision)
    whole, told = await _body(session, post, own[0], touches)
    if told.text != post.body_markdown:  # marked by rules of another time: what it says now is a beginning
        return Ground((post.revision, own[1]), post.revision, Telling.of(post.body_markdown))
    return Ground(own, whole, told)


async def _still_told(
    session: AsyncSession, post: Post, part: str, change: Memory, others: Sequence[Touch]
) -> int | None:
    """From which revision the measures count that made a part what it is; None where its author wrote since."""
    reach = _reach(change, part)
    if reach is None:
        return None
    own, after = reach
    last = max([after, *(other[part][1] for _, other in _mates(part, own, others))])
    resting = [_reach(other, part) for _, other in others]
    if part == BODY and any(found and found[0] == last != own for found in resting):
        raise Conflict("A later decision changed these words again. That one has to be overturned first.")
    return own if await _says_still(session, post, part, last) else None


async def _retold(session: AsyncSession, post: Post, part: str, own: int, others: Sequence[Touch]) -> str | None:
    """A part of a post as the measures that stand leave it."""
    if part == WARNING:
        return await _warning(session, post, own, others)
    return (await _body(session, post, own, others))[1].text


async def _body(session: AsyncSession, post: Post, own: int, touches: Sequence[Touch]) -> tuple[int, Telling]:
    """The revision that has a body whole, a moderator's if they edited it, and what measures leave of it."""
    whole, told = own, Telling.of((await get_words(session, post, own))[0])
    for measure, _ in _mates(BODY, own, touches):
        is_own, memory = measure.post_id == post.id, measure.memory
        if is_own and "wrote" in memory:
            whole = memory["wrote"]
            told = Telling.of((await get_words(session, post, whole))[0])
        elif is_own and memory["spans"][-1][0] == whole:
            told = told.without(told.where(memory["spans"][-1][1]), memory["mark"])
        else:
            taken = await _taken(session, measure.post_id, measure.kind, memory)
            told = taken.leaves(told, quotes_only=not is_own)
    return whole, told


async def _warning(session: AsyncSession, post: Post, own: int, touches: Sequence[Touch]) -> str | None:
    """What measures leave of a content warning."""
    told = Telling.of((await get_words(session, post, own))[1] or "")
    for measure, _ in _mates(WARNING, own, touches):
        taken = await _taken(session, measure.post_id, measure.kind, measure.memory)
        told = taken.leaves(told, quotes_only=measure.post_id != post.id)
    return _fitting(told.text)


def _fitting(warning: str) -> str | None:
    return warning if 0 < len(warning) <= WARNING_MAX else None


# Taking words out


async def _retell(
    session: AsyncSession, scene: Scene, ground: Ground, says: str, taken: Taken, standing: Sequence[AppliedMeasure]
) -> list[Memory]:
    """Let the post say something else, its warning nothing of what was taken out, and no other post either."""
    post = scene.post
    words = (says, _fitting(taken.out_of(post.content_warning or "", quotes_only=False)))
    await replace_body_by_moderator(session, scene.moderator, post, *words, scene.now, sealed=True)
    sealed = await seal_revisions(session, post, taken.is_in, since=ground.whole)
    return [_change(post, ground, sealed), *await _silence_echoes(session, scene, taken, standing)]


async def _silence_echoes(
    session: AsyncSession, scene: Scene, taken: Taken, standing: Sequence[AppliedMeasure]
) -> list[Memory]:
    """Mark the words wherever others of this thread repeat them, as a quote does, and seal where they once did.

    A post in which another measure hid them already is touched too: they stay hidden when that one is undone.
    """
    changes = []
    for post_id in await list_other_posts_with(session, scene.post, taken.phrases):
        post = await lock_post_row(session, post_id)
        ground = await _ground(session, post, standing)
        words = (taken.leaves(ground.told).text, _fitting(taken.out_of(post.content_warning or "")))
        since = None
        if words != _says(post):
            since = min(ground.own)  # what came of these words may have them still, between others' marks
            await replace_body_by_moderator(session, scene.moderator, post, *words, scene.now, sealed=True)
        if sealed := await seal_revisions(session, post, lambda text: taken.out_of(text) != text, since=since):
            changes.append(_change(post, ground, sealed))
    return changes


def _change(post: Post, ground: Ground, sealed: Sequence[int]) -> Memory:
    parts = {part: [own, post.revision] for part, own in zip(PARTS, ground.own, strict=True)}
    return {"post_id": post.id, **parts, "sealed": list(sealed)}
