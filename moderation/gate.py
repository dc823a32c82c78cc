"""The gate: which posts are published at once and which wait for a moderator, by each board's own policy."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from cachetools import LRUCache
from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content import addressed_help, words
from forum.content.boards import Policy, Publication
from forum.content.posts.revisions import get_words
from forum.content.posts.tables import HeldEdit, Post, Visibility
from forum.content.threads.tables import Thread
from forum.content.threads.titles import get_title
from forum.core import side_process
from forum.core.database import Reader
from forum.core.gate import Attendance, Danger, GateResult, RefusedText, Submission
from forum.core.text import is_light
from forum.members import names
from forum.members.aliases import get_owner
from forum.notifications import inbox
from moderation import cases, findings, on_call, questions, refused_texts, spam_signs, taken_words
from moderation.case_priority import Category, graver
from moderation.cases import CaseState
from moderation.findings import LocatedFinding, Place, TextPart
from moderation.measures.tables import AppliedMeasure, MeasureKind
from moderation.questions import Settled
from moderation.screening import Changes, screen
from moderation.screening.finding import CrisisKind, Finding, FindingKind, Level, SignEffect
from moderation.vocabulary import Vocabulary, soften_repeated, softened

LEAST_REPEATED = 7  # words that a sentence must have to be known as somebody else's
_STOP = re.compile(r"[.!?:;\n]")
TOGETHER = timedelta(hours=2)  # in which words of one member's danger join one case
REVIEWED = "For a time, a moderator reads what you write before it appears. You will be told."
READ_FIRST = "A moderator reads this before it appears. You will be told."
NAME_HELD = "This name cannot be used here. Please choose another."
NAME_TAKEN = "A moderator took this name from you. Please choose another."


class BoardGate:
    """Holds the posts that a board's policy holds, and screens every post for danger, personal information and terms.

    A post that is held, or in which something was found, gets a case. Of what was found, only a term of the charity
    holds a post back; words of danger never do, and whoever wrote them is asked nothing. Of what may show who somebody
    is, its author is asked first.
    """

    def __init__(self, first_posts: int, region: str, reader: Reader | None = None) -> None:
        self.first_posts = first_posts
        self.region = region
        self.vocabulary = Vocabulary(reader)
        self._screened = LRUCache[tuple[bytes, Changes], Sequence[Finding]](256)

    async def judge(self, session: AsyncSession, submission: Submission) -> GateResult:
        """Publish or hold. What staff write is never held by a board's policy, nor are names, which belong to none.

        Whoever wrote it, an edit waits that brings back what a moderator took out, or comes soon after; and a name is
        refused that moderators took from this member.
        """
        if submission.named and await _was_taken(session, submission.named, submission.texts[0]):
            return GateResult(NAME_TAKEN)
        edited = submission.edited
        watched = None
        if edited:
            texts, is_title = submission.texts, submission.is_title
            watched = await taken_words.why_held(session, edited, texts, is_title=is_title)
        found = await self._findings(submission)
        if submission.answered:
            found = await _without_repeated(session, submission, found)
        signs = await self._find_signs(session, submission, found)
        held = watched or self._held_because(submission) or _reviewed_because(submission, found)
        held = held or spam_signs.held_because(signs) or _held_by(signs, submission)
        judged = await self._judge_details(session, submission, found, held)
        signs = spam_signs.beside(signs, judged.findings)
        return replace(judged, findings=(*judged.findings, *signs))

    async def record(
        self, session: AsyncSession, subject: tuple[str, object], verdict: GateResult, now: datetime
    ) -> None:
        """Open a case for what is held or in which something was found, and tell its author if it is held.

        `subject` is a post, a thread for its title, a held edit of either, or a member for their name.
        """
        kind, subject_id = subject
        if kind == "member" and isinstance(subject_id, UUID) and verdict.findings:
            categories = [findings.category_of(found.finding) for found in verdict.findings]
            await cases.open_on_member(session, subject_id, reduce(graver, categories), now)
        if not isinstance(subject_id, int) or kind not in {"post", "thread", "held_edit"}:
            return
        if kind == "post" and not (verdict.held_because or verdict.findings):
            return  # before anything is read: most posts are such
        judged = await _find_judged(session, kind, subject_id)
        if not verdict.held_because and not await self._needs_a_decision(session, judged, verdict):
            await _renew_open_case(session, judged, now)
            return
        categories = [findings.category_of(found.finding) for found in verdict.findings]
        categories += [Category.HELD] if verdict.held_because else []
        category, danger = reduce(graver, categories), findings.danger_in(verdict.findings)
        if danger:
            await _join_case_of_night(session, judged.post, now)
        await spam_signs.join_case_of_copies(session, judged.post, verdict.findings)
        case = await cases.open_on_post(
            session, judged.post.id, category, now, findings=len(verdict.findings), danger=danger
        )
        await findings.save_findings(session, case.id, judged.place, verdict.findings, now)
        await spam_signs.link_copies(session, case.id, verdict.findings)
        # Of an edit that waits, readers see nothing yet.
        if kind != "held_edit" and findings.tells_to_harm(verdict.findings):
            await addressed_help.note(session, judged.post, now)
        if verdict.held_because:
            post = judged.post
            author_id = await get_owner(session, post.author_id)
            await inbox.notify(session, author_id, inbox.NotificationKind.POST_HELD, now, post_id=post.id)

    async def find_dangers(self, texts: Sequence[str]) -> Sequence[Danger]:
        """Return what these texts sound like, the gravest first."""
        found = [finding for text in texts if text for finding in await self._find(text) if finding.level]
        found.sort(key=lambda finding: (not finding.is_acute, findings.GRAVEST_FIRST.index(finding.recogniser)))
        helped = [Danger(kind, Level.WORRY) for text in texts for kind in await self.vocabulary.find_help_kinds(text)]
        return [Danger(finding.recogniser, finding.level) for finding in found] + helped

    async def record_refused(self, session: AsyncSession, refused: RefusedText, now: datetime) -> None:
        """Keep a text with words of acute danger that is not published in a case about its author."""
        located = await self._screen([(TextPart.BODY, refused.text)])
        danger = findings.danger_in(located)
        if danger:
            await refused_texts.keep(session, refused, danger, now)

    async def find_attendance(
        self, session: AsyncSession, board_id: int | None, now: datetime, *, but_not: UUID | None = None
    ) -> Attendance:
        """Return whether somebody but this member is on call for a board."""
        return await on_call.find_attendance(session, board_id, now, but_not=but_not)

    async def _find_signs(
        self, session: AsyncSession, submission: Submission, found: tuple[LocatedFinding, ...]
    ) -> Sequence[LocatedFinding]:
        """Return the charity's terms and the signs of spam in a text: of somebody in danger, none of them holds it."""
        is_danger = findings.is_own_danger(found)
        terms = await self._terms_in(session, submission, is_danger=is_danger)
        spam = await spam_signs.find_signs(session, submission, _parts(submission), found)
        return [*terms, *map(softened, spam)] if is_danger else [*terms, *spam]

    async def _judge_details(
        self, session: AsyncSession, submission: Submission, found: tuple[LocatedFinding, ...], held: str | None
    ) -> GateResult:
        """Ask the author about what may show who somebody is; whoever is in danger is asked nothing."""
        if submission.publishing is None:
            return GateResult(held, found)
        if findings.is_own_danger(found):
            return await self._judge_danger(session, submission, found, held)
        details = tuple(one for one in found if one.finding.kind == FindingKind.PERSONAL_INFORMATION)
        others = tuple(one for one in found if one.finding.kind != FindingKind.PERSONAL_INFORMATION)
        settled = await self._settle(session, submission, details)
        return GateResult(held or settled.held_because, (*others, *settled.findings), settled.details)

    async def _judge_danger(
        self, session: AsyncSession, submission: Submission, found: tuple[LocatedFinding, ...], held: str | None
    ) -> GateResult:
        """Publish at once, where the board does, but for what shows who a child or a complainant is."""
        texts = dict(_parts(submission))
        together = await questions.find_combinations(session, submission, texts, found)
        covered = await questions.find_covered(session, submission, texts) if together and not held else ()
        return GateResult(held, (*found, *together), covered=covered)

    async def _settle(
        self, session: AsyncSession, submission: Submission, found: tuple[LocatedFinding, ...]
    ) -> Settled:
        """Ask the author about what may show who somebody is, unless they were asked. Raises PersonalInformation."""
        texts = dict(_parts(submission))
        every = [*found, *await questions.find_combinations(session, submission, texts, found)]
        if not every:
            return Settled()
        before = await self._found_before(session, submission)
        return await questions.settle(session, submission, texts, every, before)

    async def _found_before(self, session: AsyncSession, submission: Submission) -> set[tuple[str, str]]:
        """Return what was found in the words that an edit replaces: its author was asked about that."""
        if submission.edited is None:
            return set()
        post = await session.get_one(Post, submission.edited.post_id)
        thread = await session.get_one(Thread, post.thread_id)
        texts = {TextPart.TITLE: thread.title}
        if not submission.is_title:
            texts = {TextPart.BODY: post.body_markdown, TextPart.WARNING: post.content_warning or ""}
        alone = await self._screen([*texts.items()])
        found = [*alone, *await questions.find_combinations(session, submission, texts, alone)]
        return {(one.finding.recogniser, _words_of(one, texts)[1]) for one in found}

    def _held_because(self, submission: Submission) -> str | None:
        policy, author = Publication(submission.publication or Publication.AT_ONCE), submission.author
        if author is None or author.is_staff:
            return None
        if policy == Publication.HOLD_NEWCOMERS and author.published >= self.first_posts:
            return None
        return Policy(policy, submission.is_closed).held_because

    async def _needs_a_decision(self, session: AsyncSession, judged: "_Judged", verdict: GateResult) -> bool:
        """Whether anything found is new since the last decision: a corrected typing error must not reopen the case."""
        post, thread = judged.post, judged.thread
        if not verdict.findings:
            return False
        case = await cases.get_case_of_post(session, post.id)
        if case is None or case.state == CaseState.OPEN:
            return True
        decided = await cases.get_decided_revisions(session, case.id, post.id)
        if decided.post is None:
            return True
        body, warning = await get_words(session, post, decided.post)
        title = await get_title(session, thread, decided.title) if decided.title else ""
        texts = {TextPart.TITLE: title, TextPart.BODY: body, TextPart.WARNING: warning or ""}
        screened = await self._screen([*texts.items()])
        terms = await self.vocabulary.locate([*texts.items()], thread.board_id)
        screened = (*screened, *terms, *await spam_signs.locate([*texts.items()], screened))
        before = {_words_of(found, texts) for found in screened}
        present = {
            TextPart.TITLE: thread.title,
            TextPart.BODY: post.body_markdown,
            TextPart.WARNING: post.content_warning or "",
        }
        return any(_words_of(found, present) not in before for found in verdict.findings)

    async def _findings(self, submission: Submission) -> tuple[LocatedFinding, ...]:
        """Return what is in a post's texts; for staff, who give out the charity's own numbers, only crisis words."""
        found = await self._screen(_parts(submission))
        if submission.author and submission.author.is_staff:
            return tuple(located for located in found if located.finding.kind == FindingKind.CRISIS)
        return found

    async def _terms_in(
        self, session: AsyncSession, submission: Submission, *, is_danger: bool
    ) -> Sequence[LocatedFinding]:
        """Return which of the charity's terms are in a name, or in what a member writes for others to read.

        Nobody in danger waits, and neither do words that somebody else said before, or that were published already.
        """
        author, is_name = submission.author, submission.author is None
        if not is_name and (submission.publication is None or (author and author.is_staff)):
            return []
        parts = _parts(submission)
        found = await self.vocabulary.locate(parts, submission.board_id, is_name=is_name)
        if is_danger:
            return [softened(one) for one in found]
        if not any(one.finding.effect == SignEffect.HOLD for one in found):
            return found
        return soften_repeated(found, dict(parts), await _said_before(session, submission))

    async def _screen(self, parts: Sequence[tuple[TextPart, str]]) -> tuple[LocatedFinding, ...]:
        """Screen a post's texts; those that may take long in another process, so that other requests need not wait."""
        found = [LocatedFinding(part, finding) for part, text in parts if text for finding in await self._find(text)]
        return tuple(found)

    async def _find(self, text: str) -> Sequence[Finding]:
        """Screen a text: once, though the answer to who wrote it asks again. No words are kept for that."""
        changes = await self.vocabulary.get_changes()
        key = (sha256(text.encode(errors="surrogatepass")).digest(), changes)
        found = self._screened.get(key)
        if found is None:
            if is_light(text):
                found = screen(text, self.region, changes)
            else:
                found = await side_process.run(screen, text, self.region, changes)
            self._screened[key] = found
        return found


