"""The text of each mail.

Other people may read it over a shoulder, or read the whole mailbox: a mail contains no pseudonym, not the name of the
forum, nothing that was written here, and nothing that a mail program would load.
"""

import html
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

# Long lines keep a link in one piece, without the equals signs of quoted-printable: people copy it.
LINE_MAX = 900
ONE_CLICK = "List-Unsubscribe=One-Click"  # RFC 8058
_POLICY = policy.SMTP.clone(max_line_length=LINE_MAX)


@dataclass(frozen=True)
class MailTemplate:
    """What a mail says before and after its link, and where below the forum's address the link leads."""

    subject: str
    before: tuple[str, ...]
    after: tuple[str, ...] = ()
    path: str | None = None
    has_token: bool = True  # its link does something, and names what by a token


NOT_YOU = "If it was not you, you need do nothing."

VERIFY = MailTemplate(
    "Please confirm your address",
    ("Somebody, probably you, gave this e-mail address as theirs. Follow this link to confirm that it is:",),
    ("It works for 24 hours.", NOT_YOU),
    "email-verifications",
)
TAKEN = MailTemplate(
    "About your account",
    (
        "Somebody, probably you, gave this e-mail address as theirs. You have an account with it already, so nothing "
        "was changed. If it was you: sign in to that account, or ask for a new password there.",
        NOT_YOU,
    ),
)
CHANGE = MailTemplate(
    "About your account",
    (
        "Somebody, probably you, asked to change the e-mail address of this account. If it was you, you need do "
        "nothing here: the new address has to be confirmed.",
        "If it was not you, somebody knows your password. Follow this link within 7 days: this address stays, or "
        "comes back, everybody is signed out, and the password no longer works. Then ask for a new one.",
    ),
    path="email-verifications/refuse",
)
LOST_MAILBOX = MailTemplate(
    "About your account",
    (
        "The people who run the place where you have an account were told that you no longer have this mailbox. In "
        "three days another e-mail address takes its place.",
        "If you still read mail here, somebody wants to take your account. Follow this link within three days, and "
        "this address stays:",
    ),
    path="lost-mailboxes/refuse",
)
RESET = MailTemplate(
    "The link that you asked for",
    ("Somebody, probably you, asked for a new password. Follow this link to choose one:",),
    ("It works once, for 6 hours, and no longer after you have signed in.", NOT_YOU),
    "password-resets",
)
SIGN_IN = MailTemplate(
    "About your account",
    (
        "How you sign in was changed a moment ago: the password, the second factor, or the name with which you sign "
        "in. If it was you, you need do nothing.",
        "If it was not you, ask for a new password at once. If that does not help, write to the people who run the "
        "place where you have this account.",
    ),
)
HANDLE_REPLACED = MailTemplate(
    "About your account",
    (
        "The people who run the place where you have an account changed the name with which you sign in. Your e-mail "
        "address still works for that, and so does your password. Once you are signed in, you can read what the name "
        "is now, why it was changed, and what you can do about it.",
    ),
)
INVITATION = MailTemplate(
    "An invitation",
    ("Somebody invites you to work with them. To see in which role, follow this link, and sign in with this address:",),
    ("It is valid for 7 days. If you do not know who this may be, you need do nothing.",),
    "invitations",
)
DEPARTURE = MailTemplate(
    "About your account",
    (
        "Somebody, probably you, asked to close the account with this e-mail address. If it was you, you need do "
        "nothing: it will be closed in 14 days. To keep the account, sign in before then and cancel.",
        "If it was not you, somebody is signed in as you. Follow this link within 14 days: the account stays, and "
        "everybody is signed out. Then ask for a new password.",
    ),
    path="departures/refuse",
)
DEPARTURE_WAITS = MailTemplate(
    "About your account",
    (
        "You asked to close the account with this e-mail address. It cannot be closed yet: something that is kept "
        "with it must not be deleted for now, for a legal reason. It will be closed, without your asking again, as "
        "soon as that has ended. Until then you can sign in as before.",
    ),
)
EXPORT_READY = MailTemplate(
    "What you asked for is ready",
    (
        "Somebody, probably you, asked for a copy of what is kept about the account with this e-mail address. Sign "
        "in to fetch it: it is there for 48 hours.",
        "If it was not you, somebody is signed in as you: ask for a new password, and everybody is signed out.",
    ),
)
CASE_URGENT = MailTemplate(
    "Please look at once",
    (
        "Something that cannot wait was given to you and those who work with you. Please sign in now and begin with "
        "what stands first.",
        "This mail does not say what it is, because other people may read it.",
    ),
)
MESSAGE_URGENT = MailTemplate(
    "Please look at once",
    (
        "Somebody wrote something that cannot wait. Please sign in now and begin with the messages and reports.",
        "This mail does not say what it is, because other people may read it.",
    ),
)
RECEIPT = MailTemplate(
    "It has arrived",
    (
        "Somebody, probably you, wrote to us without an account and gave this e-mail address for news. It has arrived, "
        "and somebody reads it. With the code that was shown then, what came of it can be read here:",
    ),
    ("This mail does not say what it is about, because other people may read it.", NOT_YOU),
    "progress",
    has_token=False,
)
ANSWER_READY = MailTemplate(
    "There is an answer",
    (
        "Somebody, probably you, wrote to us without an account and gave this e-mail address for news. There is an "
        "answer now. With the code that was shown then, it can be read here:",
    ),
    ("This mail does not say what it is about, because other people may read it.", NOT_YOU),
    "progress",
    has_token=False,
)
CONCERN_WAITING = MailTemplate(
    "Something waits for you",
    (
        "Something waits for you that only few may read. Please sign in and look at your notices.",
        "This mail does not say what it is, because other people may read it.",
    ),
)
# The same for everything, and for any number of things: not even its length tells what there is.
NEWS = MailTemplate(
    "Something new for you",
    ("There is something new for you, where you have an account. To read it, follow this link and sign in:",),
    path="me/notices",
    has_token=False,
)
_MOVED = (
    "The place on the web where you have an account has moved. Your account moved with it, and so did what you wrote. "
)
_AFTER_MOVING = (
    "If the old password does not work any more, you can ask for a new one there.",
    "This is the only letter that you get about it. If you do not want the account any more, you need do nothing, "
    "or you can sign in and close it.",
)


