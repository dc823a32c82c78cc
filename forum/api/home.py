"""Home over HTTP: everything that one looks for first, in one read."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum import home
from forum.api.content.boards import Board, board_response
from forum.api.content.read_marks import MarkedThread, marked_json
from forum.api.schemas import ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentViewer
from forum.http.problems import documented
from forum.http.services import AppServices, CurrentTransactions, Route

router = APIRouter(tags=["boards"], route_class=Route)


class HomeBoard(Board):
    """A board, and whether something on it is new for you."""

    has_news: bool


class Home(ResponseBody):
    """What you look for first."""

    boards: list[HomeBoard]
    unread: list[MarkedThread] = Field(description="At most ten threads in which something is new for you")
    newest: list[MarkedThread] = Field(description="The ten threads with the newest posts")
    unread_notifications: int = Field(description="How many notifications you have not read", examples=[2])
    waiting_for_advisers: int | None = Field(
        description="How many threads wait for an adviser, at most 100. Null for those who do not see the list",
        examples=[None],
    )
    urgent_cases: int | None = Field(
        description="How many urgent cases wait that you may decide, at most 100. Null for those who decide none",
        examples=[None],
    )


@router.get("/home", response_model=Home, responses=documented(422))
async def get_home(
    request: Request, viewer: CurrentViewer, services: AppServices, transactions: CurrentTransactions
) -> Response:
    """Read everything that one looks for first: boards, what is unread, what is new, what waits for you."""
    found = await home.read_home(transactions, viewer, services.count_urgent_cases)
    front = found.front
    body = {
        "boards": [
            board_response(card, transactions.now).model_dump(mode="json")
            | {"has_news": card.board.id in front.boards_with_news}
            for card in front.boards
        ],
        "unread": [marked_json(row) for row in front.unread],
        "newest": [marked_json(row) for row in found.newest],
        "unread_notifications": front.unread_notifications,
        "waiting_for_advisers": found.waiting_for_advisers,
        "urgent_cases": front.urgent_cases,
    }
    return cacheable_response(request, body, shared=viewer.id is None)
