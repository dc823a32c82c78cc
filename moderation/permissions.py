"""Who may do what in moderation, on one page. Actions ask `allow`; conditions are as in `forum/permissions.py`."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from forum.core.errors import Forbidden
from forum.members.tables import Role, Standing
from forum.members.viewer import Viewer
from forum.permissions import (
    AtPost,
    Condition,
    HasStanding,
    Refusal,
    administers,
    ask,
    is_in_good_standing,
    may_write,
    moderates_the_board,
)


class ModerationAct(StrEnum):
    """Everything that somebody may or may not do in moderation."""

    REPORT_POST = "report this post"
    REPORT_RISK = "report that somebody is in danger"
    REPORT_NAME = "report this name"
    REPORT_NAME_RISK = "report a name that puts somebody in danger"
    SEE_QUEUE = "see the queue"
    SEE_RECORD = "see a member's record"
    KEEP_NOTES = "read or write notes on this member"
    OPEN_CASE = "open a case about this post"
    OPEN_MEMBER_CASE = "open a case about this member"
    DECIDE_TOGETHER = "decide about many posts of this member"
    WORK_ON_CASE = "work on this case"
    DECIDE_CASE = "decide this case"
    HAND_OVER = "leave notes for the next shift"
    READ_LOG = "read the log"
    READ_MESSAGES = "read what people wrote to the charity"
    ANSWER_REPORT = "answer a report without an account"
    HEAR_COMPLAINTS = "read complaints about the service"
    ANSWER_COMPLAINT = "answer this complaint"
    WRITE_RULES = "write the rules"
    WRITE_PHRASES = "write the phrases of danger"
    WRITE_TERMS = "write the terms that are watched for"
    WRITE_TEMPLATES = "write the templates"
    READ_ASSESSMENTS = "read the assessments"
    WRITE_ASSESSMENTS = "write the assessments"
    SET_DETAILS = "choose what members are asked about"
    NAME_TEAM = "name a board's moderators"
    SEE_ON_CALL = "see who is on call"
    WRITE_ROTA = "write who is on call"
    SAY_HERE = "say that you are here"
    SEE_DANGERS = "see the cases of danger"
    RAISE_CONCERN = "tell the safeguarding lead"
    LEAD_CONCERNS = "read concerns"


class WithDeciders(Protocol):
    """A case, with who may decide it and what keeps the viewer from it."""

    @property
    def decider_ids(self) -> Collection[UUID]: ...  # noqa: D102
    @property
    def own_part(self) -> Refusal | None: ...  # noqa: D102


class HasPart(Protocol):
    """A complaint, with who made it and who decided what it is about."""

    @property
    def member_id(self) -> UUID | None: ...  # noqa: D102
    @property
    def decider_ids(self) -> Collection[UUID]: ...  # noqa: D102


class HasFiler(Protocol):
    """A report without an account, with who made it where it was somebody who works here."""

    @property
    def filed_by(self) -> UUID | None: ...  # noqa: D102


class HasId(Protocol):
    """A member whom somebody acts on."""

    @property
    def id(self) -> UUID: ...  # noqa: D102


def is_not_silenced(viewer: Viewer, subject: HasStanding) -> Refusal | None:
    """Require that the viewer may write here. A silenced member is told what they can still report."""
    if subject.standing == Standing.SILENCED:
        return Refusal(
            "account_silenced",
            "Your account is silenced. You can still report that somebody is in danger: choose that category.",
        )
    return may_write(viewer, subject)


def may_report_risk(viewer: Viewer, subject: HasStanding) -> Refusal | None:
    """Require that the viewer may write, or is silenced: they too may say that somebody is in danger."""
    return None if subject.standing == Standing.SILENCED else may_write(viewer, subject)


def is_not_its_author(viewer: Viewer, subject: AtPost) -> Refusal | None:
    """Require that the viewer did not write the post."""
    if subject.post.author_id not in viewer.personas:
        return None
    return Refusal("own_post", "This is your own post: you can edit or withdraw it.")


def is_not_own_name(viewer: Viewer, member: HasId) -> Refusal | None:
    """Require that the name is not the viewer's own."""
    if member.id != viewer.id:
        return None
    return Refusal("own_name", "This is your own name: you can take another.")


def is_somebody_else(viewer: Viewer, member: HasId) -> Refusal | None:
    """Require that it is not about the viewer themselves: whatever their role, they learn nothing of it."""
    if member.id != viewer.id:
        return None
    return Refusal("own_record", "This is about yourself: others decide, and keep notes.")


def moderates_everywhere(viewer: Viewer, _subject: object) -> Refusal | None:
    """Require a moderator of the whole forum, or an administrator: what is about no post is on no board."""
    if viewer.roles & {Role.MODERATOR, Role.ADMINISTRATOR}:
        return None
    return Refusal("not_a_moderator_of_all", "Only moderators of the whole forum and administrators may do this.")


def moderates_its_board_or_administers(viewer: Viewer, subject: AtPost) -> Refusal | None:
    """Require a moderator of the post's board, or an administrator, who decides where no moderator can."""
    if Role.ADMINISTRATOR in viewer.roles:
        return None
    return moderates_the_board(viewer, subject)


def moderates_somewhere(viewer: Viewer, _subject: object) -> Refusal | None:
    """Require a moderator, of the forum or one board, or an administrator, who decides what no moderator can."""
    is_moderator = viewer.moderated_boards or viewer.roles & {Role.MODERATOR, Role.ADMINISTRATOR}
    return None if is_moderator else Refusal("not_a_moderator", "Only moderators may do this.")


