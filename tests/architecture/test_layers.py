"""The conventions that machines hold: style, types, layers, migrations, one home for each kind of thing."""

import ast
import asyncio
import importlib.util
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import CheckConstraint, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from forum import features
from forum.app import RESOURCES
from forum.core import database
from moderation import features as moderation_features

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_code_is_linted() -> None:
    run("ruff", "check", "--no-cache", ".")


def test_the_code_is_formatted() -> None:
    run("ruff", "format", "--no-cache", "--check", ".")


def test_the_types_hold() -> None:
    run("mypy")


def test_imports_go_down_only() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_surfaces_know_http() -> None:
    """FastAPI and the modules that stand on it are for routes; the domain below answers them all alike."""
    surfaces = re.compile(r"(forum|moderation)/(api|http|web)/|forum/app\.py|forum/cli/pages\.py")
    http = re.compile(r"(fastapi|starlette|(forum|moderation)\.(api|http|web))(\.|$)")
    perhaps = re.compile(r"\b(fastapi|starlette|api|http|web)\b")  # to parse all that has none of it takes seconds
    guilty = [
        f"{path.relative_to(ROOT)} imports {name}"
        for package in ("forum", "moderation")
        for path in (ROOT / package).rglob("*.py")
        if not surfaces.match(str(path.relative_to(ROOT))) and perhaps.search(path.read_text(encoding="utf-8"))
        for name in imported_by(path)
        if http.match(name)
    ]
    assert guilty == []


@pytest.mark.parametrize("package", ["forum", "moderation", "migrations"])
def test_every_file_of_a_package_is_installed_with_it(package: str) -> None:
    how = pyproject()["tool"]["setuptools"]
    assert f"{package}*" in how["packages"]["find"]["include"]
    patterns = how["package-data"][package]
    installed = {path for pattern in patterns for path in (ROOT / package).glob(pattern) if path.is_file()}
    there = {path for path in (ROOT / package).rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}}
    assert there == installed


@pytest.mark.parametrize("package", ["forum", "moderation"])
def test_a_feature_and_its_http_share_a_name(package: str) -> None:
    """`api/content/posts.py` is the HTTP of `content/posts`: whoever knows one finds the other."""
    domain, http = ROOT / package, ROOT / package / "api"
    own = {"schemas", "openapi", "generators", "health", "metrics"}  # HTTP's own matters
    orphans = [
        str(path.relative_to(http))
        for path in http.rglob("*.py")
        if path.stem not in own | {"__init__"}
        and not (domain / path.relative_to(http)).exists()
        and not (domain / path.relative_to(http).with_suffix("")).is_dir()
    ]
    assert orphans == []


@pytest.mark.parametrize("package", ["forum", "moderation"])
def test_every_feature_with_http_stands_in_the_list_of_features(package: str) -> None:
    """The worker loads no HTTP, so there are two lists; here somebody compares them."""
    listed = {feature.name for feature in {"forum": features, "moderation": moderation_features}[package].FEATURES}
    http = ROOT / package / "api"
    own = {"schemas", "openapi", "generators", "health", "metrics"}
    answering = {
        ".".join(path.relative_to(http).with_suffix("").parts)
        for path in http.rglob("*.py")
        if path.stem not in own | {"__init__"} and "router" in path.read_text(encoding="utf-8")
    }
    assert answering - listed == set()
    there = [name for name in listed if importlib.util.find_spec(f"{package}.{name}") is None]
    assert there == []


def test_only_the_unit_of_work_commits() -> None:
    unit_of_work, words = (
        {ROOT / "forum/core/database.py", ROOT / "forum/core/driver_session.py"},
        {"commit", "rollback"},
    )
    committing = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in ("forum", "moderation")
        for path in (ROOT / package).rglob("*.py")
        if path not in unit_of_work and any(word in path.read_text(encoding="utf-8") for word in words)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in words
    ]
    assert committing == []


def test_every_route_stands_under_its_tag_and_says_what_it_does() -> None:
    for resource in RESOURCES:
        assert resource.text.endswith("."), resource.tag
        for router in resource.routers:
            for route in router.routes:
                assert isinstance(route, APIRoute)
                assert route.endpoint.__doc__, route.path
                assert route.tags == [resource.tag], route.path


async def test_the_migrations_make_what_the_models_say(database_url: str) -> None:
    config = database.alembic_config(database_url)
    config.attributes["metadata"] = SQLModel.metadata
    await asyncio.to_thread(command.check, config)


async def test_the_migrated_checks_and_partial_indexes_are_the_models(database_url: str) -> None:
    """`alembic check` does not compare these; PostgreSQL's own rendering of both does."""
    migrated = await rules_of(database_url)
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        for table in SQLModel.metadata.tables:
            await connection.execute(text(f'DROP TABLE "{table}" CASCADE'))
        await connection.run_sync(SQLModel.metadata.create_all)
    await engine.dispose()
    assert await rules_of(database_url) == migrated


async def rules_of(url: str) -> set[tuple[str, str]]:
    """Every CHECK and every index, in PostgreSQL's words."""
    checks = text(
        "SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass"
    )
    indexes = text(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    )
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = {
            (name, _in_order(rule)) for query in (checks, indexes) for name, rule in (await connection.execute(query))
        }
    await engine.dispose()
    return found


def _in_order(rule: str) -> str:
    """A rule with the values of each list sorted: in which order they are checked is the same."""
    return re.sub(r"ARRAY\[(.*?)\]", lambda listed: ", ".join(sorted(listed[1].split(", "))), rule)


def test_every_check_has_a_name() -> None:
    for table in SQLModel.metadata.tables.values():
        assert all(check.name for check in table.constraints if isinstance(check, CheckConstraint)), table.name


def test_migrations_never_import_the_models() -> None:
    for path in (ROOT / "migrations").rglob("*.py"):
        imported = re.findall(r"^(?:from|import) (\S+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert not [name for name in imported if name.split(".")[0] == "moderation"], path
        assert [name for name in imported if name.split(".")[0] == "forum"] in ([], ["forum.core.settings"]), path


async def test_every_layer_around_a_request_is_plain_asgi(app: FastAPI) -> None:
    assert not [layer.cls.__name__ for layer in app.user_middleware if hasattr(layer.cls, "dispatch")]


def imported_by(path: Path) -> Iterator[str]:
    """Every module that a file names in an import."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


def modules(package: str) -> list[str]:
    """The modules and packages directly inside a package, by name."""
    return [module.name for module in pkgutil.iter_modules([str(ROOT / package)])]


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
