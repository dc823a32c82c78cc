"""Health checks, for those who run the forum."""

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from forum.http.problems import UNAVAILABLE, documented, problem, storage_full
from forum.http.query_parameters import only_known_parameters
from forum.http.responses import json_response
from forum.http.services import AppServices

router = APIRouter(tags=["operations"], dependencies=[Depends(only_known_parameters)])


class Health(BaseModel):
    """The check passed."""

    status: str = "ok"


@router.get("/healthz", response_model=Health, responses=documented(422))
async def healthz() -> Response:
    """Check that the process runs."""
    return json_response(Health())


@router.get("/readyz", response_model=Health, responses=documented(422, 503))
async def readyz(services: AppServices) -> Response:
    """Check that the database takes a write within two seconds, is migrated, and has room on its disk."""
    if await services.database.is_ready():
        return json_response(Health())
    if services.database.is_full:
        return storage_full()
    sentence = "The database does not answer or takes no writes, or not every migration has run."
    return problem(UNAVAILABLE, "not_ready", sentence, headers={"Retry-After": "1"})