def _reviewed_because(submission: Submission, found: Sequence[LocatedFinding]) -> str | None:
    """Return why words wait whose author is under review, if so.

    Somebody's own cry appears at once, with its case; words that tell somebody else to harm themselves do not.
    """
    if submission.author is None or not submission.author.is_reviewed:
        return None
    kinds = {located.finding.recogniser for located in found if located.finding.kind == FindingKind.CRISIS}
    return None if kinds and CrisisKind.ENCOURAGEMENT not in kinds else REVIEWED


async def _was_taken(session: AsyncSession, member_id: UUID, name: str) -> bool:
    """Return whether moderators took a name that looks like this from a member."""
    taken = select(AppliedMeasure).where(
        col(AppliedMeasure.member_id) == member_id,
        col(AppliedMeasure.kind) == MeasureKind.RENAME,
        col(AppliedMeasure.undone_at).is_(None),
    )
    looks = names.skeleton(name)
    rows = (await session.execute(taken)).scalars().all()
    return any(names.skeleton(applied.memory.get("was", "")) == looks for applied in rows)


def _held_by(terms: Sequence[LocatedFinding], submission: Submission) -> str | None:
    """Return why a text waits that has a term which holds, if it has one."""
    if not any(one.finding.effect == SignEffect.HOLD for one in terms):
        return None
    return READ_FIRST if submission.author else NAME_HELD


