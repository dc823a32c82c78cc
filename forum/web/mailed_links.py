"""Pages to which our mails lead. The secret of a link is after its `#`, which no server and no log ever sees.

A script puts it into the field; without one, people paste the whole link. Only the button acts: programs that look for
viruses follow every link of a mail.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from forum.http.fields import Token
from forum.web.forms import FormModel
from forum.web.pages import FormPage


def token_of(pasted: object) -> object:
    """Return the secret of a link that was pasted as a whole, perhaps broken over two lines; or the secret itself."""
    return "".join(pasted.split()).rpartition("#")[2] if isinstance(pasted, str) else pasted


PastedLink = Annotated[Token, BeforeValidator(token_of)]


class LinkForm(FormModel):
    """The link of a mail."""

    token: PastedLink


@dataclass(frozen=True, kw_only=True)
class LinkPage(FormPage):
    """A page to which a mail leads: what will happen, and one button."""

    template: ClassVar[str] = "account/link.html"

    action: str
    words: tuple[str, ...]
    button: str
