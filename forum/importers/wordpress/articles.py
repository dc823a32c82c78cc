"""Articles and their comments as threads: an article is the first post, and a comment can answer another."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from forum.importers.records import AddressRecord, BoardRecord, PostRecord, Readers, TextForm, ThreadRecord
from forum.importers.remarks import ARTICLE, Remark
from forum.importers.sources.wxr import KEPT_FROM_SOME, Fields, is_rule
from forum.importers.staging import Notebook
from forum.importers.texts import OF_FEW
from forum.importers.wordpress.people import BlogPeople
from forum.importers.wordpress.reading import article_of, dropped_from, line_of, text_of, time_of, time_of_feed
from forum.importers.wordpress.spool import BlogSpool, number

# Of which kinds of entries threads are made, on which boards: old id and name.
_BOARDS: Mapping[str, tuple[str, str]] = {"post": ("blog", "Blog"), "page": ("pages", "Pages")}
_PLUGIN_FORUM = ("topic", "reply")  # what people write in a forum of bbPress
# Kinds of entries of WordPress itself, in which nobody writes to anybody.
_FURNITURE = {
    *("attachment", "custom_css", "customize_changeset", "nav_menu_item", "oembed_cache", "revision", "user_request"),
    *("wp_block", "wp_font_face", "wp_font_family", "wp_global_styles", "wp_navigation", "wp_template"),
    "wp_template_part",
}
_PLUGIN_NAME = re.compile(r"[\w-]{1,60}", re.ASCII)
_DOUBT = "On the old site a plugin, {plugin}, kept some readers out, and the export does not say of which articles."
_NOT_APPROVED: Mapping[str, Remark] = {
    "0": Remark.NOT_APPROVED,
    "hold": Remark.NOT_APPROVED,
    "spam": Remark.SPAM_OR_BIN,
    "trash": Remark.SPAM_OR_BIN,
    "post-trashed": Remark.SPAM_OR_BIN,
}
_KINDS: Mapping[str, Remark | None] = {
    **dict.fromkeys(("", "comment")),
    **dict.fromkeys(("pingback", "trackback"), Remark.PINGBACK),
}


@dataclass
class Articles:
    """Reads articles and comments; what does not move is in the notebook."""

    spool: BlogSpool
    people: BlogPeople
    notebook: Notebook
    boards: set[str] = field(default_factory=set)  # on which something stands
    newest: datetime | None = None
    has_plugin_forum: bool = False
    keeps_out: str = ""  # the plugin, or a kind of its rules, by which some readers could not read all of the site

    def records(self) -> Iterator[ThreadRecord | AddressRecord | PostRecord]:
        """Give each thread, after it where it was, and its posts."""
        for old, article in self.spool.articles():
            comments = [*self._comments(old)]
            why_not = self._why_not(article, comments)
            if why_not:
                kind = article.get("wp:post_type", "").strip()
                shown = kind[:60] if why_not is Remark.OTHER_KIND else ARTICLE if kind in _BOARDS else ""
                self.notebook.add(why_not, str(old), shown)
                for comment, _ in comments:
                    self.notebook.add(Remark.COMMENT_LEFT_BEHIND, str(comment))
                continue
            yield from self._thread(old, article, comments)

    def board_records(self) -> Iterator[BoardRecord]:
        """Give the boards on which something stands: for staff alone, where some readers were kept from some of it."""
        plugin = self.people.keeps_out or self.keeps_out
        readers, doubt = (Readers.STAFF, _DOUBT.format(plugin=plugin)) if plugin else (Readers.EVERYONE, None)
        for position, (old, name) in enumerate(_BOARDS.values(), 1):
            if old in self.boards:
                yield BoardRecord(old=old, name=name, readers=readers, doubt=doubt, position=position)

    def _why_not(self, article: Fields, comments: list[tuple[int, Fields]]) -> Remark | None:
        kind, status = (article.get(name, "").strip() for name in ("wp:post_type", "wp:status"))
        if kind in _PLUGIN_FORUM:
            self.has_plugin_forum = True
            return Remark.PLUGIN_FORUM
        if kind not in _BOARDS:
            if is_rule(kind) and _PLUGIN_NAME.fullmatch(kind):
                self.keeps_out = kind
            return Remark.OTHER_CONTENT if kind in _FURNITURE else Remark.OTHER_KIND
        if article.get("wp:post_password"):
            return Remark.LOCKED_ARTICLE
        if article.get(KEPT_FROM_SOME):
            return Remark.RESTRICTED
        if status != "publish":
            return Remark.NOT_PUBLIC
        # What a site says of itself stays there; but people may have written below it.
        return Remark.OTHER_CONTENT if kind == "page" and not comments else None

    def _comments(self, article: int) -> Iterator[tuple[int, Fields]]:
        """Give the comments that everybody could read."""
        for old, comment in self.spool.comments(article):
            kind = _KINDS.get(comment.get("wp:comment_type", "").strip().lower(), Remark.OTHER_COMMENT)
            approved = comment.get("wp:comment_approved", "").strip()
            hidden = None if approved in {"1", "approve"} else _NOT_APPROVED.get(approved, Remark.NOT_APPROVED)
            restricted = Remark.RESTRICTED if comment.get(KEPT_FROM_SOME) else None
            if found := kind or hidden or restricted:
                self.notebook.add(found, str(old))
            else:
                yield old, comment

    def _thread(
        self, old: int, article: Fields, comments: list[tuple[int, Fields]]
    ) -> Iterator[ThreadRecord | AddressRecord | PostRecord]:
        board, _ = _BOARDS[article["wp:post_type"].strip()]
        self.boards.add(board)
        at = time_of(article, "wp:post") or time_of_feed(article)
        if at is None:
            self.notebook.add(Remark.NO_DATE, f"article:{old}")
        author = self.people.author_of(article, at)
        yield ThreadRecord(
            old=str(old),
            board=board,
            author=author,
            title=line_of(article, "title"),
            opened_at=at,
            is_locked=article.get("wp:comment_status", "open").strip() != "open",
            is_pinned=article.get("wp:is_sticky", "").strip() == "1",
        )
        yield from _addresses(old, article)
        post = PostRecord(
            old=f"article:{old}",
            thread=str(old),
            author=author,
            written_at=at,
            form=TextForm.HTML,
            text=article_of(article),
        )
        self._note(post, article.get("content:encoded", ""))
        if OF_FEW in post.text:
            self.notebook.add(Remark.OF_FEW, post.old)
        yield post
        yield from self._answers(old, at, comments)

    def _answers(
        self, thread: int, opened_at: datetime | None, comments: list[tuple[int, Fields]]
    ) -> Iterator[PostRecord]:
        timed = [(self._time(old, comment, opened_at), old, comment) for old, comment in comments]
        before: set[int] = set()
        coming = {old for old, _ in comments}
        for at, old, comment in sorted(timed, key=lambda one: (one[0] is not None, one[0], one[1])):
            author, name = self.people.commenter_of(comment, old, at)
            parent = number(comment.get("wp:comment_parent"))
            answered = str(parent) if parent in before else None
            if parent and answered is None:
                what = Remark.ANSWERS_LATER if parent in coming else Remark.ANSWERS_NOTHING
                self.notebook.add(what, str(old))
            before.add(old)
            post = PostRecord(
                old=str(old),
                thread=str(thread),
                author=author,
                author_name=name,
                written_at=at,
                form=TextForm.HTML,
                text=text_of(comment, "wp:comment_content"),
                reply_to=answered,
            )
            self._note(post, comment.get("wp:comment_content", ""))
            yield post

    def _time(self, old: int, comment: Fields, opened_at: datetime | None) -> datetime | None:
        at = time_of(comment, "wp:comment")
        if at is None:
            self.notebook.add(Remark.NO_DATE, str(old))
        return at or opened_at

    def _note(self, post: PostRecord, text: str) -> None:
        at = post.written_at
        if at and (self.newest is None or at > self.newest):
            self.newest = at
        for what in dropped_from(text):
            self.notebook.add(what, post.old)


def _addresses(old: int, article: Fields) -> Iterator[AddressRecord]:
    """Give where an article was read, unless it had an address of numbers only: `/?p=12`."""
    try:
        path = urlsplit(article.get("link", "").strip()).path.strip("/")
    except ValueError:
        path = ""
    slug = article.get("wp:post_name", "").strip()
    if path or slug:
        yield AddressRecord(thread=str(old), path=path, slug=slug)