async def _said_before(session: AsyncSession, submission: Submission) -> str:
    """Return what others said before in the post that this one answers, or what is public of the one it changes."""
    if submission.edited:
        post = await session.get_one(Post, submission.edited.post_id)
        thread = await session.get_one(Thread, post.thread_id)
        is_public = post.visibility == Visibility.VISIBLE
        return "\n".join((thread.title, post.body_markdown, post.content_warning or "")) if is_public else ""
    if submission.answered is None:
        return ""
    thread_id, number = submission.answered
    answered = select(col(Post.body_markdown)).where(col(Post.thread_id) == thread_id, col(Post.number) == number)
    return (await session.execute(answered)).scalar_one_or_none() or ""


async def _without_repeated(
    session: AsyncSession, submission: Submission, found: tuple[LocatedFinding, ...]
) -> tuple[LocatedFinding, ...]:
    """Return what was found but for words of danger in a sentence of the post that this one answers.

    Those are somebody else's words, and called people already. A short sentence can be one's own by chance.
    """
    if submission.answered is None or not findings.danger_in(found):
        return found
    said = _folded(await _said_before(session, submission))
    texts = dict(_parts(submission))
    return tuple(
        located
        for located in found
        if located.finding.kind != FindingKind.CRISIS or not _repeats(texts[located.part], located.finding, said)
    )


