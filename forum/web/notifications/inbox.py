"""What happened to one's posts, reports and account: each thing in words, with the way to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from fastapi import Response

from forum.http.fields import Uuid
from forum.notifications import inbox
from forum.notifications.inbox import NotificationKind
from forum.web.content.threads import place_of
from forum.web.forms import FormModel
from forum.web.languages import Language, mark
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import OwnForm, OwnVisit, Visit

router = page_router()

NOTICES_A_PAGE = 20


class ReadForm(FormModel):
    """How far somebody has read."""

    up_to: Uuid


# What is said of each kind, and where it leads: `{post}` and `{subject}` are of the notification.
NOTICES: Mapping[NotificationKind, tuple[str, str]] = {
    NotificationKind.POST_HELD: (mark("A moderator reads a post of yours before others see it."), "/posts/{post}"),
    NotificationKind.POST_PUBLISHED: (mark("Everybody can see your post now."), "/posts/{post}"),
    NotificationKind.POST_EDITED: (mark("A moderator changed a post of yours."), "/me/statements/{subject}"),
    NotificationKind.POST_REMOVED: (mark("A moderator removed a post of yours."), "/me/statements/{subject}"),
    NotificationKind.THREAD_LOCKED: (mark("A thread that you started is closed for now."), "/posts/{post}"),
    NotificationKind.THREAD_UNLOCKED: (mark("A thread that you started is open again."), "/posts/{post}"),
    NotificationKind.THREAD_MOVED: (mark("A thread that you started is on another board now."), "/posts/{post}"),
    NotificationKind.THREAD_RETITLED: (mark("A thread that you started has another title now."), "/posts/{post}"),
    NotificationKind.STATEMENT_ISSUED: (mark("Moderators decided something about you."), "/me/statements/{subject}"),
    NotificationKind.APPEAL_HEARD: (
        mark("Somebody took a second look, as you asked."),
        "/me/appeals/{subject}",
    ),
    NotificationKind.REPORT_RECEIVED: (mark("We have your report. Thank you."), "/me/reports"),
    NotificationKind.REPORT_SETTLED: (mark("A report of yours was looked at."), "/me/reports"),
    NotificationKind.TALK_MESSAGE: (mark("A moderator has written to you."), "/me/talks/{subject}"),
    NotificationKind.TALK_ANSWERED: (mark("Somebody answered you about a case."), "/moderation/cases/{subject}"),
    NotificationKind.COMPLAINT_SETTLED: (mark("A complaint of yours was looked at."), "/me/complaints"),
    NotificationKind.CASE_WAITING: (mark("A case waits for you."), "/moderation/cases/{subject}"),
    NotificationKind.CASE_URGENT: (mark("A case cannot wait."), "/moderation/cases/{subject}"),
    NotificationKind.CASE_HANDED_OVER: (mark("A case was handed on to you."), "/moderation/cases/{subject}"),
    NotificationKind.CASE_TAKEN_OVER: (mark("Somebody else took over a case of yours."), "/moderation/cases/{subject}"),
    NotificationKind.CASE_OVERDUE: (mark("A case should have been decided by now."), "/moderation/cases/{subject}"),
    NotificationKind.CASE_WITHOUT_DECIDER: (mark("Nobody can decide a case."), "/moderation/cases/{subject}"),
    NotificationKind.ANSWERS_LATE: (
        mark("Threads wait for an adviser for longer than they should."),
        "/advising?late=yes",
    ),
    NotificationKind.ANSWERS_VERY_LATE: (
        mark("Threads wait for an adviser for twice as long as they should."),
        "/advising?late=yes",
    ),
    NotificationKind.BACKUP_FAILED: (
        mark("A backup failed, or could not be restored. Whoever looks after the machine must know."),
        "/admin",
    ),
    NotificationKind.CLAIM_ANSWERED: (mark("Somebody else answered a thread that you kept."), "/posts/{post}"),
    NotificationKind.CLAIM_ENDED: (mark("A thread that you kept waits for everybody again."), "/posts/{post}"),
    NotificationKind.ENDORSED: (mark("An adviser says that a post of yours is right."), "/posts/{post}"),
    NotificationKind.ENDORSEMENT_ENDED: (
        mark("That an adviser agrees does not stand below a post of yours any more."),
        "/posts/{post}",
    ),
    NotificationKind.ADDRESS_DISCLOSED: (
        mark("In an emergency, somebody had an address shown. Please look whether that was right."),
        "/moderation/cases/{subject}",
    ),
    NotificationKind.CONCERN_WAITING: (mark("A concern waits for you."), "/moderation/concerns/{subject}"),
    NotificationKind.CONCERN_REVIEW: (mark("A concern has to be looked at again."), "/moderation/concerns/{subject}"),
    NotificationKind.CONCERN_DISCLOSURE: (
        mark("Somebody asked for a copy of their data. A concern is about them, or from them."),
        "/moderation/concerns/{subject}",
    ),
    NotificationKind.CONCERN_WITHOUT_LEAD: (
        mark("A concern waits that no safeguarding lead may read. Please name another one."),
        "/admin/people",
    ),
    NotificationKind.MESSAGE_WAITING: (mark("Somebody wrote to us."), "/moderation/messages"),
    NotificationKind.MESSAGE_URGENT: (mark("Somebody wrote to us, and it cannot wait."), "/moderation/messages"),
    NotificationKind.PUBLIC_REPORT_WAITING: (
        mark("Somebody reported something, and we do not know which post they mean."),
        "/moderation/reports",
    ),
    NotificationKind.PUBLIC_REPORT_URGENT: (
        mark("Somebody reported something that cannot wait, and we do not know which post they mean."),
        "/moderation/reports",
    ),
    NotificationKind.PUBLIC_REPORT_OVERDUE: (
        mark("A report without a post has waited too long."),
        "/moderation/reports",
    ),
    NotificationKind.SERVICE_COMPLAINT_OVERDUE: (
        mark("A complaint was to be answered by now."),
        "/moderation/complaints",
    ),
    NotificationKind.SERVICE_COMPLAINT_WITHOUT_HEARER: (
        mark("Somebody complained, and nobody here may answer: name another moderator of the whole forum."),
        "/moderation/complaints",
    ),
    NotificationKind.WEBHOOK_OFF: (
        mark("Another service is not told any more what happens here. Its page says why."),
        "/admin/webhooks",
    ),
    NotificationKind.SERVICE_COMPLAINT_WAITING: (mark("Somebody complained."), "/moderation/complaints"),
    NotificationKind.SERVICE_COMPLAINT_ANSWERED: (mark("A complaint of yours was answered."), "/complaints"),
    NotificationKind.REACTED: (
        mark("Somebody thanked you for a post, sent a hug, or feels the same."),
        "/posts/{post}",
    ),
    NotificationKind.ASSESSMENT_DUE: (mark("An assessment is to be looked at again."), "/moderation/assessments"),
    NotificationKind.RULES_CHANGED: (mark("The house rules have changed."), "/me/rules"),
    NotificationKind.STANDING_ENDED: (mark("You can use your account as before."), "/me"),
    NotificationKind.LOST_MAILBOX: (mark("Another e-mail address is to take the place of yours."), "/me/email"),
    NotificationKind.DEPARTURE_WAITS: (mark("Your account cannot be closed yet."), "/me/departure"),
    NotificationKind.EXPORT_READY: (mark("The copy of your data is ready."), "/me/copy"),
    NotificationKind.MAILS_STOPPED: (
        mark("We send you no more mails, because your mail server refused three of them."),
        "/me/mails",
    ),
}

# What is said of new posts in a thread: how many, and its title.
NEW_POSTS: Mapping[NotificationKind, Callable[[Language, int, str], str]] = {
    NotificationKind.ADVISER_ANSWERED: lambda language, number, title: language.count(
        "An adviser answered you in “%(title)s”.",
        "Advisers answered you %(num)s times in “%(title)s”.",
        number,
        title=title,
    ),
    NotificationKind.MENTION: lambda language, number, title: language.count(
        "Somebody named you in “%(title)s”.", "You were named %(num)s times in “%(title)s”.", number, title=title
    ),
    NotificationKind.QUOTE: lambda language, number, title: language.count(
        "Somebody quoted you in “%(title)s”.", "You were quoted %(num)s times in “%(title)s”.", number, title=title
    ),
    NotificationKind.REPLY: lambda language, number, title: language.count(
        "Somebody answered you in “%(title)s”.", "There are %(num)s answers to you in “%(title)s”.", number, title=title
    ),
    NotificationKind.THREAD_POST: lambda language, number, title: language.count(
        "There is a new post in “%(title)s”.", "There are %(num)s new posts in “%(title)s”.", number, title=title
    ),
    NotificationKind.BOARD_POST: lambda language, number, title: language.count(
        "There is a new post in “%(title)s”, on a board that you follow.",
        "There are %(num)s new posts in “%(title)s”, on a board that you follow.",
        number,
        title=title,
    ),
}


@dataclass(frozen=True)
class Notice:
    """One thing that happened."""

    words: str
    path: str | None  # None: what it is about can be read no longer
    at: datetime
    is_new: bool


@dataclass(frozen=True, kw_only=True)
class NoticesPage(Page):
    """What happened, newest first."""

    template: ClassVar[str] = "account/notices.html"
    section: ClassVar[str] = "/me"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    notices: Sequence[Notice]
    unread: int
    newest: str | None  # up to which the button marks all as read
    next: str | None


@router.get("/me/notices")
async def show_notices(visit: OwnVisit) -> Response:
    """Show what happened."""
    after = visit.query("after") or None
    page = await visit.act(inbox.list_notifications, after, NOTICES_A_PAGE)
    return visit.show(
        NoticesPage(
            title=visit.say("What happened"),
            notices=[_notice(visit, row) for row in page.rows],
            unread=page.unread,
            newest=str(page.rows[0].id) if page.rows and after is None else None,
            next=page.next,
        )
    )


@router.post("/me/notices")
async def mark_read(visit: OwnForm) -> Response:
    """Mark as read what was on the page, and all before it."""
    await visit.act(inbox.mark_read, visit.form.parse(ReadForm).up_to)
    return visit.go("/me/notices", done="read")


def _notice(visit: Visit, row: Any) -> Notice:
    kind = NotificationKind(row.kind)
    if kind in NEW_POSTS:
        words = NEW_POSTS[kind](visit.language, row.count, row.thread_title)
        return Notice(words, place_of(row.thread_id, row.number), row.at, row.read_at is None)
    words, place = NOTICES[kind]
    is_gone = "{post}" in place and row.post_id is None  # a thread of their own that moved out of their sight
    path = None if is_gone else place.format(post=row.post_id, subject=row.subject_id)
    return Notice(visit.say(words), path, row.at, row.read_at is None)
