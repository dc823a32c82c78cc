"""Logs: they say where in the forum something failed, and nothing that anybody wrote."""

import pytest
from sqlalchemy.exc import OperationalError

from forum import logs, members
from forum.database import Database


async def test_only_our_own_places_are_told_and_no_words() -> None:
    nowhere = Database("postgresql+asyncpg://nobody@/nothing?host=/nowhere")
    # Between the two, SQLAlchemy calls a function that it made while it runs, in a file that has no name.
    with pytest.raises(OperationalError) as failed:
        async with nowhere.work() as session:
            await members.by_handle(session, "wilhelmina")
    told = logs.frames(failed.value)
    assert [place.partition(":")[0] for place in told] == ["forum/members/accounts.py", "forum/database.py"]
    assert [place.partition(" ")[2] for place in told] == ["by_handle", "_connected"]
