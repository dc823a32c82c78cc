"""The question before publication: whether what may show who somebody is shall be posted as it is.

Whoever is in danger is asked nothing: `gate.py` does not come here with words of danger. The answer is a sealed note,
bound to its author, the board and what was found, so that nothing of the text is stored before it is published; words
that were not asked about are asked about.
"""

import asyncio
import base64
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, ParamSpec, TypeVar

from sqlalchemy import ARRAY, Text, bindparam, exists, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.tables import Post, Visibility
from forum.content.threads.tables import Thread
from forum.core import sealed_notes, side_process
from forum.core.database import Prepared, query, rows_of
from forum.core.errors import PersonalInformation
from forum.core.gate import Covered, Detail, Publishing, Submission
from forum.core.in_transaction import rows_in
from forum.core.secret_key import keyed_digest
from forum.core.text import is_light
from moderation import known_details
from moderation.detail_effects import Treatment, find_effects
from moderation.findings import LocatedFinding, TextPart
from moderation.screening.finding import DetailKind, FindingKind
from moderation.screening.personal_information import combinations
from moderation.screening.personal_information.words import PIECES, advice_on

LASTS = timedelta(hours=24)
ASKED_MAX = 100  # findings of one text: a longer list is read by nobody, and the answer must not grow with it
DIGEST = 8  # characters, 48 bits under a key: nobody can try which words have the same
EARLIER_MAX, LENGTH_MAX = 15, 4000  # of the author's earlier posts in a thread, the newest; and how much of each
HELD_BECAUSE = "A moderator reads this first, because it may show who somebody is. You will be told."
ASKED = "Something in your words may show who somebody is. You can change it, or post it as it is."
_MOST_FIRST = tuple(Treatment)[::-1]
_PURPOSE = "personal-information"
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
FIELDS = {TextPart.TITLE: "title", TextPart.BODY: "body_markdown", TextPart.WARNING: "content_warning"}
_QUOTED = re.compile(r"^[ \t]*>.*$", re.MULTILINE)


@dataclass(frozen=True)
class Settled:
    """What is to be recorded, what the author is told of, and why the text waits, if it does."""

    findings: tuple[LocatedFinding, ...] = ()
    details: tuple[Detail, ...] = ()
    held_because: str | None = None


class _Found(NamedTuple):
    located: LocatedFinding
    words: str
    effect: Treatment

    def is_asked(self) -> bool:
        return self.effect != Treatment.TELL


async def settle(
    session: AsyncSession,
    submission: Submission,
    texts: Mapping[TextPart, str],
    found: Sequence[LocatedFinding],
    before: Collection[tuple[str, str]],
) -> Settled:
    """Return what follows from what was found in these texts, if their author was asked.

    `before` are kinds and words that stood in the text before this edit. Raises PersonalInformation to ask.
    """
    place = submission.publishing
    assert place  # noqa: S101 - whoever calls this has looked
    effects = await find_effects(session, place.board_id, is_public=place.is_public)
    every = [_Found(one, _words(one, texts), effects[DetailKind(one.finding.recogniser)]) for one in found]
    every.sort(key=lambda one: not one.located.finding.pieces)  # first what is put together, which says most
    every = await _without_known(session, place, texts, every)
    new = [one for one in every if (one.located.finding.recogniser, one.words) not in before]
    if len(new) > ASKED_MAX:  # then what leads to most
        new = sorted(new, key=lambda one: _MOST_FIRST.index(one.effect))[:ASKED_MAX]
    member = str(submission.author.id) if submission.author else ""
    confirmed = _confirmed(place, member)
    if any(one.is_asked() and _digest(place, one) not in confirmed for one in new):
        asked = {_digest(place, one) for one in new if one.is_asked()}
        note = {"member": member, "board": place.board_id, "asked": "".join(sorted(asked))}
        confirm = sealed_notes.seal(place.settings, _PURPOSE, note, place.now + LASTS)
        raise PersonalInformation(ASKED, [_detail(one) for one in new], confirm)
    is_staff = bool(submission.author and submission.author.is_staff)
    holds = not is_staff and any(one.effect == Treatment.ASK_AND_HOLD for one in new)
    recorded = [one.located for one in every if one.effect in {Treatment.ASK_AND_CASE, Treatment.ASK_AND_HOLD}]
    return Settled(tuple(recorded), tuple(map(_detail, new)), HELD_BECAUSE if holds else None)


async def find_combinations(
    session: AsyncSession, submission: Submission, texts: Mapping[TextPart, str], found: Sequence[LocatedFinding]
) -> list[LocatedFinding]:
    """Return what shows who somebody is together with what the author said before in the same thread.

    `found` is what was found in the texts themselves.
    """
    place, parts = submission.publishing, list(texts)
    if place is None or place.settings.screening_region != "GB":
        return []
    own, is_staff = list(texts.values()), bool(submission.author and submission.author.is_staff)
    # Of what staff write, details were not looked for.
    details = None if is_staff else [[one.finding for one in found if one.part == part] for part in parts]
    look = await _here_if_light(own, combinations.look_at, own, details, is_first=place.is_first_there)
    # Most texts have no piece: then what was said before is neither read nor looked through.
    earlier = await _earlier_words(session, submission) if look.together else []
    if not look.alone and not (look.together and await _may_show_child([*own, *earlier])):
        return []
    pairs = await _here_if_light([*own, *earlier], combinations.find, own, earlier, place.settings.screening_region)
    return [LocatedFinding(parts[number], finding) for number, finding in pairs]


