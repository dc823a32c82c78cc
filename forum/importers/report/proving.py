"""Turns every post of an old board into Markdown, as moving would, and counts what each keeps. Nothing is kept.

Two processes share the work: it is most of what `look` does.
"""

import multiprocessing
import os
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from forum.importers.errors import CannotMove
from forum.importers.records import PostRecord
from forum.importers.staging import Staging
from forum.importers.texts import Files, How, Loss, Quoted, split, to_markdown

EXAMPLES = 3  # of each loss
_WITHHELD = {Loss.HIDDEN_QUOTE, Loss.OF_FEW}
_SHORT = 300  # characters of an example
_BATCH = 200
_WORTH_PROCESSES = 2_000  # posts; fewer are proved before two processes have begun
_WAITING = 8  # batches that wait for a process: more would only fill memory


@dataclass(frozen=True)
class Example:
    """A text before and after."""

    thread: str
    post: str
    before: str
    after: str


@dataclass
class ProvedTexts:
    """What became of the texts."""

    posts: int = 0
    how: Counter[How] = field(default_factory=Counter)
    losses: Counter[Loss] = field(default_factory=Counter)
    attachments: Counter[str] = field(default_factory=Counter)
    split: int = 0  # posts that become two or more
    links: int = 0  # to the old board itself
    examples: dict[Loss, list[Example]] = field(default_factory=dict)

    def add(self, other: "ProvedTexts") -> None:
        """Add what another process found."""
        self.posts += other.posts
        self.how += other.how
        self.losses += other.losses
        self.attachments += other.attachments
        self.split += other.split
        self.links += other.links
        for loss, examples in other.examples.items():
            kept = self.examples.setdefault(loss, [])
            kept += examples[: EXAMPLES - len(kept)]


@dataclass
class _Surroundings:
    """What can be said of a text before anything has moved."""

    address: str
    hidden: Collection[str]
    links: int = 0
    is_for_staff: bool = False
    has_hidden: bool = False  # in the thread

    def hides(self, posts: Collection[str]) -> bool:
        return self.has_hidden or any(post in self.hidden for post in posts)

    def quote(self, post: str | None, name: str | None, words: str) -> Quoted:
        return Quoted(is_hidden=True) if post in self.hidden else Quoted(name=name or "")

    def link(self, url: str) -> str:
        self.links += bool(self.address) and url.rsplit("://", maxsplit=1)[-1].startswith(self.address)
        return url


@contextmanager
def begin_proving(staging: Staging) -> Iterator[Iterator[ProvedTexts]]:
    """Give what becomes of the texts, part by part; processes begin at once, where there are many texts.

    They are forked, as a new interpreter would load the whole program first: no thread may run yet.
    """
    address = staging.source.known_address.split("://")[-1].rstrip("/")
    threads = staging.threads_of_few(), staging.threads_for_staff(), staging.threads_with_hidden()
    few, staff, with_hidden = map(frozenset, threads)
    known = address, frozenset(staging.hidden_posts()), few, staff, with_hidden
    lines = staging.post_lines()
    batches = iter(lambda: list(islice(lines, _BATCH)), [])
    if staging.count("post") < _WORTH_PROCESSES:
        _begin(*known)
        yield map(_prove_batch, batches)
        return
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), context, _begin, known) as pool:
        pool.submit(_prove_batch, ()).result()
        yield _in_order(pool, batches)


def prove(parts: Iterable[ProvedTexts], seen: Callable[[int], None]) -> ProvedTexts:
    """Return what becomes of all texts; `seen` gets how many posts were proved so far.

    Raises CannotMove when a process was killed.
    """
    proof = ProvedTexts()
    try:
        for part in parts:
            proof.add(part)
            seen(proof.posts)
    except BrokenProcessPool as error:
        raise CannotMove("A process that checked the texts was killed: the machine may lack memory.") from error
    return proof


def _in_order(pool: ProcessPoolExecutor, batches: Iterable[list[str]]) -> Iterator[ProvedTexts]:
    waiting: deque[Future[ProvedTexts]] = deque()
    for batch in batches:
        waiting.append(pool.submit(_prove_batch, batch))
        if len(waiting) >= _WAITING:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


# In the other process


_Known: TypeAlias = tuple[str, Collection[str], Collection[str], Collection[str], Collection[str]]
_known: _Known = ("", (), (), (), ())


def _begin(*known: *_Known) -> None:
    global _known  # noqa: PLW0603 (once, before the first batch)
    _known = known


def _prove_batch(lines: Iterable[str]) -> ProvedTexts:
    address, hidden, private, for_staff, with_hidden = _known
    around, proof = _Surroundings(address, hidden), ProvedTexts()
    for line in lines:
        post = PostRecord.model_validate_json(line)
        around.is_for_staff, around.has_hidden = post.thread in for_staff, post.thread in with_hidden
        files = Files(post.attachments, post.below_files)
        moved = to_markdown(post.text, post.form, uid=post.uid, around=around, files=files)
        proof.posts += 1
        proof.how[moved.how] += 1
        proof.losses.update(moved.losses)
        proof.attachments.update(post.attachments)
        proof.split += len(split(moved.markdown)) > 1
        # Where one is hidden, others may repeat it without a name.
        is_of_few = post.old in hidden or post.thread in private or around.has_hidden
        if is_of_few or _WITHHELD & {*moved.losses}:
            continue  # nobody reads in a report what they could not read on the board
        for loss in moved.losses:
            examples = proof.examples.setdefault(loss, [])
            if len(examples) < EXAMPLES:
                examples.append(Example(post.thread, post.old, _short(post.text), _short(moved.markdown)))
    proof.links = around.links
    return proof


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else text[:_SHORT] + "…"
