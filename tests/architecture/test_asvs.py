"""The table in `asvs.toml` is whole and true: nothing is left out, and every test that it names exists and runs."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
TABLE: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("asvs.toml").read_text(encoding="utf-8"))
NAMED = sorted({test for entry in TABLE.values() for test in entry.get("shown_by", ())})

# ASVS 5.0.0, sections 3.3 to 3.5 and chapters 5 to 8, 10, 14 and 16: the requirements of each level.
LEVELS = {
    1: """
        3.3.1 3.4.1 3.4.2 3.5.1 3.5.2 3.5.3
        5.2.1 5.2.2 5.3.1 5.3.2
        6.1.1 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.3.1 6.3.2 6.4.1 6.4.2
        7.2.1 7.2.2 7.2.3 7.2.4 7.4.1 7.4.2
        8.1.1 8.2.1 8.2.2 8.3.1
        10.4.1 10.4.2 10.4.3 10.4.4 10.4.5
        14.2.1 14.3.1
    """,
    2: """
        3.3.2 3.3.3 3.3.4 3.4.3 3.4.4 3.4.5 3.4.6 3.5.4 3.5.5
        5.1.1 5.2.3 5.4.1 5.4.2 5.4.3
        6.1.2 6.1.3 6.2.9 6.2.10 6.2.11 6.2.12 6.3.3 6.3.4 6.4.3 6.4.4 6.5.1 6.5.2 6.5.3 6.5.4 6.5.5 6.6.1 6.6.2 6.6.3
        6.8.1 6.8.2 6.8.3 6.8.4
        7.1.1 7.1.2 7.1.3 7.3.1 7.3.2 7.4.3 7.4.4 7.4.5 7.5.1 7.5.2 7.6.1 7.6.2
        8.1.2 8.2.3 8.4.1
        10.1.1 10.1.2 10.2.1 10.2.2 10.3.1 10.3.2 10.3.3 10.3.4 10.4.6 10.4.7 10.4.8 10.4.9 10.4.10 10.4.11
        10.5.1 10.5.2 10.5.3 10.5.4 10.5.5 10.6.1 10.6.2 10.7.1 10.7.2 10.7.3
        14.1.1 14.1.2 14.2.2 14.2.3 14.2.4 14.3.2 14.3.3
        16.1.1 16.2.1 16.2.2 16.2.3 16.2.4 16.2.5 16.3.1 16.3.2 16.3.3 16.3.4 16.4.1 16.4.2 16.4.3 16.5.1 16.5.2 16.5.3
    """,
}


def run_always(file: Path) -> set[str]:
    """The tests of this file that every run runs: none that a mark leaves out of it or lets fail."""
    code = ast.parse(file.read_text(encoding="utf-8"))
    assert not re.search(r"\bpytestmark\b", ast.unparse(code)), file  # of a whole file, here is none
    return {
        part.name
        for part in code.body
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)) and part.name.startswith("test_")
        if not re.search(r"\b(skip|skipif|xfail)\b", " ".join(map(ast.unparse, part.decorator_list)))
    }


def test_every_requirement_has_one_entry_and_its_own_level() -> None:
    asked = {number: level for level, numbers in LEVELS.items() for number in numbers.split()}
    assert len(asked) == 138
    assert {number: entry["level"] for number, entry in TABLE.items()} == asked


def test_each_is_shown_or_falls_short_or_does_not_apply() -> None:
    verdicts = ("shown_by", "falls_short", "does_not_apply")
    for number, entry in TABLE.items():
        said = [verdict for verdict in verdicts if verdict in entry]
        assert said in (["shown_by"], ["shown_by", "falls_short"], ["falls_short"], ["does_not_apply"]), number
        assert set(entry) == {"level", "what", *said}, number
        assert all(entry[verdict] for verdict in said), number


def test_every_reason_is_a_sentence() -> None:
    for number, entry in TABLE.items():
        assert not entry["what"].endswith("."), number  # a heading
        for reason in filter(None, (entry.get("falls_short"), entry.get("does_not_apply"))):
            assert re.fullmatch(r"[A-Z].{20,}\.", reason.strip(), re.DOTALL), number


def test_every_test_that_is_named_exists_and_runs() -> None:
    by_file: dict[str, set[str]] = {}
    for name in NAMED:
        file, _, test = name.partition("::")
        by_file.setdefault(file, set()).add(test)
    missed = {file: tests - run_always(TESTS / file) for file, tests in by_file.items()}
    assert {file: tests for file, tests in missed.items() if tests} == {}


def test_a_test_that_is_left_out_or_may_fail_or_is_not_there_shows_nothing(tmp_path: Path) -> None:
    marks = ("skip", "skipif(False, reason='-')", "xfail", "filterwarnings('error')")
    told = [f"@pytest.mark.{mark}\ndef test_{number}(): ..." for number, mark in enumerate(marks)]
    file = tmp_path / "test_some.py"
    file.write_text("\n".join(["import pytest", *told, "def helper(): ..."]))
    assert run_always(file) == {"test_3"}
    file.write_text("import pytest\npytestmark = pytest.mark.skip\ndef test_4(): ...")
    with pytest.raises(AssertionError):
        run_always(file)


def test_no_file_that_is_named_skips_a_test_while_it_runs() -> None:
    for name in {name.partition("::")[0] for name in NAMED}:
        code = (TESTS / name).read_text(encoding="utf-8")
        assert not re.search(r"\b(pytest\.(skip|xfail|importorskip)|skipTest)\(", code), name
