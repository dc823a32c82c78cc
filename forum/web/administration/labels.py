"""The words for what administrators choose among."""

from collections.abc import Mapping, Sequence

from forum.administration.accounts import AccountFilter
from forum.authentication.failed_sign_ins import RefusalReason
from forum.content.boards import Publication
from forum.content.opening_hours import Outside
from forum.core.weekly_hours import Weekday
from forum.mail.tables import MailKind
from forum.members.tables import Role, Standing
from forum.privacy.tables import HoldReason
from forum.web.languages import mark
from forum.web.visits import Visit

ROLES: Mapping[str, str] = {
    Role.ADVISER: mark("Adviser"),
    Role.MODERATOR: mark("Moderator"),
    Role.SAFEGUARDING_LEAD: mark("Safeguarding lead"),
    Role.ADMINISTRATOR: mark("Administrator"),
    Role.TRUSTED_FLAGGER: mark("Trusted flagger"),
}
AUDIENCE: Mapping[str, str] = {
    "everyone": mark("Everybody, without an account too"),
    "member": mark("Members"),
    Role.ADVISER: mark("Advisers"),
    Role.MODERATOR: mark("Moderators"),
    Role.SAFEGUARDING_LEAD: mark("Safeguarding leads"),
    Role.ADMINISTRATOR: mark("Administrators"),
}
PUBLICATIONS: Mapping[str, str] = {
    Publication.AT_ONCE: mark("At once"),
    Publication.HOLD_NEWCOMERS: mark("Everybody’s first posts after a moderator has read them"),
    Publication.HOLD_ALL: mark("Every post after a moderator has read it"),
}
OUTSIDE: Mapping[str, str] = {
    Outside.PUBLISH: mark("New posts appear at once"),
    Outside.HOLD_NEWCOMERS: mark("First posts wait for a moderator"),
    Outside.HOLD_ALL: mark("All new posts wait for a moderator"),
    Outside.READ_ONLY: mark("Nobody can write; one can keep a draft"),
}
WEEKDAYS: Mapping[str, str] = {
    Weekday.MONDAY: mark("Monday"),
    Weekday.TUESDAY: mark("Tuesday"),
    Weekday.WEDNESDAY: mark("Wednesday"),
    Weekday.THURSDAY: mark("Thursday"),
    Weekday.FRIDAY: mark("Friday"),
    Weekday.SATURDAY: mark("Saturday"),
    Weekday.SUNDAY: mark("Sunday"),
}
STANDINGS: Mapping[str, str] = {
    Standing.ACTIVE: mark("May read and write"),
    Standing.REVIEWED: mark("What they write is read before it appears"),
    Standing.SILENCED: mark("May read, but not write"),
    Standing.SUSPENDED: mark("Suspended"),
    Standing.BANNED: mark("Banned"),
}
FILTERS: Mapping[str, str] = {
    "": mark("Everybody"),
    AccountFilter.STAFF: mark("Everybody with a role"),
    AccountFilter.WITHHELD: mark("With a role, but without a second step"),
    AccountFilter.PROPOSED: mark("Proposed as administrators"),
    AccountFilter.UNVERIFIED: mark("Address not confirmed"),
    AccountFilter.ACTIVE: mark("May read and write"),
    AccountFilter.REVIEWED: mark("What they write is read before it appears"),
    AccountFilter.SILENCED: mark("May read, but not write"),
    AccountFilter.SUSPENDED: mark("Suspended"),
    AccountFilter.BANNED: mark("Banned"),
}
REFUSALS: Mapping[str, str] = {
    RefusalReason.PASSWORD: mark("Wrong password"),
    RefusalReason.SECOND_FACTOR: mark("Wrong code"),
    RefusalReason.PASSKEY: mark("Passkey not accepted"),
    RefusalReason.THROTTLED: mark("Too many tries"),
}
MAILS: Mapping[str, str] = {
    MailKind.VERIFY_ADDRESS: mark("Confirm an address"),
    MailKind.ADDRESS_CHANGE: mark("The address is to change"),
    MailKind.SIGN_IN_CHANGED: mark("Signing in was changed"),
    MailKind.HANDLE_REPLACED: mark("Moderators changed the name for signing in"),
    MailKind.INVITATION: mark("Invitation"),
    MailKind.PASSWORD_RESET: mark("New password"),
    MailKind.LOST_MAILBOX: mark("Another address for a lost mailbox"),
    MailKind.DEPARTURE: mark("The account will be closed"),
    MailKind.DEPARTURE_WAITS: mark("Closing the account has to wait"),
    MailKind.EXPORT_READY: mark("The copy of their data is ready"),
    MailKind.CASE_URGENT: mark("An urgent case waits"),
    MailKind.CONCERN_WAITING: mark("Something waits for them"),
    MailKind.NEWS: mark("Something is new for them"),
    MailKind.MESSAGE_URGENT: mark("An urgent message waits"),
    MailKind.RECEIPT: mark("What they sent has arrived"),
    MailKind.ANSWER_READY: mark("There is an answer for them"),
    MailKind.MOVED: mark("Their old board moved"),
}
# Why a mail did not go, by how the failure begins that the outbox noted: the first that fits.
FAILURES: Sequence[tuple[str, str]] = (
    ("SMTPRecipientsRefused 4", mark("The mailbox takes no mail at the moment.")),
    ("SMTPRecipientsRefused", mark("The address does not exist, or takes no mail from us.")),
    ("SMTPSenderRefused", mark("The mail server does not accept the address that we write from.")),
    ("SMTPAuthenticationError", mark("The mail server does not accept our name and password.")),
    ("SMTPDataError", mark("The mail server does not accept this mail.")),
    ("SMTPNotSupported", mark("The mail server cannot do what we ask of it, for example to encrypt.")),
    ("SMTPConnectResponseError", mark("The mail server turns us away.")),
    ("SMTPHeloError", mark("The mail server turns us away.")),
    ("", mark("The mail server could not be reached, or did not answer in time.")),
)
HOLD_REASONS: Mapping[str, str] = {
    HoldReason.COURT: mark("A court asked for it"),
    HoldReason.POLICE: mark("The police asked for it"),
    HoldReason.LEGAL_CLAIM: mark("There is a legal claim"),
    HoldReason.SAFEGUARDING: mark("Somebody has to be kept safe"),
    HoldReason.REGULATOR: mark("A regulator asked for it"),
}


def options(visit: Visit, labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return pairs of a value and its words in the language of the page, for a field that chooses one."""
    return [(str(value), visit.say(words)) for value, words in labels.items()]


def said(visit: Visit, labels: Mapping[str, str], value: str) -> str:
    """Return the words for a value, in the language of the page."""
    return visit.say(labels[value])


def why_unsent(visit: Visit, failure: str) -> str:
    """Return why a mail did not go, in words. A failure that nobody foresaw is one on the way to the mail server."""
    return visit.say(next(words for begins, words in FAILURES if failure.startswith(begins)))
