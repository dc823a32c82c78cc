"""Read a text, write it in our Markdown, and prove it."""

from collections.abc import Sequence

from forum.core.text import carried, has_seen
from forum.importers.records import TextForm
from forum.importers.texts.escaping import escape_all
from forum.importers.texts.outcome import How, Loss, Moved, Surroundings

NO_WORDS = "[no words]"


def to_markdown(
    text: str, form: TextForm, *, uid: str = "", around: Surroundings, attachments: Sequence[str] = ()
) -> Moved:
    """Return the text in our Markdown. `attachments`, as in a record, are told in words where the text tells none."""
    plain = carried(text)
    if not has_seen(plain):
        return Moved(NO_WORDS, How.PLAIN, (Loss.NO_WORDS,))
    return Moved(plain if form == TextForm.MARKDOWN else escape_all(plain), How.PLAIN)
