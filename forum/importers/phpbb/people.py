"""Accounts of a phpBB board, and those who wrote without one."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

from forum.importers.phpbb.encoding import Decoder
from forum.importers.phpbb.readers import ANONYMOUS, YES, Permissions
from forum.importers.phpbb.spool import Spool
from forum.importers.records import PersonKind, PersonRecord

_INACTIVE, _IGNORED, _FOUNDER = 1, 2, 3  # of `user_type`; robots are ignored
_ROLES = {"ADMINISTRATORS": "administrator", "GLOBAL_MODERATORS": "global moderator"}


def moment(seconds: int | None) -> datetime | None:
    """Return a time of the old board, or None where it has none."""
    return datetime.fromtimestamp(seconds, UTC) if seconds and 0 < seconds < 1 << 33 else None


def guest(name: str) -> str:
    """Return the old id of somebody without an account: of everybody who gave the same name."""
    return f"guest:{hashlib.sha256(name.casefold().encode()).hexdigest()[:16]}"


def read_people(spool: Spool, decoder: Decoder) -> Iterator[PersonRecord]:
    """Give everybody who has an account, then who wrote without one."""
    was = _roles(spool, decoder)
    query = (
        "SELECT user_id, user_type, username, user_email, user_password, user_regdate, "
        "max(coalesce(user_lastvisit, 0), coalesce(user_last_active, 0), coalesce(user_lastpost_time, 0)), user_posts "
        "FROM {users} WHERE user_id <> ? ORDER BY user_id"
    )
    for old, kind, name, email, password, joined, seen, posts in spool.rows(query, ANONYMOUS):
        yield PersonRecord(
            old=str(old),
            name=decoder.line(name, f"person:{old}") or f"Member {old}",
            what={_INACTIVE: PersonKind.INACTIVE, _IGNORED: PersonKind.BOT}.get(kind, PersonKind.MEMBER),
            email=decoder.line(email) or None,
            password=_hash(password),
            joined_at=moment(joined),
            last_seen_at=moment(seen),
            posts=posts or 0,
            was=tuple(["founder"] * (kind == _FOUNDER) + was.get(old, [])),
        )
    yield from _guests(spool, decoder)


def _guests(spool: Spool, decoder: Decoder) -> Iterator[PersonRecord]:
    names: dict[str, tuple[str, int]] = {}
    query = "SELECT post_username, count(*) FROM {posts} WHERE poster_id = ? GROUP BY 1 ORDER BY min(post_id)"
    for value, count in spool.rows(query, ANONYMOUS):
        if name := decoder.line(value, "guest"):
            first, before = names.get(guest(name), (name, 0))
            names[guest(name)] = first, before + count
    for old, (name, posts) in names.items():
        yield PersonRecord(old=old, name=name, what=PersonKind.GUEST, posts=posts)


def _hash(value: bytes | None) -> str | None:
    text = (value or b"").decode("utf-8", "ignore").strip()
    return text if len(text) > 1 else None  # "*" and the like are no passwords


def _roles(spool: Spool, decoder: Decoder) -> dict[int, list[str]]:
    """Return who was what: by group, and by what they were permitted to do."""
    permissions = Permissions(spool)
    names = {group: _ROLES[name] for name, group in permissions.names.items() if name in _ROLES}
    custom = spool.rows("SELECT group_id, group_name FROM {groups} WHERE group_type <> 3")
    for group, name in custom:
        if _is_staff(permissions, group):
            names[group] = f"group {decoder.line(name)}"
    was: dict[int, list[str]] = {}
    for group, user in spool.rows("SELECT group_id, user_id FROM {user_group} WHERE user_pending IS NOT 1"):
        if group in names:
            was.setdefault(user, []).append(names[group])
    for user, held in permissions.users.items():
        boards = [board for board, options in held.settings.items() if _moderates(options)]
        if boards:
            was.setdefault(user, []).append("moderator" if 0 in boards else "moderator of some boards")
    return was


def _is_staff(permissions: Permissions, group: int) -> bool:
    held = permissions.groups.get(group)
    return held is not None and any(_moderates(options) for options in held.settings.values())


def _moderates(options: dict[str, int]) -> bool:
    return any(setting == YES and option.startswith(("m_", "a_")) for option, setting in options.items())
