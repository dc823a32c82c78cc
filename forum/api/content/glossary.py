"""The glossary over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from forum.api.schemas import RequestBody, ResponseBody
from forum.content import glossary
from forum.content.glossary import MEANING_MAX, TERM_MAX, TermWish
from forum.content.links import URL_MAX
from forum.core.errors import Invalid
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember, CurrentViewer
from forum.http.fields import Line, Number, Text
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Reading, Route

router = APIRouter(tags=["glossary"], route_class=Route)

TermName = Annotated[
    Line,
    Path(
        min_length=2,
        max_length=TERM_MAX,
        description="The word as it is written in posts: up to four words of letters and digits",
        examples=["CIN"],
    ),
]


class GlossaryTerm(ResponseBody):
    """A word and what it means."""

    term: str = Field(examples=["CIN"])
    meaning: str = Field(examples=["Child in need: a plan for help, by agreement"])
    see_url: str | None = Field(
        description="A page on which more about it is", examples=["https://www.example.org/child-in-need"]
    )


class ListedGlossaryTerm(GlossaryTerm):
    """A word of the glossary, with its version."""

    version: int = Field(description="Send it with a change", examples=[1])


class WrittenGlossaryTerm(ListedGlossaryTerm):
    """A word as it stands in the glossary now."""

    is_ordinary_word: bool = Field(
        description="Whether posts often use the same letters as an ordinary word: think again whether readers need it"
    )


class Glossary(ResponseBody):
    """The whole glossary, in the order of the alphabet."""

    items: list[ListedGlossaryTerm]
    next: None = Field(description="Always null: there are 500 at most")


class GlossaryTermWish(RequestBody):
    """What a word means."""

    meaning: Annotated[Line, Field(min_length=1, max_length=MEANING_MAX, examples=["Child in need"])]
    see_url: (
        Annotated[
            Text,
            Field(
                min_length=1,
                max_length=URL_MAX,
                description="A page on which more about it is; it begins with `https://`",
                examples=["https://www.example.org/child-in-need"],
            ),
        ]
        | None
    ) = None
    version: Number | None = Field(
        None, description="The `version` that was on the screen; null for a word that is new", examples=[1]
    )


@router.get("/glossary", response_model=Glossary, responses=documented(422))
async def list_glossary(request: Request, _viewer: CurrentViewer, reading: Reading) -> Response:
    """Read what the abbreviations in posts mean."""
    items = [ListedGlossaryTerm.model_validate(term) for term in await glossary.list_terms(reading)]
    return cacheable_response(request, Glossary(items=items, next=None))


@router.put(
    "/glossary/{term}",
    response_model=WrittenGlossaryTerm,
    responses=documented(401, 403, 404, 409, 413, 422),
)
async def explain_term(term: TermName, wish: GlossaryTermWish, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Write down what a word means, or change that: for administrators. Posts that use it explain it within a second.

    Idempotent.
    """
    try:
        written = await glossary.explain_term(work, viewer, term, TermWish(wish.meaning, wish.see_url), wish.version)
    except Invalid as error:
        if error.pointer == "#/term":  # a field of the page's form; here it stands in the address
            error.pointer = "path/term"
        raise
    return json_response(WrittenGlossaryTerm(**written.term._asdict(), is_ordinary_word=written.is_ordinary_word))


@router.delete("/glossary/{term}", status_code=204, responses=documented(401, 403, 404, 422))
async def remove_term(term: TermName, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Take a word out of the glossary: for administrators."""
    await glossary.remove_term(work, viewer, term)
    return Response(status_code=204)
