"""For those who run the forum: is the process alive, and can it work?"""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from forum.http.problems import UNAVAILABLE, documented, problem
from forum.http.responses import json_response
from forum.http.services import AppServices

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """All is well."""

    status: str = "ok"


@router.get("/healthz", response_model=Health, responses=documented(422))
async def healthz() -> Response:
    """Answer as long as the process lives."""
    return json_response(Health())


@router.get("/readyz", response_model=Health, responses=documented(422, 503))
async def readyz(services: AppServices) -> Response:
    """Answer 200 when the database answers and is migrated."""
    if await services.database.is_ready():
        return json_response(Health())
    unready = "The database does not answer, or is not migrated."
    return problem(UNAVAILABLE, "not_ready", unready, headers={"Retry-After": "1"})
