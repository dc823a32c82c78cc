"""Connections to the database: how many the processes of one forum open, and how many the server permits."""

import pytest
from sqlalchemy import text

from forum.core import connection_budget
from forum.core.connection_budget import count_needed, largest_pool, refusal, server_limit
from forum.http.services import Services


@pytest.mark.parametrize(
    ("pool_size", "processes", "permitted", "fits"),
    [
        (10, 1, 97, True),
        (10, 4, 97, True),  # 4 * 21 + 5 = 89
        (10, 5, 97, False),
        (10, 5, 110, True),  # exactly
        (6, 7, 97, True),
        (6, 7, 95, False),
        (200, 2, 97, False),
        (1, 64, 97, False),
    ],
)
def test_all_fit_or_a_sentence_says_what_to_set(pool_size: int, processes: int, permitted: int, fits: bool) -> None:
    said, fitting = refusal(pool_size, processes, permitted), largest_pool(permitted, processes)
    assert (said is None) is fits
    assert fits == (fitting >= pool_size)
    needed = count_needed(pool_size, processes)
    assert refusal(pool_size, processes, server_limit(needed) - connection_budget.RESERVED) is None
    if said:
        assert f"up to {needed} connections" in said
        assert f"permits {permitted}." in said
        assert (f"FORUM_POOL_SIZE to {fitting} or less" in said) is (fitting > 0)
        assert fitting < 1 or refusal(fitting, processes, permitted) is None
        assert refusal(fitting + 1, processes, permitted)


async def test_what_the_server_permits_is_less_what_it_reserves_and_at_most_the_limit_of_the_database(
    services: Services, database_url: str
) -> None:
    assert await connection_budget.count_permitted(database_url) == 97
    async with services.database.work() as session:
        name = (await session.execute(text("SELECT current_database()"))).scalar_one()
        await session.execute(text(f"ALTER DATABASE {name} CONNECTION LIMIT 40"))
    assert await connection_budget.count_permitted(database_url) == 40
