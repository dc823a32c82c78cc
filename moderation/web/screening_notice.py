"""The page that says what a computer looks for in what people write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastapi import Response

from forum.web.languages import mark
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import Reading
from moderation import screening_notice
from moderation.screening_notice import Sought
from moderation.web import words

router = page_router()

NAMES: Mapping[str, str] = {
    "attempt": mark("that somebody has taken something or hurt themselves"),
    "child_in_danger": mark("that a child is in danger"),
    "danger": mark("that somebody is in danger of another person"),
    "encouragement": mark("that somebody is told to harm themselves"),
    "carer": mark("that somebody worries about the life of another"),
    "disclosure": mark("that a child said that somebody hurts them"),
    "suicide": mark("that somebody thinks of ending their life"),
    "self_harm": mark("that somebody hurts themselves"),
    "short_link": mark("short links, which hide where they lead"),
    "look_alike_link": mark("links to addresses that look like others"),
    "contact": mark("how to reach somebody elsewhere, in their first three posts"),
    "near_copy": mark("the same words again, by newcomers within a day"),
    "telephone": mark("telephone numbers of people"),
    "email": mark("e-mail addresses"),
    "postcode": mark("postcodes"),
}


@dataclass(frozen=True, kw_only=True)
class ScreeningNoticePage(Page):
    """What is looked for, what it can lead to, how to complain."""

    template: ClassVar[str] = "moderation/screening_notice.html"
    section: ClassVar[str] = "/rules"
    names: ClassVar[Mapping[str, str]] = {**NAMES, **words.DETAILS}

    crisis: Sequence[Sought]
    personal_information: Sequence[Sought]
    spam: Sequence[Sought]


@router.get("/screening")
async def show_screening_notice(visit: Reading) -> Response:
    """Show what a computer looks for in what people write."""
    sought = screening_notice.list_sought()
    return visit.show(
        ScreeningNoticePage(
            title=visit.say(mark("What a computer looks for here")),
            crisis=[one for one in sought if one.kind == "crisis"],
            personal_information=[one for one in sought if one.kind == "personal_information"],
            spam=[one for one in sought if one.kind == "spam"],
            indexable=True,
        )
    )
