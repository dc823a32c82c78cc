"""Every route of the pages, with an address to try and who gets the page; `test_every_page.py` fetches all of them."""

from collections.abc import Mapping
from dataclasses import dataclass

ROLES = ("guest", "member", "adviser", "moderator", "lead", "administrator", "suspended")
EVERYBODY = frozenset(ROLES)
SIGNED_IN = EVERYBODY - {"guest"}
MEMBERS = SIGNED_IN - {"suspended"}  # who may use the forum
MODERATE = frozenset({"moderator", "administrator"})


@dataclass(frozen=True)
class Row:
    """Who gets the page (200). Guests who do not are sent to sign in (303); others get 404, or 403 with the reason."""

    readers: frozenset[str] = EVERYBODY
    example: str | None = (
        None  # the address, if it has parts: {thread}, {post}, {board}, {handle}, {case}, {template} …
    )
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
    # one's account
    "/sign-in": Row(),
    # moderation
    "/moderation": Row(MODERATE),
    "/moderation/cases/{id}": Row(frozenset({"moderator"}), "/moderation/cases/{case}"),  # administrators: when late
    "/moderation/together": Row(MODERATE, "/moderation/together?case={case}"),
    "/moderation/posts/{id}/case": Row(MODERATE, "/moderation/posts/{post}/case"),
    "/moderation/members": Row(MEMBERS, "/moderation/members?handle={handle}", status=303),
    "/moderation/members/{handle}": Row(MODERATE, "/moderation/members/{handle}"),
    "/moderation/members/{handle}/posts": Row(MODERATE, "/moderation/members/{handle}/posts"),
    "/moderation/templates": Row(MODERATE),
    "/moderation/templates/{slug}": Row(MODERATE, "/moderation/templates/{template}"),
    "/moderation/rules": Row(MODERATE),
    "/moderation/rules/{number}": Row(MODERATE, "/moderation/rules/10"),
    "/moderation/log": Row(MODERATE),
    "/boards/{slug}/team": Row(MODERATE, "/boards/{board}/team"),
    # advising and administration
}
