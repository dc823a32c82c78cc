"""The plan: what it proposes, that its file comes back as it was, and that it can make no board readable for more."""

from pathlib import Path

import pytest

from forum.importers.errors import CannotMove
from forum.importers.plan import Plan, PlannedBoard
from forum.importers.records import BoardRecord, PersonRecord, Readers, SourceRecord
from forum.importers.staging import Staging

NAME = 'Court "dates" \\ \u2028 \x7f 🌞 # no comment'


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    staging = Staging(tmp_path / "staging.sqlite")
    staging.add(
        [
            SourceRecord(program="phpbb", version="3.3.14", address="https://old.example.org/forum/"),
            BoardRecord(old="1", name="Families", is_section=True, readers=Readers.EVERYONE),
            BoardRecord(old="2", parent="1", name=NAME, readers=Readers.MEMBERS),
            BoardRecord(old="3", parent="2", name="Letters", readers=Readers.EVERYONE),
            BoardRecord(old="4", name="Behind a password", readers=Readers.STAFF, doubt="It had a password."),
            BoardRecord(old="5", name="x" * 300, parent="6", readers=Readers.STAFF),
            BoardRecord(old="6", name="Its own grandchild", parent="5", readers=Readers.STAFF),
            BoardRecord(old="10", name="Outer", readers=Readers.STAFF),
            BoardRecord(old="11", name="y" * 60, parent="10", readers=Readers.STAFF),
            BoardRecord(old="12", name="z" * 35, parent="11", readers=Readers.STAFF),
            PersonRecord(old="7", name="Suzie"),
            PersonRecord(old="8", name="Dr Jones", login="jones"),
            PersonRecord(old="9", name="dr jones", login="mallory"),
            PersonRecord(old="10", name="#7"),
        ]
    )
    return staging


def test_proposal_comes_back_from_its_file(staging: Staging, tmp_path: Path) -> None:
    plan = Plan.proposed(staging)
    clean = " ".join(NAME.split())
    assert plan.address == "https://old.example.org/forum/"
    assert plan.boards["2"] == PlannedBoard(name=clean, readers=Readers.MEMBERS, section="Families")
    assert plan.boards["3"] == PlannedBoard(name=f"{clean} › Letters", readers=Readers.EVERYONE, section="Families")
    assert plan.boards["4"].section == "Boards"
    assert len(plan.boards["5"].name) == 100
    assert plan.boards["12"].name == f"… › {'z' * 35}"
    assert plan.boards["11"].name == f"Outer › {'y' * 60}"
    assert "1" not in plan.boards
    plan.check(staging)
    file = tmp_path / "moving.toml"
    file.write_text(plan.as_toml({"4": "It had a password."}), "utf-8")
    assert Plan.read(file) == plan
    assert '# It had a password. If it was for all members, write "members" below.\nname = ' in file.read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "readers", "is_refused"),
    [
        ("2", Readers.EVERYONE, True),
        ("2", Readers.STAFF, False),
        ("4", Readers.MEMBERS, False),  # a person may settle a doubt, never for guests
        ("4", Readers.EVERYONE, True),
        ("5", Readers.MEMBERS, True),
        ("9", Readers.STAFF, True),
    ],
)
def test_no_plan_lets_more_people_read(staging: Staging, old: str, readers: Readers, is_refused: bool) -> None:
    plan = Plan(boards={old: PlannedBoard(name="Court", readers=readers)})
    if is_refused:
        with pytest.raises(CannotMove):
            plan.check(staging)
    else:
        plan.check(staging)


def test_all_boards_that_more_people_would_read_are_told_at_once(staging: Staging) -> None:
    plan = Plan(boards={old: PlannedBoard(name="Court", readers=Readers.EVERYONE) for old in ("2", "3", "4")})
    with pytest.raises(CannotMove) as refused:
        plan.check(staging)
    assert [line.partition(" (")[0] for line in str(refused.value).split("\n")] == ["The board 2", "The board 4"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("boards = 3", "change boards"),
        ("advisers = [", "cannot be understood"),
        ("waiting_days = -1", "change waiting_days"),
        ('dormant = "maybe"', "change dormant"),
        ('address = "javascript:alert(1)"', "change address"),
        ("colour = 1", "change colour"),
        ('[boards.2]\nname = "Court"\nreaders = "all"', "change boards.2.readers"),
    ],
)
def test_what_is_wrong_in_a_plan_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "moving.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(CannotMove, match=says):
        Plan.read(file)


def test_a_file_that_is_none_and_an_adviser_whom_nobody_knew(staging: Staging, tmp_path: Path) -> None:
    (tmp_path / "moving.toml").write_bytes("# é".encode("latin-1"))
    for path in (tmp_path / "moving.toml", tmp_path / "nothing.toml"):
        with pytest.raises(CannotMove):
            Plan.read(path)
    Plan(advisers=("suzie",)).check(staging)
    # Who calls themselves as an adviser gets no badge by it.
    with pytest.raises(CannotMove, match=r"2 accounts of the old board are called Dr Jones, .*: #8, #9\."):
        Plan(advisers=("Dr Jones",)).check(staging)
    assert Plan(advisers=("Jones", "#8")).find_advisers(staging) == {"8"}
    assert Plan(advisers=("#8", "suzie")).find_advisers(staging) == {"7", "8"}
    assert Plan(advisers=("#7",)).find_advisers(staging) == {"7"}
    with pytest.raises(CannotMove, match="Susan"):
        Plan(advisers=("Susan",)).check(staging)
