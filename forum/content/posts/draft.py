"""A draft of a post, parsed once."""

import asyncio
from dataclasses import dataclass
from functools import cached_property

from forum.content import markup
from forum.content.posts.tables import Post

LONG = 4_000  # characters: shorter texts mostly take less than 10 ms, for which other requests can wait


@dataclass(frozen=True)
class Draft:
    """The text that a member wants to post."""

    body_markdown: str
    reply_to: int | None = None
    content_warning: str | None = None

    @cached_property
    def parsed(self) -> markup.Parsed:
        """The body, parsed once."""
        return markup.parse(self.body_markdown)

    def has_words_of(self, post: Post) -> bool:
        """Return whether the post has this text already."""
        return (post.body_markdown, post.content_warning) == (self.body_markdown, self.content_warning)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that readers would see."""
        return (self.body_markdown, self.content_warning or "")

    async def parse(self) -> None:
        """Parse the body: a long one in another thread, because a hostile one takes half a second."""
        if len(self.body_markdown) > LONG:
            await asyncio.to_thread(lambda: self.parsed)


NO_WORDS = Draft("")  # for actions that write no text
