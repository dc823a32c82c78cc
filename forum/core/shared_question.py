"""Questions to the database that are asked together: requests that arrive at the same time share one statement."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Question = TypeVar("Question", bound=Hashable)
Answers = TypeVar("Answers")


@dataclass
class _Batch(Generic[Question, Answers]):
    """Questions that share a statement: each asker has a future of their own, since each can give up."""

    questions: set[Question] = field(default_factory=set)
    waiting: list[asyncio.Future[Answers]] = field(default_factory=list)

    def answer(self, found: Answers | Exception) -> None:
        """Tell those who still wait what was found, or have them raise the error."""
        for future in self.waiting:
            if future.done():
                continue
            if isinstance(found, Exception):
                future.set_exception(found)
            else:
                future.set_result(found)


class SharedQuestion(Generic[Question, Answers]):
    """Asks one thing at a time: `read` gets all questions that came meanwhile, and returns the answers to all of them.

    Those that come while it reads wait for the next time, so that each statement begins after they came.
    """

    def __init__(self, read: Callable[[set[Question]], Awaitable[Answers]]) -> None:
        self._read = read
        self._next = _Batch[Question, Answers]()
        self._asking: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answers:
        """Return what was found for all who asked together. Raises what `read` raises."""
        batch, future = self._next, asyncio.get_running_loop().create_future()
        batch.questions.add(question)
        batch.waiting.append(future)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_repeatedly())
        answers: Answers = await future
        return answers

    async def _ask_repeatedly(self) -> None:
        while self._next.waiting:
            batch, self._next = self._next, _Batch[Question, Answers]()
            try:
                batch.answer(await self._read(batch.questions))
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                batch.answer(error)