def is_moderator(viewer: Viewer, _subject: object) -> Refusal | None:
    """Require a moderator, of the forum or one board: nobody else is called as the first."""
    if viewer.moderated_boards or Role.MODERATOR in viewer.roles:
        return None
    return Refusal("not_on_a_team", "Only moderators can be on call. Administrators are told when nobody answers.")


def leads_safeguarding(viewer: Viewer, _subject: object) -> Refusal | None:
    """Require the safeguarding lead, who looks after whoever is in danger, and decides nothing."""
    if Role.SAFEGUARDING_LEAD in viewer.roles:
        return None
    return Refusal("not_a_safeguarding_lead", "Only the safeguarding lead may do this.")


def is_free_to_decide(viewer: Viewer, case: WithDeciders) -> Refusal | None:
    """Require that the viewer is among those who may decide the case; `case_deciders` says who that is."""
    if viewer.id in case.decider_ids:
        return None
    return case.own_part or Refusal("another_moderator_decides", "Somebody else decides this case.")


def has_no_part_in_complaint(viewer: Viewer, complaint: HasPart) -> Refusal | None:
    """Require that the viewer neither made the complaint, nor decided what it is about."""
    if viewer.id == complaint.member_id:
        return Refusal("own_complaint", "You made this complaint yourself: somebody else answers it.")
    if viewer.id in complaint.decider_ids:
        return Refusal("complaint_about_own_decision", "You decided what this is about: somebody else answers it.")
    return None


def did_not_file_it(viewer: Viewer, report: HasFiler) -> Refusal | None:
    """Require that the viewer did not make the report."""
    if report.filed_by is None or report.filed_by != viewer.id:
        return None
    return Refusal("own_report", "You reported this: somebody else decides.")


PERMISSIONS: Mapping[ModerationAct, Sequence[Condition]] = {
    ModerationAct.REPORT_POST: [is_not_silenced, is_not_its_author],
    ModerationAct.REPORT_RISK: [may_report_risk, is_not_its_author],
    ModerationAct.REPORT_NAME: [is_not_silenced, is_not_own_name],
    ModerationAct.REPORT_NAME_RISK: [may_report_risk, is_not_own_name],
    ModerationAct.SEE_QUEUE: [is_in_good_standing, moderates_somewhere],
    ModerationAct.SEE_RECORD: [is_in_good_standing, moderates_somewhere],
    ModerationAct.KEEP_NOTES: [is_in_good_standing, moderates_somewhere, is_somebody_else],
    ModerationAct.OPEN_CASE: [is_in_good_standing, moderates_its_board_or_administers, is_not_its_author],
    ModerationAct.OPEN_MEMBER_CASE: [is_in_good_standing, moderates_everywhere, is_somebody_else],
    ModerationAct.DECIDE_TOGETHER: [is_in_good_standing, moderates_somewhere, is_somebody_else],
    ModerationAct.WORK_ON_CASE: [is_in_good_standing, moderates_somewhere],
    ModerationAct.DECIDE_CASE: [is_in_good_standing, is_free_to_decide],
    ModerationAct.HAND_OVER: [is_in_good_standing, moderates_its_board_or_administers],
    ModerationAct.READ_LOG: [is_in_good_standing, moderates_somewhere],
    ModerationAct.READ_MESSAGES: [is_in_good_standing, moderates_somewhere],
    ModerationAct.ANSWER_REPORT: [is_in_good_standing, moderates_somewhere, did_not_file_it],
    ModerationAct.HEAR_COMPLAINTS: [is_in_good_standing, moderates_everywhere],
    ModerationAct.ANSWER_COMPLAINT: [is_in_good_standing, moderates_everywhere, has_no_part_in_complaint],
    ModerationAct.WRITE_RULES: [is_in_good_standing, administers],
    ModerationAct.WRITE_PHRASES: [is_in_good_standing, administers],
    ModerationAct.WRITE_TERMS: [is_in_good_standing, administers],
    ModerationAct.WRITE_TEMPLATES: [is_in_good_standing, moderates_everywhere],
    ModerationAct.READ_ASSESSMENTS: [is_in_good_standing, moderates_everywhere],
    ModerationAct.WRITE_ASSESSMENTS: [is_in_good_standing, administers],
    ModerationAct.SET_DETAILS: [is_in_good_standing, administers],
    ModerationAct.NAME_TEAM: [is_in_good_standing, administers],
    ModerationAct.SEE_ON_CALL: [is_in_good_standing, moderates_somewhere],
    ModerationAct.WRITE_ROTA: [is_in_good_standing, administers],
    ModerationAct.SAY_HERE: [is_in_good_standing, is_moderator],
    ModerationAct.SEE_DANGERS: [is_in_good_standing, leads_safeguarding],
    ModerationAct.RAISE_CONCERN: [],  # everybody with an account, in any standing
    ModerationAct.LEAD_CONCERNS: [is_in_good_standing, leads_safeguarding],
}


def allow(act: ModerationAct, viewer: Viewer, subject: object = None) -> None:
    """Return when the viewer may do this; raise NotSignedIn for a guest, Forbidden with the reason otherwise."""
    ask(PERMISSIONS[act], act, viewer, subject)


def refusal(act: ModerationAct, viewer: Viewer, subject: object = None) -> Refusal | None:
    """Return why the viewer may not do this, or None when they may: for screens that say so beforehand."""
    return next((reason for condition in PERMISSIONS[act] if (reason := condition(viewer, subject))), None)


def refuse(reason: Refusal | None) -> None:
    """Raise Forbidden for this reason; return when there is none."""
    if reason:
        raise Forbidden(reason.detail, code=reason.code)
