"""Did you mean: words that people wrote, for a word that nobody wrote and that differs from them by one slip.

A word can be suggested that at least three people wrote, in five posts, on boards that guests read: no other word of
somebody's, no name that was taken out, nothing of a staff room. The slips are found by words with one letter left out
(Wolf Garbe's symmetric delete spelling correction): two words differ by one letter that is missing, too much, wrong or
in the place of its neighbour only where leaving out one letter of each, or none, can give the same.
"""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Text, any_, bindparam, delete, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.boards import Board
from forum.content.posts.tables import Post, Visibility
from forum.content.search.plain import kept_terms, plain_text
from forum.content.search.tables import SearchSpelling, SearchWord
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core.jobs import Job, Payload

LEAST_POSTS, LEAST_AUTHORS = 5, 3
SHORTEST, LONGEST = 4, 24  # letters: a shorter word is a slip of too many others
AT_ONCE = 500
MOST_COUNTED = 300_000  # words that are counted at once: more would take hundreds of megabytes

COLLECT_WORDS = Job("collect_search_words")

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")

_READ_BY_GUESTS = (
    select(col(Post.id), col(Post.author_id), col(Post.body_html))
    .join(Thread, col(Thread.id) == col(Post.thread_id))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(
        col(Post.id) > bindparam("after", type_=BigInteger()),
        literal("everyone") == any_(col(Board.readers)),
        THREAD_SHOWN,
        col(Post.visibility) == Visibility.VISIBLE,
    )
    .order_by(col(Post.id))
    .limit(AT_ONCE)
)
_KNOWN = select(col(SearchWord.word)).where(col(SearchWord.word) == any_(bindparam("words", type_=ARRAY(Text()))))
_CANDIDATES = (
    select(col(SearchWord.word), col(SearchWord.posts))
    .join(SearchSpelling, col(SearchSpelling.word) == col(SearchWord.word))
    .where(col(SearchSpelling.variant) == any_(bindparam("variants", type_=ARRAY(Text()))))
    .distinct()
)
_ADD = text("""
INSERT INTO search_word (word, posts) SELECT * FROM unnest(CAST(:words AS text[]), CAST(:posts AS int[]))
ON CONFLICT (word) DO UPDATE SET posts = excluded.posts
""")
_ADD_SPELLINGS = text("""
INSERT INTO search_spelling (variant, word) SELECT * FROM unnest(CAST(:variants AS text[]), CAST(:words AS text[]))
""")


def words_of(said: str) -> set[str]:
    """Return the words of a text that can be suggested, in small letters."""
    found = {word.replace("\u2019", "'") for word in _WORD.findall(said.lower())}
    return {word for word in found if SHORTEST <= len(word) <= LONGEST}


def variants(word: str) -> set[str]:
    """Return the word, and the word without each of its letters."""
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def is_one_slip(typed: str, meant: str) -> bool:
    """Return whether one letter is missing, too much, wrong, or in the place of its neighbour."""
    if len(typed) != len(meant):
        longer, shorter = sorted((typed, meant), key=len, reverse=True)
        return shorter in variants(longer)
    wrong = [at for at, (one, other) in enumerate(zip(typed, meant, strict=True)) if one != other]
    if len(wrong) == 2 and wrong[1] == wrong[0] + 1:
        first, second = wrong
        return (typed[first], typed[second]) == (meant[second], meant[first])
    return len(wrong) == 1


def best_guess(typed: str, candidates: Sequence[tuple[str, int]]) -> str | None:
    """Return the word that was most probably meant: of those that begin alike, the one in the most posts."""
    meant = [(word[0] == typed[0], posts, word) for word, posts in candidates if is_one_slip(typed, word)]
    return max(meant)[2] if meant else None


async def respell(session: AsyncSession, typed: str) -> str | None:
    """Return a query with the words replaced that nobody wrote, or None where there is no better word."""
    words = words_of(kept_terms(typed))
    known = set((await session.execute(_KNOWN, {"words": sorted(words)})).scalars())
    better = await _guess_words(session, words - known)
    if not better:
        return None
    return _WORD.sub(lambda found: better.get(found[0].lower().replace("\u2019", "'"), found[0]), typed)


async def guess_word(session: AsyncSession, word: str) -> str | None:
    """Return the word that others wrote and that was most probably meant, or None."""
    return (await _guess_words(session, {word})).get(word)


async def _guess_words(session: AsyncSession, words: AbstractSet[str]) -> dict[str, str]:
    """Return for each of these words the one that was most probably meant, if there is one."""
    if not words:
        return {}
    spelt = sorted(set[str]().union(*map(variants, words)))
    rows = [(row.word, row.posts) for row in await session.execute(_CANDIDATES, {"variants": spelt})]
    return {word: guess for word in words if (guess := best_guess(word, rows))}


# Later


async def collect_words(session: AsyncSession, _payload: Payload, _now: datetime) -> None:
    """Read what guests can read, and keep the words that several people wrote. Those that are no longer such go."""
    found, words_before = await _count_words(session), select(col(SearchWord.word))
    known = set((await session.execute(words_before)).scalars())
    for gone in _some(sorted(known - found.keys())):
        where = col(SearchWord.word) == any_(bindparam("gone", type_=ARRAY(Text())))
        await session.execute(delete(SearchWord).where(where), {"gone": gone})
    # All words first: PostgreSQL plans once how it looks whether a word is there, and that with few words is a bad way.
    for some in _some(sorted(found)):
        await session.execute(_ADD, {"words": some, "posts": [found[word] for word in some]})
    for some in _some(sorted(found.keys() - known)):
        spelt = [(variant, word) for word in some for variant in sorted(variants(word))]
        values = {"variants": [variant for variant, _ in spelt], "words": [word for _, word in spelt]}
        await session.execute(_ADD_SPELLINGS, values)


async def _count_words(session: AsyncSession) -> dict[str, int]:
    """Return in how many posts each word is that may be suggested."""
    posts, authors, after = dict[str, int](), dict[str, AbstractSet[UUID]](), 0
    while rows := (await session.execute(_READ_BY_GUESTS, {"after": after})).all():
        for row in rows:
            for word in words_of(plain_text(row.body_html)):
                posts[word] = posts.get(word, 0) + 1
                known = authors.get(word, frozenset())
                if len(known) < LEAST_AUTHORS:
                    authors[word] = known | {row.author_id}
        after = rows[-1].id
        _forget_rare(posts, authors)
    return {
        word: number for word, number in posts.items() if number >= LEAST_POSTS and len(authors[word]) >= LEAST_AUTHORS
    }


def _forget_rare(posts: dict[str, int], authors: dict[str, AbstractSet[UUID]]) -> None:
    """Forget the rarest of very many words: slips of the pen have no end, and what is written often comes again."""
    least = 1
    while len(posts) > MOST_COUNTED:
        for word in [word for word, number in posts.items() if number <= least]:
            del posts[word], authors[word]
        least += 1


def _some(words: Sequence[str]) -> Sequence[Sequence[str]]:
    return [words[start : start + AT_ONCE] for start in range(0, len(words), AT_ONCE)]
