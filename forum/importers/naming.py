"""What people of an old board are called here: the nearest name and handle that the forum allows. Pure functions."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from forum.core.errors import Invalid
from forum.members import names
from forum.members.departure import digest_of
from forum.members.tables import FORMER

VISITOR = "A visitor"  # a guest who called themselves as staff is called, or by nothing that can be read
GUEST_REMARK, FORMER_REMARK = "guest", "former member"  # behind the names of those who have no account
_ADDRESS = re.compile(r"(?P<before>[^\s@]+)@[^\s@]+\.[^\s@]+")
_APOSTROPHES = re.compile("['’‘`´ʼ]")
_JOINED = re.compile(r"[-_.]*-[-_.]*")
_IN_SUFFIX = re.compile(r"[^a-z0-9]+")
_SUFFIX_MAX = 15
_NEUTRAL = re.compile(r"Member [a-z0-9-]+|member-[a-z0-9-]+")  # what a forum like this one called somebody


@dataclass(frozen=True, slots=True)
class NewNames:
    """What somebody is called here, and what they sign in with."""

    handle: str
    skeleton: str
    name: str


@dataclass
class Namer:
    """Gives names and handles, one person after the other: whoever comes first has the first choice.

    `taken` are the skeletons of handles that somebody has, `spent` the digests of those that somebody had, `staff` all
    that the names of those who work here look like, `old_staff` those of who worked on the old board, `forum` the
    skeleton of the forum's own name.
    """

    taken: set[str] = field(default_factory=set)
    spent: frozenset[bytes] = frozenset()
    staff: frozenset[str] = frozenset()
    old_staff: frozenset[str] = frozenset()
    forum: str = ""

    def name_member(self, old: str, name: str, *, was_staff: bool = False, handle: str | None = None) -> NewNames:
        """Return the names of somebody with an account. Who was staff there keeps their own, which nobody else gets.

        `handle` is the one that they had, where the old board had handles like ours: they keep it if it is free.
        """
        own = names.readings(name) if was_staff else frozenset[str]()
        shown = _nearest_name(name)
        is_neutral = handle is not None and _NEUTRAL.fullmatch(name) is not None
        if shown is None or (not is_neutral and (names.is_reserved(shown) or self._looks_official(shown, own))):
            shown = f"Member {_suffix(old)}"
        if handle is None or not _NEUTRAL.fullmatch(handle) or not self._is_free(handle):
            handle = self._find_handle(old, handle or name, own)
        looks = names.skeleton(handle)
        self.taken.add(looks)
        return NewNames(handle, looks, shown)

    def name_guest(self, name: str | None) -> str:
        """Return what somebody without an account is called: "Reader 7 (guest)"."""
        return self._with_remark(name, GUEST_REMARK) or VISITOR

    def name_former(self, name: str) -> str:
        """Return what somebody is called whose account was closed on the old board."""
        return self._with_remark(name, FORMER_REMARK) or FORMER

    def _with_remark(self, name: str | None, remark: str) -> str | None:
        room = names.NAME_MAX - len(remark) - 3
        shown = _nearest_name(name or "", room)
        if shown is None or names.is_reserved(shown) or self._looks_official(shown):
            return None
        return f"{shown} ({remark})"

    def _looks_official(self, text: str, own: frozenset[str] = frozenset()) -> bool:
        """Return whether a text looks like the forum, or somebody of its staff or the old board's, who is not `own`."""
        read = names.readings(text)
        return bool(read & (self.staff | (self.old_staff - own))) or self.forum in read

    def _find_handle(self, old: str, name: str, own: frozenset[str]) -> str:
        nearest, suffix = _nearest_handle(name), _suffix(old)
        with_id = f"{nearest[: names.HANDLE_MAX - len(suffix) - 1].rstrip(names.HANDLE_JOINTS)}-{suffix}"
        wanted = [nearest, with_id] if nearest else []
        for handle in wanted:
            if self._is_allowed(handle) and not self._looks_official(handle, own):
                return handle
        # It says nothing, as those that moderators give.
        neutral, times = f"member-{suffix}", 1
        while not self._is_free(neutral):
            times += 1
            neutral = f"member-{suffix}-{times}"
        return neutral

    def _is_allowed(self, handle: str) -> bool:
        try:
            is_normal = names.normalise_handle(handle) == handle
        except Invalid:
            return False
        is_kept = names.is_reserved(handle) or names.is_clients_word(handle)
        return is_normal and not is_kept and self._is_free(handle)

    def _is_free(self, handle: str) -> bool:
        looks = {names.skeleton(handle), names.plain_skeleton(handle)}
        return names.skeleton(handle) not in self.taken and not self.spent.intersection(map(digest_of, looks))


def skeletons_of(texts: Iterable[str | None]) -> frozenset[str]:
    """Return what names look like that nobody else may look like."""
    return frozenset(names.skeleton(text) for text in texts if text) - {""}


def _nearest_name(name: str, most: int = names.NAME_MAX) -> str | None:
    """Return the name as it was, or as near to it as the forum allows; None where nothing of it is left."""
    name = _ADDRESS.sub(r"\g<before>", name)  # nobody's address is shown here
    for kept in (name, _without_badges(name), _without_marks(_without_badges(name))):
        seen = "".join(char for char in kept if char.isspace() or unicodedata.category(char) not in {"Cc", "Cf", "Cs"})
        for text in (kept, " ".join(seen.split())[:most].rstrip()):
            try:
                normal = names.normalise_name(text)
            except Invalid:
                continue
            if len(normal) <= most:
                return normal
    return None


def _without_badges(name: str) -> str:
    while badge := names.find_badge(name):
        name = name.replace(badge, "")
    return name


def _without_marks(name: str) -> str:
    return "".join(char for char in name if unicodedata.category(char) not in {"Mn", "Me"})


def _nearest_handle(name: str) -> str:
    """Return the handle that is nearest to a name, which may be too short; empty where it has none of its letters."""
    folded = names.folded(_APOSTROPHES.sub("", _ADDRESS.sub(r"\g<before>", name)))
    kept = "".join(char if names.in_handle(char) else "-" for char in folded)
    kept = _JOINED.sub("-", kept).strip(names.HANDLE_JOINTS)[: names.HANDLE_MAX].strip(names.HANDLE_JOINTS)
    while kept and unicodedata.category(kept[0])[0] == "M":
        kept = kept[1:]
    return kept.strip(names.HANDLE_JOINTS)


def _suffix(old: str) -> str:
    return _IN_SUFFIX.sub("-", old.lower()).strip("-")[:_SUFFIX_MAX].strip("-") or "x"
