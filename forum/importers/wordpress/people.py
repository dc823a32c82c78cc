"""Who wrote on a site of WordPress: its users, as far as exports and a dump name them, and its visitors."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from forum.importers.errors import CannotMove
from forum.importers.records import PersonKind, PersonRecord
from forum.importers.sources.live import Source, open_tables
from forum.importers.sources.wxr import Fields
from forum.importers.wordpress.reading import as_line, line_of, text_of, time_of
from forum.importers.wordpress.spool import number

_USERS = ("ID", "user_login", "user_pass", "user_email", "user_registered", "display_name", "spam", "deleted")
_META = ("user_id", "meta_key", "meta_value")
# The settings of a site, and of a network of sites: in each table, the names of a setting and of its value.
_SETTINGS: Mapping[str, tuple[str, str]] = {
    "options": ("option_name", "option_value"),
    "sitemeta": ("meta_key", "meta_value"),
}
_PLUGINS = ("active_plugins", "active_sitewide_plugins")
# Plugins that keep readers out by rules of their own, which stand beside no article, or from the whole site.
_KEEPS_OUT = re.compile(
    r'"([\w-]*(?:memberpress|memberships?|pmpro|s2member|wishlist-member|armember|wp-members|restrict|content-control'
    r"|members?-only|force-login|password-protect|private-(?:site|content|blog)|logged-?in|registered-users|paywall)"
    r'[\w-]*)(?:/[\w.-]+)?\.php"',
    re.ASCII | re.IGNORECASE,
)
_ROLE = re.compile(r's:\d+:"(administrator|editor|author|contributor|shop_manager)";b:1')


@dataclass
class _User:
    """Somebody with an account."""

    old: str
    login: str
    name: str
    email: str | None = None
    password: str | None = None
    joined_at: datetime | None = None
    is_closed: bool = False
    roles: list[str] = field(default_factory=list)
    last_wrote_at: datetime | None = None


@dataclass
class BlogPeople:
    """Everybody who wrote, by account or by the name that they gave."""

    users: dict[str, _User] = field(default_factory=dict)  # by old id
    logins: dict[str, str] = field(default_factory=dict)  # to the old id
    visitors: dict[tuple[str, str], PersonRecord] = field(default_factory=dict)
    keeps_out: str = ""  # a plugin of the site that kept readers out, as far as a dump names it

    def add_author(self, fields: Fields) -> None:
        """Add an author whom an export names; a dump of users knows more of the same one."""
        login = line_of(fields, "wp:author_login")
        if not login:
            return
        if login.casefold() in self.logins:
            self._note_author(login)
            return
        user_id = number(fields.get("wp:author_id"))
        old = str(user_id) if user_id and str(user_id) not in self.users else f"login:{login}"[:100]
        name = line_of(fields, "wp:author_display_name") or login
        email = text_of(fields, "wp:author_email").strip() or None
        self._add(_User(old, login, name, email))
        self._note_author(login)

    def author_of(self, article: Fields, at: datetime | None) -> str | None:
        """Return who wrote an article."""
        login = line_of(article, "dc:creator")
        if not login:
            return None
        if login.casefold() not in self.logins:
            self._add(_User(f"login:{login}"[:100], login, login))
        self._note_author(login)
        return self._wrote(self.logins[login.casefold()], at)

    def commenter_of(self, comment: Fields, old: int, at: datetime | None) -> tuple[str, str | None]:
        """Return who wrote a comment, and the name that somebody without an account gave.

        A visitor is a name with an address: two names of one address stay two people, as nobody else knew that they
        are one. The address itself is not kept.
        """
        user_id = comment.get("wp:comment_user_id", "").strip()
        if user_id in self.users:
            return self._wrote(user_id, at), None
        name = line_of(comment, "wp:comment_author")
        key = name.casefold(), text_of(comment, "wp:comment_author_email").strip().casefold()
        if key not in self.visitors:
            self.visitors[key] = PersonRecord(old=f"commenter:{old}", name=name, what=PersonKind.GUEST)
        return self.visitors[key].old, name or None

    def records(self) -> Iterator[PersonRecord]:
        """Give everybody; to be called when all that they wrote was read."""
        for user in self.users.values():
            yield PersonRecord(
                old=user.old,
                name=user.name,
                login=user.login,
                what=PersonKind.INACTIVE if user.is_closed else PersonKind.MEMBER,
                email=user.email,
                password=user.password,
                joined_at=user.joined_at,
                last_seen_at=user.last_wrote_at,  # all that WordPress knows of it
                was=tuple(dict.fromkeys(user.roles)),
            )
        yield from self.visitors.values()

    def read_users(self, dump: Source, seen: Callable[[int], None]) -> None:
        """Read the users of a site from a dump of its database. Raises CannotMove when it holds none."""
        source = open_tables(dump, _wanted, seen)
        roles: dict[str, list[str]] = {}
        tables = set[str]()
        for table, values in source.rows():
            row = [None if value is None else value.decode("utf-8", "replace") for value in values]
            if table.endswith("usermeta"):
                if (row[1] or "").endswith("capabilities"):
                    roles.setdefault(row[0] or "", []).extend(_ROLE.findall(row[2] or ""))
                continue
            if table.endswith(tuple(_SETTINGS)):
                self._note_setting(row[0] or "", row[1] or "")
                continue
            user = dict(zip(_USERS, row, strict=True))
            if user["user_pass"] is not None:  # else it is another table, whose name ends so
                tables.add(table)
                self._add_user(user)
        if not tables:
            raise CannotMove(
                f"{dump} has no users of WordPress: export the table that ends with _users, and _usermeta."
            )
        if len(tables) > 1:
            raise CannotMove(f"{dump} holds users of {len(tables)} sites: export those of one.")
        for old, held in roles.items():
            if old in self.users:
                self.users[old].roles += held

    def _note_setting(self, name: str, value: str) -> None:
        if name in _PLUGINS and (found := _KEEPS_OUT.search(value)):
            self.keeps_out = found[1]
        elif name == "blog_public" and value.startswith("-"):  # of a network: for its members alone, or for fewer
            self.keeps_out = "more-privacy-options"

    def _add_user(self, row: Mapping[str, str | None]) -> None:
        old, login = number(row["ID"]), as_line(row["user_login"] or "")
        if not old or not login:
            return
        registered = {"_date": row["user_registered"] or ""}
        self._add(
            _User(
                old=str(old),
                login=login,
                name=as_line(row["display_name"] or "") or login,
                email=(row["user_email"] or "").strip() or None,
                password=(row["user_pass"] or "").strip() or None,
                joined_at=time_of(registered, ""),
                is_closed="1" in {row["spam"], row["deleted"]},
            )
        )

    def _add(self, user: _User) -> None:
        self.users[user.old] = user
        self.logins.setdefault(user.login.casefold(), user.old)

    def _note_author(self, login: str) -> None:
        """Note that somebody wrote for the site: nobody else may be called so."""
        user = self.users[self.logins[login.casefold()]]
        user.roles = user.roles or ["author"]

    def _wrote(self, old: str, at: datetime | None) -> str:
        user = self.users[old]
        if at and (user.last_wrote_at is None or at > user.last_wrote_at):
            user.last_wrote_at = at
        return old


def _wanted(table: str) -> tuple[str, ...] | None:
    if table.endswith("usermeta"):
        return _META
    if table.endswith("users"):
        return _USERS
    return next((names for end, names in _SETTINGS.items() if table.endswith(end)), None)
