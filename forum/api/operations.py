"""For those who run the forum: is the process alive, and can it work?"""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from forum.api.dependencies import TheHouse
from forum.api.problems import documented, problem
from forum.api.wire import answer

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """All is well."""

    status: str = "ok"


@router.get("/healthz", response_model=Health, responses=documented(422))
async def healthz() -> Response:
    """Answer as long as the process lives."""
    return answer(Health())


@router.get("/readyz", response_model=Health, responses=documented(422, 503))
async def readyz(house: TheHouse) -> Response:
    """Answer 200 when the database answers and is migrated."""
    if await house.database.is_ready():
        return answer(Health())
    return problem(503, "Not ready", "The database does not answer, or is not migrated.", headers={"Retry-After": "1"})
