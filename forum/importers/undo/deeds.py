"""What people did here with what an import brought: whatever leads to it, and does not go with it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forum.importers.undo.going import Going, Key, goes_by, ids_in

Noun = tuple[str, str]  # of one, of several
POST: Noun = ("post", "posts")
# What is said of a row of each table. One decision has rows in several: the highest number of them counts.
_DECISION = ("decision of a moderator", "decisions of moderators")
_NOTE = ("note of the team", "notes of the team")
_ROLE = ("role or invitation", "roles and invitations")
_EDIT = ("edited post", "edited posts")
NOUNS: Mapping[str, Noun] = {
    "post": POST,
    "thread": ("thread", "threads"),
    "post_revision": _EDIT,
    "held_edit": _EDIT,
    "thread_title_revision": ("changed title", "changed titles"),
    "reaction": ("reaction", "reactions"),
    "bookmark": ("bookmark", "bookmarks"),
    "draft": ("draft", "drafts"),
    "report": ("report", "reports"),
    "public_report": ("report", "reports"),
    "passkey": ("passkey", "passkeys"),
    **dict.fromkeys(("recovery_code", "totp"), ("second factor", "second factors")),
    "export": ("request for a copy", "requests for a copy"),
    "departure": ("request to close an account", "requests to close an account"),
    **dict.fromkeys(("decision", "measure", "statement"), _DECISION),
    **dict.fromkeys(("adviser_note", "case_note", "handover_note", "member_note"), _NOTE),
    **dict.fromkeys(("adviser", "administrator_proposal", "invitation", "on_call_shift", "role_grant"), _ROLE),
}
OTHER: Noun = ("other entry", "other entries")

# Posts that did not move, in threads that did. The parts of one that was too long are its author's, of its time.
_NEW_POSTS = """
SELECT count(*) FROM post WHERE thread_id IN (SELECT id FROM going_thread) AND NOT EXISTS (
    SELECT FROM moved JOIN post AS first USING (thread_id, number)
    WHERE moved.thread_id = post.thread_id AND moved.number <= post.number AND moved.kind = 'post'
        AND first.author_id = post.author_id AND first.created_at = post.created_at
)
"""


async def count_deeds(session: AsyncSession, going: Going) -> Mapping[Noun, int]:
    """Return how much people did with the rows that go, by what it is called; nothing where they merely read."""
    found: dict[Noun, int] = defaultdict(int)
    found[POST] = (await session.execute(text(_NEW_POSTS))).scalar_one()
    new_posts = found[POST]
    for table, keys in groupby(sorted(going.watched()), key=lambda key: key.child):
        count = (await session.execute(text(_count(going, table, list(keys))))).scalar_one()
        noun = NOUNS.get(table, OTHER)
        found[noun] = max(found[noun], count + (new_posts if table == "post" else 0))
    return {noun: count for noun, count in found.items() if count}


def describe(deeds: Mapping[Noun, int]) -> str:
    """Return what people did, as one part of a sentence."""
    said = [f"{count:,} {noun[0] if count == 1 else noun[1]}" for noun, count in deeds.items()]
    return " and ".join(filter(None, [", ".join(said[:-1]), said[-1]]))


def _count(going: Going, table: str, keys: Sequence[Key]) -> str:
    """Return the query that counts the rows of a table that lead to what goes, and stay themselves."""
    owned = [goes_by(key) for key in going.owners_of(table)]
    if table in going.tables:
        owned.append(f"id IN {ids_in(table)}")
    goes = " OR ".join(owned) or "false"
    leading = (f"{key.column} IN {ids_in(key.parent)}" for key in keys)
    # Apart, so that each uses its own index.
    each = " UNION ".join(f"SELECT ctid FROM {table} WHERE {one} AND ({goes}) IS NOT TRUE" for one in leading)  # noqa: S608
    return f"SELECT count(*) FROM ({each}) AS done"  # noqa: S608
