"""The mails about what is new, over HTTP: which of them a member wants."""

from datetime import time
from typing import Annotated, Self

from fastapi import APIRouter, Request, Response
from pydantic import Field, StringConstraints

from forum.api.schemas import RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, address_of
from forum.http.fields import HourOfDay, Moment, SentMoment, Text, Token
from forum.http.problems import documented
from forum.http.services import CurrentTransactions, CurrentWork, Route
from forum.notifications import letter_choices
from forum.notifications.letter_choices import OwnLetters, WantedLetters
from forum.notifications.letter_times import LetterMode

router = APIRouter(tags=["notifications"], route_class=Route)

Quiet = Annotated[list[HourOfDay], Field(min_length=2, max_length=2, examples=[["22:00", "08:00"]])]
_MODES = "`off`; `daily`: one at your hour, if there is news; `soon`: ten minutes after it, at most one in three hours"


class Mails(ResponseBody):
    """Which mails you get about what is new for you. Each is the same short mail, without a word of the forum."""

    mode: LetterMode = Field(description=_MODES)
    at: HourOfDay = Field(description="The hour of the daily mail, in your zone", examples=["10:00"])
    zone: str = Field(examples=["Europe/London"])
    quiet: Quiet | None = Field(description="From when until when no such mail comes. Null: there is no such time")
    paused_until: Moment | None = Field(
        description="No such mail comes before. Null when there is no pause", examples=["2026-12-27T08:00:00Z"]
    )
    answered: bool = Field(description="Whether you ever chose. Until then these are proposals")
    stopped_at: Moment | None = Field(
        description="Since then none is sent, because your mail server refused three. To begin again, choose again",
        examples=["2026-12-27T08:00:00Z"],
    )

    @classmethod
    def of(cls, letters: OwnLetters) -> Self:
        """Return what a member chose."""
        chosen = letters.chosen
        return cls(
            mode=chosen.mode,
            at=f"{chosen.at:%H:%M}",
            zone=chosen.zone,
            quiet=[f"{hour:%H:%M}" for hour in chosen.quiet] if chosen.quiet else None,
            paused_until=chosen.paused_until,
            answered=letters.is_answered,
            stopped_at=letters.stopped_at,
        )


class MailsChoice(RequestBody):
    """Which mails you want about what is new for you. It takes the place of all that you chose before."""

    mode: LetterMode = Field(description=_MODES)
    at: HourOfDay = Field("10:00", description="The hour of the daily mail, in your zone: none of the quiet ones")
    zone: Annotated[Text, StringConstraints(min_length=1, max_length=60)] = Field(
        description="The name of a time zone, as the list of IANA has it", examples=["Europe/London"]
    )
    quiet: Quiet | None = Field(
        default=None,
        description="From when until when no such mail comes, in your zone. It may go over midnight. Leave it out for "
        "no such time",
    )
    paused_until: SentMoment | None = Field(
        default=None,
        description="No such mail comes before: at most a year from now. Leave it out for no pause",
        examples=["2026-12-27T08:00:00Z"],
    )


class OffToken(RequestBody):
    """The token of the link that turns the mails about what is new off."""

    token: Token = Field(
        description="What follows `/unsubscribe/` in the header `List-Unsubscribe` of such a mail, and in its words"
    )


@router.post("/unsubscriptions", status_code=204, responses=documented(413, 422, 429))
async def unsubscribe(request: Request, mailed: OffToken, transactions: CurrentTransactions) -> Response:
    """Turn off the mails about what is new, with the token of the link in each of them: what follows `/unsubscribe/`.

    It needs no session, and does nothing else. The answer is the same for a token that is nobody's.
    """
    await letter_choices.turn_off(transactions, mailed.token, address_of(request))
    return Response(status_code=204)


@router.get("/me/mails", response_model=Mails, responses=documented(401, 422))
async def get_mails(request: Request, viewer: AnyMember, work: CurrentWork) -> Response:
    """Read which mails you get about what is new for you. Mails about your password or address always come."""
    letters = await letter_choices.get_letters(work, viewer)
    return cacheable_response(request, Mails.of(letters), shared=False)


@router.put("/me/mails", status_code=204, responses=documented(401, 403, 413, 422, 429))
async def choose_mails(wanted: MailsChoice, viewer: AnyMember, work: CurrentWork) -> Response:
    """Choose which mails you get about what is new for you. Idempotent. It needs a verified address.

    Each mail has a link that turns them off, without signing in.
    """
    quiet = (time.fromisoformat(wanted.quiet[0]), time.fromisoformat(wanted.quiet[1])) if wanted.quiet else None
    at = time.fromisoformat(wanted.at)
    chosen = WantedLetters(wanted.mode, at, wanted.zone, quiet, wanted.paused_until)
    await letter_choices.choose_letters(work, viewer, chosen)
    return Response(status_code=204)
