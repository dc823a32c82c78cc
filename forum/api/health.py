"""Health checks, for those who run the forum."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from forum.http.problems import UNAVAILABLE, documented, problem
from forum.http.responses import json_response
from forum.http.services import AppServices

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """The check passed."""

    status: str = "ok"


@router.get("/healthz", response_model=Health, responses=documented(422))
async def healthz() -> Response:
    """Check that the process runs."""
    return json_response(Health())


@router.get("/readyz", response_model=Health, responses=documented(422, 503))
async def readyz(services: AppServices) -> Response:
    """Check that the database answers and every migration has run."""
    if await services.database.is_ready():
        return json_response(Health())
    sentence = "The database does not answer, or not every migration has run."
    return problem(UNAVAILABLE, "not_ready", sentence, headers={"Retry-After": "1"})
