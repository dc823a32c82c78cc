"""The house rules: numbered, versioned, and never forgotten."""

import tomllib
from collections.abc import Sequence
from datetime import datetime
from importlib import resources

from sqlalchemy import CheckConstraint, Integer, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core import audit
from forum.core.database import Prepared, columns, query
from forum.core.errors import Invalid, Stale
from forum.members.tables import RulesEdition
from forum.members.viewer import Viewer

# Held until the commit by whoever brings an edition: two at once would give themselves the same number.
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

# Every rule in its newest version, by number, with the day since when it stands.
CURRENT = Prepared(_VERSIONS.ext(distinct_on(col(Rule.number))).order_by(col(Rule.number), col(Rule.version).desc()))

# Every version of the rule `number`, oldest first.
VERSIONS = Prepared(
    _VERSIONS.where(col(Rule.number) == bindparam("number", type_=Integer())).order_by(col(Rule.version))
)

# The number of the newest edition; 0 before the first.
EDITION = Prepared(query(func.coalesce(func.max(RulesEdition.version), 0).label("version")))


async def cited(session: AsyncSession, numbers: Sequence[int]) -> list[Rule]:
    """These rules in their present version; Invalid for a number that no rule has."""
    newest = select(Rule).ext(distinct_on(col(Rule.number))).order_by(col(Rule.number), col(Rule.version).desc())
    found = (await session.execute(newest.where(col(Rule.number).in_(numbers)))).scalars().all()
    missing = sorted(set(numbers) - {rule.number for rule in found})
    if missing:
        raise Invalid(f"There is no rule {missing[0]}.", "#/rules")
    return list(found)


async def write(
    session: AsyncSession, administrator: Viewer, number: int, version: int, title: str, words: str, now: datetime
) -> Rule:
    """Give a rule new words, as a new version in a new edition; `version` 0 makes a rule that was not there.

    Raises Stale when the rule is no longer at the `version` that was on the screen.
    """
    await session.execute(_ONE_EDITION_AT_A_TIME)
    newest = select(Rule).where(col(Rule.number) == number).order_by(col(Rule.version).desc()).limit(1)
    last = select(RulesEdition).order_by(col(RulesEdition.version).desc()).limit(1)
    edition_now = (await session.execute(last)).scalar_one_or_none()
    rule = (await session.execute(newest)).scalar_one_or_none()
    if (rule.version if rule else 0) != version:
        raise Stale(
            "This rule was changed while you were looking at it. Read it again.",
            current=rule.version if rule else 0,
            changed_by=None,
            changed_at=edition_now.since if edition_now else now,
        )
    fresh = RulesEdition(version=(edition_now.version if edition_now else 0) + 1, since=now)
    session.add(fresh)
    await session.flush()
    written = Rule(number=number, version=version + 1, edition=fresh.version, title=title, text=words)
    session.add(written)
    await session.flush()
    details: audit.Details = {"version": written.version}
    await audit.record(
        session, actor_id=administrator.id, act="rule.written", subject=("rule", number), now=now, details=details
    )
    return written


async def adopt_house_rules(session: AsyncSession, now: datetime) -> bool:
    """Give a forum without rules the ten that come with it; whether it had none."""
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
