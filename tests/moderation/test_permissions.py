"""Who may do what in moderation: role × act × own, another's, another board's. A new act without a row fails."""

from contextlib import nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from forum.core.errors import Forbidden, NotSignedIn
from forum.members.tables import Role, Standing
from forum.members.viewer import GUEST, Viewer
from forum.permissions import Refusal
from moderation.permissions import PERMISSIONS, ModerationAct, allow, refusal

Act = ModerationAct
ME, SOMEBODY = UUID(int=1), uuid4()
HERE = 1
GOOD = Standing.ACTIVE

WHO: dict[str, Viewer] = {
    "guest": GUEST,
    "member": Viewer(id=ME),
    "reviewed member": Viewer(id=ME, standing=Standing.REVIEWED),
    "silenced member": Viewer(id=ME, standing=Standing.SILENCED),
    "adviser": Viewer(id=ME, roles=frozenset({Role.ADVISER})),
    "safeguarding lead": Viewer(id=ME, roles=frozenset({Role.SAFEGUARDING_LEAD})),
    "moderator": Viewer(id=ME, roles=frozenset({Role.MODERATOR})),
    "reviewed moderator": Viewer(id=ME, roles=frozenset({Role.MODERATOR}), standing=Standing.REVIEWED),
    "silenced moderator": Viewer(id=ME, roles=frozenset({Role.MODERATOR}), standing=Standing.SILENCED),
    "board moderator": Viewer(id=ME, moderated_boards=frozenset({HERE})),
    "administrator": Viewer(id=ME, roles=frozenset({Role.ADMINISTRATOR})),
}


@dataclass(frozen=True)
class Row:
    """An act on something, and everybody who may do it; whoever is not named may not."""

    act: Act
    what: str
    subject: Any
    who: frozenset[str]


def row(act: Act, what: str, subject: Any, *who: str) -> Row:
    return Row(act, what, subject, frozenset(who))


def post_of(author: UUID, viewer: Viewer) -> Any:
    post, board = SimpleNamespace(author_id=author), SimpleNamespace(id=HERE)
    return SimpleNamespace(standing=viewer.standing, post=post, board=board)


@dataclass(frozen=True)
class Ties:
    """Who may decide a case."""

    decider_ids: set[UUID]
    own_part: Refusal | None = None


@dataclass
class Filed:
    """A report without an account, and who of staff made it."""

    filed_by: UUID | None


@dataclass(frozen=True)
class Part:
    """Who made a complaint, and who decided what it is about."""

    member_id: UUID | None
    decider_ids: set[UUID]


EVERY_MEMBER = ("member", "adviser", "safeguarding lead", "moderator", "board moderator", "administrator")
# Who may write may report.
WRITERS = (*EVERY_MEMBER, "reviewed member", "reviewed moderator")
STAFF = ("moderator", "board moderator", "administrator")
# A member's post stands under each viewer's own standing, as it was read in the transaction.
STANDS = {
    "own": lambda viewer: post_of(ME, viewer),
    "another's": lambda viewer: post_of(SOMEBODY, viewer),
}

NAMES = {
    "own": lambda viewer: SimpleNamespace(id=ME, standing=viewer.standing),
    "somebody's": lambda viewer: SimpleNamespace(id=SOMEBODY, standing=viewer.standing),
}

