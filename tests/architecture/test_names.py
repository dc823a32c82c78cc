"""One name, one thing: each class of the domain is called once, and each error says by its code what went wrong."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from forum.core import errors
from forum.http import faults

ROOT = Path(__file__).resolve().parents[2]
# Errors whose class says all: every other is raised with a code of its own.
FINE_ENOUGH = {
    "NotSignedIn",
    "SecondFactorNeeded",
    "RoleWithheld",
    "SignInAgain",
    "Busy",
    "Overloaded",
    "Throttled",
    "PersonalInformation",
}
CODED = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.ForumError)}


def domain() -> Iterator[tuple[Path, ast.Module]]:
    """Every module below the surfaces, whose models mirror the domain's names."""
    for path, module in everything():
        if not {"api", "web"} & set(path.relative_to(ROOT).parts):
            yield path, module


def everything() -> Iterator[tuple[Path, ast.Module]]:
    for package in ("forum", "moderation"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_no_two_classes_of_the_domain_have_the_same_name() -> None:
    names = Counter(node.name for _, module in domain() for node in ast.walk(module) if isinstance(node, ast.ClassDef))
    assert {name: times for name, times in names.items() if times > 1} == {}


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Every place where an error of ours is made."""
    for path, module in everything():
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and ast.unparse(node.func).removeprefix("errors.") in CODED:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def codes() -> set[str]:
    """Every code that is written out in the program."""
    found = {getattr(errors, name).default_code for name in FINE_ENOUGH - {"Throttled"}}  # whose code names the limit
    found |= set(faults.CODES.values()) | faults.OUR_CODES
    for _, module in everything():
        for node in ast.walk(module):
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                found.add(str(node.value.value))
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "Refusal"
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(str(node.args[0].value))
    return found


def test_every_error_is_raised_with_a_code() -> None:
    bare = [
        place
        for place, call in raised()
        if ast.unparse(call.func).removeprefix("errors.") not in FINE_ENOUGH
        and not any(word.arg == "code" for word in call.keywords)
    ]
    assert bare == []


def test_every_code_is_explained_to_those_who_write_clients() -> None:
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `([a-z_]+)`", page, flags=re.MULTILINE))
    assert codes() - explained == set()


def test_every_limit_is_explained_to_those_who_write_clients() -> None:
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    policies = {
        str(policy.value)
        for _, module in domain()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".count_try") and len(node.args) > 1
        if isinstance(policy := node.args[1], ast.Constant)
    }
    assert len(policies) > 10
    explained = set(re.findall(r"^\| `limit_([a-z_]+)`", page, flags=re.MULTILINE))
    assert explained == {policy.replace("-", "_") for policy in policies} | {"api", "at_once", "streams"}


def test_no_sentence_for_people_names_a_route() -> None:
    for place, call in raised():
        for node in ast.walk(call):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.search(r"/api/|\b(GET|POST|PUT|PATCH|DELETE) ", node.value), place
