"""Bans, warnings, open reports, what people followed and ignored and which words were replaced, on a phpBB board."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from forum.importers.phpbb.encoding import Decoder, plain
from forum.importers.phpbb.people import moment
from forum.importers.phpbb.spool import Spool
from forum.importers.records import BanRecord, IgnoreRecord, ReportRecord, TermRecord, WarningRecord, WatchRecord
from forum.importers.remarks import Remark
from forum.importers.staging import Notebook


@dataclass
class Moderation:
    """Reads what was decided and followed; only of people, threads and posts that there are."""

    spool: Spool
    decoder: Decoder
    people: Collection[str]
    threads: Collection[int]
    boards: Collection[str]
    now: datetime
    notebook: Notebook

    def bans(self) -> Iterator[BanRecord]:
        """Give the bans of members that are not over, except of those who were excepted."""
        query = (
            "SELECT ban_id, ban_userid, ban_start, ban_end, ban_exclude, ban_reason, ban_give_reason, "
            "coalesce(ban_ip, '') <> '' OR coalesce(ban_email, '') <> '' FROM {banlist} ORDER BY ban_id"
        )
        rows = list(self.spool.rows(query))
        excepted = {user for _, user, _, _, is_excepted, *_ in rows if is_excepted and user}
        for old, user, start, end, is_excepted, reason, given, by_address in rows:
            if is_excepted or user in excepted or (not user and not by_address):
                continue
            until = moment(end)
            if until and until <= self.now:
                self.notebook.add(Remark.BAN_OVER, str(old))
            elif not user:
                self.notebook.add(Remark.BAN_OF_ADDRESS, str(old))
            elif str(user) in self.people:
                told, note = self.decoder.line(given), self.decoder.line(reason)
                yield BanRecord(person=str(user), since=moment(start), until=until, reason=told, note=note)

    def warnings(self) -> Iterator[WarningRecord]:
        """Give the warnings that count."""
        query = (
            "SELECT warnings.user_id, warning_time, log.user_id FROM {warnings} AS warnings "
            "LEFT JOIN {log} AS log ON log.log_id = warnings.log_id ORDER BY warning_id"
        )
        for user, time, by in self.spool.rows(query):
            if str(user) in self.people and (given_at := moment(time)):
                yield WarningRecord(person=str(user), given_at=given_at, by=str(by) if str(by) in self.people else None)

    def reports(self) -> Iterator[ReportRecord]:
        """Give the reports of posts that nobody closed; those of private messages stay behind with them."""
        reasons = dict(self.spool.rows("SELECT reason_id, reason_title FROM {reports_reasons}"))
        query = (
            "SELECT reports.post_id, user_id, report_time, reason_id, report_text, topic_id FROM {reports} AS reports "
            "JOIN {posts} AS posts ON posts.post_id = reports.post_id "
            "WHERE report_closed IS NOT 1 AND coalesce(pm_id, 0) = 0 ORDER BY report_id"
        )
        for post, user, time, reason, text, topic in self.spool.rows(query):
            if topic in self.threads and (reported_at := moment(time)):
                title = self.decoder.line(reasons.get(reason))
                words = plain(self.decoder.decode(text).text) or title
                by = str(user) if str(user) in self.people else None
                yield ReportRecord(post=str(post), by=by, reported_at=reported_at, reason=words, title=title)

    def watches(self) -> Iterator[WatchRecord]:
        """Give what people followed."""
        for user, topic in self.spool.rows("SELECT DISTINCT user_id, topic_id FROM {topics_watch} ORDER BY 1, 2"):
            if str(user) in self.people and topic in self.threads:
                yield WatchRecord(person=str(user), thread=str(topic))
        for user, board in self.spool.rows("SELECT DISTINCT user_id, forum_id FROM {forums_watch} ORDER BY 1, 2"):
            if str(user) in self.people and str(board) in self.boards:
                yield WatchRecord(person=str(user), board=str(board))

    def ignored(self) -> Iterator[IgnoreRecord]:
        """Give whom people ignored, whom phpBB calls foes."""
        for user, other in self.spool.rows(
            "SELECT DISTINCT user_id, zebra_id FROM {zebra} WHERE foe = 1 ORDER BY 1, 2"
        ):
            if user != other and str(user) in self.people and str(other) in self.people:
                yield IgnoreRecord(person=str(user), ignored=str(other))

    def terms(self) -> Iterator[TermRecord]:
        """Give the words that the board replaced when it showed a text."""
        for word, replacement in self.spool.rows("SELECT word, replacement FROM {words} ORDER BY word_id"):
            if words := self.decoder.line(word):
                yield TermRecord(words=words, replacement=self.decoder.line(replacement))