TABLE = (
    # A silenced moderator is silenced: they read.
    row(Act.REPORT_POST, "another's", STANDS["another's"], *WRITERS),
    row(Act.REPORT_POST, "own", STANDS["own"]),
    row(
        ModerationAct.REPORT_RISK,
        "another's",
        STANDS["another's"],
        *WRITERS,
        "silenced member",
        "silenced moderator",
    ),
    row(Act.REPORT_RISK, "own", STANDS["own"]),
    row(Act.REPORT_NAME, "somebody's", NAMES["somebody's"], *WRITERS),
    row(Act.REPORT_NAME, "own", NAMES["own"]),
    row(
        Act.REPORT_NAME_RISK,
        "somebody's",
        NAMES["somebody's"],
        *WRITERS,
        "silenced member",
        "silenced moderator",
    ),
    row(Act.REPORT_NAME_RISK, "own", NAMES["own"]),
    row(Act.SEE_QUEUE, "anywhere", None, *STAFF),
    row(Act.SEE_RECORD, "anybody's", None, *STAFF),
    row(Act.KEEP_NOTES, "on another", SimpleNamespace(id=SOMEBODY), *STAFF),
    row(Act.KEEP_NOTES, "on themselves", SimpleNamespace(id=ME)),
    row(Act.WORK_ON_CASE, "in the line", None, *STAFF),
    row(Act.DECIDE_CASE, "free", Ties({ME}), *EVERY_MEMBER),
    row(Act.DECIDE_CASE, "somebody else is free", Ties({SOMEBODY})),
    row(Act.DECIDE_CASE, "nobody is free", Ties(set())),
    row(Act.OPEN_CASE, "another's, here", STANDS["another's"], *STAFF),
    row(Act.OPEN_CASE, "own", STANDS["own"]),
    row(Act.OPEN_MEMBER_CASE, "somebody", SimpleNamespace(id=SOMEBODY), "moderator", "administrator"),
    row(Act.OPEN_MEMBER_CASE, "oneself", SimpleNamespace(id=ME)),
    row(Act.DECIDE_TOGETHER, "somebody", SimpleNamespace(id=SOMEBODY), *STAFF),
    row(Act.DECIDE_TOGETHER, "oneself", SimpleNamespace(id=ME)),
    row(Act.HAND_OVER, "here", STANDS["another's"], *STAFF),
    row(Act.READ_LOG, "anywhere", None, *STAFF),
    row(Act.WRITE_RULES, "anywhere", None, "administrator"),
    row(Act.WRITE_TEMPLATES, "anywhere", None, "moderator", "administrator"),
    row(Act.WRITE_PHRASES, "anywhere", None, "administrator"),
    row(Act.NAME_TEAM, "anywhere", None, "administrator"),
    row(Act.SET_DETAILS, "anywhere", None, "administrator"),
    row(Act.READ_MESSAGES, "anywhere", None, *STAFF),
    row(Act.ANSWER_REPORT, "of a guest", Filed(None), *STAFF),
    row(Act.ANSWER_REPORT, "of another", Filed(SOMEBODY), *STAFF),
    row(Act.ANSWER_REPORT, "own", Filed(ME)),
    row(Act.HEAR_COMPLAINTS, "anywhere", None, "moderator", "administrator"),
    row(Act.ANSWER_COMPLAINT, "another's", Part(SOMEBODY, set()), "moderator", "administrator"),
    row(Act.ANSWER_COMPLAINT, "of nobody known", Part(None, {SOMEBODY}), "moderator", "administrator"),
    row(Act.ANSWER_COMPLAINT, "own", Part(ME, set())),
    row(Act.ANSWER_COMPLAINT, "about one's own decision", Part(SOMEBODY, {ME})),
    row(Act.READ_ASSESSMENTS, "anywhere", None, "moderator", "administrator"),
    row(Act.WRITE_ASSESSMENTS, "anywhere", None, "administrator"),
    row(Act.SEE_ON_CALL, "anywhere", None, *STAFF),
    row(Act.WRITE_TERMS, "anywhere", None, "administrator"),
    row(Act.WRITE_ROTA, "anywhere", None, "administrator"),
    row(Act.SAY_HERE, "anywhere", None, *(who for who in STAFF if who != "administrator")),
    row(Act.SEE_DANGERS, "anywhere", None, "safeguarding lead"),
    row(Act.RAISE_CONCERN, "anything", None, *WRITERS, "silenced member", "silenced moderator"),
    row(Act.LEAD_CONCERNS, "anywhere", None, "safeguarding lead"),
)


def test_every_act_has_its_rows_and_its_conditions() -> None:
    assert {row.act for row in TABLE} == set(Act) == set(PERMISSIONS)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.act}: {row.what}")
def test_the_table_of_permissions(row: Row) -> None:
    for who, viewer in WHO.items():
        subject = row.subject(viewer) if callable(row.subject) else row.subject
        may = who in row.who
        with nullcontext() if may else pytest.raises(NotSignedIn if who == "guest" else Forbidden):
            allow(row.act, viewer, subject)
        assert not may or refusal(row.act, viewer, subject) is None, who
