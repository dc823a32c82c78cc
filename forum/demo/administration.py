"""What administrators have under way in the made-up community: somebody is invited, proposed, kept, or not reached."""

from dataclasses import replace
from datetime import time, timedelta

from forum.administration import accounts, board_settings, invitations
from forum.administration.invitations import InvitationWish
from forum.administration.roles import Offer
from forum.authentication.failed_sign_ins import NOBODY, RefusalReason, RefusedSignIn
from forum.content import announcements, glossary
from forum.content.announcements import AnnouncementDraft
from forum.content.glossary import TermWish
from forum.content.opening_hours import OpeningHours, Outside
from forum.core.weekly_hours import WEEK, WeeklyHours
from forum.core.work import Work
from forum.demo.moderation import Cast
from forum.mail.tables import Mail, MailKind
from forum.members.tables import Role
from forum.members.viewer import GUEST
from forum.privacy import legal_holds
from forum.privacy.tables import HoldReason
from moderation import contact, handover, on_call, watched_terms
from moderation.contact import ContactDraft
from moderation.on_call import ShiftWish
from moderation.screening.finding import SignEffect
from moderation.screening.watched_terms import TermKind
from moderation.watched_terms import TermDraft

HANDED_OVER = "Quiet tonight. If the grandmother with the hearing on Thursday writes again, please answer her first."
# They hold nothing: what is tried in the demonstration goes the same way at every hour.
OFFICE_HOURS = OpeningHours("Europe/London", [WeeklyHours(WEEK[:5], time(9), time(17))], frozenset(), Outside.PUBLISH)
AWAY = "Our advisers are away on Monday and back on Tuesday. Members answer as on every other day."
LOCKED_OUT = "I have a new phone and cannot find the mail with the link. How do I get in again?"
EXPLAINED = {
    "CIN": "Child in need: a plan for help, by agreement",
    "CP": "Child protection: a plan after a conference, with conditions",
    "CPP": "Child protection plan",
    "IRO": "Independent reviewing officer: chairs the reviews of a child in care",
    "LAC": "Looked after child: in care",
    "PLO": "Public law outline: the meeting before the council goes to court",
    "SGO": "Special guardianship order: a relative or friend brings the child up",
    "SW": "Social worker",
}
WATCHED = (
    TermDraft(TermKind.PHRASE, "baby snatcher", SignEffect.CASE, note="It is said of people who can be recognised."),
    TermDraft(
        TermKind.PHRASE,
        "Derek Quillfeather",
        SignEffect.POINT_OUT,
        in_names=True,
        note="He wrote to mothers by mail, under several names. The police know.",
    ),
    TermDraft(TermKind.WORD, "bailiffs", SignEffect.HELP, help_kind="carer"),
)


async def administer(work: Work, cast: Cast) -> None:
    """Announce, invite, propose and keep somebody, with mails that failed and sign-ins that were refused."""
    earlier = work.at(work.now - timedelta(days=2))
    ruth = replace(cast["ruth"], signed_in_at=earlier.now)
    wish = InvitationWish(email="new-moderator@example.org", role=Role.MODERATOR, board="court")
    await invitations.invite(earlier, ruth, wish)
    await accounts.give_role(earlier, ruth, "orla", Offer(Role.ADMINISTRATOR))
    await legal_holds.place_hold(earlier, ruth, "stepdad_si", HoldReason.COURT)
    until = work.now + timedelta(days=7)
    await announcements.announce(earlier, ruth, AnnouncementDraft(AWAY, until))
    await contact.write_to_charity(earlier, GUEST, ContactDraft(LOCKED_OUT, "old.phone@example.org", "192.0.2.7"))
    for handle, starts, ends in (("orla", 18, 23), ("femi", 9, 18)):
        await on_call.add_shift(earlier, ruth, ShiftWish(handle, None, WEEK, time(starts), time(ends)))
    for short, meaning in EXPLAINED.items():
        await glossary.explain_term(earlier, ruth, short, TermWish(meaning))
    for term in WATCHED:
        await watched_terms.watch_for(earlier, ruth, term)
    await board_settings.set_hours(earlier, ruth, "kinship", 1, OFFICE_HOURS)
    await handover.add_note(earlier, cast["femi"], "kinship", HANDED_OVER)
    await _fail(work, cast)


async def _fail(work: Work, cast: Cast) -> None:
    nasreen, dee = cast["nasreen_k"], cast["hopeful_dee"]
    given_up = Mail(
        kind=MailKind.EXPORT_READY,
        member_id=nasreen.id,
        email="nasreen_k@example.org",
        put_down_at=work.now - timedelta(days=6),
        failures=1,
        failure="SMTPRecipientsRefused 550",
        given_up_at=work.now - timedelta(days=6),
    )
    hour = (work.now - timedelta(hours=9)).replace(minute=0, second=0, microsecond=0)
    counts = ((dee.member_id, RefusalReason.PASSWORD, 3), (NOBODY, RefusalReason.PASSWORD, 14))
    refusals = [
        RefusedSignIn(hour=hour, member_id=member_id, reason=reason, times=times) for member_id, reason, times in counts
    ]
    work.session.add_all([given_up, *refusals])
    await work.session.flush()
