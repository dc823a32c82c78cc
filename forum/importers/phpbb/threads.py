"""Threads and posts of a phpBB board."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from forum.importers.phpbb.encoding import Decoder, plain
from forum.importers.phpbb.people import guest, moment
from forum.importers.phpbb.readers import ANONYMOUS
from forum.importers.phpbb.spool import Spool
from forum.importers.records import PollRecord, PostRecord, RemovalRecord, Shown, TextForm, ThreadRecord
from forum.importers.remarks import Remark
from forum.importers.staging import Notebook
from forum.importers.texts import Files

_LOCKED, _MOVED = 1, 2  # of `topic_status`
_GLOBAL = 3  # of `topic_type`; anything but 0 stands above the others
_SHOWN = {0: Shown.WAITING, 1: Shown.VISIBLE, 2: Shown.REMOVED, 3: Shown.WAITING}
_XML = re.compile(r"<[rt][ >]|<[rt]/>")
BY_EXTENSION = "An extension of the old board hid it."  # for moderators, where nothing else says why
UNNAMED = "Anonymous"  # who wrote where an extension let people keep their names back
_ANSWERED = re.compile(r'<QUOTE [^<>]*\bpost_id="(\d{1,18})"')
_PICTURES = frozenset(b"gif jpg jpeg png webp bmp tif tiff heic".split())


@dataclass
class Content:
    """Reads threads and posts; what is no record is in the notebook."""

    spool: Spool
    decoder: Decoder
    boards: Collection[str]
    of_global_threads: str | None
    people: Collection[str]
    notebook: Notebook
    titles: dict[int, str] = field(default_factory=dict)  # of the threads that move

    def threads(self) -> Iterator[ThreadRecord]:
        """Give the threads, and the pointers that moved threads left behind."""
        query = (
            "SELECT topic_id, forum_id, topic_poster, topic_time, topic_status, topic_type, topic_moved_id, "
            "CASE WHEN is_hidden THEN 2 ELSE coalesce(topic_visibility, topic_approved, 0) END, is_hidden, is_unnamed, "
            "poll_start, topic_title, topic_first_poster_name, poll_title, "
            "(SELECT bbcode_uid FROM {posts} WHERE post_id = topic_first_post_id) "
            "FROM {topics} ORDER BY topic_id"
        )
        known = {old for (old,) in self.spool.rows("SELECT topic_id FROM {topics} WHERE topic_status <> ?", _MOVED)}
        for row in self.spool.rows(query):
            old, board, poster, time, status, kind, moved, shown, is_hidden, is_unnamed, poll, title, *words = row
            first_name, question, uid = words
            name = self.decoder.line(title, f"thread:{old}")
            stands_on = self._board(board, kind)
            if stands_on is None:
                self.notebook.add(Remark.THREAD_WITHOUT_BOARD, str(old), name)
                continue
            is_pointer = status == _MOVED
            if is_pointer and moved not in known:
                self.notebook.add(Remark.POINTER_TO_NOTHING, str(old), name)
                continue
            if not is_pointer:
                self.titles[old] = name
            if is_hidden:
                self.notebook.add(Remark.HIDDEN_BY_EXTENSION, f"thread:{old}")
            author, author_name = (None, UNNAMED) if is_unnamed else self._author(poster, first_name)
            yield ThreadRecord(
                old=str(old),
                board=stands_on,
                author=author,
                author_name=author_name,
                title=name,
                opened_at=moment(time),
                is_locked=status == _LOCKED,
                is_pinned=bool(kind),
                shown=_SHOWN.get(shown, Shown.WAITING),
                poll=None if is_pointer or not poll else self._poll(old, question, uid),
                moved_to=str(moved) if is_pointer else None,
            )

    def posts(self) -> Iterator[PostRecord]:
        """Give the posts of the threads that move; to be called when all threads were read."""
        is_new_board = not self.spool.version.startswith(("3.0", "3.1"))
        attached = Attached(self.spool, self.decoder)
        query = (
            "SELECT post_id, posts.topic_id, poster_id, post_time, coalesce(post_visibility, post_approved, 0), "
            "coalesce(posts.is_hidden OR topics.is_hidden, posts.is_hidden), posts.is_unnamed, post_edit_time, "
            "post_edit_user, post_username, post_subject, post_text, bbcode_uid, post_edit_reason, post_delete_time, "
            "post_delete_user, "
            "coalesce(nullif(post_delete_reason, x''), CASE WHEN topic_visibility = 2 THEN topic_delete_reason END) "
            "FROM {posts} AS posts LEFT JOIN {topics} AS topics ON topics.topic_id = posts.topic_id "
            "ORDER BY post_id"
        )
        for row in self.spool.rows(query):
            old, topic, poster, time, shown, is_hidden, is_unnamed, edit_time, edit_user, *words = row
            username, subject, stored, uid, reason, *gone = words
            number, files = str(old), attached.of(old)
            if topic not in self.titles:
                self.notebook.add(Remark.POST_WITHOUT_THREAD, number, str(topic))
                continue
            text, found = self.decoder.decode(stored)
            form = TextForm.S9E if _XML.match(text) else TextForm.BBCODE
            for what in found:
                self.notebook.add(what, number)
            if is_new_board and text and form is TextForm.BBCODE:
                self.notebook.add(Remark.OLD_FORM_IN_NEW_BOARD, number)
            state = _SHOWN.get(shown, Shown.WAITING)
            if is_hidden:
                self.notebook.add(Remark.HIDDEN_BY_EXTENSION, number)
                state = Shown.REMOVED
            author, author_name = self._author(poster, username)
            if is_unnamed:
                self.notebook.add(Remark.UNNAMED, number)
                author, author_name = None, UNNAMED
                edit_user = None if edit_user == poster else edit_user  # that would name them, too
            elif author is None and poster != ANONYMOUS:
                self.notebook.add(Remark.AUTHOR_UNKNOWN, number, author_name or "")
            yield PostRecord(
                old=number,
                thread=str(topic),
                author=author,
                author_name=author_name,
                written_at=moment(time),
                form=form,
                text=text,
                uid="" if form is TextForm.S9E else self.decoder.decode(uid).text,
                title=self._own_title(subject, topic),
                reply_to=self._answered(text, old, topic) if form is TextForm.S9E else None,
                shown=state,
                edited_at=moment(edit_time),
                edited_by=str(edit_user) if str(edit_user) in self.people else None,
                edit_reason=self.decoder.line(reason) or None,
                attachments=files.kinds,
                below_files=files.below,
                removed=self._removal(*gone, unsaid=BY_EXTENSION if is_hidden else "")
                if state is Shown.REMOVED
                else None,
            )

    def _board(self, board: int | None, kind: int | None) -> str | None:
        if str(board) in self.boards:
            return str(board)
        return self.of_global_threads if kind == _GLOBAL and not board else None

    def _author(self, poster: int | None, username: bytes | None) -> tuple[str | None, str | None]:
        """Return whose it is: by account, else by the name that they gave."""
        if poster != ANONYMOUS and str(poster) in self.people:
            return str(poster), None
        name = self.decoder.line(username) or None
        return (guest(name), name) if name and guest(name) in self.people else (None, name)

    def _removal(self, time: int | None, by: int | None, reason: bytes | None, *, unsaid: str) -> RemovalRecord:
        by_whom = str(by) if str(by) in self.people else None
        return RemovalRecord(at=moment(time), by=by_whom, reason=self.decoder.line(reason) or unsaid)

    def _own_title(self, subject: bytes | None, topic: int) -> str:
        title = self.decoder.line(subject)
        if not title or title == self.titles[topic]:
            return ""
        rest = re.sub(r"^(?:re:\s*)+", "", title, flags=re.IGNORECASE)
        # A long title was cut where "Re: " was put before it.
        return "" if rest != title and (not rest or self.titles[topic].startswith(rest)) else title

    def _answered(self, text: str, post: int, topic: int) -> str | None:
        """Return which post one answers: the first that it quotes, where it stands before it in the same thread."""
        if (quoted := _ANSWERED.search(text)) is None:
            return None
        found = self.spool.rows(
            "SELECT 1 FROM {posts} WHERE post_id = ? AND post_id < ? AND topic_id = ?", int(quoted[1]), post, topic
        )
        return quoted[1] if any(True for _ in found) else None

    def _poll(self, topic: int, question: bytes | None, uid: bytes | None) -> PollRecord | None:
        known_uid = self.decoder.decode(uid).text
        query = (
            "SELECT poll_option_text, poll_option_total FROM {poll_options} WHERE topic_id = ? ORDER BY poll_option_id"
        )
        options = tuple(
            (plain(self.decoder.text(text, f"poll:{topic}"), known_uid), total or 0)
            for text, total in self.spool.rows(query, topic)
        )
        return PollRecord(question=plain(self.decoder.text(question, f"poll:{topic}"), known_uid), options=options)


class Attached:
    """What stood below posts, which are asked for by number, one after the other: so none of it is in memory."""

    def __init__(self, spool: Spool, decoder: Decoder) -> None:
        query = (
            "SELECT post_msg_id, mimetype, extension, attach_comment FROM {attachments} WHERE in_message IS NOT 1 "
            "AND is_orphan IS NOT 1 AND post_msg_id IS NOT NULL ORDER BY post_msg_id, attach_id"
        )
        self._decoder = decoder
        self._rows = spool.rows(query)
        self._next = next(self._rows, None)

    def of(self, post: int) -> Files:
        """Return what stood below a post: whether each was a picture or another file, and the words below each."""
        kinds, below = list[str](), list[str]()
        while self._next and self._next[0] <= post:
            number, mime, extension, comment = self._next
            if number == post:
                is_picture = (mime or b"").startswith(b"image/") or (extension or b"").lower() in _PICTURES
                kinds.append("picture" if is_picture else "file")
                if words := plain(self._decoder.text(comment, f"file:{post}")):
                    below.append(words)
            self._next = next(self._rows, None)
        return Files(tuple(kinds), tuple(below))


def stored_texts(spool: Spool) -> Iterator[bytes]:
    """Give the texts of posts and the titles of threads, as they were stored."""
    for (text,) in spool.rows("SELECT post_text FROM {posts} UNION ALL SELECT topic_title FROM {topics}"):
        yield text or b""
