"""A page that says what a button will do, before it does it."""

from dataclasses import dataclass
from typing import ClassVar

from forum.web.pages import FormPage


@dataclass(frozen=True, kw_only=True)
class ConfirmPage(FormPage):
    """What will happen, one button, and the way back."""

    template: ClassVar[str] = "account/confirm.html"
    section: ClassVar[str] = "/me"

    action: str
    words: tuple[str, ...]
    button: str
    back: str
    back_words: str
