"""Which rows go when an import is taken back: they are found along the foreign keys of the database itself.

A row goes where it belongs to something that goes by one of the columns below. Whatever else leads to something that
goes was done by people here, and keeps all of it: also in a table that nobody thought of when this was written.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# The columns by which rows go, with the table in which what they belong to is: those that the import itself wrote, what
# the machine keeps beside them, and how members look at them. None of it is somebody's words, or a decision.
GOES: Mapping[str, tuple[str, ...]] = {
    "thread": (
        *("feed_entry.thread_id", "moved.thread_id", "notification.thread_id", "post.thread_id"),
        *(
            "read_mark.thread_id",
            "subscription.thread_id",
            "thread_search.thread_id",
            "thread_title_revision.thread_id",
        ),
        "unindexed_thread.thread_id",
    ),
    "post": (
        *("case_post.post_id", "finding.post_id", "moderation_case.post_id", "near_copy.post_id"),
        *("notification.post_id", "post_quote.post_id", "post_revision.post_id", "post_search.post_id"),
        "quoted_words.post_id",
        *("reaction_count.post_id", "swept_post.post_id", "unindexed_post.post_id", "untold_post.post_id"),
    ),
    "moderation_case": (
        *("case_alarm.case_id", "case_call.case_id", "case_claim.case_id", "case_post.case_id"),
        *("case_recusal.case_id", "decision.case_id", "finding.case_id", "mail.subject_id", "near_copy.case_id"),
        *("notification.subject_id", "report.case_id"),
    ),
    "decision": ("measure.decision_id", "statement.decision_id"),
    "report": (),
    "persona": (
        *("ignored.persona_id", "mail.about_persona_id", "moderation_case.subject_persona_id"),
        *("post_search.author_id", "post_tally.persona_id", "search.author_id"),
    ),
    "member": (
        *(
            "arrival.member_id",
            "device.member_id",
            "guest_repeat.member_id",
            "ignored.member_id",
            "letter_choice.member_id",
        ),
        *("mail.member_id", "mail_due.member_id", "mailed_link.member_id", "member_session.member_id"),
        *("moved.member_id", "notification.member_id", "off_link.member_id", "old_login.member_id"),
        *(
            "passkey_challenge.member_id",
            "past_warning.member_id",
            "persona.id",
            "read_mark.member_id",
            "rules_acceptance.member_id",
        ),
        *("safe_repeat.member_id", "sanction.member_id", "search.member_id", "subscription.member_id"),
    ),
    "board": (
        *("board_tally.board_id", "feed_entry.board_id", "moved.board_id", "post_tally.board_id"),
        *("search.board_id", "subscription.board_id"),
    ),
}
# What goes, too, once it has begun to be taken back: of what people keep for themselves or say with a sign, nothing is
# lost that is worth half an import. Triggers count reactions down.
YIELDS: Mapping[str, tuple[str, ...]] = {
    "post": ("bookmark.post_id", "reaction.post_id"),
    "persona": ("reaction.persona_id",),
    "member": ("bookmark.member_id", "draft.member_id"),
}
# A report came from the old board: its id is made of what it was there, which is version 5; ids of what people make
# here are of version 7.
FILED_THERE = "substr(CAST(report.id AS text), 15, 1) = '5'"
# Of these, a row goes only if it came from the old board; those that people made here keep what they belong to.
CAME: Mapping[tuple[str, str], str] = {
    ("decision", "case_id"): "import_run_id IS NOT NULL",
    ("report", "case_id"): FILED_THERE,
    # A later run leaves earlier words, too, and its mark says up to which revision.
    (
        "post_revision",
        "post_id",
    ): "post_revision.number < (SELECT moved.revision FROM moved JOIN post USING (thread_id, number) "
    "WHERE moved.kind = 'post' AND post.id = post_revision.post_id)",
    # So does its mark of a thread; where it has another version by now, people here may have given it another title.
    (
        "thread_title_revision",
        "thread_id",
    ): "sealed AND EXISTS (SELECT FROM thread JOIN moved ON moved.thread_id = thread.id AND kind = 'thread' "
    "WHERE thread.id = thread_title_revision.thread_id AND moved.revision = version)",
}
# Columns that name something without a foreign key to it.
LOOSE = {
    ("mail", "subject_id"): "moderation_case",
    ("notification", "subject_id"): "moderation_case",
    ("persona", "id"): "member",
}

# Each key that leads to an id, by its first column.
_KEYS = text("""
SELECT child.relname AS child, own.attname AS "column", parent.relname AS parent
FROM pg_constraint AS foreign_key
JOIN pg_class AS child ON child.oid = conrelid
JOIN pg_class AS parent ON parent.oid = confrelid
JOIN pg_attribute AS own ON own.attrelid = conrelid AND own.attnum = conkey[1]
JOIN pg_attribute AS id ON id.attrelid = confrelid AND id.attnum = confkey[1] AND id.attname = 'id'
WHERE contype = 'f' AND connamespace = 'public'::regnamespace
ORDER BY 1, 2
""")


class Key(NamedTuple):
    """A column that leads to a row of another table, by its id."""

    child: str
    column: str
    parent: str


@dataclass(frozen=True)
class Going:
    """What leads where in this database. The rows that go are in temporary tables, one for each table in `tables`."""

    keys: tuple[Key, ...]
    has_begun: bool = False

    @cached_property
    def owning(self) -> frozenset[Key]:
        """The keys by which a row goes with another."""
        goes = (*GOES.items(), *(YIELDS.items() if self.has_begun else ()))
        named = {(*name.split("."), parent) for parent, names in goes for name in names}
        return frozenset(key for key in self.keys if key in named)

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """The tables in which something can go that others lead to, each after those with which its rows go."""
        found = list(GOES)
        return tuple(sorted(found, key=lambda table: (self._depth(table), table)))

    def _depth(self, table: str) -> int:
        parents = [key.parent for key in self.owning if key.child == table and key.parent in GOES]
        return 1 + max((self._depth(parent) for parent in parents), default=0)

    def owners_of(self, table: str) -> Sequence[Key]:
        """Return the keys by which rows of a table go."""
        return sorted(key for key in self.owning if key.child == table)

    def watched(self) -> Iterator[Key]:
        """Give the keys that lead from what people did to something that goes."""
        return (
            key
            for key in self.keys
            if key.parent in GOES and (key not in self.owning or (key.child, key.column) in CAME)
        )


def goes_by(key: Key) -> str:
    """Return the condition that a row goes with what it belongs to by this key."""
    belongs = f"{key.child}.{key.column} IN {ids_in(key.parent)}"
    came = CAME.get((key.child, key.column))
    return f"({belongs} AND {came})" if came else belongs


def ids_in(table: str) -> str:
    """Return a query of the ids of the rows of a table that were collected."""
    return f"(SELECT id FROM going_{table})"  # noqa: S608


async def read_keys(session: AsyncSession, *, has_begun: bool = False) -> Going:
    """Return what leads where, as the database says, and what goes: more, once it has begun to be taken back."""
    keys = [Key(*row) for row in await session.execute(_KEYS)]
    return Going((*keys, *(Key(child, column, parent) for (child, column), parent in LOOSE.items())), has_begun)


async def collect(
    session: AsyncSession, going: Going, roots: Mapping[str, str], named: Mapping[str, object], *, lock: bool = False
) -> None:
    """Note in temporary tables which rows go; the rows themselves are locked where `lock` says so."""
    for table in going.tables:
        ids = [roots[table]] if table in roots else []
        ids += [f"SELECT id FROM {table} WHERE {goes_by(key)}" for key in going.owners_of(table)]  # noqa: S608
        which = " UNION ".join(ids) or f"SELECT id FROM {table} WHERE false"  # noqa: S608
        made = f"CREATE TEMP TABLE going_{table} ON COMMIT DROP AS SELECT id FROM {table} WHERE false"  # noqa: S608
        await session.execute(text(made))
        await session.execute(text(f"INSERT INTO going_{table} {which}"), named if table in roots else {})
        if lock:
            locked = f"SELECT FROM {table} WHERE id IN {ids_in(table)} ORDER BY id FOR UPDATE"
            await session.execute(text(locked))
        await session.execute(text(f"ANALYZE going_{table}"))


async def delete_rows(session: AsyncSession, going: Going) -> None:
    """Delete the rows that were collected: first what belongs to them, and of that first what only `moved` explains."""
    for key in sorted(going.owning, key=lambda key: ((key.child, key.column) not in CAME, key)):
        if key.child not in going.tables:
            await session.execute(text(f"DELETE FROM {key.child} WHERE {goes_by(key)}"))  # noqa: S608
    for table in reversed(going.tables):
        await session.execute(text(f"DELETE FROM {table} WHERE id IN {ids_in(table)}"))  # noqa: S608
