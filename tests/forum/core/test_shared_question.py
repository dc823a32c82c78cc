"""Who asks at the same time shares a statement, which begins after each of them asked."""

import asyncio

import pytest

from forum.core.shared_question import SharedQuestion


async def test_those_who_ask_together_share_an_answer_that_is_younger_than_their_question() -> None:
    read, goes_on = list[set[int]](), asyncio.Event()

    async def answers(questions: set[int]) -> dict[int, int]:
        read.append(questions)
        await goes_on.wait()
        if 13 in questions:
            raise ValueError(questions)
        return {question: 10 * question for question in questions}

    shared = SharedQuestion(answers)
    first = [asyncio.create_task(shared.ask(number)) for number in (1, 2, 2)]
    await asyncio.sleep(0.01)
    later = [asyncio.create_task(shared.ask(number)) for number in (2, 3, 4)]
    await asyncio.sleep(0.01)
    assert read == [{1, 2}]  # the later ones wait for the next, even for the same question
    later.pop().cancel()  # one of them gives up: the others are answered
    goes_on.set()
    assert await asyncio.gather(*first) == [{1: 10, 2: 20}] * 3
    assert await asyncio.gather(*later) == [{2: 20, 3: 30, 4: 40}] * 2
    failing = [asyncio.create_task(shared.ask(number)) for number in (5, 13)]
    for task in failing:
        with pytest.raises(ValueError, match="13"):
            await task
    assert await shared.ask(6) == {6: 60}  # and the next are asked as ever
    assert read == [{1, 2}, {2, 3, 4}, {5, 13}, {6}]
