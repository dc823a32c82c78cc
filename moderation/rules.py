"""The house rules: numbered, versioned, and never forgotten."""

import tomllib
from datetime import datetime
from importlib import resources

from sqlalchemy import CheckConstraint, func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.database import Query, columns, query
from forum.members import RulesEdition


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


def current() -> Query:
    """Every rule in its newest version, by number, with the day since when it stands."""
    return versions().distinct(col(Rule.number)).order_by(None).order_by(col(Rule.number), col(Rule.version).desc())


def versions() -> Query:
    """Every version of every rule, oldest first."""
    return (
        query(*columns(Rule), col(RulesEdition.since))
        .join(RulesEdition, col(RulesEdition.version) == col(Rule.edition))
        .order_by(col(Rule.number), col(Rule.version))
    )


def edition() -> Query:
    """The number of the newest edition; none before the first."""
    return query(func.max(RulesEdition.version).label("version"))


async def adopt_house_rules(session: AsyncSession, now: datetime) -> bool:
    """Give a forum without rules the ten that come with it; whether it had none."""
    if (await session.execute(edition())).scalar_one() is not None:
        return False
    session.add(RulesEdition(version=1, since=now))
    await session.flush()
    text = (resources.files("moderation") / "house_rules.toml").read_text(encoding="utf-8")
    for number, rule in enumerate(tomllib.loads(text)["rule"], start=1):
        session.add(Rule(number=number, version=1, edition=1, title=rule["title"], text=rule["text"].strip()))
    await session.flush()
    return True