def _moved(sign_in_with: str) -> MailTemplate:
    words = f"{_MOVED}Follow this link, and sign in with {sign_in_with} and your old password:"
    return MailTemplate("Your account has moved", (words,), _AFTER_MOVING, path="sign-in", has_token=False)


# To whoever was on a board that moved here. Nobody who reads it learns which board that was. An old name, or an
# address, that opens somebody else's account here is not named.
MOVED = _moved("your old name, or this e-mail address,")
MOVED_BY_NAME = _moved("your old name")
MOVED_BY_ADDRESS = _moved("this e-mail address")
OFF = "You get this mail because you asked to be told. To get no more of them, follow this link:"
TEST = MailTemplate("A test", ("If you can read this, mails arrive.",))


def compose(
    template: MailTemplate,
    sender: str,
    to: str,
    now: datetime,
    link: str | None = None,
    *,
    off_link: str | None = None,
) -> EmailMessage:
    """Return the whole mail, as plain text and as HTML.

    `off_link` turns mails of this kind off. Mail programs show it as a button of their own, and then POST to it what
    RFC 8058 says; others open it.
    """
    message = EmailMessage(_POLICY)
    message["From"], message["To"], message["Subject"] = sender, to, template.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=sender.partition("@")[2])  # or it would name this machine
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notice comes back
    if off_link:
        message["List-Unsubscribe"] = f"<{off_link}>"
        message["List-Unsubscribe-Post"] = ONE_CLICK
    parts = list(_parts(template, link, off_link))
    message.set_content("\n\n".join(text if is_link else textwrap.fill(text, 72) for text, is_link in parts) + "\n")
    message.add_alternative(_html(parts), subtype="html")
    return message


def _parts(template: MailTemplate, link: str | None, off_link: str | None) -> Iterator[tuple[str, bool]]:
    """Give each paragraph and link in order, and whether it is a link."""
    yield from ((text, False) for text in template.before)
    if link:
        yield link, True
    yield from ((text, False) for text in template.after)
    if off_link:
        yield OFF, False
        yield off_link, True


def _html(parts: Iterable[tuple[str, bool]]) -> str:
    shown = ((html.escape(text), is_link) for text, is_link in parts)
    body = "\n".join(f'<p><a href="{text}">{text}</a></p>' if is_link else f"<p>{text}</p>" for text, is_link in shown)
    return f'<!doctype html>\n<html lang="en">\n<body>\n{body}\n</body>\n</html>\n'
