"""A support group meets in one room: fifteen phones behind one address, and none keeps another out."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from forum.core.settings import Settings
from tests.support import make

API = "/api/v1"
ROOM = "203.0.113.7"
FAMILY = (
    *("heron", "bittern", "egret", "curlew", "plover", "wigeon", "teal", "gannet"),
    *("dunlin", "whimbrel", "godwit", "lapwing", "avocet", "pintail", "smew"),
)


@pytest.fixture
async def app(database_url: str, tmp_path: Path) -> AsyncIterator[FastAPI]:
    """The application with every limit as it comes."""
    async with make.application(Settings(database_url=database_url, data=tmp_path)) as app:
        yield app


async def test_a_family_of_fifteen_joins_and_signs_in_from_one_address(app: FastAPI) -> None:
    async with make.client_at(app, ROOM) as room:

        async def join(handle: str) -> None:
            # Everybody's first choice is taken, or too short a password: they try again.
            assert (await room.post(f"{API}/members", json=make.joining(handle, password="short"))).status_code == 422
            joined = await room.post(f"{API}/members", json=make.joining(handle))
            assert joined.status_code == 201, joined.text

        async def sign_in(handle: str) -> httpx.Response:
            return await room.post(f"{API}/sessions", json=make.signing_in(handle))

        await asyncio.gather(*map(join, FAMILY))
        # Half of them mistype once: fewer than ten, and they are not those who pay for it.
        for handle in FAMILY[::2]:
            wrong = await room.post(f"{API}/sessions", json=make.signing_in(handle, "four quiet herons"))
            assert wrong.status_code == 401
        answers = await asyncio.gather(*map(sign_in, FAMILY))
        assert [answer.status_code for answer in answers] == [201] * len(FAMILY)
        again = [await sign_in(handle) for handle in FAMILY]
        assert [answer.status_code for answer in again] == [201] * len(FAMILY)
        # Somebody who guesses there is refused as anywhere else.
        for number in range(2):
            await room.post(f"{API}/sessions", json=make.signing_in(f"nobody{number}", "wrong"))
        assert (await room.post(f"{API}/sessions", json=make.signing_in("nobody", "wrong"))).status_code == 429
