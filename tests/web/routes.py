"""Every route of the pages, with an address to try and who gets the page; `test_every_page.py` fetches all of them."""

from collections.abc import Mapping
from dataclasses import dataclass

ROLES = ("guest", "member", "adviser", "moderator", "lead", "administrator", "suspended")
EVERYBODY = frozenset(ROLES)
SIGNED_IN = EVERYBODY - {"guest"}
ONE = frozenset({"member"})  # what belongs to one of them
MEMBERS = SIGNED_IN - {"suspended"}  # who may use the forum
MODERATE = frozenset({"moderator", "administrator"})

ADVISING = frozenset({"adviser", "moderator", "administrator"})
ADMINISTRATORS = frozenset({"administrator"})


@dataclass(frozen=True)
class Row:
    """Who gets the page (200). Guests who do not are sent to sign in (303); others get 404, or 403 with the reason."""

    readers: frozenset[str] = EVERYBODY
    example: str | None = (
        None  # the address, if it has parts: {thread}, {post}, {board}, {handle}, {case}, {template} …
    )
    status: int = 200  # 303 for an address that only leads on


# The routes that answer GET. What `{thread}` and the like stand for is in village.py: say there what you need.
ROWS: Mapping[str, Row] = {
    # reading
    "/": Row(),
    "/boards/{slug}": Row(example="/boards/{board}"),
    "/boards/{slug}/feed.atom": Row(example="/boards/new-here/feed.atom"),
    "/embed/{slug}": Row(example="/embed/new-here"),
    "/threads": Row(),
    "/threads/{id}": Row(example="/threads/{thread}"),
    "/threads/{id}/unread": Row(example="/threads/{thread}/unread", status=303),
    "/me/threads": Row(SIGNED_IN),
    "/me/subscriptions": Row(SIGNED_IN),
    "/me/bookmarks": Row(SIGNED_IN),
    "/posts/{id}/reactions": Row(ONE, "/posts/{own_post}/reactions"),
    "/posts/{id}": Row(example="/posts/{post}", status=303),
    "/posts/{id}/endorsement": Row(frozenset({"adviser"}), "/posts/{post}/endorsement"),
    "/members/{handle}": Row(example="/members/{handle}"),
    "/members/{handle}/ignore": Row(SIGNED_IN, "/members/{handle}/ignore"),
    "/me/ignored": Row(SIGNED_IN),
    "/advisers": Row(),
    "/search": Row(),
    "/searches/{id}": Row(example="/searches/{search}"),
    # addresses of an old board
    "/{page:path}.php": Row(example="/viewtopic.php?t={old_thread}", status=301),
    "/{page:path}.html": Row(example="/what-now-t{old_thread}.html", status=301),
    "/{page:path}": Row(example="/2019/05/what-now/", status=301),
    "/threads/{id}/old/{anchor}": Row(example="/threads/{thread}/old/p{old_post}", status=303),
    # around it
    "/rules": Row(),
    "/help": Row(),
    "/glossary": Row(),
    "/resources": Row(),
    "/safety": Row(),
    "/privacy": Row(),
    "/accessibility": Row(),
    "/about": Row(),
    "/contact": Row(),
    "/reports": Row(),
    "/progress": Row(),
    "/complaints": Row(),
    "/transparency/{year}": Row(example="/transparency/2025"),
    "/screening": Row(),
    "/look": Row(),
    "/leave": Row(),
    "/favicon.ico": Row(status=302),
    "/robots.txt": Row(),
    "/manifest.webmanifest": Row(status=404),  # without FORUM_APP_NAME
    # writing
    "/threads/{id}/reply": Row(MEMBERS, "/threads/{thread}/reply"),
    "/boards/{slug}/new": Row(MEMBERS, "/boards/{board}/new"),
    "/posts/{id}/edit": Row(frozenset({"member"}), "/posts/{own_post}/edit"),
    "/posts/{id}/help": Row(ONE, "/posts/{cry}/help"),
    "/posts/{id}/withdraw": Row(frozenset({"member"}), "/posts/{own_post}/withdraw"),
    "/posts/{id}/versions": Row(frozenset({"member", "moderator"}), "/posts/{own_post}/versions"),
    "/threads/{id}/title": Row(frozenset({"member", "moderator"}), "/threads/{thread}/title"),
    "/threads/{id}/titles": Row(frozenset({"member", "moderator"}), "/threads/{thread}/titles"),
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
    "/me/mails": Row(SIGNED_IN),
    "/unsubscribe/{token}": Row(example="/unsubscribe/AAAAAAAAAAAAAAAAAAAAAA"),
    "/me/name": Row(SIGNED_IN),
    "/me/handle": Row(SIGNED_IN, status=303),
    "/me/email": Row(SIGNED_IN),
    "/me/password": Row(SIGNED_IN),
    "/me/rules": Row(SIGNED_IN),
    "/me/sessions": Row(SIGNED_IN),
    "/me/second-factor": Row(SIGNED_IN),
    "/me/second-factor/app": Row(SIGNED_IN),
    "/me/second-factor/app/code": Row(SIGNED_IN, status=303),
    "/me/second-factor/app/remove": Row(SIGNED_IN),
    "/me/second-factor/codes": Row(SIGNED_IN),
    "/me/second-factor/off": Row(SIGNED_IN),
    "/me/passkeys": Row(SIGNED_IN),
    "/me/passkeys/new": Row(SIGNED_IN),
    "/me/passkeys/{id}": Row(ONE, "/me/passkeys/{passkey}"),
    "/me/passkeys/{id}/remove": Row(ONE, "/me/passkeys/{passkey}/remove"),
    "/me/copy": Row(SIGNED_IN),
    "/me/copy/{id}": Row(ONE, "/me/copy/{copy}"),
    "/me/departure": Row(SIGNED_IN),
    "/me/statements": Row(SIGNED_IN),
    "/me/statements/{id}": Row(ONE, "/me/statements/{statement}"),
    "/me/statements/{id}/appeal": Row(ONE, "/me/statements/{statement}/appeal"),
    "/me/appeals/{id}": Row(ONE, "/me/appeals/{appeal}", status=303),
    "/me/reports": Row(SIGNED_IN),
    "/me/reports/{id}/appeal": Row(ONE, "/me/reports/{report}/appeal"),
    "/me/talks": Row(SIGNED_IN),
    "/me/complaints": Row(SIGNED_IN),
    "/me/talks/{id}": Row(ONE, "/me/talks/{talk}"),
    "/me/talks/{id}/complaint": Row(ONE, "/me/talks/{talk}/complaint?message={message}"),
    "/posts/{id}/report": Row(frozenset({"adviser", "moderator", "lead", "administrator"}), "/posts/{post}/report"),
    "/members/{handle}/report": Row(
        frozenset({"adviser", "moderator", "lead", "administrator"}), "/members/{handle}/report"
    ),
    # moderation
    "/moderation": Row(MODERATE),
    "/moderation/cases/{id}": Row(frozenset({"moderator"}), "/moderation/cases/{case}"),  # administrators: when late
    "/moderation/cases/{id}/address": Row(frozenset({"moderator"}), "/moderation/cases/{case}/address"),
    "/moderation/together": Row(MODERATE, "/moderation/together?case={case}"),
    "/moderation/posts/{id}/case": Row(MODERATE, "/moderation/posts/{post}/case"),
    "/moderation/members/{handle}": Row(MODERATE, "/moderation/members/{handle}"),
    "/moderation/members/{handle}/posts": Row(MODERATE, "/moderation/members/{handle}/posts"),
    "/moderation/on-call": Row(MODERATE),
    "/moderation/phrases": Row(MODERATE),
    "/moderation/own-safety": Row(MODERATE),
    "/moderation/handover": Row(MODERATE, "/moderation/handover?board={board}"),
    "/moderation/swept-posts": Row(MODERATE),
    "/moderation/templates": Row(MODERATE),
    "/moderation/terms": Row(MODERATE),
    "/moderation/terms/{id}": Row(MODERATE, "/moderation/terms/{term}"),
    "/moderation/templates/{slug}": Row(MODERATE, "/moderation/templates/{template}"),
    "/moderation/rules": Row(MODERATE),
    "/moderation/rules/{number}": Row(MODERATE, "/moderation/rules/10"),
    "/moderation/log": Row(MODERATE),
    "/safeguarding": Row(frozenset({"lead"})),
    "/safeguarding/cases/{id}": Row(frozenset({"lead"}), "/safeguarding/cases/{danger}"),
    "/concern": Row(SIGNED_IN),
    "/concern/sent": Row(SIGNED_IN),
    "/moderation/concerns": Row(frozenset({"lead"})),
    "/moderation/concerns/{id}": Row(frozenset({"lead"}), "/moderation/concerns/{concern}"),
    "/moderation/concerns/{id}/audit": Row(frozenset({"lead"}), "/moderation/concerns/{concern}/audit"),
    "/boards/{slug}/team": Row(MODERATE, "/boards/{board}/team"),
    "/moderation/messages": Row(MODERATE),
    "/moderation/reports": Row(MODERATE),
    "/moderation/reports/{id}": Row(MODERATE, "/moderation/reports/{public_report}"),
    "/moderation/complaints": Row(MODERATE),
    "/moderation/assessments": Row(MODERATE),
    "/moderation/assessments.zip": Row(MODERATE),
    "/moderation/assessments/{kind}": Row(MODERATE, "/moderation/assessments/illegal_content"),
    "/moderation/complaints/{id}": Row(MODERATE, "/moderation/complaints/{service_complaint}"),
    # advising and administration
    "/advising": Row(ADVISING),
    "/advising/templates": Row(frozenset({"adviser"})),
    "/advising/templates/{id}": Row(frozenset({"adviser"}), "/advising/templates/{answer}"),
    "/advising/threads/{id}": Row(ADVISING | {"lead"}, "/advising/threads/{thread}"),
    "/resources/new": Row(ADVISING),
    "/resources/{id}/edit": Row(ADVISING, "/resources/{resource}/edit"),
    "/boards/{slug}/resources": Row(ADVISING, "/boards/{board}/resources"),
    "/threads/{id}/resources": Row(ADVISING, "/threads/{thread}/resources"),
    "/admin": Row(ADMINISTRATORS),
    "/admin/boards": Row(ADMINISTRATORS),
    "/admin/new-board": Row(ADMINISTRATORS),
    "/admin/boards/{slug}/hours": Row(ADMINISTRATORS, "/admin/boards/{board}/hours"),
    "/admin/boards/{slug}": Row(ADMINISTRATORS, "/admin/boards/{board}"),
    "/admin/boards/{slug}/details": Row(ADMINISTRATORS, "/admin/boards/{board}/details"),
    "/admin/known-details": Row(ADMINISTRATORS),
    "/admin/people": Row(ADMINISTRATORS),
    "/admin/people/{handle}": Row(ADMINISTRATORS, "/admin/people/{handle}"),
    "/admin/people/{handle}/lost-mailbox": Row(ADMINISTRATORS, "/admin/people/{handle}/lost-mailbox"),
    "/admin/advisers": Row(ADMINISTRATORS),
    "/admin/invitations": Row(ADMINISTRATORS),
    "/admin/refused-sign-ins": Row(ADMINISTRATORS),
    "/admin/unsent-mails": Row(ADMINISTRATORS),
    "/admin/boards/{slug}/export.zip": Row(ADMINISTRATORS, "/admin/boards/{board}/export.zip"),
    "/admin/webhooks": Row(ADMINISTRATORS),
    "/admin/webhooks/{id}": Row(ADMINISTRATORS, "/admin/webhooks/{webhook}"),
    "/admin/holds": Row(ADMINISTRATORS),
    "/admin/announcements": Row(frozenset({"administrator"})),
    "/admin/glossary": Row(frozenset({"administrator"})),
}

# The forms that somebody may send without a session; all others lead a guest to signing in, with what they wrote.
OPEN_FORMS = frozenset(
    {
        *("/sign-in", "/sign-in/code", "/sign-in/passkey", "/sign-out", "/leave", "/look", "/join", "/contact"),
        *("/reports", "/progress", "/complaints", "/searches"),
        *("/password-resets", "/password-resets/completion", "/email-verifications", "/email-verifications/refuse"),
        *("/departures/refuse", "/lost-mailboxes/refuse", "/unsubscribe/{token}"),
    }
)

# What mail providers send, from nowhere and without a cookie (RFC 8058). It can do one thing, for whoever has the link.
FROM_ANYWHERE = frozenset({"/unsubscribe/{token}"})
