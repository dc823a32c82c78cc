"""Raise a concern: anybody with an account may, about anybody and anything that they read.

The answer says whether somebody may read it. Where nobody may, it names whom the charity named outside, and
administrators hear that there is nobody. Nothing else tells anybody but its leads that there is a concern.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlmodel import col

from forum.content.crisis_help import Help, find_help_unseen
from forum.content.posts.queries import PostView, get_post_in_transaction
from forum.core.errors import Busy, ForumError, Invalid, NotFound
from forum.core.idempotency import Repeat
from forum.core.work import Work
from forum.members.aliases import owner_of
from forum.members.queries import get_member
from forum.members.tables import Member, Persona, RoleGrant
from forum.members.viewer import Viewer
from moderation import case_queue, cases, safeguarding
from moderation.cases import Case
from moderation.concerns import journal, telling
from moderation.concerns.dates import REVIEWED_WITHIN
from moderation.concerns.evidence import seal_posts
from moderation.concerns.tables import Concern, ConcernAssessment, ConcernCase, ConcernPerson, Consent
from moderation.concerns.visibility import list_leads
from moderation.permissions import ModerationAct, allow

MOST_NAMED = 10  # of members and of posts


@dataclass(frozen=True)
class ConcernBasis:
    """Whether consent was sought, on which ground the record is kept, and what was done at once."""

    consent: Consent | None = None
    consent_why: str = ""
    lawful_ground: str = ""
    immediate_action: str = ""


@dataclass(frozen=True)
class ConcernDraft:
    """What somebody raises: in words, about whom by their handles, with which posts, and from which case."""

    text: str
    about: Sequence[str] = ()
    post_ids: Sequence[int] = ()
    case_id: UUID | None = None
    reply_to: str | None = None
    assessment: ConcernBasis = ConcernBasis()


@dataclass(frozen=True)
class ConcernReceipt:
    """What whoever raised a concern learns of it."""

    raised_at: datetime
    is_read: bool  # there is somebody who may read it
    outside_contact: str | None
    help: Help | None


@dataclass(frozen=True)
class Raisable:
    """What a concern is about to be raised about: a post, a member, a case, or nothing yet."""

    post: PostView | None
    member: Member | None
    case_id: UUID | None
    outside_contact: str | None


async def read_to_raise(
    work: Work, raiser: Viewer, post_id: int | None, handle: str | None, case_id: UUID | None
) -> Raisable:
    """Return what somebody is about to raise a concern about. Raises NotFound for what does not exist for them."""
    allow(ModerationAct.RAISE_CONCERN, raiser)
    if case_id:
        await _require_case(work, raiser, case_id)
    return Raisable(
        await get_post_in_transaction(work.session, raiser, post_id) if post_id else None,
        await get_member(work.session, handle) if handle else None,
        case_id,
        work.settings.outside_contact,
    )


async def raise_concern(
    work: Work, raiser: Viewer, draft: ConcernDraft, *, repeat: Repeat | None = None
) -> ConcernReceipt:
    """Raise a concern, and tell its leads. A `repeat` answers as the first time.

    Raises NotSignedIn, Throttled, NotFound for a member, post or case that does not exist for whoever raises it,
    Invalid for consent that was not sought without the reason, and what `Repeat.earlier` raises.
    """
    texts = [draft.text, draft.assessment.immediate_action]
    try:
        concern = await _raise_once(work, raiser, draft, repeat)
    except Busy:
        raise  # the same words are being stored at this moment
    except ForumError as error:
        # Not as other words that are refused: the case that those open would be read by moderators.
        if help_ := await find_help_unseen(work, texts):
            error.facts["help"] = help_.as_json()
        raise
    leads = (await list_leads(work.session, work.now, col(Concern.id) == concern.id)).get(concern.id)
    return ConcernReceipt(
        raised_at=concern.raised_at,
        is_read=bool(leads),
        outside_contact=None if leads else work.settings.outside_contact,
        help=await find_help_unseen(work, texts),
    )


async def _raise_once(work: Work, raiser: Viewer, draft: ConcernDraft, repeat: Repeat | None) -> Concern:
    allow(ModerationAct.RAISE_CONCERN, raiser)
    if repeat and (earlier := await repeat.earlier(work)):
        return await work.session.get_one(Concern, UUID(earlier))
    refuse_missing_reason(draft.assessment)
    await work.count_try("concern", "concerns", raiser.id)
    concern = await _add(work, raiser, draft)
    if repeat:
        await repeat.keep(work, concern.id)
    return concern


def refuse_missing_reason(said: ConcernBasis) -> None:
    """Return when consent that was not sought has the reason. Raises Invalid."""
    if said.consent == Consent.NOT_SOUGHT and not said.consent_why:
        raise Invalid("Say why nobody was asked.", "#/consent_why", code="reason_missing")


async def _add(work: Work, raiser: Viewer, draft: ConcernDraft) -> Concern:
    concern = Concern(
        raised_by=raiser.member_id,
        raised_at=work.now,
        text=draft.text,
        reply_to=draft.reply_to,
        about_staff=False,
        review_on=(work.now + REVIEWED_WITHIN).date(),
    )
    work.session.add(concern)
    await work.session.flush()
    persons = await _link(work, raiser, draft, concern.id)
    work.session.add_all(ConcernPerson(concern_id=concern.id, persona_id=persona_id) for persona_id in persons)
    concern.about_staff = await _work_here(work, persons)
    said = draft.assessment
    assessment = ConcernAssessment(
        concern_id=concern.id,
        number=1,
        consent=said.consent,
        consent_why=said.consent_why,
        lawful_ground=said.lawful_ground,
        immediate_action=said.immediate_action,
        written_by=raiser.member_id,
        written_at=work.now,
    )
    work.session.add(assessment)
    journal.record(work.session, concern.id, raiser.id, "raised", work.now)
    await work.session.flush()
    await telling.tell_of(work.session, concern.id, work.now)
    return concern


async def _link(work: Work, raiser: Viewer, draft: ConcernDraft, concern_id: UUID) -> Collection[UUID]:
    """Link a concern to its members, posts and case, and return whom it is about.

    The posts of the case are sealed, too. The author of a post is among the persons, because they must not read it,
    unless they raise it themselves.
    """
    persons = {(await get_member(work.session, handle)).id for handle in draft.about}
    posts, linked = set(draft.post_ids), set()
    for post_id in sorted(posts):
        await get_post_in_transaction(work.session, raiser, post_id)
    if draft.case_id:
        await _require_case(work, raiser, draft.case_id)
        work.session.add(ConcernCase(concern_id=concern_id, case_id=draft.case_id))
        posts |= set((await work.session.execute(cases.posts_of(draft.case_id))).scalars())
        subject = select(col(Case.subject_persona_id)).where(col(Case.id) == draft.case_id)
        linked.add((await work.session.execute(subject)).scalar_one())
    linked |= set(await seal_posts(work, concern_id, posts))
    return sorted(persons | (linked - set(raiser.personas)))


async def _require_case(work: Work, raiser: Viewer, case_id: UUID) -> None:
    """Return when a case exists for whoever works on it: moderators, or the lead where somebody is in danger."""
    if case_queue.sees_queue(raiser):
        await case_queue.get_visible_case(work, raiser, case_id)
    elif safeguarding.sees_dangers(raiser):
        await safeguarding.require_danger(work, raiser, case_id)
    else:
        raise NotFound("There is no such case.", code="case_not_found")


async def _work_here(work: Work, persons: Collection[UUID]) -> bool:
    granted = exists().where(col(RoleGrant.member_id) == owner_of(col(Persona.id)))
    found = select(exists(select(col(Persona.id)).where(col(Persona.id).in_(persons), granted.correlate(Persona))))
    return bool((await work.session.execute(found)).scalar_one())
