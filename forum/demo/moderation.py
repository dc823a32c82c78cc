"""What moderation did in the made-up community: cases that wait, are claimed and are decided, an appeal, and more."""

import tomllib
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content import boards
from forum.content.posts.actions import change_words
from forum.content.posts.context import context_in_thread, context_of_post, context_on_board
from forum.content.posts.draft import Draft
from forum.content.posts.insertion import add_reply, add_thread
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core.work import Work
from forum.members.viewer import GUEST, Viewer, viewer_of, viewers
from forum.notifications.new_posts import tell_of_post
from moderation import appeals, case_actions, cases, name_reports, on_sight, reports
from moderation.case_priority import Category
from moderation.decisions import DecisionInput
from moderation.first_words import first_words_for
from moderation.gate import BoardGate
from moderation.measures.tables import MeasureInput, MeasureKind
from moderation.name_reports import NameComplaint
from moderation.on_sight import Sighting
from moderation.public_reports.actions import PublicReportDraft, file_report
from moderation.public_reports.tables import PublicCategory
from moderation.reports import Capacity, Complaint
from moderation.service_complaints.actions import ServiceComplaintDraft, complain
from moderation.service_complaints.tables import ComplaintAbout
from moderation.talks import actions as talks
from moderation.talks.actions import MessageToMember

Cast = dict[str, Viewer]


async def moderate(work: Work, cast: Cast) -> None:
    """Report, act on sight, claim, decide and appeal, and hold a post and an edit, as `moderation.toml` says."""
    story = tomllib.loads(resources.files("forum.demo").joinpath("moderation.toml").read_text(encoding="utf-8"))
    for case in sorted(story["case"], key=lambda case: -float(case["hours_ago"])):
        await _play_case(_earlier(work, case), cast, case)
    await _turn_on(_earlier(work, story["turned_on"]), cast, story["turned_on"])
    await _report_name(_earlier(work, story["reported_name"]), cast, story["reported_name"])
    await _edit(_earlier(work, story["waiting_edit"]), cast, story["waiting_edit"])
    await _hold(_earlier(work, story["held"]), cast, story["held"])
    await _come_from_outside(work, story["report_from_outside"], story["service_complaint"])


async def _come_from_outside(work: Work, report: dict[str, Any], complaint: dict[str, Any]) -> None:
    """Report and complain, as somebody without an account does."""
    draft = PublicReportDraft(
        post=report["post"],
        capacity=Capacity(report["capacity"]),
        category=PublicCategory(report["category"]),
        illegal_kind=None,
        text=report["text"].strip(),
        email=None,
        address="",
    )
    await file_report(_earlier(work, report), GUEST, draft)
    about, words = ComplaintAbout(complaint["about"]), complaint["text"].strip()
    await complain(_earlier(work, complaint), GUEST, ServiceComplaintDraft(about, words, email=None, address=""))


async def everybody(session: AsyncSession) -> Cast:
    """Return the community, by handle, as actions know its members."""
    return {row.handle: viewer_of(row) for row in (await session.execute(viewers())).all()}


def _earlier(work: Work, story: dict[str, Any]) -> Work:
    """Return what an action is given at the time of a story."""
    return work.at(work.now - timedelta(hours=story["hours_ago"]))


async def _find_post(session: AsyncSession, story: dict[str, Any]) -> Post:
    posts = select(Post).join(Thread, col(Thread.id) == col(Post.thread_id))
    about = posts.where(col(Thread.title) == story["thread"], col(Post.number) == story["number"])
    return (await session.execute(about)).scalar_one()


async def _play_case(work: Work, cast: Cast, story: dict[str, Any]) -> None:
    post = await _find_post(work.session, story)
    if "sighting" in story:
        sighting = Sighting(story["sighting"]["note"], Category(story["sighting"]["category"]), post.revision)
        await on_sight.open_on_post(work, cast[story["claimed_by"]], post.id, sighting)
        return
    for report in story["report"]:
        complaint = Complaint(Category(report["category"]), post.revision, tuple(report["rules"]), report["note"])
        case_id = (await reports.save_report(work, cast[report["by"]], post, complaint)).case_id
    if "claimed_by" not in story:
        return
    await case_actions.claim(work, cast[story["claimed_by"]], case_id)
    if "talk" in story:
        await _talk(work, cast, post, case_id, story)
    if "decision" in story:
        later = work.at(work.now + timedelta(minutes=5))
        await _decide(later, cast, post, case_id, story)