async def _here_if_light(
    texts: Sequence[str],
    function: Callable[_Parameters, _Result],
    *given: _Parameters.args,
    **named: _Parameters.kwargs,
) -> _Result:
    """Return what a function says of texts: in another process where they may take long."""
    if is_light("\n".join(texts)):
        return function(*given, **named)
    return await side_process.run(function, *given, **named)


async def _may_show_child(texts: Sequence[str]) -> bool:
    """Return whether texts of one author can show together who a child is: False for most, after a scan of each."""
    if not all(map(is_light, texts)):
        return True  # the other process looks
    kinds = set[str]()
    for text in texts:
        kinds |= combinations.kinds_in(text)
        await asyncio.sleep(0)  # so that others are answered, where there are many
    return combinations.shows_child(kinds)


async def find_covered(
    session: AsyncSession, submission: Submission, texts: Mapping[TextPart, str]
) -> tuple[Covered, ...]:
    """Return what of a text in which nobody is asked only its author and moderators read until one has looked."""
    place, parts = submission.publishing, list(texts)
    own = list(texts.values())
    if place is None or not (await _here_if_light(own, combinations.look_at, own, None)).together:
        return ()
    earlier = await _earlier_words(session, submission)
    found = await side_process.run(combinations.find_identifying, own, earlier, place.settings.screening_region)
    return tuple(Covered(FIELDS[parts[number]], start, end) for number, start, end in found)


_posts, _threads = rows_of(Post).c, rows_of(Thread).c
_EARLIER = Prepared(
    query(_posts.id, _posts.body_markdown, _threads.title, _threads.author_id)
    .select_from(rows_of(Post).join(rows_of(Thread)))
    .where(
        _posts.thread_id == bindparam("thread_id", type_=_posts.thread_id.type),
        _posts.author_id == bindparam("author_id", type_=_posts.author_id.type),
        _posts.visibility == Visibility.VISIBLE,
    )
    .order_by(_posts.number.desc())
    .limit(EARLIER_MAX + 1)
)


async def _earlier_words(session: AsyncSession, submission: Submission) -> list[str]:
    """Return what others can read of the same author in the same thread, but for what is edited now."""
    place, author, edited = submission.publishing, submission.author, submission.edited
    if place is None or place.thread_id is None or place.is_first_there or author is None:
        return []
    rows = await rows_in(session, _EARLIER, thread_id=place.thread_id, author_id=author.id)
    # Of a body that is edited, the title stays.
    replaced = edited.post_id if edited and not submission.is_title else None
    titles = {row.title for row in rows if row.author_id == author.id and not submission.is_title}
    return [*titles, *(_QUOTED.sub("", row.body_markdown[:LENGTH_MAX]) for row in rows if row.id != replaced)]


async def _without_known(
    session: AsyncSession, place: Publishing, texts: Mapping[TextPart, str], every: Sequence[_Found]
) -> list[_Found]:
    """Return the findings but for what everybody may pass on, and what stands in a quote of words that are there."""
    known = await known_details.find_known(session, [known_details.compared(one.words) for one in every])
    quoted = [one for one in every if place.thread_id and _is_quoted(texts[one.located.part], one.located)]
    there = await _are_there(session, place.thread_id, {one.words for one in quoted}) if quoted else set()
    is_left = lambda one: known_details.compared(one.words) not in known and not (one in quoted and one.words in there)  # noqa: E731
    return list(filter(is_left, every))


def _is_quoted(text: str, located: LocatedFinding) -> bool:
    begin = text.rfind("\n", 0, located.finding.start) + 1
    return text[begin : located.finding.start].lstrip(" \t").startswith(">")


async def _are_there(session: AsyncSession, thread_id: int | None, words: Collection[str]) -> set[str]:
    """Return which of these words somebody can read in the thread already."""
    said = func.unnest(literal(list(words), ARRAY(Text))).column_valued("said")
    there = exists().where(
        col(Post.thread_id) == thread_id,
        col(Post.visibility) == Visibility.VISIBLE,
        func.strpos(col(Post.body_markdown), said) > 0,
    )
    return set((await session.execute(select(said).where(there))).scalars())


def _words(located: LocatedFinding, texts: Mapping[TextPart, str]) -> str:
    return texts[located.part][located.finding.start : located.finding.end]


def _confirmed(place: Publishing, member: str) -> frozenset[str]:
    """Return what this member was asked about on this board, and answered."""
    note = sealed_notes.unseal(place.settings, _PURPOSE, place.confirm, place.now) if place.confirm else None
    if note is None or (note["member"], note["board"]) != (member, place.board_id):
        return frozenset()
    asked = note["asked"]
    return frozenset(asked[at : at + DIGEST] for at in range(0, len(asked), DIGEST))


def _digest(place: Publishing, found: _Found) -> str:
    """Return what a note says of a finding: of its kind and words, and of no word that somebody could read from it."""
    finding = found.located.finding
    told = "\0".join([finding.recogniser, *finding.pieces] if finding.pieces else [finding.recogniser, found.words])
    digest = keyed_digest(place.settings, f"{_PURPOSE}-found", told.encode("utf-8", "replace"))
    return base64.urlsafe_b64encode(digest).decode()[:DIGEST]


def _detail(found: _Found) -> Detail:
    finding = found.located.finding
    assert finding.kind == FindingKind.PERSONAL_INFORMATION  # noqa: S101 - of others, nobody is asked
    advice = advice_on(finding, found.words)
    return Detail(
        field=FIELDS[found.located.part],
        start=finding.start,
        end=finding.end,
        words=found.words,
        kind=finding.recogniser,
        why=advice.why,
        suggestion=advice.instead,
        effect=found.effect,
        pieces=tuple(PIECES[piece] for piece in finding.pieces),
    )
