"""Who could read a board of phpBB, from its lists of permissions: never wider than it was.

Only two groups count: GUESTS, and REGISTERED, in which every member is. A board is for staff alone where it had a
password, where some members were kept out, where it was not listed, or where anything is not clear.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from forum.importers.phpbb.spool import Spool
from forum.importers.records import Readers

NEVER, YES = 0, 1  # of `auth_setting`; anything else is: not set
_NARROW = (Readers.EVERYONE, Readers.MEMBERS, Readers.STAFF)
_NEEDED = ("f_read", "f_list", "f_list_topics")
ANONYMOUS = 1  # the account of everybody without one
# Options of extensions by which members read what others wrote only with them, or do not read it with them.
_LETS_READ = re.compile(r"f_(?:read|view|see|show)_?(?:(?:all|any|every|others?)\w*|topics?|posts?|threads?)")
_KEEPS_APART = re.compile(
    r"f_(?:(?:read|view|see|show|list)_(?:own|mine|only)\w*|(?:only_)?own(?:_(?:only|topics?|posts?|threads?))*"
    r"|hide_?(?:others?|topics?|posts?|threads?)|(?:\w+_)?(?:private|restrict(?:ed)?)(?:_(?:topics?|posts?|threads?))?)"
)
LOCKED_AWAY = "On the old board it had a password."
HIDDEN = "On the old board it was not listed: it could be read by whoever knew its address."
KEPT_OUT = "On the old board some members were kept out of it."
UNCLEAR = "The file does not say who could read it on the old board."
BY_EXTENSION = "On the old board an extension had a say in who could read it."
BELOW = "On the old board it stood below one that fewer people could see."


@dataclass(frozen=True)
class BoardAudience:
    """Who could read a board, and what makes that doubtful."""

    readers: Readers
    doubt: str | None = None


@dataclass
class _Group:
    """What a group, or a member, may on each board: the option's name to the setting."""

    settings: dict[int, dict[str, int]] = field(default_factory=dict)

    def add(self, board: int, option: str, setting: int) -> None:
        options = self.settings.setdefault(board, {})
        if setting == NEVER or options.get(option) == NEVER:
            options[option] = NEVER  # it beats YES
        elif setting == YES:
            options[option] = YES

    def may(self, board: int, options: Sequence[str]) -> bool:
        local = self.settings.get(board, {})
        return local.get("f_") != NEVER and all(local.get(option) == YES for option in options)

    def is_refused(self, board: int, options: Iterable[str] = ("f_read",)) -> bool:
        local = self.settings.get(board, {})
        return any(local.get(option) == NEVER for option in ("f_", *options))


class Permissions:
    """The lists of permissions of a board."""

    def __init__(self, spool: Spool) -> None:
        self._options = {
            number: (name or b"").decode("ascii", "replace")
            for number, name in spool.rows("SELECT auth_option_id, auth_option FROM {acl_options}")
        }
        self._roles: dict[int, list[tuple[str, int]]] = {}
        for role, option, setting in spool.rows("SELECT role_id, auth_option_id, auth_setting FROM {acl_roles_data}"):
            self._roles.setdefault(role, []).append((self._options.get(option, ""), setting))
        # phpBB before 3.2.2 knew no f_list_topics.
        self._needed = [option for option in _NEEDED if option in self._options.values() or option == "f_read"]
        columns = "forum_id, auth_option_id, auth_role_id, auth_setting"
        self.groups = self._read(spool.rows(f"SELECT group_id, {columns} FROM {{acl_groups}}"))  # noqa: S608
        self.users = self._read(spool.rows(f"SELECT user_id, {columns} FROM {{acl_users}}"))  # noqa: S608
        self._let_read, self._keep_apart = (
            [option for option in self._options.values() if pattern.fullmatch(option) and option not in _NEEDED]
            for pattern in (_LETS_READ, _KEEPS_APART)
        )
        names = spool.rows("SELECT group_id, group_name FROM {groups} WHERE coalesce(group_type, 3) = 3")
        self.names = {(name or b"").decode("utf-8", "replace").upper(): group for group, name in names}
        of_guests = spool.rows("SELECT group_id FROM {user_group} WHERE user_id = ?", ANONYMOUS)
        held = (self.users.get(ANONYMOUS), *(self.groups.get(group) for (group,) in of_guests))
        self._of_guests = [one for one in held if one]

    def audience(self, board: int) -> BoardAudience:
        """Return who could read the threads of a board."""
        if not {"GUESTS", "REGISTERED"} <= self.names.keys() or "f_read" not in self._options.values():
            return BoardAudience(Readers.STAFF, UNCLEAR)
        readers = self._who(board, self._needed)
        if readers is Readers.STAFF:
            by_address = self._who(board, ["f_read"])
            return BoardAudience(Readers.STAFF, HIDDEN if by_address is not Readers.STAFF else None)
        if self._is_read_in_part(board):
            return BoardAudience(Readers.STAFF, BY_EXTENSION)
        if self._is_somebody_kept_out(board, readers):
            return BoardAudience(Readers.STAFF, KEPT_OUT)
        return BoardAudience(readers)

    def listed(self, board: int) -> Readers:
        """Return who saw a board in the list of boards, and with it those below; without any setting, nobody did."""
        return self._who(board, ["f_list"] if "f_list" in self._needed else ["f_read"])

    def _who(self, board: int, options: Sequence[str]) -> Readers:
        if not self._may("REGISTERED", board, options):
            return Readers.STAFF  # guests alone, without members: not clear enough
        may_guests = self._may("GUESTS", board, options)
        is_refused = any(held.is_refused(board, options) for held in self._of_guests)
        return Readers.EVERYONE if may_guests and not is_refused else Readers.MEMBERS

    def _is_read_in_part(self, board: int) -> bool:
        """Return whether an extension let members read some of it only, such as what they wrote themselves."""
        lets_read = all(self._may("REGISTERED", board, [option]) for option in self._let_read)
        return not lets_read or any(self._may("REGISTERED", board, [option]) for option in self._keep_apart)

    def _may(self, group: str, board: int, options: Sequence[str]) -> bool:
        held = self.groups.get(self.names.get(group, -1))
        return held is not None and held.may(board, options)

    def _is_somebody_kept_out(self, board: int, readers: Readers) -> bool:
        """Return whether a member could not read it who would be able to here; what guests read, they can read."""
        if readers is Readers.EVERYONE:
            return False
        members = [group for name, group in self.names.items() if name not in {"GUESTS", "BOTS"}]
        others = [group for group in self.groups if group not in self.names.values()]
        kept = (self.groups.get(group) for group in (*members, *others))
        users = (held for user, held in self.users.items() if user != ANONYMOUS)
        return any(held is not None and held.is_refused(board) for held in (*kept, *users))

    def _read(self, rows: Iterable[tuple[int, int, int, int, int]]) -> Mapping[int, _Group]:
        held: dict[int, _Group] = {}
        for who, board, option, role, setting in rows:
            group = held.setdefault(who, _Group())
            if role:
                for name, value in self._roles.get(role, ()):
                    group.add(board, name, value)
            else:
                group.add(board, self._options.get(option, ""), setting)
        return held


def narrower(one: Readers, other: Readers) -> Readers:
    """Return the narrower of two audiences."""
    return max(one, other, key=_NARROW.index)
