"""One name, one thing: each class of the domain is called once, and each error says by its code what went wrong."""

import ast
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

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


@dataclass
class Source:
    """What the tests below want to know of the program, from one walk through all of it."""

    classes: Counter[str] = field(default_factory=Counter)  # below the surfaces, whose models mirror the domain's names
    raised: list[tuple[str, ast.Call]] = field(default_factory=list)  # every place where an error of ours is made
    codes: set[str] = field(default_factory=set)  # every code that is written out
    policies: set[str] = field(default_factory=set)  # every limit that is counted

    def take(self, path: str, node: ast.AST, *, is_domain: bool) -> None:
        if isinstance(node, ast.ClassDef) and is_domain:
            self.classes[node.name] += 1
        if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
            self.codes.add(str(node.value.value))
        if not isinstance(node, ast.Call):
            return
        name, arguments = called(node), node.args
        if name.removeprefix("errors.") in CODED:
            self.raised.append((f"{path}:{node.lineno}", node))
        if name == "Refusal" and isinstance(arguments[0], ast.Constant):
            self.codes.add(str(arguments[0].value))
        if name.endswith(".count_try") and len(arguments) > 1 and isinstance(arguments[1], ast.Constant):
            self.policies.add(str(arguments[1].value))


def called(call: ast.Call) -> str:
    """What is called, with what stands before its last dot as far as that is one name."""
    if isinstance(call.func, ast.Attribute):
        of = call.func.value
        return f"{of.id if isinstance(of, ast.Name) else ''}.{call.func.attr}"
    return call.func.id if isinstance(call.func, ast.Name) else ""


@pytest.fixture(scope="module")
def source() -> Source:
    found = Source()
    for path in (path for package in ("forum", "moderation") for path in sorted((ROOT / package).rglob("*.py"))):
        place = path.relative_to(ROOT)
        is_domain = not {"api", "web"} & set(place.parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found.take(str(place), node, is_domain=is_domain)
    return found


def test_no_two_classes_of_the_domain_have_the_same_name(source: Source) -> None:
    assert {name: times for name, times in source.classes.items() if times > 1} == {}


def test_every_error_is_raised_with_a_code(source: Source) -> None:
    bare = [
        place
        for place, call in source.raised
        if called(call).removeprefix("errors.") not in FINE_ENOUGH
        and not any(word.arg == "code" for word in call.keywords)
    ]
    assert len(source.raised) > 300
    assert bare == []


def test_every_code_is_explained_to_those_who_write_clients(source: Source) -> None:
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `([a-z_]+)`", page, flags=re.MULTILINE))
    of_classes = {
        getattr(errors, name).default_code for name in FINE_ENOUGH - {"Throttled"}
    }  # its code names the limit
    assert (source.codes | of_classes | set(faults.CODES.values()) | faults.OUR_CODES) - explained == set()


def test_every_limit_is_explained_to_those_who_write_clients(source: Source) -> None:
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    assert len(source.policies) > 10
    explained = set(re.findall(r"^\| `limit_([a-z_]+)`", page, flags=re.MULTILINE))
    assert explained == {policy.replace("-", "_") for policy in source.policies} | {"api", "at_once", "streams"}


def test_no_sentence_for_people_names_a_route(source: Source) -> None:
    for place, call in source.raised:
        for node in ast.walk(call):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.search(r"/api/|\b(GET|POST|PUT|PATCH|DELETE) ", node.value), place
