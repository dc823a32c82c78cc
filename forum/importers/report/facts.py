"""What an old board has, counted."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from forum.authentication.old_logins import normalise_old_login
from forum.importers.board_rows import DESCRIPTION_MAX
from forum.importers.conversion import NOTICE_MAX
from forum.importers.naming import Namer, NewNames, skeletons_of
from forum.importers.people import KnownLogins
from forum.importers.records import (
    BanRecord,
    IgnoreRecord,
    PersonKind,
    PersonRecord,
    ReportRecord,
    Shown,
    SourceRecord,
    TermRecord,
    WarningRecord,
    WatchRecord,
)
from forum.importers.remarks import Remark
from forum.importers.staging import Staging
from forum.importers.titles import is_whole, title_of
from forum.passwords.hashing import is_known

NAMED = 50  # in a list; the others are counted
DORMANT = timedelta(days=3 * 365)
REPORT_COUNTS = timedelta(days=90)  # as a post that waits: see `old_threads`
# Measured: what `forum import run` carries over in a second, what a password takes, and what a post fills on the disk.
_POSTS_A_SECOND, _SECONDS_A_PASSWORD, _BYTES_A_POST = 600, 0.025, 2_600
_KIND = re.compile(r"\$(\w{1,12})\$")


@dataclass
class PeopleCount:
    """Who had an account, and what of it cannot be carried over as it is."""

    kinds: Counter[PersonKind] = field(default_factory=Counter)
    dormant: int = 0
    staff: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)  # the name, and what they were
    names: list[str] = field(default_factory=list)  # that change: "before → after"
    handles: list[str] = field(default_factory=list)  # that are not simply the name: "name → @handle"
    without_password: int = 0
    passwords: Counter[str] = field(default_factory=Counter)  # that cannot be used, by kind
    without_address: int = 0
    addresses: Counter[str] = field(default_factory=Counter)
    given: list[tuple[str, str, NewNames]] = field(default_factory=list)  # who, and what they typed to sign in

    @property
    def sharing(self) -> int:
        """How many people have an address that somebody else has too."""
        return sum(count for count in self.addresses.values() if count > 1)

    def without_old_name(self) -> list[str]:
        """Return who cannot sign in with what they typed before, as it leads to somebody else: "name → @handle"."""
        known = KnownLogins(set(), frozenset(names.handle for *_, names in self.given))
        return [
            f"{name} → @{names.handle}"
            for name, login, names in self.given
            if known.take(names, normalise_old_login(login)) is None
        ]

    def add(self, person: PersonRecord, namer: Namer, *, wrote: bool, now: datetime, has_handles: bool) -> None:
        """Count somebody; those first who wrote most, as they get their names in this order."""
        self.kinds[person.what] += 1
        if person.was:
            self.staff.append((person.name, person.was))
        if person.what is not PersonKind.MEMBER:
            return
        if not wrote and (person.last_seen_at is None or person.last_seen_at < now - DORMANT):
            self.dormant += 1
            return
        self._name(person, namer, person.login if has_handles else None)
        if person.email:
            self.addresses[person.email.casefold()] += 1
        else:
            self.without_address += 1
        if person.password is None:
            self.without_password += 1
        elif not is_known(person.password):
            kind = _KIND.match(person.password)
            self.passwords[kind.group() if kind else "unknown"] += 1

    def _name(self, person: PersonRecord, namer: Namer, handle: str | None) -> None:
        given = namer.name_member(person.old, person.name, was_staff=bool(person.was), handle=handle)
        self.given.append((person.name, person.login or person.name, given))
        if given.name != person.name:
            self.names.append(f"{person.name} → {given.name}")
        alone = Namer().name_member(person.old, person.name, was_staff=True, handle=handle)  # if there were nobody else
        if given.handle != alone.handle or alone.handle.startswith("member-"):
            self.handles.append(f"{person.name} → @{given.handle}")


@dataclass(frozen=True)
class Facts:
    """All of it."""

    source: SourceRecord
    boards: int
    sections: int
    threads: int
    posts: int
    found_posts: int  # with those that cannot move
    oldest: datetime | None
    shown: Mapping[Shown, int]
    people: PeopleCount
    titles: int  # that cannot stand here as they were
    changed_titles: Sequence[str]  # the first of them that not only staff could read: "before → after"
    cut_descriptions: Sequence[str]  # names of boards
    cut_reasons: int  # of moderators who changed a post
    left_reasons: int  # of others, above all of authors
    remarks: Mapping[Remark, int]
    others: Mapping[str, int]
    old_reports: tuple[ReportRecord, ...]  # that waited for too long to move

    @property
    def open_reports(self) -> int:
        """How many reports that nobody settled move."""
        return self.others["report"] - len(self.old_reports)

    @property
    def seconds(self) -> float:
        """How long moving takes, about."""
        hashes = self.people.kinds[PersonKind.MEMBER] - self.people.dormant
        return self.posts / _POSTS_A_SECOND + hashes * _SECONDS_A_PASSWORD

    @property
    def megabytes(self) -> int:
        """How much the disk fills, about."""
        return max(1, round(self.posts * _BYTES_A_POST / 1_000_000))


def count_facts(staging: Staging, now: datetime) -> Facts:
    """Return what an old board has."""
    people = _count_people(staging, now)
    boards = list(staging.boards())
    remarks, titles = staging.remarks(), _changed_titles(staging)
    posts, oldest = staging.connection.execute("SELECT count(*), min(written_at) FROM post").fetchone()
    shown = staging.connection.execute("SELECT shown, count(*) FROM post GROUP BY shown")
    pointers = "SELECT count(*) FROM thread WHERE json_extract(record, '$.moved_to') IS NULL"
    return Facts(
        source=staging.source,
        boards=sum(not board.is_section for board in boards),
        sections=sum(board.is_section for board in boards),
        threads=staging.connection.execute(pointers).fetchone()[0],
        posts=posts,
        found_posts=posts + remarks.get(Remark.POST_WITHOUT_THREAD, 0),
        oldest=datetime.fromtimestamp(oldest, now.tzinfo) if oldest else None,
        shown={Shown(value): count for value, count in shown},
        people=people,
        titles=titles.total(),
        changed_titles=[*islice((title for title in titles if title), NAMED)],
        cut_descriptions=[board.name for board in boards if not board.is_section and _is_cut(board.description)],
        cut_reasons=_count_cut_reasons(staging),
        left_reasons=_count_left_reasons(staging),
        remarks=remarks,
        others={
            kind.model_fields["kind"].default: sum(1 for _ in staging.others(kind))
            for kind in (BanRecord, WarningRecord, ReportRecord, WatchRecord, IgnoreRecord, TermRecord)
        },
        old_reports=tuple(
            report for report in staging.others(ReportRecord) if report.reported_at < now - REPORT_COUNTS
        ),
    )


def _changed_titles(staging: Staging) -> Counter[str]:
    """Return titles that change, as "before → after", each with how many threads have it; of the hidden ones, none."""
    few, changed = frozenset(staging.threads_of_few()), Counter[str]()
    for thread in staging.threads():
        if thread.moved_to is None and not is_whole(thread.title):
            changed[f"{thread.title} → {title_of(thread.title)}" if thread.old not in few else ""] += 1
    return changed


def _is_cut(description: str) -> bool:
    return len(" ".join(description.split())) > DESCRIPTION_MAX


def _count_cut_reasons(staging: Staging) -> int:
    """Return how many notices of a moderator's change cannot hold the whole reason."""
    staff = {person.old: person.name for person in staging.people() if person.was}
    query = (
        "SELECT json_extract(record, '$.edited_by'), json_extract(record, '$.edit_reason') FROM post "
        "WHERE json_extract(record, '$.edit_reason') IS NOT NULL AND json_extract(record, '$.edited_by') IS NOT author"
    )
    return sum(
        len(f"Edited by {staff[by]}: {' '.join(reason.split())}") > NOTICE_MAX
        for by, reason in staging.connection.execute(query)
        if by in staff
    )


def _count_left_reasons(staging: Staging) -> int:
    """Return how many reasons for changing a post become no notice, as no moderator gave them."""
    staff = {person.old for person in staging.people() if person.was}
    query = (
        "SELECT json_extract(record, '$.edited_by'), author FROM post "
        "WHERE json_extract(record, '$.edit_reason') IS NOT NULL"
    )
    return sum(by not in staff or by == author for by, author in staging.connection.execute(query))


def _count_people(staging: Staging, now: datetime) -> PeopleCount:
    staff = (person.name for person in staging.people() if person.was)
    namer, people, has_handles = Namer(old_staff=skeletons_of(staff)), PeopleCount(), staging.source.has_handles
    for person, posts in staging.people_by_posts(board.old for board in staging.boards()):
        people.add(person, namer, wrote=posts > 0, now=now, has_handles=has_handles)
    return people
