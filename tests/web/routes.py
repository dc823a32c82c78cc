"""Every route of the pages, with an address to try and who gets the page; `test_every_page.py` fetches all of them."""

from collections.abc import Mapping
from dataclasses import dataclass

ROLES = ("guest", "member", "adviser", "moderator", "lead", "administrator", "suspended")
EVERYBODY = frozenset(ROLES)
SIGNED_IN = EVERYBODY - {"guest"}
MEMBERS = SIGNED_IN - {"suspended"}  # who may use the forum


@dataclass(frozen=True)
class Row:
    """Who gets the page (200). Guests who do not are sent to sign in (303); others get 404, or 403 with the reason."""

    readers: frozenset[str] = EVERYBODY
    example: str | None = None  # the address, if it has parts: {thread}, {post}, {board}, {handle}, {case} …
    status: int = 200  # 303 for an address that only leads on


# The routes that answer GET. Those for POST alone are in FORMS, with who may send them.
ROWS: Mapping[str, Row] = {
    # reading
    "/": Row(),
    "/boards/{slug}": Row(example="/boards/{board}"),
    "/threads/{id}": Row(example="/threads/{thread}"),
    "/posts/{id}": Row(example="/posts/{post}", status=303),
    "/members/{handle}": Row(example="/members/{handle}"),
    "/advisers": Row(),
    # around it
    "/rules": Row(),
    "/help": Row(),
    "/safety": Row(),
    "/privacy": Row(),
    "/accessibility": Row(),
    "/about": Row(),
    "/look": Row(),
    "/leave": Row(),
    "/favicon.ico": Row(status=302),
    "/robots.txt": Row(),
    "/manifest.webmanifest": Row(status=404),  # without FORUM_APP_NAME
    # writing
    "/threads/{id}/reply": Row(MEMBERS, "/threads/{thread}/reply"),
    # one's account
    "/sign-in": Row(),
    # moderation
    # advising and administration
    "/admin/announcements": Row(frozenset({"administrator"})),
}
