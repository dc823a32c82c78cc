"""What a forum still lacks before it can look after people; `forum check` prints the same."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication.second_factor.tables import has_second_factor
from forum.content import boards
from forum.content.boards import Board
from forum.core.milestones import Milestone, MilestoneKind
from forum.core.settings import Settings
from forum.core.work import Work
from forum.members.roles import has_role
from forum.members.standing import standing_at
from forum.members.tables import Member, Role, RoleGrant, Standing
from forum.members.viewer import Viewer
from forum.permissions import Act, allow

BACKUP_AGE = timedelta(days=7)
NIGHTLY_AGE = timedelta(days=2)
TRIAL_AGE = timedelta(days=15)  # two of them, and a day


class Gap(NamedTuple):
    """Something that is missing: what, in words for people, and on which board, if it is one board's."""

    code: str
    detail: str
    board: str | None = None
    board_name: str | None = None


async def list_gaps(work: Work, administrator: Viewer) -> Sequence[Gap]:
    """Return what the forum still lacks, the gravest first. Raises Forbidden."""
    allow(Act.ADMINISTER, administrator)
    return await find_gaps(work)


async def find_gaps(work: Work) -> Sequence[Gap]:
    """Return what the forum still lacks, the gravest first: for the command line, which asks nobody's permission.

    It reads settings, roles, boards and the rota only: no number of it depends on a report or a case.
    """
    every = (await work.session.execute(boards.EVERY)).scalars().all()
    open_boards = [board for board in every if board.archived_at is None]
    return [
        *await _missing_people(work.session, open_boards),
        *await _missing_on_call(work, open_boards),
        *(gap for board in open_boards for gap in _missing_on_board(board)),
        *await _missing_operation(work),
    ]


async def _missing_people(session: AsyncSession, open_boards: Sequence[Board]) -> Sequence[Gap]:
    moderated = await _boards_of_moderators(session)
    gaps = [] if open_boards else [Gap("no_board", "There is no board: nobody can write yet.")]
    gaps += [
        Gap(
            "no_moderator",
            f"Nobody moderates “{board.name}”: administrators have to decide what is reported there.",
            board.slug,
            board.name,
        )
        for board in open_boards
        if not moderated & {None, board.id}
    ]
    if await _count_acting(session, Role.ADMINISTRATOR) < 2:
        gaps.append(
            Gap(
                "no_second_administrator",
                "There is no second administrator with a second factor: nobody can hear an appeal against the only "
                "one, or help them when they lose their password.",
            )
        )
    if await _count_acting(session, Role.SAFEGUARDING_LEAD) < 2:
        gaps.append(
            Gap(
                "no_second_safeguarding_lead",
                "There are not two safeguarding leads with a second factor: what somebody raises about the only one, "
                "nobody could read.",
            )
        )
    if any(board.advised for board in open_boards) and not await _count_acting(session, Role.ADVISER):
        names = ", ".join(f"“{board.name}”" for board in open_boards if board.advised)
        gaps.append(Gap("no_adviser", f"Nobody is adviser, but threads wait for an adviser on {names}."))
    return gaps


async def _missing_on_call(work: Work, open_boards: Sequence[Board]) -> Sequence[Gap]:
    found = [(board, await work.gate.find_attendance(work.session, board.id, work.now)) for board in open_boards]
    names = ", ".join(f"“{board.name}”" for board, attendance in found if attendance == (False, None))
    if not names:
        return []
    detail = f"Nobody is ever on call for {names}: of danger, everybody who moderates there is told at once."
    return [Gap("nobody_on_call", detail)]


def _missing_on_board(board: Board) -> Sequence[Gap]:
    is_for_members = bool({"everyone", "member"} & set(board.readers))
    if board.help_markdown.strip() or not is_for_members:
        return []
    return [
        Gap(
            "board_without_help",
            f"“{board.name}” does not say who can help at once: add telephone numbers.",
            board.slug,
            board.name,
        )
    ]


async def _missing_operation(work: Work) -> Sequence[Gap]:
    rows = (await work.session.execute(select(Milestone))).scalars().all()
    reached = {row.kind: row.last_at for row in rows}
    gaps = [Gap(code, detail) for code, (is_missing, detail) in OF_SETTINGS.items() if is_missing(work.settings)]
    if MilestoneKind.MAIL_SENT not in reached:
        gaps.append(
            Gap("no_mail_sent", "No mail has been sent yet: ask for a new password, and see whether it arrives.")
        )
    return [*gaps, *_missing_backup(reached, work.settings, work.now)]


def _missing_backup(reached: Mapping[str, datetime], settings: Settings, now: datetime) -> Sequence[Gap]:
    made_at, tried_at = reached.get(MilestoneKind.BACKUP_MADE), reached.get(MilestoneKind.RESTORE_TESTED)
    is_nightly, gaps = settings.backup_dir is not None, []
    if made_at is None:
        gaps.append(
            Gap(
                "no_backup",
                "There is no backup yet: set FORUM_BACKUP_DIR for one each night, or forum backup FILE makes one.",
            )
        )
    elif made_at < now - (NIGHTLY_AGE if is_nightly else BACKUP_AGE):
        gaps.append(Gap("backup_old", f"The last backup is of {made_at:%Y-%m-%d}: forum backup FILE makes another."))
    if _is_later(reached.get(MilestoneKind.BACKUP_FAILED), made_at):
        gaps.append(Gap("backup_failed", "The last nightly backup failed: the log of the worker says why."))
    if _is_later(reached.get(MilestoneKind.RESTORE_FAILED), tried_at):
        detail = "The last backup that was restored to try it is not good: forum restore FILE --try says why."
        gaps.append(Gap("restore_failed", detail))
    elif is_nightly and made_at and not _is_later(tried_at, now - TRIAL_AGE):
        gaps.append(Gap("backup_untried", "No backup was restored to try it for two weeks: forum restore FILE --try."))
    return gaps


def _is_later(moment: datetime | None, other: datetime | None) -> bool:
    return moment is not None and (other is None or moment > other)


# What settings leave out, and how to say so.
OF_SETTINGS: Mapping[str, tuple[Callable[[Settings], bool], str]] = {
    "mail_to_folder": (
        lambda settings: not settings.smtp_url,
        "Mails are written to a folder and reach nobody: set FORUM_SMTP_URL and FORUM_MAIL_FROM.",
    ),
    "no_outside_contact": (
        lambda settings: not settings.outside_contact,
        "Nobody outside is named: whoever reports the only administrator, or raises a concern about the only "
        "safeguarding lead, is sent to nobody. Set FORUM_OUTSIDE_CONTACT.",
    ),
}


async def _boards_of_moderators(session: AsyncSession) -> set[int | None]:
    """Return the boards that somebody moderates who can act now; None stands for the whole forum."""
    granted = select(col(RoleGrant.board_id)).join(Member, col(Member.id) == col(RoleGrant.member_id))
    acting = granted.where(
        col(RoleGrant.role) == Role.MODERATOR, has_second_factor(), standing_at(func.now()) == Standing.ACTIVE
    )
    return set((await session.execute(acting)).scalars())


async def _count_acting(session: AsyncSession, role: Role) -> int:
    """Return how many have this role and can act: in good standing, with a second factor."""
    acting = has_role(None, role), has_second_factor(), standing_at(func.now()) == Standing.ACTIVE
    return (await session.execute(select(func.count()).select_from(Member).where(*acting))).scalar_one()
