"""Read a text, write it in our Markdown, and prove it."""

import re
from collections.abc import Callable
from functools import partial

from forum.core.text import carried, has_seen
from forum.importers.records import TextForm
from forum.importers.texts import bbcode, html, s9e
from forum.importers.texts.escaping import escape_all
from forum.importers.texts.outcome import Damaged, Files, How, Loss, Moved, Surroundings
from forum.importers.texts.proof import is_shown, letters
from forum.importers.texts.tags import is_of_few
from forum.importers.texts.tree import HIDDEN, OF_FEW, Block, Builder, Code, Divider, Listing, Paragraph, Quote
from forum.importers.texts.writer import Writer

NO_WORDS, BELOW_FILE, NO_FILES = "[no words]", "[Below what was attached]", Files()
_QUOTED_POST = re.compile(r"post_id=\W{0,6}(\w{1,100})")
_TAG = re.compile(r"[<\[](?P<end>/?)(?P<name>[a-zA-Z][\w-]{0,29})(?=[\s=:>\]])")
# A tag of HTML whose words no reader saw: where it ends is not clear in what is broken.
_UNSEEN = re.compile(
    r"<(?P<end>)(?P<name>[a-z]{1,20})\b[^<>]*?(?:\bdisplay\s*:\s*none|\bvisibility\s*:\s*hidden|\shidden\b)",
    re.IGNORECASE,
)


def to_markdown(text: str, form: TextForm, *, uid: str = "", around: Surroundings, files: Files = NO_FILES) -> Moved:
    """Return the text in our Markdown, proved letter for letter.

    Files are told in words after the text, but for those that it tells of itself; then what stood below them. Where the
    text has words for few, a file may stand among these: then nothing of that is shown.
    """
    text = carried(text)
    if form == TextForm.MARKDOWN:
        return Moved(text, How.WORD_FOR_WORD) if has_seen(text) else Moved(NO_WORDS, How.PLAIN, (Loss.NO_WORDS,))
    builder = _read(text, form, uid, around)
    for kind in files.kinds[builder.attachments :]:
        builder.attachment(kind)
    for words in () if Loss.OF_FEW in builder.losses else files.below:
        builder.say("", f"{BELOW_FILE} {words}")
        builder.end_paragraph()
    blocks = builder.finish()
    if not has_seen("".join(builder.said)):
        return Moved(NO_WORDS, How.PLAIN, _sorted(builder.losses | {Loss.NO_WORDS}))
    return _written(blocks, builder)


def _read(text: str, form: TextForm, uid: str, around: Surroundings) -> Builder:
    """Return the tree of a text. Where not all of its words are in it, it is a paragraph of these."""
    builder, words_of = Builder(around), _words_of(text, form, uid)
    try:
        if form == TextForm.S9E and s9e.is_xml(text):
            s9e.read(text, builder)
        elif form in {TextForm.S9E, TextForm.BBCODE}:
            bbcode.read(text, uid, builder)
        elif form == TextForm.HTML:
            html.read(text, builder)
        else:
            builder.say(text)
    except Damaged:
        return _as_text(text, words_of, around)
    return builder if letters(builder.old) == letters([words_of(text)]) else _as_text(text, words_of, around)


def _words_of(text: str, form: TextForm, uid: str) -> Callable[[str], str]:
    """Return what finds the words of a text of this form, or of a piece of it."""
    if form == TextForm.S9E and s9e.is_xml(text):
        return s9e.words_of
    if form in {TextForm.S9E, TextForm.BBCODE}:
        return partial(bbcode.words_of, uid=uid)
    return html.words_of if form == TextForm.HTML else str


def _as_text(text: str, words_of: Callable[[str], str], around: Surroundings) -> Builder:
    """Return all words of a text in one paragraph, but for those that are perhaps of a hidden post, or for few."""
    builder = Builder(around)
    builder.losses.add(Loss.DAMAGE)
    hides_quotes = around.hides(posts_named(text))
    tags = [
        tag
        for tag in _TAG.finditer(text)
        if (hides_quotes if (name := tag["name"].lower()) == "quote" else is_of_few(name) and not around.is_for_staff)
    ]
    if not around.is_for_staff and (unseen := _UNSEEN.search(text)):
        tags = sorted([*tags, unseen], key=re.Match.start)
    opening = [tag for tag in tags if not tag["end"]]
    if not opening:
        builder.say(words_of(text))
        return builder
    # From where the first one begins to where the last one ends: where that is not clear, to the end.
    is_whole = len(opening) * 2 == len(tags) and tags[-1]["end"]
    rest = text[tags[-1].end() :].partition(">" if tags[-1][0].startswith("<") else "]")[2] if is_whole else ""
    is_quote = opening[0]["name"].lower() == "quote"
    builder.say(words_of(text[: opening[0].start()]))
    builder.end_paragraph()
    builder.say("", HIDDEN if is_quote else OF_FEW)
    builder.losses.add(Loss.HIDDEN_QUOTE if is_quote else Loss.OF_FEW)
    builder.end_paragraph()
    builder.say(words_of(rest))
    return builder


def posts_named(text: str) -> list[str]:
    """Return the old ids of posts that a text quotes by them."""
    return _QUOTED_POST.findall(text)


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
