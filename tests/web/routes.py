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
    # writing
    "/threads/{id}/reply": Row(MEMBERS, "/threads/{thread}/reply"),
    "/boards/{slug}/new": Row(MEMBERS, "/boards/{board}/new"),
    "/posts/{id}/edit": Row(frozenset({"member"}), "/posts/{post}/edit"),  # its author's
    "/posts/{id}/withdraw": Row(frozenset({"member"}), "/posts/{post}/withdraw"),
    "/posts/{id}/versions": Row(frozenset({"member", "moderator"}), "/posts/{post}/versions"),
    "/threads/{id}/title": Row(frozenset({"member", "moderator"}), "/threads/{thread}/title"),
    "/threads/{id}/care": Row(frozenset({"moderator"}), "/threads/{thread}/care"),
    "/me/drafts": Row(SIGNED_IN),
    # one's account
    "/sign-in": Row(),
    "/sign-in/code": Row(status=303),  # without the first step it leads back there
    "/join": Row(),
    "/join/sent": Row(),
    "/password-resets": Row(),
    "/email-verifications": Row(),
    "/email-verifications/refuse": Row(),
    "/departures/refuse": Row(),
    "/lost-mailboxes/refuse": Row(),
    "/invitations": Row(),
    "/me": Row(SIGNED_IN),
    "/me/notices": Row(SIGNED_IN),
    "/me/name": Row(SIGNED_IN),
    "/me/handle": Row(SIGNED_IN, status=303),
    "/me/email": Row(SIGNED_IN),
    "/me/password": Row(SIGNED_IN),
    "/me/rules": Row(SIGNED_IN),
    "/me/sessions": Row(SIGNED_IN),
    "/me/second-factor": Row(SIGNED_IN),
    "/me/second-factor/app": Row(SIGNED_IN),
    "/me/second-factor/app/remove": Row(SIGNED_IN),
    "/me/second-factor/codes": Row(SIGNED_IN),
    "/me/second-factor/off": Row(SIGNED_IN),
    "/me/passkeys": Row(SIGNED_IN),
    "/me/passkeys/new": Row(SIGNED_IN),
    "/me/passkeys/{id}": Row(SIGNED_IN, "/me/passkeys/{passkey}"),
    "/me/passkeys/{id}/remove": Row(SIGNED_IN, "/me/passkeys/{passkey}/remove"),
    "/me/copy": Row(SIGNED_IN),
    "/me/copy/{id}": Row(SIGNED_IN, "/me/copy/{copy}"),
    "/me/departure": Row(SIGNED_IN),
    # moderation
    # advising and administration
}
