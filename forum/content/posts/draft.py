"""A draft of a post, parsed once."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from forum.content import markup
from forum.content.lines import refuse_official
from forum.content.posts.lengths import BODY_MAX
from forum.content.posts.tables import Post
from forum.core import side_process
from forum.core.errors import Invalid
from forum.core.gate import Covered
from forum.core.text import is_light

BLOCK = "█"
_LETTER = re.compile(r"\w")


@dataclass(frozen=True)
class Draft:
    """The text that a member wants to post. A body that may take long is parsed and rendered in another process."""

    body_markdown: str
    reply_to: int | None = None
    content_warning: str | None = None
    confirm: str | None = field(default=None, compare=False)  # the answer to what was asked about it
    asks: bool | None = field(default=None, compare=False)  # whether its author says that it asks something
    _references: list[markup.References] = field(default_factory=list, init=False, repr=False, compare=False)

    def has_words_of(self, post: Post) -> bool:
        """Return whether the post has this text already."""
        return (post.body_markdown, post.content_warning) == (self.body_markdown, self.content_warning)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that readers would see."""
        return (self.body_markdown, self.content_warning or "")

    async def parse(self) -> markup.References:
        """Return the members and posts that the body names.

        Call it before a transaction holds a connection: a hostile body takes half a second, once.
        """
        if not self._references:
            self._references.append(await self._find_references())
        return self._references[0]

    def with_marks_escaped(self, before: Post | None = None) -> "Draft":
        """Return the draft in which a "[removed: rule 3]" that its author typed is plain text.

        Those in the post `before` an edit stay. Raises Invalid when the body is too long by it, and for a content
        warning that has one, or something else that looks as if the forum had put it there.
        """
        warning = (before and before.content_warning) or ""
        refuse_official(self.content_warning or "", "#/content_warning", ours=warning)
        body = markup.escape_typed_marks(self.body_markdown, before.body_markdown if before else "")
        if body == self.body_markdown:
            return self
        if len(body) > BODY_MAX:
            raise Invalid(f"A post has at most {BODY_MAX} characters.", "#/body_markdown", code="too_long")
        return replace(self, body_markdown=body)

    def covered(self, spans: Sequence[Covered]) -> "Draft":
        """Return the draft with blocks in place of these parts. What stands elsewhere keeps its position."""
        return replace(
            self,
            body_markdown=cover(self.body_markdown, spans, "body_markdown"),
            content_warning=self.content_warning and cover(self.content_warning, spans, "content_warning"),
        )

    async def refuse_blank(self) -> None:
        """Raise Invalid unless something of the body can be seen once it is rendered."""
        if (await self.parse()).is_blank:
            raise Invalid("must not be blank", "#/body_markdown", code="blank")

    async def html(self, known: markup.Known) -> str:
        """Return safe HTML in which the `known` references are marked."""
        if self._is_light:
            return self._parsed.html(known)
        return await side_process.run(markup.render, self.body_markdown, known)

    async def quotations(self, known: markup.Known) -> markup.Quotations:
        """Return what the body quotes, with the `known` references."""
        if self._is_light:
            return markup.quotations_of(self._parsed, self.body_markdown, known)
        return await side_process.run(markup.find_quotations, self.body_markdown, known)

    async def _find_references(self) -> markup.References:
        if self._is_light:
            return self._parsed.references
        return await side_process.run(markup.find_references, self.body_markdown)

    @cached_property
    def _is_light(self) -> bool:
        return is_light(self.body_markdown)

    @cached_property
    def _parsed(self) -> markup.Parsed:
        return markup.parse(self.body_markdown)


def cover(text: str, spans: Sequence[Covered], field: str) -> str:
    """Return a text with a block for each letter in these parts."""
    for _, start, end in (span for span in spans if span.field == field):
        text = text[:start] + _LETTER.sub(BLOCK, text[start:end]) + text[end:]
    return text


NO_WORDS = Draft("")  # for actions that write no text
