"""A route parses, awaits one action or query of the domain, and renders: so no two surfaces can differ in a rule."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# HTTP's own matters, which are no feature's routes.
OWN = {"forum/api/openapi.py", "forum/api/health.py", "forum/api/metrics.py", "forum/api/schemas.py"} | {
    f"forum/web/{name}.py" for name in ("errors", "routing", "site", "visits")
}
# Routes that await the domain more than once, each with its reason. The list only shrinks.
EXCEPTIONS: dict[str, str] = {}
# What only the domain may use: a surface that asks by itself could forget to.
FORBIDDEN = ("sqlalchemy", "sqlmodel", "forum.permissions", "moderation.permissions", "forum.core.audit")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def surfaces() -> Iterator[Path]:
    for package in ("forum", "moderation"):
        for surface in ("api", "web"):
            for path in sorted((ROOT / package / surface).rglob("*.py")):
                if str(path.relative_to(ROOT)) not in OWN:
                    yield path


FILES = list(surfaces())


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def is_route(function: Function) -> bool:
    return any("router." in ast.unparse(decorator) for decorator in function.decorator_list)


def awaits(function: Function) -> int:
    return sum(isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) for node in ast.walk(function))


def test_a_route_awaits_the_domain_once_and_nothing_else_in_its_file_does() -> None:
    for path, function in ((file, found) for file in FILES for found in functions(file)):
        # Where an action refuses what a form sent, its page is read for the answer: that is a second one.
        is_page = "web" in path.parts
        allowed = 1 + is_page if is_route(function) else int(is_page)
        if awaits(function) > allowed:
            assert function.name in EXCEPTIONS, f"{path}: {function.name} awaits {awaits(function)} times"


def test_a_surface_asks_no_permission_and_no_database() -> None:
    for path, node in ((file, found) for file in FILES for found in ast.walk(ast.parse(file.read_text("utf-8")))):
        if isinstance(node, ast.ImportFrom) and node.module and {alias.name for alias in node.names} != {"Refusal"}:
            assert not node.module.startswith(FORBIDDEN), (path, ast.unparse(node))
        if isinstance(node, ast.Import):
            assert not [alias.name for alias in node.names if alias.name.startswith(FORBIDDEN)], (
                path,
                ast.unparse(node),
            )


def test_one_module_knows_whose_an_alias_is() -> None:
    files = {*ROOT.glob("forum/**/*.py"), *ROOT.glob("moderation/**/*.py")}
    knows = {path for path in files if "PersonaOwner" in path.read_text(encoding="utf-8")}
    assert knows == {ROOT / "forum/members/aliases.py"}


def test_every_exception_is_needed_and_has_a_reason() -> None:
    awaiting = {function.name for path in FILES for function in functions(path) if awaits(function) > 1}
    assert set(EXCEPTIONS) <= awaiting
    assert all(len(reason) > 20 for reason in EXCEPTIONS.values())