def _repeats(text: str, finding: Finding, said: str) -> bool:
    """Return whether the sentence in which something was found is in what somebody else said, word for word."""
    before = max((stop.end() for stop in _STOP.finditer(text, 0, finding.start)), default=0)
    after = _STOP.search(text, finding.end)
    sentence = _folded(text[before : after.start() if after else len(text)])
    return sentence.count(" ") > LEAST_REPEATED and sentence in said


def _folded(text: str) -> str:
    """Return the words of a text as they are compared, with a space between them and around them."""
    return f" {' '.join(words.folded(word[0]) for word in words.words_in(text, 0, len(text)))} "


class _Judged(NamedTuple):
    """What was judged: a post, or its thread's title, and where in it screening counted."""

    post: Post
    thread: Thread
    place: Place


async def _find_judged(session: AsyncSession, kind: str, subject_id: int) -> _Judged:
    if kind == "held_edit":
        edit = await session.get_one(HeldEdit, subject_id)
        post = await session.get_one(Post, edit.post_id)
        thread = await session.get_one(Thread, post.thread_id)
        if edit.title is not None:
            return _Judged(post, thread, Place(post.revision, thread.title_revision + 1, edit.id, post.id))
        return _Judged(post, thread, Place(post.revision + 1, held_edit_id=edit.id, post_id=post.id))
    this = col(Post.id) == subject_id
    if kind == "thread":
        this = and_(col(Post.thread_id) == subject_id, col(Post.number) == 1)
    found = await session.execute(select(Post, Thread).join(Thread, col(Thread.id) == col(Post.thread_id)).where(this))
    post, thread = found.one()
    return _Judged(post, thread, Place(post.revision, thread.title_revision, post_id=post.id))


async def _join_case_of_night(session: AsyncSession, post: Post, now: datetime) -> None:
    """Have the case hold this post in which words of its author's danger were found a short while ago.

    One person, one night, one call: whoever is called for each post stops reacting.
    """
    own = await cases.get_case_of_post(session, post.id)
    if own and own.state == CaseState.OPEN:
        return
    case = await cases.lock_case_of_night(session, post, now - TOGETHER)
    if case:
        await cases.join(session, case, post.id)


async def _renew_open_case(session: AsyncSession, judged: _Judged, now: datetime) -> None:
    """Give an open case another version: whoever decides it shall have the new title on the screen."""
    case = await cases.get_case_of_post(session, judged.post.id)
    if case and case.state == CaseState.OPEN:
        cases.raise_version(await cases.lock_case_row(session, case.id), None, now)
        await session.flush()


def _words_of(found: LocatedFinding, texts: Mapping[TextPart, str]) -> tuple[FindingKind, str]:
    """Return the words that were found: only to compare them, they are not kept."""
    return found.finding.kind, texts[found.part][found.finding.start : found.finding.end]


def _parts(submission: Submission) -> list[tuple[TextPart, str]]:
    """Say which text of a post is which: a title comes first if there is one. A text alone is a title or a name."""
    texts = submission.texts
    if submission.is_title or len(texts) == 1:
        return [(TextPart.TITLE, texts[0])]
    return list(zip(list(TextPart)[-len(texts) :], texts, strict=True))
