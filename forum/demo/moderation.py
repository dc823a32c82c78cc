"""What moderation did in the made-up community: cases that wait, are claimed and are decided, and an appeal."""

import tomllib
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import resources
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content import boards
from forum.content.posts.context import context_on_board
from forum.content.posts.draft import Draft
from forum.content.posts.insertion import add_thread
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core.work import Work
from forum.members.viewer import Viewer, viewer_of, viewers
from moderation import appeals, cases, decisions, reports
from moderation.cases import Category
from moderation.decisions import DecisionInput, DecisionPolicy
from moderation.gate import BoardGate
from moderation.measures.tables import Kind, MeasureInput
from moderation.reports import Complaint

Cast = dict[str, Viewer]

HABITS = DecisionPolicy(names_moderators=True, appeal_for=timedelta(days=183))


async def moderate(work: Work, cast: Cast) -> None:
    """Report, claim, decide and appeal, and hold one post, as `moderation.toml` says."""
    said = tomllib.loads(resources.files("forum.demo").joinpath("moderation.toml").read_text(encoding="utf-8"))
    for case in sorted(said["case"], key=lambda case: -float(case["hours_ago"])):
        await _case(work.session, cast, case, work.now - timedelta(hours=case["hours_ago"]))
    await _hold(work.at(work.now - timedelta(hours=said["held"]["hours_ago"])), cast, said["held"])


async def everybody(session: AsyncSession) -> Cast:
    """The community, by handle, as the verbs know its members."""
    return {row.handle: viewer_of(row) for row in (await session.execute(viewers())).all()}


async def _case(session: AsyncSession, cast: Cast, said: dict[str, Any], at: datetime) -> None:
    named = select(Post).join(Thread, col(Thread.id) == col(Post.thread_id))
    about = named.where(col(Thread.title) == said["thread"], col(Post.number) == said["number"])
    post = (await session.execute(about)).scalar_one()
    for report in said["report"]:
        complaint = Complaint(Category(report["category"]), post.revision, tuple(report["rules"]), report["note"])
        case_id = (await reports.file(session, cast[report["by"]], post, complaint, at)).case_id
    if "claimed_by" not in said:
        return
    moderator = cast[said["claimed_by"]]
    await cases.claim(session, moderator, case_id, at)
    if "decision" in said:
        await _decide(session, cast, moderator, post, case_id, said, at + timedelta(minutes=5))


async def _decide(
    session: AsyncSession, cast: Cast, moderator: Viewer, post: Post, case_id: Any, said: dict[str, Any], at: datetime
) -> None:
    decision = said["decision"]
    spans = tuple(_span(post.body_markdown, words) for words in decision.get("redact", ()))
    wanted = MeasureInput(Kind.REDACT, spans=spans) if spans else MeasureInput(Kind.DISMISS)
    case = await cases.lock_case_row(session, case_id)
    verdict = DecisionInput(
        case.version,
        post.revision,
        (wanted,),
        decision["reason"].strip(),
        tuple(decision["rules"]),
        decision.get("note"),
    )
    decided = await decisions.decide(session, moderator, case_id, verdict, HABITS, at)
    if "appeal" in said and decided.statement:
        author = next(viewer for viewer in cast.values() if viewer.id == post.author_id)
        await appeals.submit(session, author, decided.statement.id, said["appeal"]["text"], at + timedelta(hours=2))


async def _hold(work: Work, cast: Cast, said: dict[str, Any]) -> None:
    work = replace(work, gate=BoardGate(first_posts=3, region="GB"))
    policy = {"publication": boards.Publication.HOLD_NEWCOMERS}
    await boards.change_board(work.session, said["board"], policy, work.now)
    author, draft = cast[said["by"]], Draft(said["body"].strip())
    context = await context_on_board(work, author, said["board"], draft)
    await add_thread(work, author, context, said["title"], draft)


def _span(text: str, words: str) -> tuple[int, int]:
    start = text.index(words)
    return start, start + len(words)