async def _talk(work: Work, cast: Cast, post: Post, case_id: UUID, story: dict[str, Any]) -> None:
    begun = {one.slug: one.text for one in first_words_for(Category.RISK, work.settings, work.now)}
    words = begun[story["talk"]["first_words"]] if "first_words" in story["talk"] else story["talk"]["text"].strip()
    message = MessageToMember(words, signed=True)
    written = await talks.write_to_member(work, cast[story["claimed_by"]], case_id, message)
    later = work.at(work.now + timedelta(minutes=2))
    await talks.answer(later, _author_of(post, cast), written.talk_id, story["talk"]["answer"])


def _author_of(post: Post, cast: Cast) -> Viewer:
    return next(viewer for viewer in cast.values() if viewer.id == post.author_id)


async def _decide(work: Work, cast: Cast, post: Post, case_id: UUID, story: dict[str, Any]) -> None:
    decision, moderator = story["decision"], cast[story["claimed_by"]]
    spans = tuple(_span(post.body_markdown, words) for words in decision.get("redact", ()))
    kind = MeasureKind.REMOVE if decision.get("remove") else MeasureKind.DISMISS
    measure = MeasureInput(MeasureKind.REDACT, spans=spans) if spans else MeasureInput(kind)
    case = await cases.lock_case_row(work.session, case_id)
    wanted = DecisionInput(
        version=case.version,
        revision=post.revision,
        measures=(measure,),
        reason=decision["reason"].strip(),
        rules=tuple(decision["rules"]),
        note=decision.get("note"),
    )
    decided = await case_actions.decide(work, moderator, case_id, wanted)
    if "appeal" in story and decided.statement:
        later = work.at(work.now + timedelta(hours=2))
        await appeals.submit(later, _author_of(post, cast), decided.statement.id, story["appeal"]["text"])


async def _turn_on(work: Work, cast: Cast, story: dict[str, Any]) -> None:
    """Have somebody answer a post under the eyes of moderation, which removes that."""
    answered = await _find_post(work.session, {**story, "number": story["reply_to"]})
    author, draft = cast[story["by"]], Draft(story["body"], story["reply_to"])
    context = await context_in_thread(work, author, answered.thread_id, draft)
    post_id = (await add_reply(replace(work, gate=_gate()), author, context, draft)).id
    post, case = await work.session.get_one(Post, post_id), await cases.get_case_of_post(work.session, post_id)
    if case is None:
        raise RuntimeError("Screening found nothing in words that tell somebody to harm themselves.")
    await tell_of_post(work.session, {"post": str(post_id)}, work.now)
    later = work.at(work.now + timedelta(minutes=6))
    await case_actions.claim(later, cast[story["claimed_by"]], case.id)
    await _decide(later, cast, post, case.id, story)


async def _report_name(work: Work, cast: Cast, story: dict[str, Any]) -> None:
    complaint = NameComplaint(Category(story["category"]), tuple(story["rules"]), story["note"])
    await name_reports.report_name(work, cast[story["by"]], story["handle"], complaint)


async def _edit(work: Work, cast: Cast, story: dict[str, Any]) -> None:
    """Have the author of a post edit it under the eyes of moderation."""
    work = replace(work, gate=_gate())
    post, draft = await _find_post(work.session, story), Draft(story["body"].strip())
    author = _author_of(post, cast)
    context = await context_of_post(work, author, post.id, draft)
    await change_words(work, author, context, post.revision, draft)


def _gate() -> BoardGate:
    return BoardGate(first_posts=3, region="GB")


async def _hold(work: Work, cast: Cast, story: dict[str, Any]) -> None:
    work = replace(work, gate=_gate())
    policy = {"publication": boards.Publication.HOLD_NEWCOMERS}
    board = await boards.lock_board_row(work.session, story["board"])
    await boards.change_board(work.session, board, policy, work.now)
    author, draft = cast[story["by"]], Draft(story["body"].strip())
    context = await context_on_board(work, author, story["board"], draft)
    await add_thread(work, author, context, story["title"], draft)


def _span(text: str, words: str) -> tuple[int, int]:
    start = text.index(words)
    return start, start + len(words)
