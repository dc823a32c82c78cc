"""Read a text, write it in our Markdown, and prove it."""

from collections.abc import Sequence

from forum.core.text import carried, has_seen
from forum.importers.records import TextForm
from forum.importers.texts import bbcode, html, s9e
from forum.importers.texts.escaping import escape_all
from forum.importers.texts.outcome import Damaged, How, Loss, Moved, Surroundings
from forum.importers.texts.proof import is_shown, letters
from forum.importers.texts.tree import Block, Builder, Code, Divider, Listing, Paragraph, Quote
from forum.importers.texts.writer import Writer

NO_WORDS = "[no words]"


def to_markdown(
    text: str, form: TextForm, *, uid: str = "", around: Surroundings, attachments: Sequence[str] = ()
) -> Moved:
    """Return the text in our Markdown, proved letter for letter.

    `attachments`, as in a record, are told in words after the text, but for those that it tells of itself.
    """
    text = carried(text)
    if form == TextForm.MARKDOWN:
        return Moved(text, How.WORD_FOR_WORD) if has_seen(text) else Moved(NO_WORDS, How.PLAIN, (Loss.NO_WORDS,))
    builder = _read(text, form, uid, around)
    for kind in attachments[builder.attachments :]:
        builder.attachment(kind)
    blocks = builder.finish()
    if not has_seen("".join(builder.said)):
        return Moved(NO_WORDS, How.PLAIN, _sorted(builder.losses | {Loss.NO_WORDS}))
    return _written(blocks, builder)


def _read(text: str, form: TextForm, uid: str, around: Surroundings) -> Builder:
    """Return the tree of a text. Where not all of its words are in it, it is a paragraph of these."""
    builder, was = Builder(around), text
    try:
        if form == TextForm.S9E and s9e.is_xml(text):
            was = s9e.words_of(text)
            s9e.read(text, builder)
        elif form in {TextForm.S9E, TextForm.BBCODE}:
            was = bbcode.words_of(text, uid)
            bbcode.read(text, uid, builder)
        elif form == TextForm.HTML:
            was = html.words_of(text)
            html.read(text, builder)
        else:
            builder.say(text)
    except Damaged:
        return _as_text(was, around)
    return builder if letters(builder.old) == letters([was]) else _as_text(was, around)


def _as_text(words: str, around: Surroundings) -> Builder:
    builder = Builder(around)
    builder.say(words)
    builder.losses.add(Loss.DAMAGE)
    return builder


def _written(blocks: list[Block], builder: Builder) -> Moved:
    for writer in (Writer(), Writer(is_bare=True)):
        markdown = writer.write(blocks)
        if is_shown(markdown, builder.said):
            return Moved(markdown, _how(losses := builder.losses | writer.losses), _sorted(losses))
    markdown = "\n\n".join(map(_plain, blocks))
    return Moved(markdown, How.PLAIN, _sorted(builder.losses | {Loss.EMPHASIS, Loss.STRUCTURE}))


def _how(losses: set[Loss]) -> How:
    if Loss.DAMAGE in losses:
        return How.PLAIN
    return How.WITHOUT_EMPHASIS if Loss.EMPHASIS in losses else How.WORD_FOR_WORD


def _plain(block: Block) -> str:
    """Return the words of a block, and who said them."""
    match block:
        case Paragraph():
            return escape_all("".join(run.text for run in block.runs))
        case Code():
            return escape_all(block.text)
        case Quote():
            head = escape_all(block.heading or (f"{block.source}:" if block.source else "Quote:"))
            return "\n\n".join([head, *map(_plain, block.blocks), escape_all("(End of the quote)")])
        case Listing():
            return "\n\n".join(_plain(inner) for item in block.items for inner in item)
        case Divider():
            return escape_all("---")


def _sorted(losses: set[Loss]) -> tuple[Loss, ...]:
    return tuple(loss for loss in Loss if loss in losses)
