"""The team: who moderates which board, and who says so."""

import pytest
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.scenes import API

TEAM = f"{API}/moderation/boards/new-here/team"


async def test_an_administrator_names_and_dismisses_a_moderator_of_one_board(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    await make.board(services, "court")
    async with (
        make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss,
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "magpie") as magpie,
    ):
        await scenes.report(magpie, post.id)
        assert (await wren.get(f"{API}/moderation/cases")).status_code == 403
        assert [(await boss.put(f"{TEAM}/wren")).status_code for _ in range(2)] == [204, 204]
        assert [one["handle"] for one in (await boss.get(TEAM)).json()["items"]] == ["wren"]
        await make.sign_in_again(app, wren, "wren")  # whoever's power changes signs in anew
        assert (await wren.get(f"{API}/moderation/boards/court/team")).status_code == 404
        case = await scenes.a_case(wren, post.id)
        assert (await wren.put(f"{API}/moderation/cases/{case['id']}/claim")).status_code == 200
        assert [(await boss.delete(f"{TEAM}/wren")).status_code for _ in range(2)] == [204, 204]
        assert (await wren.get(f"{API}/moderation/cases")).status_code == 401
        log = (
            await boss.get(f"{API}/moderation/log?subject_kind=member&subject_id={await id_of(services, 'wren')}")
        ).json()
    assert [entry["act"] for entry in log["items"]] == ["role.revoked", "role.granted"]


async def test_the_team_of_a_board_has_those_of_the_whole_forum_first(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "ada", boards=("new-here",))
    await make.member(services, "zoe", Role.MODERATOR)
    async with make.signed_in(app, "ada") as ada:
        team = (await ada.get(TEAM)).json()["items"]
    assert [(one["handle"], one["whole_forum"]) for one in team] == [("zoe", True), ("ada", False)]


@pytest.mark.parametrize(
    ("role", "board", "sees", "names"),
    [
        (None, None, 403, 403),
        (Role.ADVISER, None, 403, 403),
        (None, "court", 404, 403),
        (None, "new-here", 200, 403),
        (Role.MODERATOR, None, 200, 403),
        (Role.ADMINISTRATOR, None, 200, 204),
    ],
)
async def test_who_sees_and_who_names_the_team(
    app: FastAPI, services: Services, role: Role | None, board: str | None, sees: int, names: int
) -> None:
    await make.board(services)
    await make.board(services, "court")
    await make.member(services, "wren")
    roles, boards = ((role,) if role else ()), ((board,) if board else ())
    async with make.signed_in(app, "ada", *roles, boards=boards) as ada:
        assert (await ada.get(TEAM)).status_code == sees
        assert (await ada.put(f"{TEAM}/wren")).status_code == names
        assert (await ada.delete(f"{TEAM}/wren")).status_code == names


async def test_nobody_and_nowhere_are_not_found(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss:
        assert (await boss.put(f"{TEAM}/nobody")).status_code == 404
        assert (await boss.put(f"{API}/moderation/boards/nowhere/team/boss")).status_code == 404


async def id_of(services: Services, handle: str) -> str:
    return str((await make.viewer(services, handle)).id)
