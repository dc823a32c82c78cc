"""The first page of administration: what the forum still lacks, and the way to everything else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastapi import Response

from forum.administration import setup
from forum.administration.setup import Gap
from forum.web.languages import mark
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import MemberVisit, Visit

router = page_router()

# What is missing, in words, and where it is mended: the address and its words; none where only the operator can.
GAPS: Mapping[str, tuple[str, str, str]] = {
    "no_board": (mark("There is no board. Nobody can write yet."), "/admin/new-board", mark("Make a board")),
    "no_moderator": (
        mark("Nobody moderates “%(board)s”. Administrators have to decide what is reported there."),
        "/boards/%(board)s/team",
        mark("Choose who moderates it"),
    ),
    "no_second_administrator": (
        mark("There is no second administrator with a second step. Nobody could help the only one."),
        "/admin/invitations",
        mark("Invite another administrator"),
    ),
    "no_second_safeguarding_lead": (
        mark("There are not two safeguarding leads. What somebody raises about the only one, nobody could read."),
        "/admin/invitations",
        mark("Invite a safeguarding lead"),
    ),
    "no_adviser": (
        mark("Threads wait for an adviser, but there is none."),
        "/admin/invitations",
        mark("Invite an adviser"),
    ),
    "nobody_on_call": (
        mark("For some boards, nobody is ever on call. Of danger, everybody who moderates there is told at once."),
        "/moderation/on-call",
        mark("Write who is on call"),
    ),
    "board_without_help": (
        mark("“%(board)s” does not say who can help at once. Add telephone numbers."),
        "/admin/boards/%(board)s",
        mark("Write who helps"),
    ),
    "mail_to_folder": (
        mark("Mails are written to a folder and reach nobody. The setting FORUM_SMTP_URL names your mail server."),
        "",
        "",
    ),
    "no_outside_contact": (
        mark(
            "Nobody outside is named for complaints about the only administrator or safeguarding lead. "
            "Set FORUM_OUTSIDE_CONTACT."
        ),
        "",
        "",
    ),
    "no_mail_sent": (
        mark("No mail has been sent yet. Ask for a new password, and see whether it arrives."),
        "/password-resets",
        mark("Ask for a new password"),
    ),
    "no_backup": (
        mark("There is no backup yet. With FORUM_BACKUP_DIR there is one each night; “forum backup” makes one now."),
        "",
        "",
    ),
    "backup_old": (mark("The last backup is old. The command “forum backup” makes one."), "", ""),
    "backup_failed": (mark("The last nightly backup failed. The log of the worker says why."), "", ""),
    "restore_failed": (
        mark("A backup was restored to try it, and it is not good. “forum restore FILE --try” says why."),
        "",
        "",
    ),
    "backup_untried": (
        mark("For two weeks, no backup was restored to try it. “forum restore FILE --try” does it now."),
        "",
        "",
    ),
}
# The way to everything that administrators look after.
PLACES: Sequence[tuple[str, str, str]] = (
    ("/admin/boards", mark("Boards"), mark("Make them, change them, put them in order.")),
    ("/admin/people", mark("People"), mark("Find an account, give a role, replace a lost mailbox.")),
    ("/admin/advisers", mark("Advisers"), mark("Whom they speak for, beside every answer.")),
    ("/admin/invitations", mark("Invitations"), mark("Ask somebody to work here.")),
    ("/admin/announcements", mark("Announcements"), mark("Say something to everybody until a day.")),
    ("/admin/glossary", mark("What short words mean"), mark("Explain abbreviations where posts use them.")),
    ("/moderation/rules", mark("House rules"), mark("Change a rule; every version is kept.")),
    ("/admin/refused-sign-ins", mark("Refused sign-ins"), mark("See when somebody guesses passwords.")),
    ("/admin/unsent-mails", mark("Unsent mails"), mark("See what did not arrive, and try again.")),
    ("/admin/webhooks", mark("Webhooks"), mark("Have another service told when something happens here.")),
    ("/admin/holds", mark("Legal holds"), mark("Keep what the law says must be kept.")),
)


@dataclass(frozen=True)
class SetupTask:
    """Something that is still to do: what is missing, and where it is mended, if here."""

    words: str
    path: str
    link: str


@dataclass(frozen=True, kw_only=True)
class AdministrationPage(Page):
    """What is still to set up, and the way to everything that administrators look after."""

    template: ClassVar[str] = "administration/setup.html"
    section: ClassVar[str] = "/admin"
    is_wide: ClassVar[bool] = True
    is_own: ClassVar[bool] = True

    tasks: Sequence[SetupTask]
    places: Sequence[tuple[str, str, str]]


@router.get("/admin")
async def show_administration(visit: MemberVisit) -> Response:
    """Show what the forum still lacks, the gravest first, and where it is mended."""
    gaps = await visit.act(setup.list_gaps)
    tasks = [_task(visit, gap) for gap in gaps]
    places = [(path, visit.say(name), visit.say(about)) for path, name, about in PLACES]
    return visit.show(AdministrationPage(title=visit.say("Looking after this forum"), tasks=tasks, places=places))


def _task(visit: Visit, gap: Gap) -> SetupTask:
    words, path, link = GAPS[gap.code]
    said = visit.say(words, board=gap.board_name)
    return SetupTask(said, path % {"board": gap.board}, visit.say(link) if link else "")
