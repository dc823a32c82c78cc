"""Drafts: what somebody wants to say, read once."""

import asyncio
from dataclasses import dataclass
from functools import cached_property

from forum.content import markup


@dataclass(frozen=True)
class Draft:
    """What somebody wants to post."""

    body_markdown: str
    reply_to: int | None = None
    content_warning: str | None = None

    @cached_property
    def parsed(self) -> markup.Parsed:
        """The body, read once."""
        return markup.parse(self.body_markdown)

    @property
    def texts(self) -> tuple[str, ...]:
        """Every word that readers would see."""
        return (self.body_markdown, self.content_warning or "")


LONG = 4_000  # characters; what reads in less than some 10 ms does not keep other requests waiting


async def drafted(body_markdown: str, reply_to: int | None = None, content_warning: str | None = None) -> Draft:
    """A draft whose body has been read, a long one beside the event loop: hostile ones take half a second."""
    draft = Draft(body_markdown, reply_to, content_warning)
    if len(body_markdown) > LONG:
        await asyncio.to_thread(lambda: draft.parsed)
    return draft


NO_WORDS = Draft("")  # for acts on a thread or a post that carry no text
