"""The house rules: numbered, with every version that there was."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Integer, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core import audit, jobs
from forum.core.database import Prepared, Reader, columns, query
from forum.core.errors import Invalid, NotFound, Stale
from forum.core.jobs import Job
from forum.core.work import Work
from forum.members.tables import RulesEdition
from forum.members.viewer import Viewer
from forum.permissions import Refusal
from moderation.permissions import ModerationAct, allow, refusal

# Tells the members of an edition, some at a time, those with the lowest ids first: those `after` one.
RULES_CHANGED = Job("rules_changed")
# Held until the commit by whoever adds an edition: two at once would give themselves the same number.
_ONE_EDITION_AT_A_TIME = text("LOCK TABLE rules_edition IN SHARE ROW EXCLUSIVE MODE")


class Rule(SQLModel, table=True):
    """One rule in one of its versions."""

    __table_args__ = (
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("version >= 1", name="version"),
    )

    number: int = Field(primary_key=True)
    version: int = Field(primary_key=True)
    edition: int = Field(foreign_key="rules_edition.version", description="The edition that brought this version")
    title: str
    text: str


_VERSIONS = query(*columns(Rule), col(RulesEdition.since)).join(
    RulesEdition, col(RulesEdition.version) == col(Rule.edition)
)

# Every rule in its newest version, by number, with the day since when it applies.
CURRENT = Prepared(_VERSIONS.ext(distinct_on(col(Rule.number))).order_by(col(Rule.number), col(Rule.version).desc()))

# Every version of the rule `number`, oldest first.
VERSIONS = Prepared(
    _VERSIONS.where(col(Rule.number) == bindparam("number", type_=Integer())).order_by(col(Rule.version))
)

# The same as it was in the edition `edition`.
OF_EDITION = Prepared(
    _VERSIONS.where(col(Rule.edition) <= bindparam("edition", type_=Integer()))
    .ext(distinct_on(col(Rule.number)))
    .order_by(col(Rule.number), col(Rule.version).desc())
)

# Every edition, newest first.
EDITIONS = Prepared(query(*columns(RulesEdition)).order_by(col(RulesEdition.version).desc()))

# The number of the newest edition; 0 before the first.
EDITION = Prepared(query(func.coalesce(func.max(RulesEdition.version), 0).label("version")))


@dataclass(frozen=True)
class RuleDraft:
    """What a rule shall say, and the version of it that was on the screen; 0 for a new rule."""

    version: int
    title: str
    text: str


@dataclass(frozen=True)
class Rulebook:
    """Every rule in its newest version, and the number of the edition."""

    version: int
    rules: Sequence[Any]


async def get_rulebook(reader: Reader) -> Rulebook:
    """Return every rule in its newest version."""
    edition = await reader.row(EDITION)
    return Rulebook(edition.version if edition else 0, await reader.rows(CURRENT))


@dataclass(frozen=True)
class RuleReading:
    """Every version of a rule, oldest first: none of one that is still to be written. And why not to write, if so."""

    number: int
    versions: Sequence[Any]
    no_change_because: Refusal | None


@dataclass(frozen=True)
class RulebookReading:
    """Every rule in its newest version, and why the viewer may not write any, if so."""

    book: Rulebook
    no_change_because: Refusal | None


async def read_rulebook(reader: Reader, viewer: Viewer) -> RulebookReading:
    """Return every rule, and whether the viewer may write some. Raises Forbidden for whoever moderates nothing."""
    allow(ModerationAct.SEE_QUEUE, viewer)
    return RulebookReading(await get_rulebook(reader), refusal(ModerationAct.WRITE_RULES, viewer))


async def read_rule(reader: Reader, viewer: Viewer, number: int) -> RuleReading:
    """Return every version of a rule, or none of the next rule after the last.

    Raises Forbidden for whoever moderates nothing, and NotFound for any other number.
    """
    allow(ModerationAct.SEE_QUEUE, viewer)
    because = refusal(ModerationAct.WRITE_RULES, viewer)
    book = await get_rulebook(reader)
    if because is None and number == max((rule.number for rule in book.rules), default=0) + 1:
        return RuleReading(number, [], because)
    return RuleReading(number, await list_versions(reader, number), because)


async def get_edition(reader: Reader, edition: int) -> Rulebook:
    """Return every rule as it was in an edition. Raises NotFound when there is no such edition."""
    rows = await reader.rows(OF_EDITION, edition=edition)
    newest = await reader.row(EDITION)
    if not rows or newest is None or edition > newest.version:
        raise NotFound("There is no such edition of the rules.", code="edition_not_found")
    return Rulebook(edition, rows)


@dataclass(frozen=True)
class RulesReading:
    """What a reader of the rules is shown: those of one edition, and which editions there are, newest first."""

    book: Rulebook
    editions: Sequence[Any]

    @property
    def is_newest(self) -> bool:
        """Whether these are the rules of today."""
        return not self.editions or self.book.version == self.editions[0].version


async def read_rules(reader: Reader, edition: int | None) -> RulesReading:
    """Return the rules of an edition, without one those of today. Raises NotFound when there is no such edition."""
    book = await (get_rulebook(reader) if edition is None else get_edition(reader, edition))
    return RulesReading(book, await reader.rows(EDITIONS))


async def list_versions(reader: Reader, number: int) -> Sequence[Any]:
    """Return every version of a rule, oldest first. Raises NotFound when there is no rule of this number."""
    rows = await reader.rows(VERSIONS, number=number)
    if not rows:
        raise NotFound("There is no such rule.", code="rule_not_found")
    return rows


async def get_cited_rules(session: AsyncSession, numbers: Sequence[int]) -> list[Rule]:
    """Return these rules in their present version. Raises Invalid for a number that no rule has."""
    newest = select(Rule).ext(distinct_on(col(Rule.number))).order_by(col(Rule.number), col(Rule.version).desc())
    found = (await session.execute(newest.where(col(Rule.number).in_(numbers)))).scalars().all()
    missing = sorted(set(numbers) - {rule.number for rule in found})
    if missing:
        raise Invalid(f"There is no rule {missing[0]}.", "#/rules", code="rule_not_found")
    return list(found)


async def write_rule(work: Work, administrator: Viewer, number: int, draft: RuleDraft) -> Rule:
    """Give a rule new words, as a new version in a new edition of the rules, of which members are told.

    Raises Forbidden, and Stale when the rule is no longer at the version that was on the screen.
    """
    allow(ModerationAct.WRITE_RULES, administrator)
    session = work.session
    await session.execute(_ONE_EDITION_AT_A_TIME)
    last = select(RulesEdition).order_by(col(RulesEdition.version).desc()).limit(1)
    edition = (await session.execute(last)).scalar_one_or_none()
    newest = select(Rule).where(col(Rule.number) == number).order_by(col(Rule.version).desc()).limit(1)
    rule = (await session.execute(newest)).scalar_one_or_none()
    if (rule.version if rule else 0) != draft.version:
        raise Stale(
            "This rule was changed while you were looking at it. Read it again.",
            code="rule_changed",
            current=rule.version if rule else 0,
            changed_by=None,
            changed_at=edition.since if edition else work.now,
        )
    new_edition = RulesEdition(version=(edition.version if edition else 0) + 1, since=work.now)
    session.add(new_edition)
    await session.flush()
    version = draft.version + 1
    written = Rule(number=number, version=version, edition=new_edition.version, title=draft.title, text=draft.text)
    session.add(written)
    await session.flush()
    await jobs.enqueue(session, RULES_CHANGED, {"edition": str(new_edition.version), "after": str(UUID(int=0))})
    await audit.record(
        session,
        actor_id=administrator.id,
        act="rule.written",
        subject=("rule", number),
        now=work.now,
        details={"version": version},
    )
    return written


async def adopt_house_rules(session: AsyncSession, now: datetime) -> bool:
    """Give a forum without rules the ten that come with the program. Return whether it had none."""
    await session.execute(_ONE_EDITION_AT_A_TIME)
    if (await session.execute(EDITION.query)).scalar_one() > 0:
        return False
    session.add(RulesEdition(version=1, since=now))
    await session.flush()
    house_rules = (resources.files("moderation") / "house_rules.toml").read_text(encoding="utf-8")
    for number, rule in enumerate(tomllib.loads(house_rules)["rule"], start=1):
        session.add(Rule(number=number, version=1, edition=1, title=rule["title"], text=rule["text"].strip()))
    await session.flush()
    return True
